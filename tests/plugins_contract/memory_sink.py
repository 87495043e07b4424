"""A sink that keeps its contract, made to be spoilt: it keeps frames in a dict that outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rtmsd.api import (
    Frame,
    Item,
    MediaKind,
    SinkContext,
    SinkError,
    SinkReject,
    SinkRetry,
    SinkType,
    StreamInfo,
)
from rtmsd.api.sinks import SinkWriter


@dataclass
class Store:
    """Where the sink puts frames, as a server would."""

    frames: dict[str, list[Frame]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    out: bool = False

    def count(self, stream: StreamInfo, frame: Frame) -> int:
        return self.frames.get(stream.stream_id, []).count(frame)

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.out = True
        try:
            yield
        finally:
            self.out = False


@dataclass(frozen=True, kw_only=True)
class MemoryOptions:
    store: Store
    usable: bool = True


class MemorySink:
    """One instance per start of the daemon."""

    writer: type[MemoryWriter]

    def __init__(self, options: MemoryOptions, context: SinkContext) -> None:
        self.options = options
        self.store = options.store
        self.state_dir = context.state_dir
        self.count, self.measure = context.count, context.measure

    async def __aenter__(self) -> MemorySink:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return None

    async def check(self) -> None:
        if self.store.out or not self.options.usable:
            raise SinkError("the store is out")

    def open(self, stream: StreamInfo, segment: int) -> AbstractAsyncContextManager[SinkWriter]:
        return self.writer(self, stream, segment)

    async def purge(self, stream: StreamInfo) -> None:
        self.store.revoked.add(stream.stream_id)
        self.store.frames.pop(stream.stream_id, None)


class MemoryWriter(AbstractAsyncContextManager[SinkWriter]):
    """A writer and its context."""

    def __init__(self, sink: MemorySink, stream: StreamInfo, segment: int) -> None:
        self.sink = sink
        self.stream = stream
        self.segment = segment

    async def __aenter__(self) -> MemoryWriter:
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        await asyncio.sleep(0)
        return None

    async def write(self, batch: Sequence[Item]) -> None:
        await asyncio.sleep(0)
        if self.sink.store.out:
            raise SinkRetry("the store is out", after=0.01)
        if self.stream.stream_id in self.sink.store.revoked:
            raise SinkReject("deleted on request")
        self.keep(batch)

    def keep(self, batch: Sequence[Item]) -> None:
        kept = self.sink.store.frames.setdefault(self.stream.stream_id, [])
        kept.extend(item for item in batch if isinstance(item, Frame))
        self.sink.count("kept_items", len(batch))
        self.sink.measure("kept_frames", len(kept))


MemorySink.writer = MemoryWriter


def wants(options: Any) -> frozenset[MediaKind]:
    return frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT, MediaKind.CHAT})


def sink_type(sink: type[MemorySink]) -> SinkType:
    return SinkType("memory", MemoryOptions, wants, sink)
