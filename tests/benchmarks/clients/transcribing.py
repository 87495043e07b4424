"""One meeting with many who speak at once, through router, transcription and file sink: what a second of sound costs.

`python -m tests.benchmarks.clients.transcribing VARIANT ADDRESS TRACKS SECS DIRECTORY` prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
import uvloop

from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    Item,
    MediaKind,
    Secret,
    SinkContext,
    SinkType,
    StreamEnd,
    StreamInfo,
)
from rtmsd.delivery.pump import DeliveryRules
from rtmsd.delivery.router import LaneRules, Outlet, Router
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import load_sentences
from rtmsd_file import FileOptions
from rtmsd_file import rtmsd_sink_types as file_types
from rtmsd_transcribe import rtmsd_sink_types as transcribe_types
from rtmsd_transcribe.engine import Session
from rtmsd_transcribe.engines.deepgram import DeepgramOptions
from rtmsd_transcribe.engines.pocketsphinx import PocketSphinx, PocketSphinxOptions
from rtmsd_transcribe.options import TranscribeOptions
from tests.fakes.coded_speech import sentence
from tests.fakes.fake_service import KEY

FORM = AudioFormat("L16", 16_000, 1, True)
FRAME_BYTES = 3200  # 100 ms
DRAIN_SECS = 15.0


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    variant, address, tracks, secs, directory = sys.argv[1:]
    figures = uvloop.run(measured(variant, address, int(tracks), float(secs), Path(directory)))
    print(json.dumps(figures), flush=True)


class Meeting:
    """The outlets of one meeting, and what passes from one to the other."""

    def __init__(self, directory: Path, address: str) -> None:
        self.directory, self.address = directory, address
        self.router: Router | None = None
        self.published = 0
        self.beside_secs = 0.0  # of sound that the local engine understood meanwhile

    def publish(self, stream: StreamInfo, item: Item) -> None:
        assert self.router is not None
        self.published += 1
        self.router.publish("words", stream, item)


async def measured(variant: str, address: str, tracks: int, secs: float, directory: Path) -> dict[str, float]:
    """Play the meeting; give processor seconds, memory, lag of the loop, and what lanes dropped."""
    meeting = Meeting(directory, address)
    async with AsyncExitStack() as stack:
        outlets = [await stack.enter_async_context(_outlet("disk", file_types()[0], meeting))]
        if variant != "file":
            outlets.append(await stack.enter_async_context(_outlet("words", transcribe_types()[0], meeting)))
        meeting.router = Router(outlets, clock=Clock())
        if variant == "local":
            stack.push_async_callback(_cancelled, asyncio.create_task(_local_engine(meeting)))
        before, idle_bytes = resource.getrusage(resource.RUSAGE_SELF), _resident()
        lags = await _play(meeting.router, [one.name for one in outlets], tracks, secs)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {
            "cpu_secs": cpu,
            "grown_bytes": _resident() - idle_bytes,
            "lag_p50_ms": lags[len(lags) // 2],
            "lag_p99_ms": lags[len(lags) * 99 // 100],
            "dropped": sum(one.dropped for one in outlets),
            "transcripts": meeting.published,
            "beside_secs": meeting.beside_secs,
        }


@asynccontextmanager
async def _outlet(name: str, kind: SinkType, meeting: Meeting) -> AsyncIterator[Outlet]:
    options = (
        FileOptions(directory=str(meeting.directory / "recordings"))
        if name == "disk"
        else TranscribeOptions(
            engines=("deepgram",), deepgram=DeepgramOptions(url=f"ws://{meeting.address}", key=Secret(KEY))
        )
    )
    context = SinkContext(
        name=name,
        version="0",
        state_dir=meeting.directory / name,
        publish=meeting.publish,
        drain_secs=DRAIN_SECS,
    )
    async with kind.build(options, context) as sink:
        yield Outlet(
            name=name,
            type_name=kind.name,
            sink=sink,
            wants=kind.wants(options) | {MediaKind.AUDIO},
            lane_rules=LaneRules(limit_bytes=8 << 20, batch_secs=kind.batch_ms / 1000, drop_oldest=False),
            rules=DeliveryRules(write_timeout_secs=30, drain_secs=DRAIN_SECS),
            publishes=kind.publishes,
        )


async def _play(router: Router, names: list[str], tracks: int, secs: float) -> list[float]:
    """Let all speak for so long, in real time; give the sorted lags of the loop in ms."""
    clock, lags = Clock(), []
    zero_ms = clock.wall_ms()
    stream = StreamInfo(app="load", product="meeting", stream_id="s", meeting_uuid="u", started_ms=zero_ms)
    route = router.open(stream, names)
    speech = [sentence(range(number, number + 5)) for number in range(tracks)]
    began, step = clock.monotonic(), 0.1 / tracks
    for index in range(round(secs * 10) * tracks):
        due = began + index * step
        if (wait := due - clock.monotonic()) > 0:
            await asyncio.sleep(wait)
        lags.append(max(0.0, clock.monotonic() - due) * 1000)
        turn, user = divmod(index, tracks)
        at = turn * FRAME_BYTES % len(speech[user])
        pcm = (speech[user] * 2)[at : at + FRAME_BYTES]
        route.offer(AudioFrame(user + 1, f"Person {user}", zero_ms + turn * 100, pcm, FORM))
    route.offer(StreamEnd(6, "MEETING_ENDED", "It ended.", zero_ms + round(secs * 1000)))
    while any(router.outlets[name].lanes for name in names):
        await asyncio.sleep(0.1)
    return sorted(lags)


async def _local_engine(meeting: Meeting) -> None:
    """Keep a local engine busy with the simulator's speech, as fast as it can."""
    speech = b"".join(one.pcm + bytes(32000) for one in load_sentences().values())
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        while True:
            async with engine.session(language="en") as session:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_send(session, speech))
                    before_secs = meeting.beside_secs
                    async for _ in session.heard():
                        meeting.beside_secs = before_secs + session.sent_secs


async def _send(session: Session, speech: bytes) -> None:
    for at in range(0, len(speech), FRAME_BYTES):
        await session.send(speech[at : at + FRAME_BYTES])
    await session.finish()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
