"""The sink contract: what rtmsd promises to a sink, and what a sink promises to rtmsd.

Queues, batches, timeouts, retries and drains are rtmsd's, never a sink's. All sinks and all streams share one event
loop: never block it for longer than some milliseconds; what blocks belongs in a thread. When a call is cancelled, end
soon and let CancelledError through. After its context is left, neither tasks nor threads nor open files remain of it.

`rtmsd.api.testing.check_sink` checks every sentence that says what a sink does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import structlog

from rtmsd.frames import Item, MediaKind, StreamInfo


def _to_nobody(stream: StreamInfo, item: Item) -> None:
    """What publishing is where no other sink is."""


class TellNumber(Protocol):
    """Tells rtmsd a number of the sink's own, by its name and labels."""

    def __call__(self, name: str, value: float, /, **labels: str) -> None: ...


def no_number(name: str, value: float, /, **labels: str) -> None:
    """Do nothing: what `count` and `measure` are where nobody looks."""


@dataclass(frozen=True, kw_only=True)
class SinkContext:
    """What a sink gets to know about its surroundings.

    `name` is the sink's name in the configuration, `version` rtmsd's own; `state_dir` is a directory that this
    sink has for itself and that survives restarts (it may not exist yet). `log` is for what an operator should read:
    no names of people, no text of theirs.

    `publish` hands an item that the sink made (such as a TranscriptFrame with its own `source`) to the other sinks of
    that stream which want it, never back. Call it in the event loop; it returns at once and cannot fail, and after the
    stream's end it does nothing. Only a sink whose type says `publishes` may use it. The others get StreamEnd when this
    sink's writer is closed, or `drain_secs` after this sink got it: what is published later is lost.

    `count` adds to a number of the sink's own that only grows, `measure` says where one stands that goes up and down:
    `count("sent_seconds", 0.1, engine="x")` is rtmsd_sink_sent_seconds_total{sink, engine} in /metrics,
    `measure("spool_bytes", 5)` is rtmsd_sink_spool_bytes{sink}, and the status page shows both. Call them in the event
    loop; they return at once and cannot fail. A name is of a-z, 0-9 and "_", with its unit last and without "_total". A
    number is finite, and what is counted not negative. Labels say what few kinds there are, never which person, meeting
    or stream: all in all a sink has at most 100 numbers. What is not so is left out, and told once.
    """

    name: str
    version: str
    state_dir: Path
    publish: Callable[[StreamInfo, Item], None] = _to_nobody
    count: TellNumber = no_number
    measure: TellNumber = no_number
    drain_secs: float = 10.0
    log: structlog.typing.FilteringBoundLogger = field(
        default_factory=lambda: structlog.get_logger("rtmsd.sink")
    )


class SinkWriter(Protocol):
    """Takes one stream's items for one sink."""

    async def write(self, batch: Sequence[Item]) -> None:
        """Take items in order; never called again before it has returned.

        Return when the items are taken, not before. The list is rtmsd's: neither change it nor keep it. A batch holds
        1 to 512 items in any mix, also a single Gap, Event or StreamEnd. Events, causes and reasons that you do not
        know will come, as will frames that are older than the last one: take them. Only the kinds of frames that
        `wants` names come; StreamEnd comes last, once.

        Raise SinkRetry when nothing of the batch was kept and it should be offered again (undo a part first),
        SinkReject when it never will be taken. An item that you have no use for is no reason for either: skip it.
        Anything else retires this writer, as does a timeout: its context is left with an exception and a new segment
        is opened after a pause. Frames that are lost so come back as a Gap.
        """


class Sink(Protocol):
    """One per `[[sinks]]` entry; entered before the first stream, left after the last."""

    async def __aenter__(self) -> Sink: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    async def check(self) -> None:
        """Raise SinkError with a sentence when this sink could not write now, and nothing else ever.

        Called at start, and perhaps again: leave nothing behind.
        """

    def open(self, stream: StreamInfo, segment: int) -> AbstractAsyncContextManager[SinkWriter]:
        """Begin (`segment` 0) or continue (1, 2, …) the recording of a stream.

        Several streams are open at the same time; ids may hold any character (Zoom's hold `/`, `+` and `=`). Any
        segment may be the first that you see. A segment may end before anything was written, and the last one may
        bring nothing but StreamEnd.

        Leaving the context normally makes everything written durable; leaving it with an exception keeps what is
        valid and marks it unfinished. Let that exception through. After a restart of the daemon the first segment is 0
        again: a sink that finds its own unfinished recording of this stream continues it.
        """

    async def purge(self, stream: StreamInfo) -> None:
        """Delete everything stored of this stream and leave a tombstone; also called after its close.

        It may come before the stream was ever opened, while it is written, and twice. What comes of the stream
        afterwards is not kept: reject it, or refuse to open with SinkError. Other streams do not notice.
        """


def _nothing(options: Any) -> frozenset[MediaKind]:
    return frozenset()


@dataclass(frozen=True)
class SinkType:
    """What a plugin offers. `options` is a frozen dataclass: the keys of `[[sinks]]` are converted into it.

    `wants` names the kinds of frames that the sink takes, always the same for the same options. `publishes`: it gives
    items to the other sinks (`SinkContext.publish`), so these have to wait for it at a stream's end. `replaces` names the
    kinds that Zoom need not be asked for, since this sink publishes such frames. `audio_codecs` are those of
    `AudioFormat.codec` that it understands, None for all: an app that asks Zoom for another is a mistake in the configuration.
    """

    name: str
    options: type[Any]  # each type has its own dataclass
    wants: Callable[[Any], frozenset[MediaKind]]  # of an options instance
    build: Callable[[Any, SinkContext], Sink]  # of an options instance
    batch_ms: int = 500  # how long frames are gathered for it, unless the configuration says otherwise
    publishes: bool = False
    replaces: Callable[[Any], frozenset[MediaKind]] = _nothing  # of an options instance
    audio_codecs: frozenset[str] | None = None
