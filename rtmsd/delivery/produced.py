"""The route of a stream some of whose sinks make items for the others, such as a transcript."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from rtmsd.delivery.lane import Lane
from rtmsd.delivery.route import LaneEnd, StreamRoute, add_lane, offers_of, remove_lane
from rtmsd.frames import Item, MediaKind, StreamEnd


class ProducedRoute(StreamRoute):
    """Hands on what producers publish, and keeps StreamEnd from the others until the producers are through.

    `producers` are the names of the sinks that publish; at the stream's end the others wait for them, but no longer
    than `patience_secs`.
    """

    def __init__(
        self,
        lanes: Sequence[LaneEnd],
        producers: Collection[str],
        *,
        batch_secs: float,
        patience_secs: float,
    ) -> None:
        super().__init__(lanes, batch_secs=batch_secs)
        self._lanes = lanes
        self._producers = set(producers)
        self._patience_secs = patience_secs
        self._at_once: list[Lane] = []
        self._others = [one.lane for one in lanes if one.name not in self._producers]
        self._published = {
            name: offers_of(one for one in lanes if one.name != name) for name in self._producers
        }
        self._end: StreamEnd | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._offers[StreamEnd] = [self._ended]

    def publish(self, name: str, item: Item) -> None:
        """Hand an item from the sink `name` to the others that want it. An end is not a sink's to tell."""
        if not isinstance(item, StreamEnd) and (offers := self._published.get(name)):
            for offer in offers[type(item)]:
                offer(item)

    def add(self, one: LaneEnd) -> None:
        """Let one more lane have what comes and what is published; the end comes to it as to those who wait for it.

        Who wants sound alone does not: producers make something of it, and what they still say is no sound.
        """
        for offers in (self._offers, *self._published.values()):
            add_lane(offers, one)
        self._offers[StreamEnd] = [self._ended]
        (self._at_once if one.wants == {MediaKind.AUDIO} else self._others).append(one.lane)

    def remove(self, one: LaneEnd) -> None:
        """Let a lane that was added go; the others do not notice."""
        for offers in (self._offers, *self._published.values()):
            remove_lane(offers, one)
        (self._at_once if one.lane in self._at_once else self._others).remove(one.lane)

    def closed(self, name: str) -> None:
        """Note that a sink's pump is through: it publishes nothing more."""
        self._producers.discard(name)
        if not self._producers:
            self.release()

    def release(self) -> None:
        """Give the others the end that they wait for, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        end, self._end = self._end, None
        if end is not None:
            for lane in self._others:
                lane.offer(end)

    def _ended(self, item: Item) -> None:
        assert isinstance(item, StreamEnd)
        self.over = True
        self._end = item
        for lane in self._at_once:
            lane.offer(item)
        for one in self._lanes:
            if one.name in self._producers:
                one.lane.offer(item)
        if self._producers:
            self._timer = asyncio.get_running_loop().call_later(self._patience_secs, self.release)
        else:
            self.release()
