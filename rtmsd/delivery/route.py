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

Offers = dict[type, tuple[Callable[[Item], None], ...]]


class LaneEnd(NamedTuple):
    """The lane of the sink `name`, and which frames go there."""

    name: str
    lane: Lane
    wants: frozenset[MediaKind]


def offers_of(lanes: Iterable[LaneEnd]) -> Offers:
    """Say for each type of item which lanes take it."""
    lanes = tuple(lanes)
    everyone = tuple(one.lane.offer for one in lanes)
    offers: Offers = {Event: everyone, Gap: everyone, StreamEnd: everyone}
    for item_type, kind in _KINDS.items():
        offers[item_type] = tuple(one.lane.offer for one in lanes if kind in one.wants)
    return offers


class StreamRoute:
    """One stream's way to its sinks. `batch_secs`: how long even the most hurried of them lets frames gather."""

    def __init__(self, lanes: Sequence[LaneEnd], *, batch_secs: float) -> None:
        self.batch_secs = batch_secs
        self._offers = offers_of(lanes)

    @property
    def audio_offers(self) -> tuple[Callable[[Item], None], ...]:
        """What `offer` calls for an audio frame."""
        return self._offers[AudioFrame]

    def offer(self, item: Item) -> None:
        """Hand an item to every lane that wants it. Returns at once; cannot fail."""
        for offer in self._offers[type(item)]:
            offer(item)
