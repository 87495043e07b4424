"""Sinks that behave as told, for the tests of delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rtmsd.frames import Item, StreamEnd, StreamInfo

INFO = StreamInfo(app="notes", product="meeting", stream_id="s1", meeting_uuid="u1", started_ms=1_000)


@dataclass
class Segment:
    """What one writer was given, and how its context was left."""

    number: int
    batches: list[list[Item]] = field(default_factory=list)
    left: str = "open"

    @property
    def items(self) -> list[Item]:
        return [item for batch in self.batches for item in batch]


class ScriptedSink:
    """Keeps everything; `answers` are raised, or awaited, in turn before each write."""

    def __init__(self, *answers: BaseException | asyncio.Event | float | None) -> None:
        self.answers = list(answers)
        self.open_errors: list[Exception] = []
        self.exit_errors: list[Exception] = []  # raised where a context is left normally
        self.segments: list[Segment] = []
        self.writing = 0
        self.most_writing = 0

    async def __aenter__(self) -> ScriptedSink:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def check(self) -> None:
        return None

    async def purge(self, stream: StreamInfo) -> None:
        return None

    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[_Writer]:
        if self.open_errors:
            raise self.open_errors.pop(0)
        record = Segment(segment)
        self.segments.append(record)
        try:
            yield _Writer(self, record)
        except BaseException as error:
            record.left = type(error).__name__
            raise
        if self.exit_errors:
            record.left = "failing"
            raise self.exit_errors.pop(0)
        record.left = "normally"

    @property
    def items(self) -> list[Item]:
        return [item for segment in self.segments for item in segment.items]

    @property
    def ended(self) -> bool:
        return any(isinstance(item, StreamEnd) for item in self.items)


class _Writer:
    def __init__(self, sink: ScriptedSink, record: Segment) -> None:
        self._sink = sink
        self._record = record

    async def write(self, batch: Sequence[Item]) -> None:
        sink = self._sink
        sink.writing += 1
        sink.most_writing = max(sink.most_writing, sink.writing)
        try:
            answer = sink.answers.pop(0) if sink.answers else None
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, asyncio.Event):
                await answer.wait()
            elif isinstance(answer, float):
                await asyncio.sleep(answer)
            self._record.batches.append(list(batch))
        finally:
            sink.writing -= 1
