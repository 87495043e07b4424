"""One queue: bounded, in order, and honest about what it dropped."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from rtmsd.delivery.lane import BATCH_BYTES, BATCH_ITEMS, Lane, item_bytes
from rtmsd.frames import AudioFormat, AudioFrame, Event, Gap, Item, MediaKind, StreamEnd
from rtmsd.runtime.ticker import Ticker

SOUND = AudioFormat("L16", 16_000, 1, True)


def audio(timestamp_ms: int, *, user_id: int = 1, ms: int = 100) -> AudioFrame:
    return AudioFrame(user_id, "", timestamp_ms, bytes(ms * 32), SOUND)


def lane(*, limit_bytes: int = 1 << 24, batch_secs: float = 0.01, drop_oldest: bool = False) -> Lane:
    return Lane(limit_bytes=limit_bytes, ticker=Ticker(batch_secs), drop_oldest=drop_oldest)


END = StreamEnd(6, "MEETING_ENDED", "", 5)


async def taken(queue: Lane) -> list[Item]:
    """Everything in a lane that has been drained."""
    items: list[Item] = []
    while batch := await queue.take():
        items += batch
    return items


async def test_a_batch_waits_for_its_time() -> None:
    """Items that come within the batch's time are taken together."""
    queue = lane()
    taking = asyncio.create_task(queue.take())
    for number in range(5):
        queue.offer(audio(number * 100))
        await asyncio.sleep(0)
    assert not taking.done()
    assert len(await taking) == 5


async def test_a_full_batch_is_taken_at_once() -> None:
    """512 items or 1 MiB do not wait, and no batch is larger."""
    queue = lane(batch_secs=3600)
    for number in range(BATCH_ITEMS + 10):
        queue.offer(audio(number * 20, ms=20))
    assert len(await queue.take()) == BATCH_ITEMS
    queue = lane(batch_secs=3600)
    for number in range(40):
        queue.offer(audio(number * 1000, ms=1000))
    batch = await queue.take()
    assert BATCH_BYTES <= sum(item_bytes(item) for item in batch) < BATCH_BYTES + 40_000


async def test_the_end_releases_everything_and_closes() -> None:
    """After StreamEnd nothing waits, nothing is taken any more."""
    queue = lane(batch_secs=3600)
    queue.offer(audio(0))
    queue.offer(END)
    queue.offer(audio(100))
    assert [type(item) for item in await taken(queue)] == [AudioFrame, StreamEnd]


async def test_a_full_lane_drops_the_new_and_leaves_a_gap_in_place() -> None:
    """What was dropped stands as one gap per participant between what came before and after."""
    weight = item_bytes(audio(0))
    queue = lane(limit_bytes=3 * weight, batch_secs=0.001)
    for number in range(6):
        queue.offer(audio(number * 100, user_id=1 + number % 2))
    first = await queue.take()
    queue.offer(audio(600))
    queue.offer(END)
    rest = await taken(queue)
    assert [item.timestamp_ms for item in first if isinstance(item, AudioFrame)] == [0, 100, 200]
    assert rest == [
        Gap("lane_full", 300, 600, MediaKind.AUDIO, 2),
        Gap("lane_full", 400, 500, MediaKind.AUDIO, 1),
        audio(600),
        END,
    ]
    assert queue.counters.dropped == 3


async def test_drop_oldest_keeps_the_newest_and_one_gap() -> None:
    """A live sink gets the newest frames; what went stands once, before them."""
    weight = item_bytes(audio(0))
    queue = lane(limit_bytes=4 * weight, drop_oldest=True)
    for number in range(20):
        queue.offer(audio(number * 100))
    queue.offer(END)
    items = await taken(queue)
    gaps = [item for item in items if isinstance(item, Gap)]
    frames = [item.timestamp_ms for item in items if isinstance(item, AudioFrame)]
    assert frames == list(range(frames[0], 2000, 100)) and len(frames) == 3
    assert gaps == [Gap("lane_full", 0, frames[0], MediaKind.AUDIO, 1)]
    assert queue.counters.dropped == 17


async def test_losses_of_different_times_are_different_gaps() -> None:
    """Also with drop_oldest: what was dropped for want of room stands where it was, before the next item."""
    queue = lane(limit_bytes=400, drop_oldest=True)
    queue.offer(audio(1_000))  # does not fit into an empty lane
    queue.offer(Event("session_started", 2_000))
    await queue.take()
    queue.offer(audio(1_000_000))
    queue.offer(END)
    gaps = [item for item in await taken(queue) if isinstance(item, Gap)]
    assert gaps == [Gap("lane_full", 1_000_000, 1_000_100, MediaKind.AUDIO, 1)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["audio", "event", "gap", "take"]), st.integers(1, 3)), max_size=60),
    st.booleans(),
)
def test_nothing_goes_unaccounted(steps: list[tuple[str, int]], drop_oldest: bool) -> None:
    """Every frame is taken or covered by a gap of its participant; events and gaps are never dropped; order holds."""

    async def scenario() -> None:
        weight = item_bytes(audio(0))
        queue = lane(limit_bytes=5 * weight, batch_secs=0.0001, drop_oldest=drop_oldest)
        offered: list[Item] = []
        got: list[Item] = []
        for number, (what, user_id) in enumerate(steps):
            item: Item | None = None
            if what == "audio":
                item = audio(number * 100, user_id=user_id)
            elif what == "event":
                item = Event("participant_joined", number, user_id)
            elif what == "gap":
                item = Gap("socket_down", number, number + 1)
            elif queue.queued_items:
                got += await queue.take()
            if item is not None:
                offered.append(item)
                queue.offer(item)
        queue.offer(END)
        got += await taken(queue)
        assert got[-1] == END
        lost = [item for item in got if isinstance(item, Gap) and item.cause == "lane_full"]
        kept = [item for item in got[:-1] if item not in lost]
        assert kept == [item for item in offered if item in kept]
        for item in offered:
            if isinstance(item, AudioFrame) and item not in kept:
                assert any(
                    gap.user_id == item.user_id and gap.from_ms <= item.timestamp_ms < gap.to_ms
                    for gap in lost
                )
            else:
                assert item in kept
        assert queue.queued_bytes == 0 and queue.queued_items == 0
        assert queue.counters.dropped == len(offered) - len(kept)

    asyncio.run(scenario())


async def test_cancelling_take_takes_nothing() -> None:
    """A cancelled take leaves every item in the lane."""
    queue = lane(batch_secs=0.001)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.offer(audio(0))
    taking.cancel()
    await asyncio.wait([taking])
    assert await queue.take() == [audio(0)]
