"""A sink that makes items for the others: where they go, and who learns of the stream's end when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scripted_sinks import INFO, ScriptedSink
from test_lane import END, audio

from rtmsd.delivery.pump import DeliveryRules
from rtmsd.delivery.route import StreamRoute
from rtmsd.delivery.router import LaneRules, Outlet, Router
from rtmsd.frames import Event, Item, MediaKind, StreamEnd, StreamInfo, TranscriptFrame
from rtmsd.runtime.clock import Clock

OTHER = StreamInfo(app="notes", product="meeting", stream_id="s2", meeting_uuid="u2", started_ms=1_000)


def phrase(text: str) -> TranscriptFrame:
    return TranscriptFrame(1, "Ann", 0, 0, 100, text, source="own")


def outlet(
    name: str,
    sink: ScriptedSink,
    *wants: MediaKind,
    publishes: bool = False,
    drain: float = 5.0,
) -> Outlet:
    return Outlet(
        name=name,
        type_name="scripted",
        sink=sink,
        wants=frozenset(wants),
        lane_rules=LaneRules(limit_bytes=1 << 20, batch_secs=0.002, drop_oldest=False),
        rules=DeliveryRules(write_timeout_secs=60, drain_secs=drain, reopen_secs=(0.001,)),
        publishes=publishes,
    )


class Publishing(ScriptedSink):
    """Takes its time where a writer is left, and publishes then."""

    def __init__(self, secs: float) -> None:
        super().__init__()
        self.secs = secs
        self.router: Router | None = None

    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[object]:  # type: ignore[override]
        assert self.router is not None
        try:
            async with super().open(stream, segment) as writer:
                yield writer
        finally:
            await asyncio.sleep(self.secs)
            self.router.publish("maker", stream, phrase(f"last of {stream.stream_id}"))


def everyone(maker: Publishing, *, drain: float = 5.0) -> tuple[Router, ScriptedSink, ScriptedSink]:
    """A maker, one who wants transcripts, and one who wants sound only."""
    reader, listener = ScriptedSink(), ScriptedSink()
    router = Router(
        [
            outlet("maker", maker, MediaKind.AUDIO, MediaKind.TRANSCRIPT, publishes=True, drain=drain),
            outlet("reader", reader, MediaKind.TRANSCRIPT, drain=drain),
            outlet("listener", listener, MediaKind.AUDIO, drain=drain),
        ],
        clock=Clock(),
    )
    maker.router = router
    return router, reader, listener


async def until_ended(*sinks: ScriptedSink) -> None:
    async with asyncio.timeout(10):
        while not all(sink.segments and sink.segments[-1].left == "normally" for sink in sinks):
            await asyncio.sleep(0.002)


async def test_what_is_published_goes_to_the_others_that_want_it() -> None:
    """Not to who made it, not to who wants no transcripts, not to another stream; events go to all others."""
    maker = Publishing(0.0)
    router, reader, listener = everyone(maker)
    route = router.open(INFO, ["maker", "reader", "listener"])
    other = router.open(OTHER, ["maker", "reader"])
    route.offer(audio(0))
    noted = Event("transcribed", 1)
    for item in (phrase("hello"), noted):
        router.publish("maker", INFO, item)
    route.offer(END)
    other.offer(END)
    await until_ended(maker, reader, listener)
    assert reader.items.count(phrase("hello")) == 1 and reader.items.count(noted) == 1
    assert listener.items == [audio(0), noted, END]
    assert [item for item in maker.items if isinstance(item, TranscriptFrame)] == []
    await router.drain()


async def test_the_end_waits_for_the_producer() -> None:
    """It comes last, after what the producer publishes when its writer is left."""
    maker = Publishing(0.05)
    router, reader, _ = everyone(maker)
    route = router.open(INFO, ["maker", "reader", "listener"])
    route.offer(END)
    await until_ended(maker, reader)
    assert reader.items == [phrase("last of s1"), END]
    await router.drain()


async def test_the_end_waits_no_longer_than_the_drain_time() -> None:
    """A producer that hangs costs the others a delay and nothing more; what it publishes afterwards is lost."""
    maker = Publishing(0.3)
    router, reader, listener = everyone(maker, drain=0.05)
    route = router.open(INFO, ["maker", "reader", "listener"])
    route.offer(END)
    await until_ended(reader, listener)
    assert maker.segments[-1].left == "normally" and reader.items == [END]
    await asyncio.sleep(0.4)
    assert reader.items == [END]
    await router.drain()


async def test_publishing_after_the_end_does_nothing() -> None:
    """Whenever it comes: no item, no error, and nothing is kept of a stream that is over."""
    maker = Publishing(0.0)
    router, reader, listener = everyone(maker)
    router.publish("maker", INFO, phrase("before it began"))
    route = router.open(INFO, ["maker", "reader", "listener"])
    route.offer(END)
    await until_ended(maker, reader, listener)
    await asyncio.sleep(0.01)
    router.publish("maker", INFO, phrase("too late"))
    assert reader.items == [phrase("last of s1"), END]
    assert router._produced == {}
    await router.drain()


async def test_a_sink_cannot_end_a_stream() -> None:
    """StreamEnd is not published."""
    maker = Publishing(0.0)
    router, reader, _ = everyone(maker)
    route = router.open(INFO, ["maker", "reader"])
    router.publish("maker", INFO, StreamEnd(None, "", "", 1))
    router.publish("maker", INFO, phrase("and on it goes"))
    route.offer(END)
    await until_ended(maker, reader)
    assert phrase("and on it goes") in reader.items and reader.items[-1] == END
    await router.drain()


async def test_a_producer_that_was_given_up_is_not_waited_for() -> None:
    """When its pump is through before the end comes, the end goes to the others at once."""
    maker = Publishing(0.0)
    maker.answers = [RuntimeError("broken")] * 200
    router, reader, _ = everyone(maker, drain=30.0)
    route = router.open(INFO, ["maker", "reader"])
    route.offer(audio(0))
    route.offer(END)
    async with asyncio.timeout(5):
        await until_ended(reader)
    assert reader.items[-1] == END
    await router.drain()


async def test_stopping_lets_the_producer_finish_first() -> None:
    """What it publishes when the daemon stops is written by the others; an end that waited is told."""
    maker = Publishing(0.05)
    router, reader, _ = everyone(maker)
    open_route = router.open(INFO, ["maker", "reader"])
    ended = router.open(OTHER, ["maker", "reader"])
    open_route.offer(audio(0))
    ended.offer(END)
    await asyncio.sleep(0.01)
    await router.drain()
    assert phrase("last of s1") in reader.items and phrase("last of s2") in reader.items
    assert [segment.left for segment in reader.segments] in (
        ["Interrupted", "normally"],
        ["normally", "Interrupted"],
    )


async def test_a_stream_without_producers_has_the_plain_route() -> None:
    """The way of every frame is as short as before: the lanes themselves, and the end at once."""
    maker = Publishing(0.0)
    router, _, listener = everyone(maker)
    route = router.open(INFO, ["reader", "listener"])
    assert type(route) is StreamRoute
    assert route.audio_offers == [router.outlets["listener"].lanes[0].offer]
    items: list[Item] = [audio(0), END]
    for item in items:
        route.offer(item)
    await until_ended(listener)
    assert listener.items == items
    await router.drain()
