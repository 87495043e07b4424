"""A process that records a meeting through the file sink in real time until it is killed, or the meeting is over.

    mortal_meeting.py DIRECTORY SEED FLUSH_SECS

It prints a line when it begins, and one for each batch that the sink has taken: the monotonic time, and the media
time up to which everything has been handed over. What is said follows from the seed alone.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    Event,
    Item,
    PictureFormat,
    SinkContext,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd_file import rtmsd_sink_types

ZERO = 1_795_000_000_000
STEP_MS = 50
STREAM = StreamInfo(
    app="notes",
    product="meeting",
    stream_id="mortal",
    meeting_uuid="u==",
    meeting_id="9",
    started_ms=ZERO - 500,
)
L16 = AudioFormat("L16", 16_000, 1, True)
OPUS = AudioFormat("OPUS", 48_000, 1, True)
PICTURE = PictureFormat("JPG", "HD", 5)


def sound(seed: int, user_id: int, at_ms: int) -> bytes:
    """The 50 ms that somebody says at a time: samples that are never zero."""
    chance = np.random.default_rng((seed, user_id, at_ms))
    return chance.integers(1, 9000, STEP_MS * 16).astype("<i2").tobytes()


def speaks(seed: int, user_id: int, at_ms: int) -> bool:
    """Everybody speaks and is quiet by turns of half a second; user 1 always speaks."""
    return user_id == 1 or random.Random(f"{seed}/{user_id}/{at_ms // 500}").random() < 0.5


def length_ms(seed: int) -> int:
    return random.Random(seed).randrange(600, 3000, STEP_MS)


def items(seed: int, at_ms: int) -> Iterator[Item]:
    """What 50 ms of the meeting bring."""
    for user_id in (1, 2, 3):
        if speaks(seed, user_id, at_ms):
            yield AudioFrame(user_id, f"User {user_id}", ZERO + at_ms, sound(seed, user_id, at_ms), L16)
    if at_ms % 200 == 0:
        yield VideoFrame(1, "User 1", ZERO + at_ms, sound(seed, 9, at_ms)[:700], PICTURE)
    if at_ms % 300 == 0:
        yield TranscriptFrame(
            1, "User 1", ZERO + at_ms, ZERO + at_ms, ZERO + at_ms + 250, f"Words at {at_ms}"
        )
        yield Event("active_speaker_changed", ZERO + at_ms, 1)


async def meet(directory: Path, seed: int, flush_secs: float) -> None:
    (kind,) = rtmsd_sink_types()
    options: dict[str, Any] = {
        "directory": str(directory),
        "flush_secs": flush_secs,
        "media": ["audio", "transcript", "video"],
    }
    sink = kind.build(
        msgspec.convert(options, kind.options),
        SinkContext(name="disk", version="0", state_dir=Path("unused")),
    )
    begun = time.monotonic()
    print("begun", flush=True)
    async with sink, sink.open(STREAM, 0) as writer:
        for at_ms in range(0, length_ms(seed), STEP_MS):
            await asyncio.sleep(begun + at_ms / 1000 - time.monotonic())
            await writer.write(list(items(seed, at_ms)))
            print(time.monotonic(), at_ms + STEP_MS, flush=True)
        await writer.write([StreamEnd(6, "MEETING_ENDED", "It ended.", ZERO + length_ms(seed))])
    print("complete", flush=True)


if __name__ == "__main__":
    asyncio.run(meet(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
