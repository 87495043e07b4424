"""Scenarios in which Zoom revokes a stream: everything of it is deleted, and stays so."""

from __future__ import annotations

import asyncio

from rtmsd.api.testing import rules
from rtmsd.api.testing.bench import Bench, Line
from rtmsd.errors import SinkError


async def purge_after(bench: Bench) -> None:
    """After its close, twice, and once more after a restart."""
    stream = bench.stream()
    async with bench.sink() as sink:
        async with Line(bench, sink, stream) as line:
            await line.write(*stream.talk(20))
            await line.finish(stream.end())
        for _ in range(2):
            await bench.purge(sink, stream)
            bench.must_not_hold(stream, stream.frames, rules.PURGE)
    async with bench.sink() as sink:
        await bench.purge(sink, stream)
    bench.must_not_hold(stream, stream.frames, rules.PURGE)


async def purge_before(bench: Bench) -> None:
    """Before the sink has heard of the stream; what comes then is not kept."""
    stream = bench.stream()
    async with bench.sink() as sink:
        for _ in range(2):
            await bench.purge(sink, stream)
        sink.tolerated = (SinkError,)
        async with Line(bench, sink, stream) as line:
            line.offer(stream.talk(20))
            await line.finish(stream.end())
    bench.must_not_hold(stream, stream.frames, rules.PURGE_AFTERWARDS)


async def purge_during(bench: Bench) -> None:
    """While it is written, beside another stream that loses nothing."""
    stream, other = bench.stream(), bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line, Line(bench, sink, other) as beside:
        await asyncio.gather(line.write(*stream.talk(20)), beside.write(*other.talk(20)))
        sink.tolerated = (SinkError,)
        line.offer(stream.talk(300))
        await line.writing()
        await bench.purge(sink, stream)
        line.offer(stream.talk(20))
        await beside.write(*other.talk(20))
        await bench.purge(sink, stream)
        line.offer(stream.talk(20))
        await line.finish(stream.end())
        await beside.write(*other.talk(20))
        await beside.finish(other.end())
    bench.must_not_hold(stream, stream.frames, rules.PURGE_AFTERWARDS)
    bench.must_hold(other, other.frames, rules.PURGE_OTHERS)
