"""A sink of the transcription plugin with engines that hear, fed by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from hearing_engine import HearingEngine
from structlog.testing import CapturingLogger

from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    Event,
    Item,
    SinkContext,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
)
from rtmsd.simulator import Sentence, load_sentences
from rtmsd_transcribe.sink import TranscribeSink
from rtmsd_transcribe.talk import Manner

ZERO_MS = 1_795_000_000_000
STREAM = StreamInfo(app="notes", product="meeting", stream_id="s/1+", meeting_uuid="u1", started_ms=ZERO_MS)
FORM = AudioFormat("L16", 16_000, 1, True)
SAID = load_sentences()
ANN, BO, CY = 16_778_240, 16_779_264, 16_780_288

Line = tuple[int, str, int, int]
"""Who said what, from when to when (ms from zero)."""


def frames(user_id: int, at_ms: int, pcm: bytes, *, ms: int = 100) -> list[AudioFrame]:
    """Cut one participant's sound into frames, as Zoom does."""
    size = ms * 32
    return [
        AudioFrame(
            user_id, f"Person {user_id}", ZERO_MS + at_ms + start // 32, pcm[start : start + size], FORM
        )
        for start in range(0, len(pcm), size)
    ]


def said(user_id: int, at_ms: int, sentence: Sentence) -> Line:
    return user_id, sentence.text, at_ms, at_ms + sentence.duration_ms


@dataclass
class Bench:
    """What the sink published, and what its log says."""

    sink: TranscribeSink
    engines: list[HearingEngine]
    published: list[Item]
    logger: CapturingLogger = field(default_factory=CapturingLogger)

    @property
    def transcripts(self) -> list[TranscriptFrame]:
        return [item for item in self.published if isinstance(item, TranscriptFrame)]

    @property
    def lines(self) -> list[Line]:
        return sorted(
            (one.user_id, one.text, one.start_ms - ZERO_MS, one.end_ms - ZERO_MS) for one in self.transcripts
        )

    @property
    def seconds(self) -> dict[str, float]:
        """What it told of the stream at its end."""
        [told] = [item for item in self.published if isinstance(item, Event)]
        assert told.name == "transcribed"
        return dict(told.details["seconds"])

    @property
    def lost_seconds(self) -> float:
        return sum(float(item.details["lost_seconds"]) for item in self.published if isinstance(item, Event))

    @property
    def logged(self) -> list[str]:
        return [str(call.args[0] if call.args else call.kwargs) for call in self.logger.calls]

    async def hear(self, items: Iterable[Item], *, batch: int = 10) -> None:
        """Play one stream from its beginning to its end, as fast as it goes."""
        waiting = list(items)
        async with self.sink.open(STREAM, 0) as writer:
            while waiting:
                await writer.write(waiting[:batch])
                del waiting[:batch]
            await writer.write([StreamEnd(6, "MEETING_ENDED", "", ZERO_MS)])


@asynccontextmanager
async def bench(
    tmp: Path,
    engines: Sequence[HearingEngine],
    *,
    silence_secs: float = 3.0,
    backlog: str = "send",
    interim: bool = False,
    most: float = 0,
    drain_secs: float = 30.0,
) -> AsyncIterator[Bench]:
    """Enter a sink with these engines."""
    published: list[Item] = []
    logger = CapturingLogger()
    log = structlog.wrap_logger(logger, processors=[structlog.processors.KeyValueRenderer()])
    context = SinkContext(
        name="words",
        version="0",
        state_dir=tmp / "state",
        publish=lambda stream, item: published.append(item),
        drain_secs=drain_secs,
        log=log,
    )
    manner = Manner(language="en", silence_secs=silence_secs, backlog=backlog, interim=interim)
    async with TranscribeSink(engines, context, manner=manner, max_seconds_per_day=most) as sink:
        yield Bench(sink, list(engines), published, logger)
