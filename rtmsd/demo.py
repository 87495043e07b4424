"""Simulator and daemon in one process: a spoken meeting, recorded and verified; and what every demo is made of."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from rtmsd.app import Daemon, Ready
from rtmsd.config import load_config
from rtmsd.errors import RtmsdError
from rtmsd.plugins import load_plugins
from rtmsd.protocol.codes import StopReason
from rtmsd.recording import verify
from rtmsd.report import Report
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.simulator import Simulator, default_meeting

_CLOSING_SECS = 15.0

_CONFIG = """\
state_dir = "{state_dir}"

[webhook]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[zoom]
allowed_hosts = ["127.0.0.1"]
ca_file = "{ca_file}"
{zoom}
[[apps]]
name = "demo"
client_id = "{client_id}"
client_secret = {{ env = "RTMSD_DEMO_CLIENT_SECRET" }}
webhook_secrets = [{{ env = "RTMSD_DEMO_WEBHOOK_SECRET" }}]
{app}
[[sinks]]
name = "disk"
type = "file"
directory = "{recordings}"
"""


@dataclass(frozen=True)
class Workplace:
    """Where a demo works and records. `before`: what was among the recordings already; `kept`: they stay."""

    directory: Path
    recordings: Path
    before: frozenset[Path]
    kept: bool

    @property
    def state_dir(self) -> Path:
        return self.directory / "state"

    @property
    def config(self) -> Path:
        return self.directory / "rtmsd.toml"

    def write_config(self, *, ca_file: Path, client_id: str, zoom: str = "", app: str = "") -> None:
        """Write the daemon's configuration; `zoom` and `app` are further lines of these two tables."""
        text = _CONFIG.format(
            state_dir=self.state_dir,
            recordings=self.recordings,
            ca_file=ca_file,
            client_id=client_id,
            zoom=zoom,
            app=app,
        )
        self.config.write_text(text)


async def run_demo(*, seconds: float, output: Path | None, keep: bool, out: TextIO) -> int:
    """Play a meeting of `seconds` and record it; return the exit status: 0 only when the recording is complete.

    The recording goes to `output`, or to a temporary directory that is removed unless `keep`. Raises RtmsdError when
    a part cannot start.
    """
    clock = Clock()
    with workplace(output, keep=keep) as place:
        async with Simulator(
            meeting=default_meeting(seconds), directory=place.directory / "zoom", clock=clock
        ) as zoom:
            place.write_config(ca_file=zoom.ca_file, client_id=zoom.client_id)
            secrets = {
                "RTMSD_DEMO_CLIENT_SECRET": zoom.client_secret,
                "RTMSD_DEMO_WEBHOOK_SECRET": zoom.webhook_secret,
            }
            async with running_daemon(place, secrets, clock) as at:
                introduce(zoom.signaling_url, at, out)
                out.write(f"A meeting of {seconds:g} s begins.\n")
                with progress(at.report, out) as show:
                    await follow(zoom.play(webhook=webhook_url(at)), at.report, show.tick, every_secs=1.0)
        return 0 if judge(place, out) else 1


@contextmanager
def workplace(output: Path | None, *, keep: bool) -> Iterator[Workplace]:
    """Make the directory that a demo works in, and remove it at the end unless `keep`."""
    directory = Path(tempfile.mkdtemp(prefix="rtmsd-demo-"))
    try:
        recordings = (output or directory / "recordings").absolute()
        yield Workplace(directory, recordings, _manifests(recordings), kept=keep or output is not None)
    finally:
        if not keep:
            shutil.rmtree(directory)


@asynccontextmanager
async def running_daemon(place: Workplace, secrets: Mapping[str, str], clock: Clock) -> AsyncIterator[Ready]:
    """Run a daemon with the place's configuration for as long as the context lasts.

    Raises RtmsdError when it cannot start. Leaving the context stops it as SIGTERM does.
    """
    set_up_logging(level="error", clock=clock)
    plugins = load_plugins()
    config = load_config(place.config, sink_types=plugins.sink_types, environ=secrets)
    daemon = Daemon(config, plugins, clock=clock, chance=random.Random())  # noqa: S311  # jitter needs no secrecy
    stop = asyncio.Event()
    ready: asyncio.Queue[Ready] = asyncio.Queue()
    problem: Exception | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.run(stop=stop, ready=ready.put_nowait))
            try:
                yield await ready.get()  # when the daemon cannot start, the group cancels this
            finally:
                stop.set()
    except* RtmsdError as group:
        problem = group
        while isinstance(problem, ExceptionGroup):
            problem = problem.exceptions[0]
    if problem is not None:  # raised in there it would come out in a group
        raise problem


def introduce(signaling_url: str, at: Ready, out: TextIO) -> None:
    out.write(f"Zoom's side: {signaling_url}   rtmsd: status page http://{at.admin}/\n")


def webhook_url(at: Ready) -> str:
    return f"http://{at.webhook}/webhook"


async def follow(
    meeting: Coroutine[Any, Any, object],
    report: Report,
    tick: Callable[[], Awaitable[None]],
    *,
    every_secs: float,
) -> None:
    """Play a meeting, and wait until its recording is written to its end, or should long be; `tick` again and again."""
    async with asyncio.TaskGroup() as tasks:
        played = tasks.create_task(meeting)
        while not played.done():
            await asyncio.wait([played], timeout=every_secs)
            await tick()
    for _ in range(int(_CLOSING_SECS * 10)):
        if all(stream.state in ("ended", "failed") for stream in report.streams()) and not any(
            sink.writers for sink in report.sinks()
        ):
            break
        await asyncio.sleep(0.1)
    await tick()


class Show:
    """Shows how the streams are, on one line each, or in a table that stays below what is said."""

    def __init__(self, report: Report, out: TextIO, live: Live | None) -> None:
        self._report = report
        self._out = out
        self._live = live
        self._last = ""

    async def tick(self) -> None:
        """Show how they are now; called about once a second."""
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
                self.say(
                    f"  {cells[0]:8} {cells[1]:>5}   speakers {cells[2]}   frames {heard}   gaps {cells[4]}"
                )

    def say(self, line: str, *, indent: int = 0) -> None:
        """Write a line; in a terminal it is wrapped, and goes on `indent` columns from the left."""
        if self._live is None:
            self._out.write(f"{line}\n")
            self._out.flush()
            return
        console = self._live.console
        wrapped = fill(line, console.width, subsequent_indent=" " * indent)
        console.print(wrapped, markup=False, highlight=False, emoji=False)


@contextmanager
def progress(report: Report, out: TextIO) -> Iterator[Show]:
    """Show things on `out`, for as long as the context lasts."""
    if not out.isatty():
        yield Show(report, out, None)
        return
    with Live(console=Console(file=out), auto_refresh=False) as live:
        yield Show(report, out, live)


def judge(place: Workplace, out: TextIO) -> bool:
    """List the one new recording and what is said in it; tell whether it is verified, complete, and to the meeting's end."""
    found = _manifests(place.recordings) - place.before
    if len(found) != 1:
        out.write(f"Expected one finished recording, found {len(found)}: the demo failed.\n")
        return False
    [directory] = (path.parent for path in found)
    report = verify(directory)
    for problem in report.problems:
        out.write(f"  {problem}\n")
    for name in sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    ):
        out.write(f"  {name:28} {(directory / name).stat().st_size:>9} bytes\n")
    out.write(f"What was said:\n{_said(directory)}")
    out.write(f"{'Verified' if report.ok else 'NOT good'}: {report.summary}\n")
    if place.kept:
        out.write(f"The recording is in {directory}\n")
    else:
        out.write("It is deleted now; to keep the next one, add --output DIR.\n")
    manifest = orjson.loads((directory / "manifest.json").read_bytes())
    heard = bool(manifest["tracks"]) and manifest["completeness"] == 1.0 and not manifest["gaps"]
    to_its_end = manifest["stop"]["reason"] == StopReason.MEETING_ENDED
    if report.ok and not (heard and to_its_end):
        out.write("It is not all of the meeting: the demo failed.\n")
    return report.ok and heard and to_its_end


def _said(directory: Path) -> str:
    lines = map(orjson.loads, (directory / "transcript.jsonl").read_bytes().splitlines())
    return "".join(f"  {line['start']:6.2f} s  {line['user_name']}: {line['text']}\n" for line in lines)


def _manifests(recordings: Path) -> frozenset[Path]:
    return frozenset(recordings.glob("date=*/meeting=*/stream=*/manifest.json"))
