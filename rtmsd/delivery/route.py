"""Where the items of one stream go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rtmsd.delivery.lane import Lane
from rtmsd.frames import (
    AudioFrame,
    ChatFrame,
    Event,
    Gap,
    Item,
    MediaKind,
    ShareFrame,
    StreamEnd,
    TranscriptFrame,
    VideoFrame,
)

_KINDS: dict[type, MediaKind] = {
    VideoFrame: MediaKind.VIDEO,
    ShareFrame: MediaKind.SHARE,
    AudioFrame: MediaKind.AUDIO,
    TranscriptFrame: MediaKind.TRANSCRIPT,
    ChatFrame: MediaKind.CHAT,
}

Offers = dict[type, list[Callable[[Item], None]]]


class LaneEnd(NamedTuple):
    """The lane of the sink `name`, and which frames go there."""

    name: str
    lane: Lane
    wants: frozenset[MediaKind]


def offers_of(lanes: Iterable[LaneEnd]) -> Offers:
    """Say for each type of item which lanes take it."""
    offers: Offers = {item_type: [] for item_type in (*_KINDS, Event, Gap, StreamEnd)}
    for one in lanes:
        add_lane(offers, one)
    return offers


def add_lane(offers: Offers, one: LaneEnd) -> None:
    """Let a lane have what it wants, too. The lists stay the same, since who offers often has kept them."""
    for item_type, calls in offers.items():
        kind = _KINDS.get(item_type)
        if kind is None or kind in one.wants:
            calls.append(one.lane.offer)


def remove_lane(offers: Offers, one: LaneEnd) -> None:
    """Let a lane have nothing more."""
    for calls in offers.values():
        if one.lane.offer in calls:
            calls.remove(one.lane.offer)


class StreamRoute:
    """One stream's way to its sinks. `batch_secs`: how long even the most hurried of them lets frames gather."""

    def __init__(self, lanes: Sequence[LaneEnd], *, batch_secs: float) -> None:
        self.batch_secs = batch_secs
        self.over = False
        """Whether the stream's end has come."""
        self._offers = offers_of(lanes)
        self._offers[StreamEnd].insert(0, self._ended)

    @property
    def audio_offers(self) -> Sequence[Callable[[Item], None]]:
        """What `offer` calls for an audio frame: one list, to be kept, in which lanes come and go."""
        return self._offers[AudioFrame]

    def offer(self, item: Item) -> None:
        """Hand an item to every lane that wants it. Returns at once; cannot fail."""
        for offer in self._offers[type(item)]:
            offer(item)

    def add(self, one: LaneEnd) -> None:
        """Let one more lane have what comes from now on."""
        add_lane(self._offers, one)

    def remove(self, one: LaneEnd) -> None:
        """Let a lane that was added go; the others do not notice."""
        remove_lane(self._offers, one)

    def _ended(self, item: Item) -> None:
        self.over = True
