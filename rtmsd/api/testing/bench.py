"""What a scenario plays with: the sink, streams, and rtmsd's own lane and pump between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rtmsd.api.sinks import SinkContext, SinkType
from rtmsd.api.testing import rules
from rtmsd.api.testing.material import MadeUpStream
from rtmsd.api.testing.report import Finding
from rtmsd.api.testing.watched import Watched, described
from rtmsd.delivery.lane import Lane
from rtmsd.delivery.numbers import SinkNumbers
from rtmsd.delivery.pump import DeliveryRules, Pump, SinkCounters
from rtmsd.errors import SinkError, SinkReject
from rtmsd.frames import Frame, Item, MediaKind, StreamEnd, StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.ticker import Ticker

ReadBack = Callable[[StreamInfo, Frame], int]
"""How often a frame can be read from where the sink puts it; 0 when there is nothing of the stream."""

Outage = Callable[[], AbstractContextManager[object]]
"""Makes the sink's destination refuse for as long as the context lasts."""

_PAUSES = (0.001, 0.01)
_TURNS = 10
"""How many turns of the loop the pump needs at most to put back what a writer did not take."""


class Stuck(Exception):
    """The sink did not come back; the finding is noted, and this scenario cannot go on."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked, and what its author gave along."""

    sink_type: SinkType
    options: Any
    directory: Path
    read_back: ReadBack | None
    outage: Outage | None
    unusable: Any
    patience_secs: float
    clock: Clock


class Bench:
    """The surroundings of one scenario; collects its findings."""

    def __init__(self, subject: Subject, scenario: str) -> None:
        self.subject = subject
        self.clock = subject.clock
        self.patience_secs = subject.patience_secs
        self.findings: list[Finding] = []
        self._scenario = scenario
        self._streams = 0

    @property
    def wants(self) -> frozenset[MediaKind]:
        return frozenset(self.subject.sink_type.wants(self.subject.options))

    def broken(self, expected: str, did: str, rule: str, error: BaseException | None = None) -> None:
        """Note that the sink broke a rule; the same finding twice is one."""
        finding = Finding(self._scenario, expected, did, rule, error)
        if finding not in self.findings:
            self.findings.append(finding)

    def stream(self, stream_id: str | None = None) -> MadeUpStream:
        """Make up another stream, with an id that no other one of this check has."""
        self._streams += 1
        return MadeUpStream(stream_id or f"{self._scenario}-{self._streams}", self.wants)

    @asynccontextmanager
    async def sink(self, options: Any = None) -> AsyncIterator[Watched]:
        """Build and enter a sink as at a start of the daemon; leave it as at its stop."""
        subject = self.subject
        numbers = SinkNumbers(refused=self._wrong_number)
        context = SinkContext(
            name="checked",
            version="0",
            state_dir=subject.directory / f"state of {subject.sink_type.name}",
            count=numbers.count,
            measure=numbers.measure,
        )
        sink = subject.sink_type.build(subject.options if options is None else options, context)
        async with self._in_time("entering the sink"):
            entered = await sink.__aenter__()
        try:
            yield Watched(entered, self.broken, self.clock)
        finally:
            async with self._in_time("leaving the sink"):
                await sink.__aexit__(None, None, None)

    def _wrong_number(self, why: str) -> None:
        self.broken(
            "count() and measure() to be called as they should", f"they were not: {why}", rules.NUMBERS
        )

    async def check(self, watched: Watched) -> SinkError | None:
        """Ask the sink whether it could write now; return its refusal."""
        async with self._in_time("check()"):
            try:
                await watched.check()
            except SinkError as error:
                return error
        return None

    async def purge(self, watched: Watched, stream: MadeUpStream) -> None:
        async with self._in_time("purge()"):
            await watched.purge(stream.info)

    def must_hold(self, stream: MadeUpStream, frames: Iterable[Frame], rule: str) -> None:
        """Read the frames back, as far as the author gave a way: each must be there once."""
        if self.subject.read_back is None:
            return
        found = [self.subject.read_back(stream.info, frame) for frame in frames]
        missing, doubled = found.count(0), sum(number > 1 for number in found)
        if missing:
            self.broken("every frame to be read back", f"{missing} of {len(found)} are not there", rule)
        if doubled:
            self.broken(
                "every frame to be read back once", f"{doubled} of {len(found)} are there more often", rule
            )

    def must_not_hold(self, stream: MadeUpStream, frames: Iterable[Frame], rule: str) -> None:
        if self.subject.read_back is None:
            return
        found = [self.subject.read_back(stream.info, frame) for frame in frames]
        if any(found):
            there = sum(number > 0 for number in found)
            self.broken("none of these frames to be read back", f"{there} of {len(found)} are there", rule)

    def stuck(self, what: str, *, cancelled: bool = False) -> Stuck:
        """Note that something does not end, and return what to raise."""
        self.broken(
            f"{what} to end",
            f"it had not after {self.patience_secs:g} s" + (", though it was cancelled" if cancelled else ""),
            rules.CANCELLED if cancelled else rules.LOOP,
        )
        return Stuck(what)

    @asynccontextmanager
    async def _in_time(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.patience_secs):
                yield
        except TimeoutError:
            raise self.stuck(what) from None
        except Exception as error:
            self.broken(f"{what} to succeed", f"it raised {described(error)}", rules.CHECK, error)
            raise Stuck(what) from error


class Line:
    """One stream on its way to the sink: a real lane and a real pump."""

    def __init__(
        self, bench: Bench, watched: Watched, stream: MadeUpStream, *, write_timeout_secs: float = 3600.0
    ) -> None:
        self.stream = stream
        self.counters = SinkCounters()
        self._bench = bench
        self._watched = watched
        self._lane = Lane(limit_bytes=1 << 26, ticker=Ticker(0.0005), drop_oldest=False)
        self._pump = Pump(
            lane=self._lane,
            sink=watched,
            name="checked",
            stream=stream.info,
            rules=DeliveryRules(
                write_timeout_secs=write_timeout_secs, drain_secs=bench.patience_secs, reopen_secs=_PAUSES
            ),
            counters=self.counters,
            clock=bench.clock,
        )

    async def __aenter__(self) -> Line:
        self._task = asyncio.create_task(self._pump.run(), name="the check's pump")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._task.done():
            await self.cancel()

    def offer(self, items: Sequence[Item]) -> None:
        """Put items into the queue; up to 512 that are offered at once become one batch."""
        for item in items:
            self._lane.offer(item)

    async def write(self, *items: Item) -> None:
        """Offer a batch, and wait until the sink has taken it, or the pump has given it up."""
        self.offer(items)
        await self._until(lambda: self._passed, "write()")

    async def writing(self) -> None:
        """Give the pump time to begin a call of write()."""
        for _ in range(_TURNS):
            await asyncio.sleep(0.001)
            calls = self._calls("write")
            if calls and calls[-1].ended > self._bench.clock.monotonic():
                await asyncio.sleep(0.005)  # it has only just begun
                return

    async def failing(self) -> None:
        """Wait until a write has been refused."""
        await self._until(
            lambda: any(call.error for call in self._calls("write")), "write() during the outage"
        )

    async def finish(self, end: StreamEnd) -> None:
        """Offer StreamEnd, and wait until the pump is through."""
        self.offer([end])
        await self._through("the writer, after StreamEnd,")

    async def stop(self) -> None:
        """Stop as the daemon does: what waits is written, and the writer is left before its StreamEnd."""
        self._pump.stop()
        await self._through("the writer, when the daemon stops,")

    async def cancel(self) -> None:
        """Cancel whatever the sink is doing, as the daemon does with those that take too long."""
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=self._bench.patience_secs)
        if not self._task.done():
            raise self._bench.stuck("the writer", cancelled=True)

    async def _through(self, what: str) -> None:
        await self._until(self._task.done, what)
        self._task.result()

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        clock = self._bench.clock
        deadline = clock.monotonic() + self._bench.patience_secs
        turns = 0
        while turns < _TURNS and not self._task.done():
            turns = turns + 1 if done() else 0
            await asyncio.sleep(0 if turns else 0.001)
            if clock.monotonic() > deadline:
                raise self._bench.stuck(what)

    @property
    def _passed(self) -> bool:
        if self._lane.queued_items or self._watched.faults:
            return False
        calls = self._calls("open", "write")
        if not calls or calls[-1].ended > self._bench.clock.monotonic():
            return False
        last = calls[-1]
        # A rejected batch without frames is not offered again; whatever else failed is.
        return last.error is None or (
            isinstance(last.error, SinkReject) and not any(isinstance(item, Frame) for item in last.batch)
        )

    def _calls(self, *whats: str) -> list[Any]:
        stream_id = self.stream.info.stream_id
        return [call for call in self._watched.calls if call.stream_id == stream_id and call.what in whats]
