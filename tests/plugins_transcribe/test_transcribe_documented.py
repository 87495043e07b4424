"""What the documents say about transcription works as it stands there."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest
from transcribe_bench import ANN, BO, SAID, STREAM, ZERO_MS, frames

from rtmsd.api import Item, SinkContext, StreamEnd, TranscriptFrame
from rtmsd.config import load_config
from rtmsd.plugins import load_plugins
from rtmsd_transcribe.build import build
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.options import TranscribeOptions

ROOT = Path(__file__).parents[2]
README = (ROOT / "plugins" / "README.md").read_text()
DOCUMENT = (ROOT / "docs" / "transcription.md").read_text()

PROGRAM = """#!{python}
import sys
sound = sys.stdin.buffer.read()
if {fails}:
    sys.exit(3)
print(f"0 {{len(sound) / 32000}} {{len(sound)}} bytes in {{sys.argv[1]}}")
"""

CONFIG = """
state_dir = "{tmp}"
[webhook]
listen = "127.0.0.1:0"
[[apps]]
name = "notes"
client_id = "x"
client_secret = {{ env = "SECRET" }}
webhook_secrets = [{{ env = "HOOK" }}]
"""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def options_of(tmp: Path, sink: str) -> TranscribeOptions:
    path = tmp / "rtmsd.toml"
    path.write_text(CONFIG.format(tmp=tmp) + sink)
    environ = {"SECRET": "a", "HOOK": "b", "CREDENTIALS_DIRECTORY": str(tmp)}
    config = load_config(path, sink_types=load_plugins().sink_types, environ=environ)
    options = config.sinks[0].options
    assert isinstance(options, TranscribeOptions)
    return options


@pytest.fixture
def engine_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The README's engine as a module, and its configuration with a program of this test's."""
    [source] = [one for one in blocks(README, "python") if "CommandEngine" in one]
    assert len(source.splitlines()) <= 60
    (tmp_path / "command_engine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "command_engine", raising=False)
    [config] = [one for one in blocks(README, "toml") if "command_engine" in one]
    return config.replace("/usr/local/bin/understand", str(tmp_path / "understand"))


async def transcribed(
    options: TranscribeOptions, tmp: Path, *, drain_secs: float = 30.0
) -> list[TranscriptFrame]:
    """Let two people speak at the same time to the sink."""
    published: list[Item] = []
    context = SinkContext(
        name="own",
        version="0",
        state_dir=tmp / "state",
        drain_secs=drain_secs,
        publish=lambda stream, item: published.append(item),
    )
    items = [*frames(ANN, 1000, SAID["begin"].pcm), *frames(BO, 1500, SAID["tests"].pcm)]
    async with build(options, context) as sink, sink.open(STREAM, 0) as writer:
        await writer.write([*items, StreamEnd(6, "", "", ZERO_MS)])
    return [item for item in published if isinstance(item, TranscriptFrame)]


async def test_the_engine_of_the_readme(tmp_path: Path, engine_module: str) -> None:
    """Each speaker has a process of their own, which gets all samples and the language."""
    program = tmp_path / "understand"
    program.write_text(PROGRAM.format(python=sys.executable, fails="False"))
    program.chmod(0o755)
    lines = await transcribed(options_of(tmp_path, engine_module), tmp_path)
    said = {ANN: (1000, SAID["begin"]), BO: (1500, SAID["tests"])}
    assert {line.user_id for line in lines} == said.keys() and len(lines) == 2
    for line in lines:
        at_ms, sentence = said[line.user_id]
        assert line.text == f"{len(sentence.pcm)} bytes in en" and line.source == "command"
        assert (line.start_ms - ZERO_MS, line.end_ms - line.start_ms) == (at_ms, sentence.duration_ms)


async def test_a_program_that_fails_is_an_engine_that_was_lost(tmp_path: Path, engine_module: str) -> None:
    """It is asked again until the drain time is over, and nothing is left of it."""
    program = tmp_path / "understand"
    program.write_text(PROGRAM.format(python=sys.executable, fails="True"))
    program.chmod(0o755)
    assert await transcribed(options_of(tmp_path, engine_module), tmp_path, drain_secs=1.5) == []


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    """The one of docs/transcription.md, once the secret is there."""
    (tmp_path / "deepgram-key").write_text("k")
    (tmp_path / "deepgram-key").chmod(0o600)
    [example] = blocks(DOCUMENT, "toml")
    options = options_of(tmp_path, example)
    assert options.engines == ("deepgram", "openai") and options.deepgram is not None


def test_every_option_and_default() -> None:
    """The table has each option, and its default where that is a plain value; that of the engines each of theirs."""
    table = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", DOCUMENT.split("## Engines")[0], flags=re.MULTILINE))
    assert list(table) == [field.name for field in dataclasses.fields(TranscribeOptions)]
    for field in dataclasses.fields(TranscribeOptions):
        if isinstance(field.default, bool | int | float | str):
            written = field.default if not isinstance(field.default, str) else f'`"{field.default}"`'
            assert table[field.name].strip() == (str(written).lower())
    engines = dict(
        re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", DOCUMENT.split("## Engines")[1], flags=re.MULTILINE)
    )
    assert engines.keys() == ENGINES.keys()
    for name, keys in engines.items():
        assert re.findall(r"`(\w+)`", keys) == [one.name for one in dataclasses.fields(ENGINES[name].options)]
