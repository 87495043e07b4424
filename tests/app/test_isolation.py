"""A sink that raises, one that hangs, a slow one and one that leaks beside the file sink: it does not notice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from hostile_sinks import VICES, hostile_config, with_hostile_sinks
from running_daemon import assert_equals_truth, manifest, running, webhook_url

from rtmsd.api import AudioFrame, Gap, Item, MediaKind, StreamEnd, TranscriptFrame
from rtmsd.app import Ready
from rtmsd.delivery.numbers import MOST_NUMBERS
from rtmsd.recording import verify
from rtmsd.simulator import Simulator, Truth, default_meeting

QUEUE_BYTES = 65_536
SEND_RATE_MS = 20


def recordings(tmp: Path, truths: Sequence[Truth]) -> dict[str, tuple[Path, Truth]]:
    """Match the finished recordings with what was said, by their first sample; by stream id."""
    zeros = {min(span.timestamp_ms for spans in one.tracks.values() for span in spans): one for one in truths}
    found = [path.parent for path in tmp.glob("recordings/*/*/*/SHA256SUMS")]
    return {manifest(path)["stream_id"]: (path, zeros.pop(manifest(path)["zero_ms"])) for path in found}


def spans(truth: Truth) -> Iterator[tuple[MediaKind, int, int]]:
    """Every frame of a meeting: medium, participant, and when it begins."""
    for user_id in truth.tracks:
        for timestamp_ms, _ in truth.packets(user_id, SEND_RATE_MS):
            yield MediaKind.AUDIO, user_id, timestamp_ms
    for phrase in truth.phrases:
        yield MediaKind.TRANSCRIPT, phrase.user_id, phrase.start_ms


def got(items: Sequence[Item]) -> set[tuple[MediaKind, int, int]]:
    audio = {(MediaKind.AUDIO, one.user_id, one.timestamp_ms) for one in items if isinstance(one, AudioFrame)}
    phrases = [one for one in items if isinstance(one, TranscriptFrame)]
    return audio | {(MediaKind.TRANSCRIPT, one.user_id, one.start_ms) for one in phrases}


def ledgered(items: Sequence[Item], frame: tuple[MediaKind, int, int]) -> bool:
    """Whether one of the sink's gaps covers a frame."""
    kind, user_id, begins_ms = frame
    return any(
        gap.media == kind and gap.user_id == user_id and gap.from_ms <= begins_ms < gap.to_ms
        for gap in items
        if isinstance(gap, Gap)
    )


async def drops_on_the_page(ready: Ready) -> dict[str, int]:
    """What the status page says each sink has lost."""
    async with aiohttp.ClientSession() as http, http.get(f"http://{ready.admin}/") as answer:
        page = await answer.text()
    return {
        name: int(lost) for name, lost in re.findall(r'id="sink-([a-z-]+)"[^>]* data-dropped="(\d+)"', page)
    }


@asynccontextmanager
async def watching_queues(ready: Ready) -> AsyncIterator[list[int]]:
    """Note the longest queue of all sinks, every 50 ms."""
    worst = [0]

    async def watch() -> None:
        while True:
            for sink in ready.report.sinks():
                worst[0] = max(worst[0], sink.queue_bytes // max(1, sink.writers))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(watch())
    try:
        yield worst
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_hostile_sinks_hurt_only_themselves(tmp_path: Path) -> None:
    """Two meetings at once: the file sink gets every frame; each loss of the others is counted, ledgered and shown."""
    plugins, sinks = with_hostile_sinks()
    after = hostile_config(queue_bytes=QUEUE_BYTES)
    async with Simulator(directory=tmp_path / "zoom") as zoom, asyncio.timeout(60):
        async with running(zoom, tmp_path, send_rate_ms=SEND_RATE_MS, after=after, plugins=plugins) as ready:
            async with watching_queues(ready) as worst, asyncio.TaskGroup() as tasks:
                url = webhook_url(ready)
                first = tasks.create_task(zoom.play(meeting=default_meeting(10.0), webhook=url))
                await asyncio.sleep(1.0)
                second = tasks.create_task(zoom.play(meeting=default_meeting(8.0), webhook=url))
            # All but the hanging one come to their ends.
            while any(one.writers for one in ready.report.sinks() if one.name != "hangs"):
                await asyncio.sleep(0.05)
            shown = await drops_on_the_page(ready)
            status = {one.name: one for one in ready.report.sinks()}
        # Leaving the daemon has ended, though one sink still hangs.

    found = recordings(tmp_path, [first.result(), second.result()])
    assert len(found) == 2
    for path, truth in found.values():
        assert_equals_truth(path, truth)
        assert manifest(path)["completeness"] == 1.0 and manifest(path)["gaps"] == []
        assert verify(path).problems == []
    assert (status["disk"].dropped, status["disk"].errors) == (0, 0)
    assert {len(one.numbers) for one in status.values()} == {0, MOST_NUMBERS}

    assert worst[0] <= QUEUE_BYTES + 200 * 20  # gaps, events and the end are never dropped
    assert shown == {name: one.dropped for name, one in status.items()}
    for vice in VICES:
        assert status[vice].dropped > 0 and status[vice].problem, vice
    assert status["hangs"].writers == 2 and not sinks["hangs"].kept
    for vice in ("raises", "is-slow", "leaks"):
        lost = 0
        for stream_id, (_, truth) in found.items():
            items = sinks[vice].kept[stream_id]
            frames, mine = set(spans(truth)), got(items)
            assert mine < frames
            wrong = [frame for frame in frames if (frame in mine) == ledgered(items, frame)]
            assert not wrong, (
                f"{vice}: {len(wrong)} frames neither written nor ledgered, or both: {wrong[:3]}"
            )
            assert isinstance(items[-1], StreamEnd)
            lost += len(frames - mine)
        assert status[vice].dropped == lost, vice
