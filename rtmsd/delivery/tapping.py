"""Who listens to a living stream for a while, beside its sinks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rtmsd.delivery.lane import Lane
from rtmsd.delivery.route import LaneEnd, StreamRoute
from rtmsd.frames import Item, MediaKind, StreamInfo
from rtmsd.runtime.ticker import Ticker

LANE_BYTES = 4 * 1024 * 1024
"""What may wait for a listener; then the oldest goes."""

TICK_SECS = 0.1
"""A listener wants it now: more often would cost the loop more than it gives."""


class Living(NamedTuple):
    """A stream that has not ended, and the media that come in it: from Zoom, or from sinks that publish."""

    stream: StreamInfo
    media: frozenset[MediaKind]


class _Queue(Lane):
    """Drops an eighth at once: one by one, who takes nothing would cost each frame of the others some microseconds."""

    def _make_room(self, size: int) -> bool:
        return super()._make_room(size + LANE_BYTES // 8)


class Tap:
    """What one listener gets of a stream. `over`: nothing more will come, and everything was taken."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.over = False

    @property
    def dropped(self) -> int:
        """How many frames the listener was too slow for."""
        return self._lane.counters.dropped

    async def take(self, secs: float) -> Sequence[Item]:
        """Wait for the next items, no longer than `secs`; empty when none came. Cancelling is safe."""
        try:
            async with asyncio.timeout(secs):
                items = await self._lane.take()
        except TimeoutError:
            return ()
        self.over = not items
        return items

    def close(self) -> None:
        """Let nothing more come; what waits can still be taken."""
        self._lane.close()
        self._lane.drain()


class Taps:
    """Every living stream, for those who want to listen."""

    def __init__(self) -> None:
        self._routes: dict[str, tuple[StreamRoute, Living]] = {}  # by stream id
        self._taps: set[Tap] = set()
        self._ticker = Ticker(TICK_SECS)
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """How many listen."""
        return len(self._taps)

    def opened(self, stream: StreamInfo, route: StreamRoute, media: frozenset[MediaKind]) -> None:
        """Note that a stream begins. Its end is seen on the route."""
        self._forget()
        self._routes[stream.stream_id] = route, Living(stream, media)
        self._tell()

    def living(self) -> Sequence[Living]:
        """Say what can be listened to now."""
        self._forget()
        return [living for _, living in self._routes.values()]

    async def coming(self, secs: float) -> None:
        """Wait until a stream begins, no longer than `secs`. Cancelling is safe."""
        try:
            async with asyncio.timeout(secs):
                await self._news.wait()
        except TimeoutError:
            pass

    @contextmanager
    def listening(self, stream_id: str, wants: frozenset[MediaKind]) -> Iterator[Tap]:
        """Listen to a living stream for as long as the context lasts; KeyError when there is no such stream.

        What comes is that which the stream has anyway: nobody asks Zoom for more.
        """
        route, _ = self._routes[stream_id]
        lane = _Queue(limit_bytes=LANE_BYTES, ticker=self._ticker, drop_oldest=True)
        tap, end = Tap(lane), LaneEnd("tap", lane, wants)
        route.add(end)
        self._taps.add(tap)
        try:
            yield tap
        finally:
            self._taps.discard(tap)
            route.remove(end)

    def close(self) -> None:
        """Let all who listen or wait come to their ends: the daemon stops."""
        for tap in self._taps:
            tap.close()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _forget(self) -> None:
        self._routes = {key: one for key, one in self._routes.items() if not one[0].over}
