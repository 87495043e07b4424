"""How one sink is served: in order, one call at a time, again when it says so, by a new writer when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scripted_sinks import INFO, ScriptedSink
from test_lane import END, audio

from rtmsd.delivery.lane import Lane
from rtmsd.delivery.pump import DeliveryRules, Pump, SinkCounters
from rtmsd.errors import SinkReject, SinkRetry
from rtmsd.frames import AudioFrame, Event, Gap, Item, MediaKind, StreamEnd
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.ticker import Ticker


class Line:
    """A lane, its pump and its counters."""

    def __init__(
        self, sink: ScriptedSink, *, timeout: float = 5.0, drain: float = 1.0, limit_bytes: int = 1 << 24
    ) -> None:
        self.lane = Lane(limit_bytes=limit_bytes, ticker=Ticker(0.002), drop_oldest=False)
        self.counters = SinkCounters()
        self.pump = Pump(
            lane=self.lane,
            sink=sink,
            name="test",
            stream=INFO,
            rules=DeliveryRules(write_timeout_secs=timeout, drain_secs=drain, reopen_secs=(0.001, 0.002)),
            counters=self.counters,
            clock=Clock(),
        )

    def offer(self, *items: Item) -> None:
        for item in items:
            self.lane.offer(item)


@asynccontextmanager
async def serving(line: Line) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(line.pump.run())
    try:
        async with asyncio.timeout(10):
            yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until_taken(line: Line) -> None:
    while line.lane.queued_items:
        await asyncio.sleep(0.001)


async def test_everything_arrives_in_order_and_ends_normally() -> None:
    """One segment, left normally after StreamEnd."""
    sink = ScriptedSink()
    line = Line(sink)
    items = [audio(0), Event("session_started", 1), audio(100), Gap("socket_down", 2, 3), END]
    async with serving(line) as task:
        line.offer(*items)
        await task
    assert sink.items == items
    assert [segment.left for segment in sink.segments] == ["normally"]


async def test_never_two_calls_at_once() -> None:
    """The next batch waits for the last one's return."""
    sink = ScriptedSink(0.02, 0.02, 0.02)
    line = Line(sink)
    async with serving(line) as task:
        for number in range(20):
            line.offer(audio(number * 100))
            await asyncio.sleep(0.003)
        line.offer(END)
        await task
    assert sink.most_writing == 1 and len(sink.segments[0].batches) < 20


async def test_retry_offers_the_same_batch_again() -> None:
    """SinkRetry: nothing was kept, everything comes again, to the same writer."""
    sink = ScriptedSink(SinkRetry("busy", after=0.001), SinkRetry("busy", after=0.001))
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert sink.items == [audio(0), END] and len(sink.segments) == 1
    assert line.counters.retries == 2 and line.counters.dropped == 0


async def test_reject_loses_the_batch_and_says_so() -> None:
    """SinkReject: the frames become a gap, events are offered again, the writer stays."""
    joined = Event("participant_joined", 1, 7)
    sink = ScriptedSink(SinkReject("no"))
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), joined, audio(100))
        await until_taken(line)
        line.offer(audio(200), END)
        await task
    assert sink.items == [Gap("sink_rejected", 0, 200, MediaKind.AUDIO, 1), joined, audio(200), END]
    assert line.counters.dropped == 2 and len(sink.segments) == 1


async def test_a_broken_writer_is_retired_and_the_next_one_continues() -> None:
    """Any other exception: a gap for the batch, a new segment, the stream goes on."""
    sink = ScriptedSink(None, RuntimeError("broken"))
    line = Line(sink)
    async with serving(line) as task:
        for timestamp in (0, 100, 200):
            line.offer(audio(timestamp))
            await until_taken(line)
            await asyncio.sleep(0.01)
        line.offer(END)
        await task
    assert [segment.left for segment in sink.segments] == ["_Retired", "normally"]
    assert [segment.number for segment in sink.segments] == [0, 1]
    assert sink.items == [audio(0), Gap("sink_failed", 100, 200, MediaKind.AUDIO, 1), audio(200), END]


async def test_a_sink_that_breaks_on_the_end_gets_it_again() -> None:
    """If no writer is open when StreamEnd comes, one is opened for it."""
    sink = ScriptedSink(RuntimeError("broken"))
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert sink.items == [Gap("sink_failed", 0, 100, MediaKind.AUDIO, 1), END]
    assert len(sink.segments) == 2


async def test_a_sink_that_cannot_open_is_tried_again() -> None:
    """What comes meanwhile waits in the lane."""
    sink = ScriptedSink()
    sink.open_errors = [OSError("disk"), OSError("disk")]
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert sink.items == [audio(0), END] and line.counters.errors == 2


async def test_a_late_call_is_waited_for_before_the_next_segment() -> None:
    """A timeout retires the writer, but no second writer opens beside a call that still runs."""
    release = asyncio.Event()
    sink = ScriptedSink(release)
    line = Line(sink, timeout=0.01)
    async with serving(line) as task:
        line.offer(audio(0))
        while not line.counters.timeouts:
            await asyncio.sleep(0.005)
        line.offer(audio(100))
        await asyncio.sleep(0.03)
        assert len(sink.segments) == 1 and sink.most_writing == 1
        release.set()
        line.offer(END)
        await task
    assert [segment.left for segment in sink.segments] == ["_Retired", "normally"]
    assert sink.items == [audio(0), audio(100), END]  # it was kept after all


async def test_a_hanging_sink_only_fills_its_own_lane() -> None:
    """Offers return at once; what does not fit is counted."""
    sink = ScriptedSink(asyncio.Event())
    line = Line(sink, timeout=0.01, limit_bytes=20_000)
    async with serving(line):
        for number in range(100):
            line.offer(audio(number * 100))
            await asyncio.sleep(0)
        assert line.lane.counters.dropped > 80
        assert line.lane.queued_bytes <= 20_000


async def test_a_sink_that_hangs_keeps_no_queue_after_the_end() -> None:
    """When the stream is over and drain_secs too, what waits is let go of, counted, and told should the sink come back."""
    release = asyncio.Event()
    sink = ScriptedSink(release)
    line = Line(sink, timeout=0.01, drain=0.05)
    async with serving(line) as task:
        line.offer(audio(0))
        while not line.counters.timeouts:
            await asyncio.sleep(0.005)
        line.offer(*(audio(number * 100) for number in range(1, 50)), END)
        assert line.lane.queued_bytes > 100_000
        while line.lane.queued_items > 2:
            await asyncio.sleep(0.01)
        assert line.counters.dropped == 49 and line.lane.queued_bytes < 1000
        release.set()
        await task
    assert sink.items == [audio(0), Gap("sink_failed", 100, 5000, MediaKind.AUDIO, 1), END]


async def test_stopping_writes_what_waits_and_leaves_unfinished() -> None:
    """Without a StreamEnd the writer's context is left with an exception, after everything was written."""
    sink = ScriptedSink()
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), audio(100))
        await asyncio.sleep(0)
        line.pump.stop()
        await task
    assert sink.items == [audio(0), audio(100)]
    assert [segment.left for segment in sink.segments] == ["Interrupted"]


async def test_stopping_does_not_retry() -> None:
    """A sink that wants to be asked again later is not, and what it did not take is counted."""
    sink = ScriptedSink(*[SinkRetry("busy", after=30.0)] * 5)
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0))
        while not line.counters.retries:
            await asyncio.sleep(0.002)
        line.pump.stop()
        await task
    assert line.counters.dropped >= 1 and not [item for item in sink.items if isinstance(item, AudioFrame)]


async def test_a_sink_that_never_recovers_is_given_up_after_the_end() -> None:
    """A stream that is over does not keep a broken sink's pump alive for ever."""
    sink = ScriptedSink(*[RuntimeError("broken")] * 100)
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert not any(isinstance(item, StreamEnd) for item in sink.items)
    assert 5 < len(sink.segments) < 20


async def test_a_close_that_fails_is_tried_again() -> None:
    """One passing fault where a recording is completed costs nothing: StreamEnd is offered to another writer."""
    sink = ScriptedSink()
    sink.exit_errors = [OSError("disk full"), OSError("disk full")]
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert [segment.left for segment in sink.segments] == ["failing", "failing", "normally"]
    assert [segment.items for segment in sink.segments] == [[audio(0), END], [END], [END]]


async def test_a_close_that_always_fails_is_given_up() -> None:
    """After some tries; the counters say so."""
    sink = ScriptedSink()
    sink.exit_errors = [OSError("disk full")] * 100
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert 5 < len(sink.segments) < 20 and line.counters.errors == len(sink.segments)


async def test_a_late_last_batch_still_completes() -> None:
    """A writer that is slow with the last batch is left normally: nothing comes after it."""
    sink = ScriptedSink(0.05)
    line = Line(sink, timeout=0.01)
    async with serving(line) as task:
        line.offer(audio(0), END)
        await task
    assert [segment.left for segment in sink.segments] == ["normally"] and line.counters.timeouts == 1


async def test_a_sink_that_waits_for_its_disk_says_so() -> None:
    """While a sink asks to be asked again, its counters hold why; after a success no more."""
    sink = ScriptedSink(SinkRetry("no space left", after=0.001), 0.03)
    line = Line(sink)
    async with serving(line) as task:
        line.offer(audio(0))
        while not line.counters.retries:
            await asyncio.sleep(0.001)
        assert line.counters.waiting == "no space left"
        line.offer(END)
        await task
    assert line.counters.waiting == ""
