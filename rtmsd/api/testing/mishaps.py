"""Scenarios in which rtmsd, a machine or a destination lets the sink down."""

from __future__ import annotations

import asyncio

from rtmsd.api.testing import rules
from rtmsd.api.testing.bench import Bench, Line
from rtmsd.api.testing.watched import Fault, Watched, frames_of
from rtmsd.errors import SinkError, SinkReject, SinkRetry
from rtmsd.frames import Frame


async def retired_writer(bench: Bench) -> None:
    """A writer is left with an exception; the next segments go on, and what was taken stays."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(stream.event(), *stream.talk(20))
        for _ in range(2):
            await _lose(line, sink, Fault.WRITE)
            await line.write(*stream.talk(20))
        sink.faults.append(Fault.WRITE)  # the last segment is opened for StreamEnd alone
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, f"{rules.CONTINUES} … {rules.VALID}")


async def rejected_batch(bench: Bench) -> None:
    """A batch is lost, and comes back as a Gap, to the same writer."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(*stream.talk(10))
        await _lose(line, sink, Fault.REJECT)
        await line.write(*stream.talk(10))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.ANY_MIX)


async def late_writer(bench: Bench) -> None:
    """A write takes too long: its writer is left with an exception, though its batch was taken."""
    stream = bench.stream()
    timeout = 0.2
    async with bench.sink() as sink, Line(bench, sink, stream, write_timeout_secs=timeout) as line:
        sink.late_secs = 2 * timeout
        sink.faults.append(Fault.LATE)
        await line.write(*stream.talk(10))
        await line.write(*stream.talk(10))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, f"{rules.CONTINUES} … {rules.VALID}")


async def first_segment_unseen(bench: Bench) -> None:
    """Segment 0 failed before the sink was asked: the first that it sees is 1."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        sink.faults.append(Fault.OPEN)
        await line.write(*stream.talk(10))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.FIRST_SEEN)


async def restart(bench: Bench) -> None:
    """The daemon stops in the middle and starts again: another sink, the same stream, segment 0."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(*stream.talk(20))
        line.offer(stream.talk(20))  # waits in the queue when the stop comes, and is drained
        await line.stop()
    stream.pass_over(500)
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(stream.gap("daemon_restart"), *stream.talk(20))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, f"{rules.VALID} {rules.RESTART}")


async def nothing_written(bench: Bench) -> None:
    """A segment that ends before its first batch, by a stop; then the stream goes on."""
    stream = bench.stream()
    async with bench.sink() as sink:
        async with Line(bench, sink, stream) as line:
            await asyncio.sleep(0.01)
            await line.stop()
        async with Line(bench, sink, stream) as line:
            await line.write(*stream.talk(10))
            await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.EMPTY_SEGMENT)


async def cancelled(bench: Bench) -> None:
    """Cancelled while it opens, and while it writes; then the stream goes on. What was cancelled may be lost.

    A thread cannot be cancelled: until it is through, the next open may refuse with SinkError, and is tried again.
    """
    stream = bench.stream()
    async with bench.sink() as sink:
        sink.tolerated = (SinkError,)
        async with Line(bench, sink, stream) as line:
            await asyncio.sleep(0)
            await line.cancel()
        async with Line(bench, sink, stream) as line:
            await line.write(*stream.talk(20))
            before = list(stream.frames)
            line.offer(stream.talk(100))
            await line.writing()
            await line.cancel()
    after = len(stream.frames)
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        sink.tolerated = (SinkError,)
        await line.write(*stream.talk(20))
        await line.finish(stream.end())
    bench.must_hold(stream, [*before, *stream.frames[after:]], f"{rules.CANCELLED} {rules.VALID}")


async def outage(bench: Bench) -> None:
    """The destination refuses for a while. What the sink asks to be offered again is there once in the end."""
    stream = bench.stream()
    assert bench.subject.outage is not None
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(*stream.talk(20))
        sink.tolerated = (Exception,)
        with bench.subject.outage():
            line.offer(stream.talk(20))
            await line.failing()
            await bench.check(sink)
        await line.write(*stream.talk(20))
        sink.tolerated = ()
        await line.finish(stream.end())
    taken, refused = _sorted_out(sink)
    bench.must_hold(stream, taken, rules.RETRY)
    bench.must_not_hold(stream, refused, "SinkReject when it never will be taken.")


def _sorted_out(sink: Watched) -> tuple[list[Frame], list[Frame]]:
    """Give the frames that were taken in the end, those that were put off too; and those that were rejected."""
    taken: list[Frame] = []
    refused: list[Frame] = []
    for call in sink.calls:
        if call.what == "write" and call.error is None:
            taken += frames_of(call)
        elif (
            call.what == "write"
            and isinstance(call.error, SinkReject)
            and not isinstance(call.error, SinkRetry)
        ):
            refused += frames_of(call)
    return taken, refused


async def _lose(line: Line, sink: Watched, fault: Fault) -> None:
    """Let the pump lose a batch before the sink's own code sees it; nobody has to hold these frames."""
    stream = line.stream
    known = list(stream.frames)
    sink.faults.append(fault)
    await line.write(*stream.talk(10), stream.event("active_speaker_changed"))
    stream.frames = known
