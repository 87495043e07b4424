"""Whether the daemon before this one was stopped or died: then nobody knows what it had not read."""

from __future__ import annotations

import asyncio
from pathlib import Path

from test_start_coordinator import Scene, app, scene

from rtmsd.frames import MediaKind, StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state.journal import Journal


async def doubted(one: Scene) -> bool:
    """Whether a stream that is resumed now is told that the daemon before had died."""
    info = StreamInfo(app="notes", product="meeting", stream_id="s", meeting_uuid="u", started_ms=1)
    await one.streams.join(info, ["wss://127.0.0.1:9/"], app("notes"), resumed_ms=one.clock.wall_ms())
    stream = one.streams.get("s")
    assert stream is not None
    return stream.machine._coverage._absences[MediaKind.AUDIO].unheard


async def test_a_daemon_that_was_stopped_is_told_from_one_that_died(tmp_path: Path) -> None:
    """After a stop nothing is in doubt; after a death, and after the first start of all, it is."""
    async with scene(tmp_path) as one:
        assert await doubted(one)
    async with scene(tmp_path) as one:
        assert not await doubted(one)
    async with Journal.open(tmp_path / "state", Clock()) as journal:
        dying = Scene(journal, lambda work: work.close())
        started = asyncio.Event()
        running = asyncio.create_task(dying.streams.run(started))
        await started.wait()
        async with asyncio.timeout(10):
            next_one = Scene(journal, lambda work: work.close())
            begun = asyncio.Event()
            after = asyncio.create_task(next_one.streams.run(begun))
            await begun.wait()
            assert await doubted(next_one)
        for task in (running, after):
            task.cancel()
        await asyncio.wait([running, after])
