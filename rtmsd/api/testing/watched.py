"""A sink as the pump sees it, with somebody watching: what was called, what came of it, and which rules were broken."""

from __future__ import annotations

import asyncio
import inspect
import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from traceback import extract_tb
from types import TracebackType

from rtmsd.api.sinks import Sink, SinkWriter
from rtmsd.api.testing import rules
from rtmsd.errors import SinkError, SinkReject, SinkRetry
from rtmsd.frames import Frame, Item, StreamInfo
from rtmsd.runtime.clock import Clock

Tell = Callable[..., None]
"""`Bench.broken`."""


class Fault(Enum):
    """What the check itself makes go wrong, once, where the pump cannot tell it from the sink."""

    OPEN = "the sink's own `open` is not reached"
    WRITE = "the sink's own `write` is not reached"
    REJECT = "the sink's own `write` is not reached, and the batch rejected"
    LATE = "the sink's `write` succeeds, and then the time is over"


class InjectedFault(Exception):
    """Raised by the check in a sink's place."""


@dataclass
class Call:
    """One call of a sink's method; `error` is None when it returned."""

    what: str
    stream_id: str
    began: float
    ended: float = math.inf
    batch: tuple[Item, ...] = ()
    error: BaseException | None = None


class _Batch(list[Item]):
    """A list that can be watched for being kept."""

    __slots__ = ("__weakref__",)


@dataclass
class Watched:
    """Stands before the sink. `tolerated` are errors that are no finding now, `faults` come true at the next calls.

    `rule` is the sentence that a scenario is about, when it explains errors better than the call in which they came.
    """

    sink: Sink
    tell: Tell
    clock: Clock
    calls: list[Call] = field(default_factory=list)
    tolerated: tuple[type[BaseException], ...] = ()
    faults: list[Fault] = field(default_factory=list)
    late_secs: float = 0.0
    rule: str = ""

    async def __aenter__(self) -> Watched:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, what: str, stream_id: str, batch: Sequence[Item] = ()) -> Call:
        call = Call(what, stream_id, self.clock.monotonic(), batch=tuple(batch))
        self.calls.append(call)
        return call

    def end(self, call: Call, error: BaseException | None = None) -> None:
        call.ended, call.error = self.clock.monotonic(), error

    def fault(self, *kinds: Fault) -> Fault | None:
        """Take the next fault, if it is one of these."""
        return self.faults.pop(0) if self.faults and self.faults[0] in kinds else None

    async def check(self) -> None:
        """Call the sink's check; raises SinkError only, anything else is a finding."""
        call = self.begin("check", "")
        try:
            await self.sink.check()
        except SinkError as error:
            self.end(call, error)
            raise
        except Exception as error:  # noqa: BLE001  # whatever an author's code raises is what is asked here
            self.end(call, error)
            self.tell(
                "SinkError or nothing from check()", f"it raised {described(error)}", rules.CHECK, error
            )
        else:
            self.end(call)

    async def purge(self, stream: StreamInfo) -> None:
        """Call the sink's purge; whatever it raises is a finding."""
        call = self.begin("purge", stream.stream_id)
        try:
            await self.sink.purge(stream)
        except Exception as error:  # noqa: BLE001  # as above
            self.end(call, error)
            self.tell("purge() to succeed", f"it raised {described(error)}", rules.PURGE_ANY_TIME, error)
        else:
            self.end(call)

    def open(self, stream: StreamInfo, segment: int) -> WatchedContext:
        return WatchedContext(self, stream, segment)

    def complain(self, expected: str, error: BaseException, rule: str) -> None:
        """Tell of an exception, unless it is one that may come now."""
        if not isinstance(error, (*self.tolerated, InjectedFault)):
            self.tell(expected, f"it raised {described(error)}", self.rule or rule, error)


class WatchedContext:
    """The context of one writer."""

    def __init__(self, watched: Watched, stream: StreamInfo, segment: int) -> None:
        self._watched = watched
        self._stream = stream
        self._segment = segment
        self._context: AbstractAsyncContextManager[SinkWriter] | None = None

    async def __aenter__(self) -> SinkWriter:
        watched = self._watched
        if watched.fault(Fault.OPEN):
            raise InjectedFault(Fault.OPEN.value)
        call = watched.begin("open", self._stream.stream_id)
        try:
            context = watched.sink.open(self._stream, self._segment)
            self._refuse_coroutine(context)
            writer = await context.__aenter__()
        except BaseException as error:
            watched.end(call, error)
            if not isinstance(error, asyncio.CancelledError):
                watched.complain(f"open(stream, {self._segment}) to open a writer", error, self._rule())
            raise
        watched.end(call)
        self._context = context
        return WatchedWriter(watched, writer, self._stream.stream_id)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        watched = self._watched
        assert self._context is not None
        call = watched.begin("leave", self._stream.stream_id)
        how = "normally" if error is None else f"with {type(error).__name__}"
        rule = rules.DURABLE if error is None else rules.VALID
        try:
            swallowed = await self._context.__aexit__(kind, error, trace)
        except BaseException as raised:
            watched.end(call, raised)
            if raised is error:
                return
            if not isinstance(raised, asyncio.CancelledError):
                watched.complain(f"to be left {how}", raised, rule)
            raise
        watched.end(call)
        if swallowed and error is not None:
            watched.tell(
                f"an exception that leaves the context of open() ({how}) to come out of it",
                "it was swallowed (__aexit__ returned True)",
                rules.LET_THROUGH,
            )

    def _refuse_coroutine(self, context: object) -> None:
        if inspect.iscoroutine(context):
            context.close()
            raise TypeError(
                "open() is `async def` and gives a coroutine, expected an async context manager: write "
                "@contextlib.asynccontextmanager above it, or let a plain `def` return an object with __aenter__"
            )

    def _rule(self) -> str:
        first = not any(
            call.what == "open" and call.stream_id == self._stream.stream_id and call.error is None
            for call in self._watched.calls
        )
        if self._segment and first:
            return rules.FIRST_SEEN
        return rules.CONTINUES if first else f"{rules.CONTINUES} {rules.RESTART}"


class WatchedWriter:
    """One writer: its batches are watched until it has returned them."""

    def __init__(self, watched: Watched, writer: SinkWriter, stream_id: str) -> None:
        self._watched = watched
        self._writer = writer
        self._stream_id = stream_id

    async def write(self, batch: Sequence[Item]) -> None:
        watched = self._watched
        fault = watched.fault(Fault.WRITE, Fault.REJECT, Fault.LATE)
        if fault is Fault.REJECT:
            raise SinkReject(fault.value)
        if fault is Fault.WRITE:
            raise InjectedFault(fault.value)
        call = watched.begin("write", self._stream_id, batch)
        given = _Batch(batch)
        try:
            await self._writer.write(given)
        except BaseException as error:
            watched.end(call, error)
            self._complain(batch, error)
            raise
        watched.end(call)
        changed = len(given) != len(batch) or any(
            one is not two for one, two in zip(given, batch, strict=True)
        )
        if changed:
            watched.tell("the batch as it was", "write() changed the list", rules.BATCH_LIST)
        kept = weakref.ref(given)
        del given
        await self._gone(kept)
        if fault is Fault.LATE:
            await asyncio.sleep(watched.late_secs)

    async def _gone(self, kept: weakref.ref[_Batch]) -> None:
        """Give a thread some moments to let go of the list."""
        for pause in (0, 0.001, 0.005, 0.02):
            await asyncio.sleep(pause)
            if kept() is None:
                return
        self._watched.tell(
            "nobody to hold the batch once write() has returned",
            "the sink still holds the list: it was kept, or write() returned before its items were taken",
            f"{rules.TAKEN} {rules.BATCH_LIST}",
        )

    def _complain(self, batch: Sequence[Item], error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, SinkRetry):
            after = error.after
            if not (isinstance(after, int | float) and 0 <= after < math.inf):
                self._watched.tell("SinkRetry with seconds to wait", f"it said {after!r}", rules.RETRY, error)
            return
        rule = rules.REFUSALS if isinstance(error, SinkReject) else rules.ANY_MIX
        self._watched.complain(f"write() to take {contents(batch)}", error, rule)


def contents(batch: Sequence[Item]) -> str:
    """Say what is in a batch, without what people said."""
    if len(batch) == 1:
        [item] = batch
        return f"a batch of a single {type(item).__name__}"
    names = sorted({type(item).__name__ for item in batch})
    return f"a batch of {len(batch)} items ({', '.join(names)})"


def described(error: BaseException) -> str:
    """Say what was raised, and in which line of the sink's own code."""
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if Path(frame.filename).parent != Path(__file__).parent
    ]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def frames_of(call: Call) -> list[Frame]:
    return [item for item in call.batch if isinstance(item, Frame)]
