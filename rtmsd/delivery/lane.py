"""One bounded queue between one stream and one sink."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rtmsd.frames import AudioFrame, ChatFrame, Frame, Gap, Item, MediaKind, StreamEnd, TranscriptFrame

BATCH_ITEMS = 512
BATCH_BYTES = 1024 * 1024
_ITEM_BYTES = 200
"""What an item costs besides its data, so that many small ones are not free."""


@dataclass
class LaneCounters:
    """Plain integers, read by the status page."""

    offered: int = 0
    dropped: int = 0
    taken: int = 0


class Lane:
    """Holds items until the pump takes them. `offer` never waits and never fails.

    When more than `limit_bytes` wait, frames are dropped: the new one, or with `drop_oldest` the oldest. What is
    dropped becomes a Gap in its place; Gap, Event and StreamEnd are never dropped.
    """

    def __init__(self, *, limit_bytes: int, batch_secs: float, drop_oldest: bool) -> None:
        self.counters = LaneCounters()
        self._limit = limit_bytes
        self._batch_secs = batch_secs
        self._drop_oldest = drop_oldest
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._losses = Losses("lane_full")
        self._closed = False
        self._draining = False
        self._due = False  # whether a batch may be taken
        self._ready: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def queued_items(self) -> int:
        return len(self._items)

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def offer(self, item: Item) -> None:
        """Take an item, or drop it by policy. After StreamEnd nothing is taken."""
        if self._closed:
            return
        self.counters.offered += 1
        size = item_bytes(item)
        if self._bytes + size > self._limit and isinstance(item, Frame):
            if not self._drop_oldest or not self._make_room(size):
                self.counters.dropped += 1
                self._losses.add(item)
                return
        elif self._losses and not self._drop_oldest:
            self._append_losses()
        self._items.append(item)
        self._bytes += size
        if type(item) is StreamEnd:
            self._closed = True
            self.drain()
        elif not self._due:
            self._arm()

    def put_back(self, items: Sequence[Item]) -> None:
        """Put items before everything that waits, whatever the limit."""
        self._items.extendleft(reversed(items))
        self._bytes += sum(item_bytes(item) for item in items)
        self._release()

    @property
    def closed(self) -> bool:
        """Whether nothing more will be taken from the stream."""
        return self._closed

    def drain(self) -> None:
        """Hold nothing back any more: what waits can be taken at once, and then `take` gives an empty batch."""
        self._draining = True
        self._release()

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True

    async def take(self) -> list[Item]:
        """Wait for the next batch: 512 items, 1 MiB, or what came within `batch_secs`. Empty: drained to the end.

        Cancelling is safe: nothing is taken then.
        """
        while not self._due and not self._draining:
            self._ready = asyncio.get_running_loop().create_future()
            try:
                await self._ready
            finally:
                self._ready = None
        if self._draining and self._losses:
            self._append_losses()
        batch: list[Item] = []
        size = 0
        while self._items and len(batch) < BATCH_ITEMS and size < BATCH_BYTES:
            item = self._items.popleft()
            size += item_bytes(item)
            batch.append(item)
        self._bytes -= size
        self.counters.taken += len(batch)
        self._due = False
        if self._items:
            self._arm()
        return batch

    def _make_room(self, size: int) -> bool:
        """Drop the oldest frames until `size` fits; False when there are none left to drop."""
        kept: list[Item] = []
        losses = Losses("lane_full")
        while self._items and self._bytes + size + losses.weight > self._limit:
            oldest = self._items.popleft()
            if isinstance(oldest, Frame):
                self._bytes -= item_bytes(oldest)
                self.counters.dropped += 1
                losses.add(oldest)
            else:
                kept.append(oldest)
        while kept and isinstance(gap := kept[-1], Gap) and gap.cause == "lane_full":
            losses.include(gap)  # widened rather than followed by another
            kept.pop()
            self._bytes -= item_bytes(gap)
        gaps = losses.take()
        self._bytes += sum(item_bytes(gap) for gap in gaps)
        self._items.extendleft(reversed(gaps))
        self._items.extendleft(reversed(kept))
        return self._bytes + size <= self._limit

    def _append_losses(self) -> None:
        gaps = self._losses.take()
        self._items.extend(gaps)
        self._bytes += sum(item_bytes(gap) for gap in gaps)

    def _arm(self) -> None:
        """See to it that what waits is taken: now if it fills a batch, else when the batch's time is over."""
        if len(self._items) >= BATCH_ITEMS or self._bytes >= BATCH_BYTES:
            self._release()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._batch_secs, self._release)

    def _release(self) -> None:
        self._due = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)


class Losses:
    """What was lost, as one span for each participant and medium."""

    def __init__(self, cause: str) -> None:
        self._cause = cause
        self._spans: dict[tuple[MediaKind | None, int | None], tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._spans)

    @property
    def weight(self) -> int:
        """What the gaps will weigh in a queue."""
        return len(self._spans) * _ITEM_BYTES

    def add(self, item: Item) -> bool:
        """Note a lost frame; False for other items, which have no span."""
        if isinstance(item, AudioFrame):
            end = item.timestamp_ms + round(item.duration_ms)
            self._widen(MediaKind.AUDIO, item.user_id, item.timestamp_ms, end)
        elif isinstance(item, TranscriptFrame):
            self._widen(MediaKind.TRANSCRIPT, item.user_id, item.start_ms, item.end_ms)
        elif isinstance(item, ChatFrame):
            self._widen(MediaKind.CHAT, item.user_id, item.timestamp_ms, item.timestamp_ms + 1)
        else:
            return False
        return True

    def include(self, gap: Gap) -> None:
        self._widen(gap.media, gap.user_id, gap.from_ms, gap.to_ms)

    def take(self) -> list[Gap]:
        """Give the spans as gaps, earliest first, and forget them."""
        gaps = [
            Gap(self._cause, start, end, media, user_id)
            for (media, user_id), (start, end) in self._spans.items()
        ]
        self._spans.clear()
        return sorted(gaps, key=lambda gap: gap.from_ms)

    def _widen(self, media: MediaKind | None, user_id: int | None, start: int, end: int) -> None:
        old = self._spans.get((media, user_id))
        self._spans[media, user_id] = (min(start, old[0]), max(end, old[1])) if old else (start, end)


def item_bytes(item: Item) -> int:
    """What an item weighs in a queue."""
    if type(item) is AudioFrame:
        return len(item.data) + _ITEM_BYTES
    if type(item) is TranscriptFrame or type(item) is ChatFrame:
        return len(item.text) + _ITEM_BYTES
    return _ITEM_BYTES
