"""config/rtmsd.toml documents every option, with its sentence and its default."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import rtmsd_file
import rtmsd_transcribe
from rtmsd.config import (
    AdminConfig,
    AppConfig,
    Config,
    DeliveryConfig,
    EventsConfig,
    ExpectedConfig,
    HostConfig,
    ManualConfig,
    MediaConfig,
    OnlyConfig,
    Secret,
    SinkConfig,
    WebhookConfig,
    ZoomConfig,
    load_config,
)
from rtmsd_file import FileOptions
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.options import TranscribeOptions

FILE = Path(__file__).parents[2] / "config" / "rtmsd.toml"

# Options that stand in no table.
TOP = {"state_dir", "plugin_dir"}

# Tables of an app.
OF_AN_APP = ("only", "media", "manual", "hosts", "expected", "events")

# Defaults that another option decides, or that are shown by an example because there is none.
SHOWN_BY_EXAMPLE = {"sinks.signing_key", "admin.token", "webhook.public_url", "zoom.ca_file", "apps.sinks"}


APP = """
[webhook]
listen = "127.0.0.1:0"
[[apps]]
name = "notes"
client_id = "x"
client_secret = { env = "A" }
webhook_secrets = [{ env = "B" }]
"""


def _uncommented() -> dict[str, Any]:
    text = re.sub(r"^#(?=[a-z_]+ = |\[)", "", FILE.read_text(), flags=re.MULTILINE)
    return tomllib.loads(text)


def _options(cls: type[Any], prefix: str) -> dict[str, dataclasses.Field[Any]]:
    return {prefix + field.name: field for field in dataclasses.fields(cls)}


def _written(default: Any) -> Any:
    """Write a default the way TOML would."""
    if isinstance(default, tuple):
        return list(default)
    return default if isinstance(default, bool | int | float | str | dict) else str(default)


def test_every_option_and_default() -> None:
    """Every field is documented, every documented key is a field, and the defaults are the same."""
    fields = {
        **_options(WebhookConfig, "webhook."),
        **_options(AdminConfig, "admin."),
        **_options(ZoomConfig, "zoom."),
        **_options(AppConfig, "apps."),
        **_options(ManualConfig, "apps.manual."),
        **_options(HostConfig, "apps.hosts."),
        **_options(ExpectedConfig, "apps.expected."),
        **_options(EventsConfig, "apps.events."),
        **_options(OnlyConfig, "apps.only."),
        **_options(MediaConfig, "apps.media."),
        **_options(SinkConfig, "sinks."),
        **_options(DeliveryConfig, "sinks."),
        **_options(FileOptions, "sinks."),
    }
    for tables in (*(f"apps.{name}" for name in OF_AN_APP), "sinks.options", "sinks.delivery"):
        del fields[tables]
    document = _uncommented()
    documented = {key: document.pop(key) for key in TOP}
    for table, keys in document.items():
        for key, value in (keys[0] if isinstance(keys, list) else keys).items():
            if table == "apps" and key in OF_AN_APP:
                [inner] = value if isinstance(value, list) else [value]
                documented.update({f"{table}.{key}.{name}": one for name, one in inner.items()})
            else:
                documented[f"{table}.{key}"] = value
    assert set(documented) - TOP == set(fields)
    for path, field in fields.items():
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default is not dataclasses.MISSING and path not in SHOWN_BY_EXAMPLE:
            assert documented[path] == _written(default), path
    assert {field.name for field in dataclasses.fields(Config)} - {"warnings", *TOP} == set(document)


def test_the_transcription_sink() -> None:
    """So it is with the second sink, which is left out at first, and with the table of each of its engines."""
    _, documented = _uncommented()["sinks"]
    tables = [
        (documented, TranscribeOptions),
        *((documented[name], one.options) for name, one in ENGINES.items()),
    ]
    for table, options in tables:
        fields = {field.name: field for field in dataclasses.fields(options)}
        assert table.keys() - {"name", "type"} == fields.keys(), options
        for name, field in fields.items():
            default = (
                field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            )
            if default is not dataclasses.MISSING and default is not None:
                assert table[name] == _written(default), name


def test_the_transcription_sink_loads(tmp_path: Path) -> None:
    """Without its marks of a comment it is a configuration, once the secrets, a model and the libraries are there."""
    text = re.sub(r"^#(?=[a-z_]+ = |\[)", "", FILE.read_text(), flags=re.MULTILINE)
    if find_spec("faster_whisper") is None:
        text = re.sub(r"^\[sinks\.whisper\]$.*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "rtmsd.toml").write_text(
        'state_dir = "/var/lib/rtmsd"\n'
        + APP
        + text[text.rindex("[[sinks]]") :].replace("/var/lib/rtmsd/models/small", str(tmp_path))
    )
    for name in ("model.bin", "tokenizer.json"):
        (tmp_path / name).touch()
    for name in ("engine-secret", "deepgram-key", "assemblyai-key", "openai-key"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    environ = {"A": "a", "B": "b", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    types = {one.name: one for one in rtmsd_transcribe.rtmsd_sink_types()}
    [sink] = load_config(tmp_path / "rtmsd.toml", sink_types=types, environ=environ).sinks
    assert sink.name == "transcript" and sink.options.engines == ("deepgram", "openai")


def test_every_option_has_a_sentence() -> None:
    """Above every option stands a sentence."""
    lines = FILE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?[a-z_]+ = ", line):
            assert lines[number - 1].startswith("# "), line


def test_it_loads(tmp_path: Path) -> None:
    """The file as shipped is a configuration, once the secrets are there."""
    config = load_config(
        FILE,
        sink_types={one.name: one for one in rtmsd_file.rtmsd_sink_types()},
        environ={"NOTES_CLIENT_SECRET": "a", "NOTES_WEBHOOK_SECRET": "b"},
    )
    assert config.apps[0].name == "notes"
    assert config.warnings == ()


def test_secrets_are_typed_so() -> None:
    """Whatever is named a secret or token is a Secret, so that it cannot be printed."""
    for cls in (AdminConfig, AppConfig, ManualConfig, HostConfig):
        for name, hint in typing.get_type_hints(cls).items():
            if "secret" in name or "token" in name:
                assert Secret in (hint, *typing.get_args(hint)), name
