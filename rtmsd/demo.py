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
from typing import Any, TextIO

import orjson

from rtmsd.app import Daemon, Ready
from rtmsd.config import load_config
from rtmsd.demo_show import progress
from rtmsd.errors import RtmsdError
from rtmsd.plugins import load_plugins
from rtmsd.protocol.codes import StopReason
from rtmsd.recording import verify
from rtmsd.report import Report
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.simulator import Simulator, default_meeting

CLOSING_SECS = 15.0
"""So long after a meeting its recording is written to its end at the latest, unless somebody has to be waited for."""

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
{sinks}"""


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

    def write_config(
        self, *, ca_file: Path, client_id: str, zoom: str = "", app: str = "", sinks: str = ""
    ) -> None:
        """Write the daemon's configuration; `zoom` and `app` are further lines of these two tables, `sinks` further tables."""
        text = _CONFIG.format(
            state_dir=self.state_dir,
            recordings=self.recordings,
            ca_file=ca_file,
            client_id=client_id,
            zoom=zoom,
            app=app,
            sinks=sinks,
        )
        self.config.write_text(text)


async def run_demo(*, seconds: float, output: Path | None, keep: bool, out: TextIO) -> int:
    """Play a meeting of `seconds` and record it; return the exit status: 0 only when the recording is complete.

    The recording goes to `output`, or to a temporary directory that is removed unless `keep`. Raises RtmsdError when
    a part cannot start.
    """
    with workplace(output, keep=keep) as place:
        await play_spoken(place, seconds=seconds, out=out)
        return 0 if judge(place, out) else 1


async def play_spoken(
    place: Workplace,
    *,
    seconds: float,
    out: TextIO,
    sinks: str = "",
    closing_secs: float = CLOSING_SECS,
    waiting: str = "",
) -> None:
    """Play a meeting of `seconds` to a daemon that records it, and return when the recording is written, or should be.

    `sinks` are further tables of its configuration; `waiting` is said when sinks are at work after the meeting.
    Raises RtmsdError when a part cannot start.
    """
    clock = Clock()
    async with Simulator(
        meeting=default_meeting(seconds), directory=place.directory / "zoom", clock=clock
    ) as zoom:
        place.write_config(ca_file=zoom.ca_file, client_id=zoom.client_id, sinks=sinks)
        secrets = {
            "RTMSD_DEMO_CLIENT_SECRET": zoom.client_secret,
            "RTMSD_DEMO_WEBHOOK_SECRET": zoom.webhook_secret,
        }
        async with running_daemon(place, secrets, clock) as at:
            introduce(zoom.signaling_url, at, out)
            out.write(f"A meeting of {seconds:g} s begins.\n")
            with progress(at.report, out) as show:

                async def tick() -> None:
                    nonlocal waiting
                    await show.tick()
                    if waiting and _over(at.report) and _writing(at.report):
                        show.say(waiting)
                        waiting = ""

                meeting = zoom.play(webhook=webhook_url(at))
                await follow(meeting, at.report, tick, every_secs=1.0, closing_secs=closing_secs)


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
    closing_secs: float = CLOSING_SECS,
) -> None:
    """Play a meeting, and wait until its recording is written to its end, or should long be; `tick` again and again."""
    async with asyncio.TaskGroup() as tasks:
        played = tasks.create_task(meeting)
        while not played.done():
            await asyncio.wait([played], timeout=every_secs)
            await tick()
    for tenth in range(int(closing_secs * 10)):
        if _over(report) and not _writing(report):
            break
        await asyncio.sleep(0.1)
        if tenth % 10 == 9:
            await tick()
    await tick()


def _over(report: Report) -> bool:
    return all(stream.state in ("ended", "failed") for stream in report.streams())


def _writing(report: Report) -> bool:
    return any(sink.writers for sink in report.sinks())


def tell_said(directory: Path, out: TextIO) -> bool:
    """List what is said in a recording; True, for nothing can be wrong with that."""
    lines = map(orjson.loads, (directory / "transcript.jsonl").read_bytes().splitlines())
    out.write("What was said:\n")
    out.writelines(f"  {line['start']:6.2f} s  {line['user_name']}: {line['text']}\n" for line in lines)
    return True


def judge(place: Workplace, out: TextIO, *, tell: Callable[[Path, TextIO], bool] = tell_said) -> bool:
    """List the one new recording and what is said in it; tell whether it is verified, complete, and to the meeting's end.

    `tell` lists what is said in the recording of a directory, and tells whether that is good.
    """
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
    told = tell(directory, out)
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
    return told and report.ok and heard and to_its_end


def _manifests(recordings: Path) -> frozenset[Path]:
    return frozenset(recordings.glob("date=*/meeting=*/stream=*/manifest.json"))
