"""Who listens to a living stream beside its sinks: gets what comes, and costs the others nothing."""

from __future__ import annotations

import asyncio

import pytest
from scripted_sinks import INFO, ScriptedSink
from test_lane import END, audio
from test_produced import OTHER, Publishing, everyone, outlet, phrase, until_ended

from rtmsd.delivery.produced import ProducedRoute
from rtmsd.delivery.route import StreamRoute
from rtmsd.delivery.router import Router
from rtmsd.delivery.tapping import LANE_BYTES, Tap, Taps
from rtmsd.frames import AudioFrame, Event, Gap, Item, MediaKind
from rtmsd.runtime.clock import Clock

SOUND = frozenset({MediaKind.AUDIO})
PHRASES = frozenset({MediaKind.TRANSCRIPT})


async def everything(tap: Tap) -> list[Item]:
    """All that comes until the end."""
    items: list[Item] = []
    async with asyncio.timeout(10):
        while not tap.over:
            items += await tap.take(1.0)
    return items


async def test_a_tap_gets_what_comes_while_it_is_there() -> None:
    """Of the kinds that it wants, from when it comes until it goes; who keeps the list of offers need not look again."""
    taps, route = Taps(), StreamRoute([], batch_secs=0.5)
    taps.opened(INFO, route, SOUND)
    kept = route.audio_offers
    with taps.listening("s1", SOUND) as tap:
        for item in (audio(100), audio(200)):
            for take in kept:
                take(item)
        noted = Event("stream_paused", 1)
        for one in (phrase("not wanted"), noted, END):
            route.offer(one)
        assert await everything(tap) == [audio(100), audio(200), noted, END]
    assert list(kept) == []


async def test_taps_that_come_and_go_cost_the_sinks_nothing() -> None:
    """A sink gets every frame in order, however many listen for a while; nothing is left of them."""
    reader = ScriptedSink()
    router = Router([outlet("reader", reader, MediaKind.AUDIO)], clock=Clock())
    taps, route = Taps(), router.open(INFO, ["reader"])
    taps.opened(INFO, route, SOUND)
    before = len(asyncio.all_tasks())
    for number in range(50):
        with taps.listening("s1", SOUND), taps.listening("s1", SOUND):
            route.offer(audio(100 * number))
        route.offer(audio(100 * number + 50))
        await asyncio.sleep(0)
    assert len(taps) == 0 and len(route.audio_offers) == 1 and len(asyncio.all_tasks()) <= before
    route.offer(END)
    await until_ended(reader)
    assert reader.items == [*(audio(50 * number) for number in range(100)), END]
    await router.drain()


async def test_a_listener_that_takes_nothing_loses_its_own_frames() -> None:
    """No more waits than a lane holds; the oldest goes, and is told as a gap that fits what is left."""
    taps, route = Taps(), StreamRoute([], batch_secs=0.5)
    taps.opened(INFO, route, SOUND)
    frames = [audio(100 * number) for number in range(3000)]  # 9.6 MB
    with taps.listening("s1", SOUND) as slow, taps.listening("s1", SOUND) as quick:
        got: list[Item] = []
        for frame in frames:
            route.offer(frame)
            if frame.timestamp_ms % 10_000 == 0:
                got += await quick.take(1.0)
        route.offer(END)
        got += await everything(quick)
        gap, *rest, end = await everything(slow)
    assert got == [*frames, END] and quick.dropped == 0
    assert end == END and isinstance(gap, Gap) and gap.cause == "lane_full"
    assert slow.dropped == len(frames) - len(rest) > 0
    kept = [item for item in rest if isinstance(item, AudioFrame)]
    assert kept == frames[slow.dropped :] and sum(len(item.data) for item in kept) < LANE_BYTES
    assert (gap.from_ms, gap.to_ms) == (0, kept[0].timestamp_ms)


async def test_a_tap_hears_what_producers_publish_to_their_very_end() -> None:
    """As a sink that wants it: also what comes after the stream's end, and that end itself last."""
    maker = Publishing(0.05)
    router, reader, _ = everyone(maker)
    taps, route = Taps(), router.open(INFO, ["maker", "reader"])
    taps.opened(INFO, route, PHRASES)
    with taps.listening("s1", PHRASES) as tap:
        with taps.listening("s1", PHRASES):
            router.publish("maker", INFO, phrase("first"))
        route.offer(END)
        assert await everything(tap) == [phrase("first"), phrase("last of s1"), END]
    await until_ended(maker, reader)
    assert reader.items == [phrase("first"), phrase("last of s1"), END]
    await router.drain()


async def test_who_wants_sound_waits_for_no_producer() -> None:
    """Producers make phrases: the end of the sound is the stream's, and nothing follows it."""
    maker = Publishing(0.05)
    router, reader, _ = everyone(maker)
    taps, route = Taps(), router.open(INFO, ["maker", "reader"])
    taps.opened(INFO, route, SOUND | PHRASES)
    with taps.listening("s1", SOUND) as tap, taps.listening("s1", SOUND):
        route.offer(audio(0))
        route.offer(END)
        assert await everything(tap) == [audio(0), END]
        assert reader.items == []
    await until_ended(maker, reader)
    assert reader.items == [phrase("last of s1"), END]
    await router.drain()


async def test_who_goes_while_the_end_waits_is_not_told() -> None:
    """A tap that ends between the stream's end and the producer's disturbs nobody."""
    maker = Publishing(0.05)
    router, reader, _ = everyone(maker)
    taps, route = Taps(), router.open(INFO, ["maker", "reader"])
    taps.opened(INFO, route, PHRASES)
    with taps.listening("s1", PHRASES):
        route.offer(END)
    assert taps.living() == []
    assert isinstance(route, ProducedRoute) and len(route._others) == 1
    await until_ended(maker, reader)
    assert reader.items == [phrase("last of s1"), END]
    await router.drain()


async def test_what_is_over_cannot_be_listened_to() -> None:
    """Only streams that live are named, and nothing is kept of the others."""
    taps, first, second = Taps(), StreamRoute([], batch_secs=0.5), StreamRoute([], batch_secs=0.5)
    taps.opened(INFO, first, SOUND)
    taps.opened(OTHER, second, PHRASES)
    assert taps.living() == [(INFO, SOUND), (OTHER, PHRASES)]
    first.offer(END)
    assert taps.living() == [(OTHER, PHRASES)]
    with pytest.raises(KeyError), taps.listening("s1", SOUND):
        pass


async def test_the_next_stream_can_be_waited_for() -> None:
    """Whoever waits is told when a stream begins, and goes on after its time when none does."""
    taps = Taps()
    await taps.coming(0.001)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(taps.coming(60.0)) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting)
        taps.opened(INFO, StreamRoute([], batch_secs=0.5), SOUND)


async def test_closing_lets_everybody_have_what_waits() -> None:
    """Then nothing more comes, though the stream goes on."""
    taps, route = Taps(), StreamRoute([], batch_secs=0.5)
    taps.opened(INFO, route, SOUND)
    with taps.listening("s1", SOUND) as tap:
        route.offer(audio(0))
        taps.close()
        route.offer(audio(100))
        assert await everything(tap) == [audio(0)]
