"""One bounded queue between one stream and one sink."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rtmsd.frames import (
    AudioFrame,
    ChatFrame,
    Frame,
    Gap,
    Item,
    MediaKind,
    ShareFrame,
    StreamEnd,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd.runtime.ticker import Ticker

BATCH_ITEMS = 512
BATCH_BYTES = 1024 * 1024
_ITEM_BYTES = 200
"""What an item costs besides its data, so that many small ones are not free."""


@dataclass
class LaneCounters:
    """Plain integers, read by the status page."""

    dropped: int = 0
    taken: int = 0


class Lane:
    """Holds items until the pump takes them. `offer` never waits and never fails.

    When more than `limit_bytes` wait, frames are dropped: the new one, or with `drop_oldest` the oldest. What is
    dropped becomes a Gap in its place; Gap, Event and StreamEnd are never dropped.
    """

    def __init__(self, *, limit_bytes: int, ticker: Ticker, drop_oldest: bool) -> None:
        self.counters = LaneCounters()
        self._limit = limit_bytes
        self._ticker = ticker
        self._drop_oldest = drop_oldest
        self._items: list[Item] = []
        self._bytes = 0
        self._losses = Losses("lane_full")
        self._closed = False
        self._plain = True  # open, and nothing lost that is not yet in the queue
        self._draining = False
        self._due = False  # whether a batch may be taken
        self._ticking = False  # whether the ticker will call
        self._ready: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def queued_items(self) -> int:
        return len(self._items)

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def offer(self, item: Item) -> None:
        """Take an item, or drop it by policy. After StreamEnd nothing is taken."""
        if self._plain and type(item) is AudioFrame:  # nearly always: keep it short
            total = self._bytes + len(item.data) + _ITEM_BYTES
            if total <= self._limit:
                self._items.append(item)
                self._bytes = total
                if not self._ticking or total >= BATCH_BYTES or len(self._items) >= BATCH_ITEMS:
                    self._arm()
                return
        self._offer(item)

    def _offer(self, item: Item) -> None:
        if self._closed:
            return
        size = item_bytes(item)
        if self._bytes + size > self._limit and isinstance(item, Frame):
            if not self._drop_oldest or not self._make_room(size):
                self.counters.dropped += 1
                self._losses.add(item)
                self._plain = False
                return
        elif self._losses:
            self._append_losses()
        self._items.append(item)
        self._bytes += size
        if type(item) is StreamEnd:
            self.close()
            self.drain()
        else:
            self._arm()

    def put_back(self, items: Sequence[Item]) -> None:
        """Put items before everything that waits, whatever the limit."""
        self._items[:0] = items
        self._bytes += sum(item_bytes(item) for item in items)
        self._release()

    def take_all(self) -> list[Item]:
        """Take whatever waits, without waiting."""
        items, self._items = self._items, []
        self._bytes = 0
        return items

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
        self._plain = False

    async def take(self) -> list[Item]:
        """Wait for the next batch: 512 items, 1 MiB, or what came until the ticker's next tick. Empty: drained to the end.

        Cancelling is safe: nothing is taken then.
        """
        while not self._due and not self._draining:
            # Kept, since asking for the running loop is a system call.
            self._loop = self._loop or asyncio.get_running_loop()
            self._ready = self._loop.create_future()
            try:
                await self._ready
            finally:
                self._ready = None
        if self._draining and self._losses:
            self._append_losses()
        batch = self._batch()
        self.counters.taken += len(batch)
        self._due = False
        if self._items:
            self._arm()
        return batch

    def _batch(self) -> list[Item]:
        if len(self._items) <= BATCH_ITEMS and self._bytes <= BATCH_BYTES:
            return self.take_all()
        count = size = 0
        for item in self._items:
            if count >= BATCH_ITEMS or size >= BATCH_BYTES:
                break
            count += 1
            size += item_bytes(item)
        batch = self._items[:count]
        del self._items[:count]
        self._bytes -= size
        return batch

    def _make_room(self, size: int) -> bool:
        """Drop the oldest frames until `size` fits; False when there are none left to drop."""
        kept: list[Item] = []
        losses = Losses("lane_full")
        looked_at = 0
        for oldest in self._items:
            if self._bytes + size + losses.weight <= self._limit:
                break
            looked_at += 1
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
        self._items[:looked_at] = [*kept, *gaps]
        return self._bytes + size <= self._limit

    def _append_losses(self) -> None:
        gaps = self._losses.take()
        self._plain = not self._closed
        self._items.extend(gaps)
        self._bytes += sum(item_bytes(gap) for gap in gaps)

    def _arm(self) -> None:
        """See to it that what waits is taken: now if it fills a batch, else at the next tick."""
        if self._due:
            return
        if len(self._items) >= BATCH_ITEMS or self._bytes >= BATCH_BYTES:
            self._release()
        elif not self._ticking:
            self._ticking = True
            self._ticker.add(self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if self._items:
            self._release()

    def _release(self) -> None:
        self._due = True
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
        elif isinstance(item, VideoFrame | ShareFrame):
            kind = MediaKind.VIDEO if isinstance(item, VideoFrame) else MediaKind.SHARE
            self._widen(
                kind, item.user_id, item.timestamp_ms, item.timestamp_ms + 1000 // max(1, item.format.fps)
            )
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
    if type(item) is AudioFrame or type(item) is VideoFrame or type(item) is ShareFrame:
        return len(item.data) + _ITEM_BYTES
    if type(item) is TranscriptFrame or type(item) is ChatFrame:
        return len(item.text) + _ITEM_BYTES
    return _ITEM_BYTES
