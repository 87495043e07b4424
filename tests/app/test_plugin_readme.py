"""What plugins/README.md shows works as it stands there."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from running_daemon import running, webhook_url

from rtmsd.cli import main
from rtmsd.simulator import Simulator, default_meeting

README = Path(__file__).parents[2] / "plugins" / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    """A plugin_dir with the README's sink in it."""
    directory = tmp_path / "plugins"
    directory.mkdir(mode=0o755)
    plugin, *_ = blocks("python")
    (directory / "phrases.py").write_text(plugin)
    (directory / "phrases.py").chmod(0o644)
    return directory


def test_it_is_short() -> None:
    """Thirty lines, besides what is imported."""
    plugin, *_ = blocks("python")
    lines = [line for line in plugin.splitlines() if line and not line.startswith(("import ", "from "))]
    assert len(lines) <= 30


async def test_its_test_passes(tmp_path: Path, plugin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that the README shows for its sink."""
    _, test, *_ = blocks("python")
    monkeypatch.syspath_prepend(plugin_dir)
    monkeypatch.delitem(sys.modules, "phrases", raising=False)
    module = ModuleType("test_phrases")
    exec(compile(test, "plugins/README.md", "exec"), module.__dict__)
    await module.test_the_sink_keeps_its_contract(tmp_path)
    monkeypatch.delitem(sys.modules, "phrases")


async def test_it_writes_what_is_said_in_a_meeting(tmp_path: Path, plugin_dir: Path) -> None:
    """With the README's configuration, from plugin_dir: each phrase of a meeting, once, and the file sink beside it."""
    before, after = blocks("toml")[0].split("\n\n")
    before = before.replace("/etc/rtmsd/plugins", str(plugin_dir))
    after = after.replace("/var/lib/rtmsd", str(tmp_path))
    directory = tmp_path / "phrases"
    directory.mkdir()
    async with Simulator(meeting=default_meeting(7.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path, before=before, after=after) as ready:
            listed = CliRunner().invoke(main, ["sinks", "-c", str(tmp_path / "rtmsd.toml")])
            await zoom.play(webhook=webhook_url(ready))
            async with asyncio.timeout(15):
                while any(sink.writers for sink in ready.report.sinks()):
                    await asyncio.sleep(0.05)
    assert (
        f"phrases  (from plugin file {plugin_dir / 'phrases.py'})\n    directory: str, required\n"
        in listed.stdout
    )
    [path] = directory.iterdir()
    heard = [json.loads(line) for line in path.read_text().splitlines()]
    said = sorted((one.start_ms, one.text) for one in zoom.truth.phrases)
    assert said and sorted((start, text) for start, _, text in heard) == said
    assert len(list(tmp_path.glob("recordings/*/*/*/SHA256SUMS"))) == 1


def test_its_links_lead_somewhere() -> None:
    """No link of the README leads nowhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        assert target.startswith("http") or (README.parent / target).exists(), target
