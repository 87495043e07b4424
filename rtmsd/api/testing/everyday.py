"""Scenarios in which nothing goes wrong."""

from __future__ import annotations

import asyncio

from rtmsd.api.testing import rules
from rtmsd.api.testing.bench import Bench, Line
from rtmsd.frames import Event, Gap, MediaKind, StreamEnd


async def whole_stream(bench: Bench) -> None:
    """Everything that a stream brings, in batches of all sizes."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(stream.event("stream_joined"), stream.event("participant_joined"))
        await line.write(*stream.talk(1))
        await line.write(stream.event("session_paused"), *stream.talk(37), stream.gap())
        await line.write(*stream.full_batch())
        stream.pass_over(700)
        await line.write(*stream.talk(2), stream.gap("lane_full", media=MediaKind.AUDIO), *stream.talk(2))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.DURABLE)


async def single_items(bench: Bench) -> None:
    """Each kind of item alone in its batch."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(stream.gap("daemon_restart"))
        await line.write(stream.event())
        for item in stream.talk(6):
            await line.write(item)
        for media in (None, MediaKind.AUDIO, MediaKind.TRANSCRIPT):
            await line.write(stream.gap(media=media))
        await line.write(stream.event("session_stopped"))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.ANY_MIX)


async def unknown_values(bench: Bench) -> None:
    """Names and numbers that no version of rtmsd knew, empty ones, long ones."""
    stream = bench.stream()
    at = stream.end().timestamp_ms
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(
            Event("something_new", at, details={"deep": [1, None, {"x": "y"}]}),
            Event("", at, None, None),
            Event("participant_joined", at, 2**40, "Ж" * 2000 + "\n\0\r"),
            Gap("something_new", at, at),
            Gap("", at, at + 1, MediaKind.VIDEO, 0),
        )
        await line.write(*stream.talk(5))
        await line.finish(StreamEnd(None, "", "", at))
    bench.must_hold(stream, stream.frames, rules.UNKNOWN)


async def late_frames(bench: Bench) -> None:
    """Frames that are older than what was written, as a replay after a reconnect brings them."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.write(*stream.talk(30))
        replayed = stream.talk(30)
        await line.write(*stream.talk(30))
        await line.write(*replayed)
        await line.write(*stream.talk(5))
        await line.finish(stream.end())
    bench.must_hold(stream, stream.frames, rules.UNKNOWN)


async def only_the_end(bench: Bench) -> None:
    """A stream of which nothing came."""
    stream = bench.stream()
    async with bench.sink() as sink, Line(bench, sink, stream) as line:
        await line.finish(stream.end(reason=None))


async def odd_ids(bench: Bench) -> None:
    """Two streams whose ids hold what Zoom's do, and are the same once every odd character has become "_"."""
    one, two = bench.stream("odd/ids+A=="), bench.stream("odd_ids_A__")
    async with bench.sink() as sink, Line(bench, sink, one) as first, Line(bench, sink, two) as second:
        sink.rule = rules.IDS
        await first.write(*one.talk(5))
        await second.write(*two.talk(5))
        await first.finish(one.end())
        await second.finish(two.end())
    for stream, other in ((one, two), (two, one)):
        bench.must_hold(stream, stream.frames, rules.IDS)
        bench.must_not_hold(stream, other.frames, rules.IDS)


async def two_streams(bench: Bench) -> None:
    """Two meetings at the same time, in turns; one ends earlier."""
    one, two = bench.stream(), bench.stream()
    async with bench.sink() as sink, Line(bench, sink, one) as first, Line(bench, sink, two) as second:
        for _ in range(3):
            first.offer(one.talk(20))
            second.offer(two.talk(20))
            await asyncio.gather(first.write(*one.talk(5)), second.write(*two.talk(5)))
        await first.finish(one.end())
        await second.write(*two.talk(5))
        await second.finish(two.end())
    for stream, other in ((one, two), (two, one)):
        bench.must_hold(stream, stream.frames, rules.SEVERAL_STREAMS)
        bench.must_not_hold(stream, other.frames, rules.SEVERAL_STREAMS)
