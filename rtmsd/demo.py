"""Simulator and daemon in one process: a spoken meeting, recorded and verified."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from rtmsd.app import Daemon, Ready
from rtmsd.config import load_config
from rtmsd.plugins import load_plugins
from rtmsd.recording import verify
from rtmsd.report import Report
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.simulator import Simulator, default_meeting

_CLOSING_SECS = 15.0

_CONFIG = """\
state_dir = "{directory}/state"

[webhook]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[zoom]
allowed_hosts = ["127.0.0.1"]
ca_file = "{ca_file}"

[[apps]]
name = "demo"
client_id = "{client_id}"
client_secret = {{ env = "RTMSD_DEMO_CLIENT_SECRET" }}
webhook_secrets = [{{ env = "RTMSD_DEMO_WEBHOOK_SECRET" }}]

[[sinks]]
name = "disk"
type = "file"
directory = "{recordings}"
"""


async def run_demo(*, seconds: float, output: Path | None, keep: bool, out: TextIO) -> int:
    """Play a meeting of `seconds` and record it; return the exit status: 0 only when the recording is complete.

    The recording goes to `output`, or to a temporary directory that is removed unless `keep`. Raises RtmsdError when
    a part cannot start.
    """
    clock = Clock()
    set_up_logging(level="error", clock=clock)
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="rtmsd-demo-"))
        if not keep:
            stack.callback(shutil.rmtree, directory)
        recordings = (output or directory / "recordings").absolute()
        before = _manifests(recordings)
        async with Simulator(
            meeting=default_meeting(seconds), directory=directory / "zoom", clock=clock
        ) as zoom:
            await _play(zoom, directory, recordings, seconds, clock, out)
        return _judge(_manifests(recordings) - before, kept=keep or output is not None, out=out)


async def _play(
    zoom: Simulator, directory: Path, recordings: Path, seconds: float, clock: Clock, out: TextIO
) -> None:
    plugins = load_plugins()
    path = directory / "rtmsd.toml"
    path.write_text(
        _CONFIG.format(
            directory=directory, recordings=recordings, ca_file=zoom.ca_file, client_id=zoom.client_id
        )
    )
    secrets = {
        "RTMSD_DEMO_CLIENT_SECRET": zoom.client_secret,
        "RTMSD_DEMO_WEBHOOK_SECRET": zoom.webhook_secret,
    }
    config = load_config(path, sink_types=plugins.sink_types, environ=secrets)
    daemon = Daemon(config, plugins, clock=clock, chance=random.Random())  # noqa: S311  # jitter needs no secrecy
    stop = asyncio.Event()
    ready: asyncio.Queue[Ready] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(daemon.run(stop=stop, ready=ready.put_nowait))
        try:
            at = await ready.get()  # when the daemon cannot start, the group cancels this
            out.write(f"Zoom's side: {zoom.signaling_url}   rtmsd: status page http://{at.admin}/\n")
            out.write(f"A meeting of {seconds:g} s begins.\n")
            with _progress(at.report, out) as show:
                meeting = tasks.create_task(zoom.play(webhook=f"http://{at.webhook}/webhook"))
                while not meeting.done():
                    await asyncio.wait([meeting], timeout=1.0)
                    show()
                await _until_closed(at.report, show)
        finally:
            stop.set()


async def _until_closed(report: Report, show: _Show) -> None:
    """Wait until the recording is written to its end, or should long be."""
    for _ in range(int(_CLOSING_SECS * 10)):
        if all(stream.state in ("ended", "failed") for stream in report.streams()) and not any(
            sink.writers for sink in report.sinks()
        ):
            break
        await asyncio.sleep(0.1)
    show()


class _Show:
    """Shows how the streams are; called about once a second."""

    def __init__(self, report: Report, out: TextIO, live: Live | None) -> None:
        self._report = report
        self._out = out
        self._live = live
        self._last = ""

    def __call__(self) -> None:
        for stream in self._report.streams():
            heard = ", ".join(f"{number} {kind}" for kind, number in stream.frames.items())
            cells = [stream.state, f"{stream.age_secs:.0f} s", str(stream.speakers), heard, str(stream.gaps)]
            if self._live is not None:
                table = Table(
                    "state", "age", "speakers", "frames", "gaps", title=f"stream {stream.stream_id}"
                )
                table.add_row(*cells)
                self._live.update(table, refresh=True)
            elif (line := "  ".join(cells)) != self._last:
                self._last = line
                self._out.write(
                    f"  {cells[0]:8} {cells[1]:>5}   speakers {cells[2]}   frames {heard}   gaps {cells[4]}\n"
                )
                self._out.flush()


@contextmanager
def _progress(report: Report, out: TextIO) -> Iterator[_Show]:
    if not out.isatty():
        yield _Show(report, out, None)
        return
    with Live(console=Console(file=out), auto_refresh=False) as live:
        yield _Show(report, out, live)


def _judge(found: set[Path], *, kept: bool, out: TextIO) -> int:
    if len(found) != 1:
        out.write(f"Expected one finished recording, found {len(found)}: the demo failed.\n")
        return 1
    directory = found.pop().parent
    report = verify(directory)
    for problem in report.problems:
        out.write(f"  {problem}\n")
    for name in sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    ):
        out.write(f"  {name:28} {(directory / name).stat().st_size:>9} bytes\n")
    manifest = orjson.loads((directory / "manifest.json").read_bytes())
    out.write(f"What was said:\n{_said(directory)}")
    complete = report.ok and report.manifest is not None and report.manifest.completeness == 1.0
    out.write(f"{'Verified' if report.ok else 'NOT good'}: {report.summary}\n")
    if kept:
        out.write(f"The recording is in {directory}\n")
    else:
        out.write("It is deleted now; to keep the next one: rtmsd demo --output DIR\n")
    return 0 if complete and not manifest["gaps"] else 1


def _said(directory: Path) -> str:
    lines = map(orjson.loads, (directory / "transcript.jsonl").read_bytes().splitlines())
    return "".join(f"  {line['start']:6.2f} s  {line['user_name']}: {line['text']}\n" for line in lines)


def _manifests(recordings: Path) -> set[Path]:
    return set(recordings.glob("date=*/meeting=*/stream=*/manifest.json"))
