"""Sinks that each break one rule. The sentence that must be told stands with each, as does where it comes from."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from memory_sink import MemorySink, MemoryWriter, Store

from rtmsd.api import AudioFrame, Event, Frame, Gap, Item, SinkReject, SinkRetry, StreamEnd, StreamInfo
from rtmsd.api.testing import rules


@dataclass
class Wrong:
    """A wrong sink, and what must be said of it."""

    scenario: str
    rule: str
    words: str
    sink: type[MemorySink]


WRONG: dict[str, Wrong] = {}


def wrong(scenario: str, rule: str, words: str) -> Any:
    """Register a sink, or a writer for the good one, and which scenario finds what."""

    def register(cls: type[Any]) -> type[Any]:
        sink = cls
        if issubclass(cls, MemoryWriter):
            sink = type(cls.__name__, (MemorySink,), {"writer": cls})
        WRONG[cls.__name__] = Wrong(scenario, rule, words, sink)
        return cls

    return register


@wrong("whole_stream", rules.BATCH_LIST, "the sink still holds the list")
class KeepsTheBatch(MemoryWriter):
    """Remembers the last batch, to compare the next one with it."""

    async def write(self, batch: Sequence[Item]) -> None:
        await super().write(batch)
        self.last = batch


@wrong("whole_stream", rules.BATCH_LIST, "write() changed the list")
class SortsTheBatch(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        assert isinstance(batch, list)
        batch.sort(key=lambda item: type(item).__name__, reverse=True)
        await super().write(batch)


@wrong("whole_stream", rules.NUMBERS, "labels are few")
class CountsForEachFrame(MemoryWriter):
    """Has a number for each frame, which Prometheus would keep for ever."""

    async def write(self, batch: Sequence[Item]) -> None:
        await super().write(batch)
        for item in batch:
            self.sink.count("frames", 1, of=str(id(item)))


@wrong("late_writer", rules.VALID, "are not there")
class CollectsUntilTheEnd(MemoryWriter):
    """Says that items are taken, and loses them when its writer is retired."""

    async def write(self, batch: Sequence[Item]) -> None:
        self.waiting = [*getattr(self, "waiting", []), *batch]

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if kind is None:
            self.keep(self.waiting)
        return None


@wrong("retired_writer", rules.CONTINUES, "are not there")
class BeginsAnew(MemoryWriter):
    """Opens its file with "w" for each segment."""

    async def __aenter__(self) -> MemoryWriter:
        self.sink.store.frames.pop(self.stream.stream_id, None)
        return await super().__aenter__()


@wrong("retired_writer", rules.CONTINUES, "it raised FileExistsError")
class OpensOnce(MemoryWriter):
    """Opens its file with "x"."""

    async def __aenter__(self) -> MemoryWriter:
        if self.stream.stream_id in self.sink.store.frames:
            raise FileExistsError(17, "File exists")
        return await super().__aenter__()


@wrong("first_segment_unseen", rules.FIRST_SEEN, "it raised KeyError")
class NeedsSegmentZero(MemorySink):
    """Prepares a stream in segment 0 only."""

    def open(self, stream: StreamInfo, segment: int) -> Any:
        prepared: set[str] = self.__dict__.setdefault("prepared", set())
        if segment == 0:
            prepared.add(stream.stream_id)
        elif stream.stream_id not in prepared:
            raise KeyError(stream.stream_id)
        return super().open(stream, segment)


@wrong("odd_ids", rules.IDS, "it raised FileNotFoundError")
class PutsIdsIntoPaths(MemoryWriter):
    async def __aenter__(self) -> MemoryWriter:
        if "/" in self.stream.stream_id:
            raise FileNotFoundError(2, "No such file or directory")
        return await super().__aenter__()


@wrong("odd_ids", rules.IDS, "are there")
class MakesOneNameOfTwoIds(MemoryWriter):
    def keep(self, batch: Sequence[Item]) -> None:
        super().keep(batch)
        frames = self.sink.store.frames
        for other in frames:
            if re.sub(r"\W", "_", other) == re.sub(r"\W", "_", self.stream.stream_id):
                frames[other] = frames[self.stream.stream_id]


@wrong("two_streams", rules.SEVERAL_STREAMS, "are there")
class OneFileForAll(MemorySink):
    """Has one place, that of the stream which was opened last."""

    def open(self, stream: StreamInfo, segment: int) -> Any:
        self.current = stream
        writer = super().open(stream, segment)

        def keep(batch: Sequence[Item]) -> None:
            writer.stream = self.current
            MemoryWriter.keep(writer, batch)

        assert isinstance(writer, MemoryWriter)
        writer.keep = keep  # type: ignore[method-assign]
        return writer


@wrong("whole_stream", rules.CONTINUES, "open() is `async def` and gives a coroutine")
class OpensAsynchronously(MemorySink):
    async def open(self, stream: StreamInfo, segment: int) -> Any:  # type: ignore[override]
        return super().open(stream, segment)


@wrong("restart", rules.LET_THROUGH, "it was swallowed")
class SwallowsExceptions(MemorySink):
    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[Any]:
        with suppress(BaseException):
            yield MemoryWriter(self, stream, segment)


@wrong("single_items", rules.ANY_MIX, "it raised AttributeError: 'Gap' object has no attribute 'user_name'")
class ExpectsFrames(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        print(f"from {batch[0].user_name}" if not isinstance(batch[0], StreamEnd) else "end")  # type: ignore[union-attr]
        await super().write(batch)


@wrong("unknown_values", rules.ANY_MIX, "it raised ValueError: unknown event something_new")
class KnowsAllEvents(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        for item in batch:
            if isinstance(item, Event) and item.name == "something_new":
                raise ValueError(f"unknown event {item.name}")
        await super().write(batch)


@wrong("late_frames", rules.UNKNOWN, "are not there")
class DropsLateFrames(MemoryWriter):
    """Takes only what is newer than the newest."""

    def keep(self, batch: Sequence[Item]) -> None:
        known = self.sink.store.frames.get(self.stream.stream_id, [])
        newest = max((frame.timestamp_ms for frame in known), default=0)
        super().keep([one for one in batch if isinstance(one, Frame) and one.timestamp_ms >= newest])


@wrong("outage", rules.RETRY, "are there more often")
class RetriesWithAHalf(MemoryWriter):
    """Keeps the first half before it finds out that the store is out."""

    async def write(self, batch: Sequence[Item]) -> None:
        if self.sink.store.out:
            self.keep(batch[: len(batch) // 2])
            raise SinkRetry("the store is out", after=0.01)
        await super().write(batch)


@wrong("purge_after", rules.PURGE, "are there")
class NeverDeletes(MemorySink):
    async def purge(self, stream: StreamInfo) -> None:
        self.store.revoked.add(stream.stream_id)


@wrong("purge_before", rules.PURGE_ANY_TIME, "it raised KeyError")
class DeletesOnlyWhatItKnows(MemorySink):
    async def purge(self, stream: StreamInfo) -> None:
        self.store.revoked.add(stream.stream_id)
        del self.store.frames[stream.stream_id]


@wrong("purge_during", rules.PURGE_AFTERWARDS, "are there")
class ForgetsTombstones(MemorySink):
    async def purge(self, stream: StreamInfo) -> None:
        self.store.frames.pop(stream.stream_id, None)


@wrong("purge_during", rules.PURGE_OTHERS, "are not there")
class DeletesEverything(MemorySink):
    async def purge(self, stream: StreamInfo) -> None:
        await super().purge(stream)
        self.store.frames.clear()


@wrong("check", rules.CHECK_LITTER, "it left probe")
class LeavesAProbe(MemorySink):
    async def check(self) -> None:
        (self.state_dir.parent / "probe").touch()
        await super().check()


@wrong("check", rules.CHECK, "it raised PermissionError")
class ChecksWithOSError(MemorySink):
    async def check(self) -> None:
        if not self.options.usable:
            raise PermissionError(13, "Permission denied")
        await super().check()


@wrong("check", rules.CHECK, "it was content")
class IsAlwaysContent(MemorySink):
    async def check(self) -> None:
        return None


@wrong("event_loop", rules.LOOP, "it stood still for 0.")
class BlocksTheLoop(MemoryWriter):
    """Thinks about a large batch for a third of a second, in the loop's own thread."""

    async def write(self, batch: Sequence[Item]) -> None:
        if len(batch) == 512:
            time.sleep(0.33)
        await super().write(batch)


@wrong("nothing_left", rules.NOTHING_REMAINS, "task LeavesATask.watch")
class LeavesATask(MemoryWriter):
    tasks: ClassVar[list[asyncio.Task[None]]] = []

    async def __aenter__(self) -> MemoryWriter:
        self.tasks.append(asyncio.create_task(self.watch()))
        return await super().__aenter__()

    async def watch(self) -> None:
        await asyncio.sleep(3600)


@wrong("nothing_left", rules.NOTHING_REMAINS, "open file /")
class LeavesAFile(MemoryWriter):
    files: ClassVar[list[Any]] = []

    async def __aenter__(self) -> MemoryWriter:
        self.files.append(Path(__file__).open())
        return await super().__aenter__()


@wrong("nothing_left", rules.NOTHING_REMAINS, "thread ")
class LeavesAThread(MemoryWriter):
    stop = threading.Event()

    async def __aenter__(self) -> MemoryWriter:
        threading.Thread(target=self.stop.wait).start()
        return await super().__aenter__()


@wrong("cancelled", rules.CANCELLED, "it had not after 0.5 s, though it was cancelled")
class IgnoresCancellation(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        await super().write(batch)
        if len(batch) > 100:
            for _ in range(2):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.8)


@wrong("only_the_end", rules.LOOP, "it had not after 0.5 s")
class HangsAtTheEnd(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        if isinstance(batch[-1], StreamEnd):
            await asyncio.sleep(3600)
        await super().write(batch)


@wrong("single_items", rules.REFUSALS, "it raised SinkReject")
class RejectsWhatItDoesNotNeed(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        if all(isinstance(item, AudioFrame) for item in batch):
            raise SinkReject("only words please")
        await super().write(batch)


@wrong("rejected_batch", rules.ANY_MIX, "it raised RuntimeError: incomplete")
class StopsAtAGap(MemoryWriter):
    async def write(self, batch: Sequence[Item]) -> None:
        if any(isinstance(item, Gap) for item in batch):
            raise RuntimeError("incomplete")
        await super().write(batch)


@wrong("nothing_written", rules.VALID, "it raised AttributeError")
class NeedsABatch(MemoryWriter):
    """Looks at what it has written when it is left."""

    async def write(self, batch: Sequence[Item]) -> None:
        self.written = len(batch)
        await super().write(batch)

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        assert self.written
        return None


@wrong("restart", rules.RESTART, "are not there")
class RemembersInMemory(MemorySink):
    """Continues what this instance began, and nothing else."""

    def open(self, stream: StreamInfo, segment: int) -> Any:
        if segment == 0:
            self.store.frames.pop(stream.stream_id, None)
        return super().open(stream, segment)


@dataclass(kw_only=True)
class ThawedOptions:
    store: Store = field(default_factory=Store)
    usable: bool = True
