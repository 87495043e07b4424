"""The sink contract: what rtmsd promises to a sink, and what a sink promises to rtmsd.

Queues, batches, timeouts, retries and drains are rtmsd's, never a sink's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rtmsd.frames import Item, MediaKind, StreamInfo


@dataclass(frozen=True, kw_only=True)
class SinkContext:
    """What a sink gets to know about its surroundings.

    `name` is the sink's name in the configuration, `version` rtmsd's own; `state_dir` is a directory that this
    sink has for itself and that survives restarts (it may not exist yet).
    """

    name: str
    version: str
    state_dir: Path


class SinkWriter(Protocol):
    """Takes one stream's items for one sink."""

    async def write(self, batch: Sequence[Item]) -> None:
        """Take items in order; never called again before it has returned.

        Raise SinkRetry when nothing of the batch was kept and it should be offered again (undo a part first),
        SinkReject when it never will be taken. Anything else retires this writer, as does a timeout: its context
        is left with an exception and a new segment is opened after a pause.
        """


class Sink(Protocol):
    """One per `[[sinks]]` entry; entered before the first stream, left after the last."""

    async def __aenter__(self) -> Sink: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    async def check(self) -> None:
        """Raise SinkError with a sentence when this sink could not write now. Called once, at start."""

    def open(self, stream: StreamInfo, segment: int) -> AbstractAsyncContextManager[SinkWriter]:
        """Begin (`segment` 0) or continue (1, 2, …) the recording of a stream.

        Leaving the context normally makes everything written durable; leaving it with an exception keeps what is
        valid and marks it unfinished. After a restart of the daemon the first segment is 0 again: a sink that
        finds its own unfinished recording of this stream continues it.
        """

    async def purge(self, stream: StreamInfo) -> None:
        """Delete everything stored of this stream and leave a tombstone; also called after its close."""


@dataclass(frozen=True)
class SinkType:
    """What a plugin offers. `options` is a frozen dataclass: the keys of `[[sinks]]` are converted into it."""

    name: str
    options: type[Any]  # each type has its own dataclass
    wants: Callable[[Any], frozenset[MediaKind]]  # of an options instance
    build: Callable[[Any, SinkContext], Sink]  # of an options instance
