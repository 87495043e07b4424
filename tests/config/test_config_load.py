"""What a configuration may say, and what is said about one that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rtmsd.api.sinks import SinkType
from rtmsd.config import Config, Listen, UnixListen, load_config
from rtmsd.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DiskOptions:
    directory: Path
    flush_secs: float = 1.0
    prefix: Path | str = "x"

    def __post_init__(self) -> None:
        if self.flush_secs < 0:
            raise ValueError("flush_secs: expected no negative number")


def _no_build(options: Any, context: Any) -> Any:
    raise AssertionError("a configuration builds nothing")


SINK_TYPES = {"file": SinkType("file", DiskOptions, lambda options: frozenset(), _no_build)}
ENVIRON = {"CS": "client-secret", "WS": "webhook-secret", "CS2": "client-secret-2", "WS2": "webhook-secret-2"}

GOOD = """
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "0.0.0.0:8080"
[admin]
[zoom]
[[apps]]
name = "notes"
client_id = "abc"
client_secret = { env = "CS" }
webhook_secrets = [{ env = "WS" }]
[[sinks]]
name = "disk"
type = "file"
directory = "recordings"
"""

SECOND_APP = """
[[apps]]
name = "sales"
client_id = "def"
client_secret = { env = "CS2" }
webhook_secrets = [{ env = "WS2" }]
"""

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, environ: dict[str, str] = ENVIRON) -> Config:
        path = tmp_path / "rtmsd.toml"
        path.write_text(text)
        return load_config(path, sink_types=SINK_TYPES, environ=environ)

    return load


def problems(load: Load, text: str, environ: dict[str, str] = ENVIRON) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, environ)
    return caught.value.problems


def test_good(load: Load, tmp_path: Path) -> None:
    """A small file becomes dataclasses with defaults, and an app without `sinks` has all of them."""
    config = load(GOOD)
    assert config.state_dir == Path("/var/lib/rtmsd")
    assert config.webhook.listen == Listen("0.0.0.0", 8080)
    assert config.admin.listen == Listen("127.0.0.1", 8081)
    [app] = config.apps
    assert (app.name, app.client_secret.reveal(), app.webhook_secrets[0].reveal()) == (
        "notes",
        "client-secret",
        "webhook-secret",
    )
    assert app.sinks == ("disk",)
    assert app.media.sample_rate == 16000
    [sink] = config.sinks
    assert sink.options == DiskOptions(directory=tmp_path / "recordings")
    assert sink.delivery.batch_ms == 500
    assert config.warnings == ()


def test_all_problems_at_once(load: Load) -> None:
    """Every problem is told in one run, each with its path, and nothing follows from another."""
    text = """
    state_dir = "relative"
    colour = 1
    [webhook]
    listen = "nowhere"
    path = "webhook/"
    [admin]
    listen = "0.0.0.0:8081"
    [zoom]
    oauth_url = "http://zoom.us/oauth/token"
    allowed_hosts = ["wss://zoom.us", "zoom.us:443", "a.*.us", "*.com"]
    ca_file = "/nonexistent/ca.pem"
    [[apps]]
    name = "Notes!"
    client_id = "a b"
    client_secret = "plain-text-value"
    webhook_secrets = [{ env = "NOT_SET" }, { vault = "x" }]
    sinks = ["disc"]
    start = "manual"
    [apps.manual]
    account_id = "x"
    [apps.only]
    original_hosts = true
    [apps.media]
    sample_rate = 44100
    send_rate_ms = 30
    language = "eng"
    detect_language = "yes"
    [[sinks]]
    name = "disk"
    type = "file"
    batch_ms = 0
    directroy = "x"
    """
    found = problems(load, text)
    paths = sorted(line.split(": ")[0] for line in found)
    assert paths == sorted(
        [
            "state_dir",
            "colour",
            "webhook.listen",
            "admin.token",
            "zoom.oauth_url",
            *(f"zoom.allowed_hosts[{n}]" for n in range(4)),
            "zoom.ca_file",
            "apps[0].name",
            "apps[0].client_id",
            "apps[0].client_secret",
            "apps[0].webhook_secrets[0]",
            "apps[0].webhook_secrets[1]",
            "apps[0].sinks[0]",
            "apps[0].manual.client_id",
            "apps[0].manual.client_secret",
            "apps[0].only.original_hosts",
            "apps[0].media.sample_rate",
            "apps[0].media.send_rate_ms",
            "apps[0].media.detect_language",
            "sinks[0].batch_ms",
            "sinks[0].directory",
            "sinks[0].directroy",
        ]
    )
    assert not any("plain-text-value" in line for line in found)
    by_path = {line.split(": ")[0]: line for line in found}
    assert 'did you mean "original_host"' in by_path["apps[0].only.original_hosts"]
    assert 'did you mean "directory"' in by_path["sinks[0].directroy"]
    assert 'did you mean "disk"' in by_path["apps[0].sinks[0]"]
    assert "multiple of 20" in by_path["apps[0].media.send_rate_ms"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("[admin]", '[admin]\nlisten = "systemd"'), "admin.listen: "),
        (('"0.0.0.0:8080"', '"0.0.0.0:99999"'), "webhook.listen: expected a port"),
        (('"0.0.0.0:8080"', '"[::g]:80"'), "webhook.listen: expected an IPv6"),
        (('"0.0.0.0:8080"', '"unix:run/x"'), "webhook.listen: expected an absolute path"),
        (('"0.0.0.0:8080"', "8080"), "webhook.listen: expected an address"),
        (('type = "file"', 'type = "fiel"'), 'sinks[0].type: no plugin offers "fiel"'),
        (('type = "file"', ""), "sinks[0].type: is missing"),
        (('directory = "recordings"', 'directory = "r"\nflush_secs = -1'), "sinks[0]: flush_secs"),
        (
            ('directory = "recordings"', 'directory = "r"\nflush_secs = nan'),
            "sinks[0].flush_secs: expected a number",
        ),
        (('directory = "recordings"', 'directory = ""'), "sinks[0].directory: expected a path"),
        (('name = "notes"', 'name = "notes"\nsinks = []'), "apps[0].sinks: names no sink"),
        (('name = "notes"', 'name = "../x"'), "apps[0].name: expected"),
        (('[{ env = "WS" }]', "[]"), "apps[0].webhook_secrets: names no secret"),
        (
            ('[{ env = "WS" }]', '[{ env = "CS" }]'),
            "apps[0].webhook_secrets[0]: is the same as client_secret",
        ),
        (
            ('[{ env = "WS" }]', '[{ env = "WS" }, { env = "WS" }]'),
            "apps[0].webhook_secrets[1]: is the same as",
        ),
        (("[zoom]", "zoom = 1"), "zoom: expected a table"),
        (("[zoom]", "[zoom]\nallowed_hosts = []"), "zoom.allowed_hosts: names no host"),
        (
            ('client_id = "abc"', 'client_id = "abc"\nmedia = { language = "eng" }'),
            "apps[0].media.language: ",
        ),
    ],
)
def test_one_problem(load: Load, change: tuple[str, str], expected: str) -> None:
    """One mistake is one problem that begins with its path and says what was expected."""
    assert change[0] in GOOD
    text = GOOD.replace(*change)
    if change[1].startswith("zoom ="):
        text = change[1] + GOOD.replace(change[0], "")
    [problem] = problems(load, text)
    assert problem.startswith(expected)


def test_missing_tables(load: Load) -> None:
    """An empty file names what is needed at least."""
    assert [line.split(": ")[0] for line in problems(load, "")] == [
        "state_dir",
        "webhook.listen",
        "sinks",
        "apps",
    ]


def test_used_twice(load: Load) -> None:
    """Names, client ids and webhook secrets stand once; a problem names the other place and no secret."""
    twice = SECOND_APP.replace("sales", "notes").replace("def", "abc").replace('"WS2"', '"WS"')
    found = problems(load, GOOD + twice + '[[sinks]]\nname = "disk"\ntype = "file"\ndirectory = "d"\n')
    assert sorted(line.split(": ")[0] for line in found) == [
        "apps[1].client_id",
        "apps[1].name",
        "apps[1].webhook_secrets[0]",
        "sinks[1].name",
    ]
    assert not any("webhook-secret" in line for line in found)


def test_shared_path_warns(load: Load) -> None:
    """Two apps load, with a warning that names each app's own path."""
    [warning] = load(GOOD + SECOND_APP).warnings
    assert "/webhook/notes" in warning
    assert "/webhook/sales" in warning


def test_syntax_error_names_the_line(load: Load) -> None:
    """Bad TOML is reported with its file and line."""
    [problem] = problems(load, 'state_dir = "/x"\nnot toml\n')
    assert "rtmsd.toml" in problem
    assert "line 2" in problem


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a configuration problem, not a traceback."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml", sink_types=SINK_TYPES, environ={})


def test_loopback_hosts_for_a_simulator(load: Load) -> None:
    """Loopback may be named in allowed_hosts and be reached without TLS; a local admin needs no token."""
    zoom = '[zoom]\napi_url = "http://127.0.0.1:9000/v2"\nallowed_hosts = ["127.0.0.1", "localhost", "::1", "*.Zoom.us"]'
    config = load(GOOD.replace("[zoom]", zoom).replace("[admin]", '[admin]\nlisten = "[::1]:0"'))
    assert config.zoom.allowed_hosts == ("127.0.0.1", "localhost", "::1", "*.zoom.us")
    assert config.admin.listen == Listen("::1", 0)


def test_unix_listener(load: Load) -> None:
    """A Unix socket is written as unix:/path and needs no token."""
    config = load(GOOD.replace("[admin]", '[admin]\nlisten = "unix:/run/rtmsd/admin.sock"'))
    assert config.admin.listen == UnixListen(Path("/run/rtmsd/admin.sock"))


@pytest.mark.parametrize(("line", "batch_ms"), [("", 1000), ("batch_ms = 50", 50)])
def test_a_sink_type_has_its_own_batch_time(tmp_path: Path, line: str, batch_ms: int) -> None:
    """Frames are gathered as long as the sink type likes, unless the configuration says how long."""
    disk = SinkType("disk", DiskOptions, lambda _: frozenset(), lambda _, __: None, batch_ms=1000)  # type: ignore[arg-type]
    path = tmp_path / "rtmsd.toml"
    path.write_text(GOOD + line)
    config = load_config(path, sink_types={"file": disk, "disk": disk}, environ=ENVIRON)
    assert config.sinks[0].delivery.batch_ms == batch_ms
