"""Carries one lane's batches to one sink: segments, retries, timeouts, drains."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from rtmsd.api.sinks import Sink, SinkWriter
from rtmsd.delivery.lane import Lane, Losses
from rtmsd.errors import SinkReject, SinkRetry
from rtmsd.frames import Frame, Item, StreamEnd, StreamInfo
from rtmsd.runtime.clock import Clock

REOPEN_SECS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""The pause before a new segment, longer each time until one batch is written."""

RETRY_MAX_SECS = 30.0

LAST_TRIES = 8
"""How many segments in a row may fail after the stream's end before its sink is given up for this stream."""


@dataclass(frozen=True)
class DeliveryRules:
    """How patiently one sink is served; see `[[sinks]]` in the configuration."""

    write_timeout_secs: float
    drain_secs: float
    reopen_secs: tuple[float, ...] = REOPEN_SECS


@dataclass
class SinkCounters:
    """Plain integers of one sink over all its streams, read by the status page."""

    written: int = 0
    dropped: int = 0
    errors: int = 0
    retries: int = 0
    timeouts: int = 0
    segments: int = 0
    last_success_ms: int | None = None
    last_error: str = ""
    waiting: str = ""  # why it asks to be asked again, until it has taken something


class Interrupted(Exception):
    """Leaves a writer's context when the daemon stops before the stream has ended: its data stay unfinished."""


class _Retired(Exception):
    """The writer broke, or took too long."""


class Pump:
    """Serves one writer after another until StreamEnd is written or the lane is drained."""

    def __init__(
        self,
        *,
        lane: Lane,
        sink: Sink,
        name: str,
        stream: StreamInfo,
        rules: DeliveryRules,
        counters: SinkCounters,
        clock: Clock,
    ) -> None:
        self._lane = lane
        self._sink = sink
        self._stream = stream
        self._rules = rules
        self._counters = counters
        self._clock = clock
        self._retrying = True
        self._written = False  # since the last segment began
        self._end: StreamEnd | None = None  # once the present writer has it
        self._late = False  # the present call
        self._deadline: float | None = None  # of the present call
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()  # kept, since asking for it is a system call
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger("rtmsd.delivery").bind(sink=name, stream_id=stream.stream_id)

    def stop(self) -> None:
        """Take no new items and retry no more; `run` ends when what waits is written, or cannot be."""
        self._retrying = False
        self._lane.close()
        self._lane.drain()
        self._stopping.set()

    async def run(self) -> None:
        """Serve the lane to its end. Cancelling abandons what waits; the writer keeps what is valid."""
        try:
            await self._serve()
        finally:
            self._stop_timer()

    async def _serve(self) -> None:
        segment = failures = 0
        while True:
            try:
                await self._serve_segment(segment)
                return
            except Interrupted:
                return
            except _Retired:
                pass
            except Exception as error:  # noqa: BLE001  # the one place where any fault of a sink ends
                self._failed("the sink broke while opening or closing", error)
            failures = 0 if self._written and self._end is None else failures + 1
            if self._end is not None:  # it was written, and then the writer could not be left
                self._lane.put_back([self._end])
                self._end = None
            segment += 1
            if not self._retrying or (self._lane.closed and failures >= LAST_TRIES):
                await self._abandon()
                return
            pauses = self._rules.reopen_secs
            await self._pause(pauses[min(failures, len(pauses) - 1)])

    async def _serve_segment(self, segment: int) -> None:
        self._written = False
        self._counters.segments += 1
        async with self._sink.open(self._stream, segment) as writer:
            while True:
                batch = await self._lane.take()
                if not batch:
                    raise Interrupted
                await self._write(writer, batch)
                if self._end is not None:
                    return

    async def _write(self, writer: SinkWriter, batch: Sequence[Item]) -> None:
        """Write a batch, again and again if the sink says so; what is given up becomes a Gap in the lane."""
        while True:
            try:
                late = await self._call(writer, batch)
            except SinkRetry as retry:
                self._counters.retries += 1
                self._waits(str(retry))
                if self._retrying:
                    await self._pause(min(retry.after, RETRY_MAX_SECS))
                    continue
                self._give_up(batch, "sink_failed")
                raise _Retired from retry
            except SinkReject as reject:
                self._counters.errors += 1
                self._counters.last_error = str(reject)
                self._rejected(batch)
            except Exception as error:
                self._failed("the sink broke while writing", error)
                self._give_up(batch, "sink_failed")
                raise _Retired from error
            else:
                self._written = True
                self._counters.written += len(batch)
                self._counters.last_success_ms = self._clock.wall_ms()
                self._recovered()
                if isinstance(batch[-1], StreamEnd):
                    self._end = batch[-1]
                elif late:
                    raise _Retired
            return

    async def _call(self, writer: SinkWriter, batch: Sequence[Item]) -> bool:
        """Call the writer; True when it took longer than it may.

        A late call is waited for all the same: a thread cannot be stopped, and the next segment must not begin
        beside it. Meanwhile the lane fills and drops, and no other lane notices.
        """
        self._late = False
        self._deadline = self._loop.time() + self._rules.write_timeout_secs
        if self._timer is None:
            self._timer = self._loop.call_later(self._rules.write_timeout_secs, self._look)
        try:
            await writer.write(batch)
        finally:
            self._deadline = None
            if self._late:
                self._stop_timer()
        return self._late

    def _look(self) -> None:
        """One timer serves many calls: most are over long before it comes, and would only have to cancel theirs."""
        self._timer = None
        if self._deadline is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._overdue()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        self._late = True
        self._counters.timeouts += 1
        self._failed(f"the sink took longer than {self._rules.write_timeout_secs:g} s for a batch", None)
        self._let_go(over=False)

    def _let_go(self, *, over: bool) -> None:
        """Forget what waits `drain_secs` after the stream's end: who hangs for good must not keep every stream's queue."""
        if over:
            self._give_up(self._lane.take_all(), "sink_failed")
            return
        again = partial(self._let_go, over=self._lane.closed)
        self._timer = self._loop.call_later(self._rules.drain_secs or 1.0, again)

    def _rejected(self, batch: Sequence[Item]) -> None:
        """The sink never takes this batch: tell it of the frames as gaps, once, and of the rest."""
        if any(isinstance(item, Frame) for item in batch):
            self._give_up(batch, "sink_rejected")
        elif isinstance(batch[-1], StreamEnd):
            self._end = batch[-1]

    def _give_up(self, batch: Sequence[Item], cause: str) -> None:
        """Nothing of the batch was kept: its frames become gaps, the rest is offered to the next writer."""
        losses = Losses(cause)
        kept: list[Item] = []
        for item in batch:
            if losses.add(item):
                self._counters.dropped += 1
            else:
                kept.append(item)
        self._lane.put_back([*losses.take(), *kept])

    async def _abandon(self) -> None:
        """The sink failed and there is no more time: count what it never got."""
        dropped = 0
        while batch := await self._lane.take():
            dropped += sum(1 for item in batch if isinstance(item, Frame))
        self._counters.dropped += dropped
        self._log.error(
            "the sink was given up for this stream: its recording stays unfinished", frames=dropped
        )

    def _waits(self, why: str) -> None:
        if not self._counters.waiting:
            self._log.warning("the sink cannot take more now; what comes waits in memory", why=why)
        self._counters.waiting = self._counters.last_error = why

    def _recovered(self) -> None:
        if self._counters.waiting:
            self._counters.waiting = ""
            self._log.info("the sink takes what comes again")

    async def _pause(self, secs: float) -> None:
        try:
            async with asyncio.timeout(secs):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _failed(self, what: str, error: Exception | None) -> None:
        self._counters.errors += 1
        detail = f" ({type(error).__name__})" if error is not None else ""
        self._counters.last_error = what + detail
        self._log.error(what + detail, exc_info=error)
