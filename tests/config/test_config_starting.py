"""How streams begin, as the configuration says it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rtmsd.api.sinks import SinkType
from rtmsd.config import Config, ExpectedConfig, load_config
from rtmsd.errors import ConfigError
from rtmsd_file import rtmsd_sink_types

BASE = """
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "127.0.0.1:8080"
[[sinks]]
name = "disk"
type = "file"
directory = "/var/lib/rtmsd/recordings"
[[apps]]
name = "notes"
client_id = "receiver"
client_secret = { env = "RECEIVER" }
webhook_secrets = [{ env = "HOOK" }]
"""

MANUAL = """
[apps.manual]
account_id = "account"
client_id = "controller"
client_secret = { env = "CONTROLLER" }
"""

Load = Callable[[str], Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(more: str) -> Config:
        types: list[SinkType] = rtmsd_sink_types()
        path = tmp_path / "rtmsd.toml"
        path.write_text(BASE + more)
        secrets = {"RECEIVER": "a", "HOOK": "b", "CONTROLLER": "c", "REFRESH": "d"}
        return load_config(path, sink_types={one.name: one for one in types}, environ=secrets)

    return load


def test_everything_about_starting(load: Load) -> None:
    """A controller, a host, an expected meeting, the event WebSocket and rules are read, numbers in every form."""
    config = load(
        'start = "manual"\n'
        + MANUAL
        + """
        [[apps.hosts]]
        user_id = "ann"
        refresh_token = { env = "REFRESH" }
        [[apps.expected]]
        meeting = "857 4606-5432"
        at = 2026-11-23T11:00:00+01:00
        every_days = 7
        [apps.events]
        subscription_id = "sub"
        owner = "manual"
        [apps.only]
        meetings = [85746065432, "857 4606 5433"]
        topics = ["*standup*"]
        refused = "stop"
        """
    )
    [app] = config.apps
    assert app.manual is not None and app.manual.look_every_secs == 300
    assert app.hosts[0].refresh_token.reveal() == "d"
    assert app.expected == (
        ExpectedConfig(meeting="85746065432", at=datetime(2026, 11, 23, 10, tzinfo=UTC), every_days=7),
    )
    assert app.only.meetings == ("85746065432", "85746065433")


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        ('start = "manual"', "apps[0].start", "[apps.manual]"),
        ('start = "manuel"', "apps[0].start", 'did you mean "manual"'),
        ('[apps.only]\nrefused = "stop"', "apps[0].only.refused", "needs [apps.manual]"),
        (
            '[apps.events]\nsubscription_id = "s"\nowner = "manual"',
            "apps[0].events.owner",
            "needs [apps.manual]",
        ),
        (MANUAL.replace('"controller"', '"receiver"'), "apps[0].manual.client_id", "Server-to-Server"),
        (MANUAL.replace("CONTROLLER", "RECEIVER"), "apps[0].manual.client_secret", "each app has its own"),
        (MANUAL.replace('"account"', '"my account"'), "apps[0].manual.account_id", "white space"),
        (
            MANUAL + 'webhook_secrets = [{ env = "HOOK" }]',
            "apps[0].manual.webhook_secrets[0]",
            "is the same as apps[0].webhook_secrets[0]",
        ),
        ('[apps.only]\nmeetings = ["weekly"]', "apps[0].only.meetings[0]", "a meeting number"),
        ('[apps.only]\nhosts = [" "]', "apps[0].only.hosts[0]", "is empty"),
        (
            '[[apps.hosts]]\nuser_id = "me"\nrefresh_token = { env = "REFRESH" }',
            "apps[0].hosts[0].user_id",
            "expected the host's Zoom user id",
        ),
        (
            "[[apps.expected]]\nmeeting = 85746065432\nat = 2026-11-23T10:00:00",
            "apps[0].expected[0].at",
            "with its offset",
        ),
        ("[[apps.expected]]\nmeeting = 85746065432\nat = 10:00:00", "apps[0].expected[0].at", "a time, such"),
    ],
)
def test_what_does_not_go_together(load: Load, more: str, path: str, says: str) -> None:
    """Each mistake is told at its own path, with what to do."""
    with pytest.raises(ConfigError) as raised:
        load(more)
    [problem] = raised.value.problems
    assert problem.startswith(f"{path}: ") and says in problem, problem


def test_the_event_websocket_is_encrypted(load: Load, tmp_path: Path) -> None:
    """The access token travels in its URL: without TLS it goes to this machine at most."""
    with pytest.raises(ConfigError, match=r"zoom.events_url: expected a wss:// URL"):
        load('[zoom]\nevents_url = "ws://ws.zoom.us/ws"')


def test_calls_a_second_can_be_set(load: Load) -> None:
    """Accounts differ in what their plan allows; nonsense is refused with its path."""
    config = load(MANUAL + "calls_per_sec = 0.5\n")
    assert config.apps[0].manual is not None and config.apps[0].manual.calls_per_sec == 0.5
    for bad in ("0", "81"):
        with pytest.raises(ConfigError, match=r"apps\[0\].manual.calls_per_sec"):
            load(MANUAL + f"calls_per_sec = {bad}\n")
