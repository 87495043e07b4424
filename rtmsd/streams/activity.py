"""What one stream's items tell of it: who was heard when, what is missing, and how often it was connected again.

For the status page and the metrics; memory is bounded, whatever comes.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable

from rtmsd.frames import AudioFrame, Event, Gap, Item, MediaKind

CELL_MS = 500
"""How exactly it is known when somebody was heard: the frames of one cell are looked at once."""

MERGE_MS = 300
"""Shorter pauses between words are not shown."""

MAX_SPANS = 240
MAX_SPEAKERS = 100

_HEARD_ON = ("signaling", "audio")
"""Without one of these sockets nobody can be heard."""

Span = tuple[int, int]


class Spans:
    """Stretches of time, at most MAX_SPANS: when there are more, the older ones grow coarser."""

    def __init__(self) -> None:
        self.total_ms = 0
        # From, to, from, to … in the order in which they came; in lists they would be nine times as large.
        self._times = array("q")

    def __len__(self) -> int:
        return len(self._times) // 2

    def add(self, from_ms: int, to_ms: int) -> None:
        """Add a stretch; one that begins within the latest, or shortly after it, widens that."""
        times = self._times
        if times and times[-2] <= from_ms <= times[-1] + MERGE_MS:
            if to_ms > times[-1]:
                self.total_ms += to_ms - times[-1]
                times[-1] = to_ms
            return
        self.total_ms += to_ms - from_ms
        times.extend((from_ms, to_ms))
        if len(self) > MAX_SPANS:
            self._times = array("q", itertools.chain.from_iterable(_coarser(self.seen())))

    def seen(self) -> list[Span]:
        """Return the stretches in order, none of which touch."""
        return _joined(sorted(zip(self._times[::2], self._times[1::2], strict=True)), MERGE_MS)


def _joined(spans: Iterable[Span], within_ms: int) -> list[Span]:
    """Make one of those that are no further than `within_ms` from each other; they come in order."""
    joined: list[Span] = []
    for from_ms, to_ms in spans:
        if joined and from_ms <= joined[-1][1] + within_ms:
            joined[-1] = joined[-1][0], max(joined[-1][1], to_ms)
        else:
            joined.append((from_ms, to_ms))
    return joined


def _coarser(spans: list[Span]) -> list[Span]:
    """Close the shorter half of the silences in the older half."""
    middle = len(spans) // 2
    older, newer = spans[:middle], spans[middle:]
    silences = sorted(later[0] - earlier[1] for earlier, later in itertools.pairwise(older))
    return [*_joined(older, silences[len(silences) // 2]), *newer] if silences else spans


class Activity:
    """Observes every item of one stream. Times are Unix milliseconds of the meeting's clock."""

    def __init__(self) -> None:
        self.speech: dict[int, Spans] = {}
        """By user id, in the order in which they were first heard; not more than MAX_SPEAKERS."""
        self.missing = Spans()
        """When audio is missing for everybody."""
        self.pauses = Spans()
        self.paused_ms: int | None = None
        """Since when the session is paused."""
        self.away_ms: int | None = None
        """Since when nothing can be heard; what Zoom replays of it later is not missing."""
        self.gaps: Counter[str] = Counter()
        self.gap_ms: Counter[str] = Counter()
        """Gaps of every medium by cause, and their length."""
        self.missing_ms: Counter[str] = Counter()
        """The length of all gaps, by medium."""
        self.reconnects: Counter[str] = Counter()
        """Sockets that were opened again, by kind."""
        self.noted_until: dict[int, int] = {}
        """By user id: the end of the cell that is noted. A frame within it needs no `observe`."""

    def observe(self, item: Item) -> None:
        """Note an item. Nearly all are audio frames within a cell that is noted already: keep their way short."""
        if type(item) is AudioFrame:
            if not 0 < self.noted_until.get(item.user_id, 0) - item.timestamp_ms <= CELL_MS:
                self._heard(item)
        elif type(item) is Gap:
            self._gap(item)
        elif type(item) is Event:
            self._event(item)

    def _heard(self, frame: AudioFrame) -> None:
        user_id = frame.user_id
        spans = self.speech.get(user_id)
        if spans is None:
            if len(self.speech) >= MAX_SPEAKERS:
                return
            spans = self.speech[user_id] = Spans()
        until_ms = frame.timestamp_ms + max(CELL_MS, round(frame.duration_ms))
        spans.add(frame.timestamp_ms, until_ms)
        self.noted_until[user_id] = until_ms

    def _gap(self, gap: Gap) -> None:
        self.gaps[gap.cause] += 1
        self.gap_ms[gap.cause] += gap.to_ms - gap.from_ms
        self.missing_ms[gap.media or "all"] += gap.to_ms - gap.from_ms
        if gap.media in (None, MediaKind.AUDIO) and gap.user_id is None:
            self.missing.add(gap.from_ms, gap.to_ms)

    def _event(self, event: Event) -> None:
        socket = event.details.get("socket")
        if event.name == "session_paused" and self.paused_ms is None:
            self.paused_ms = event.timestamp_ms
        elif event.name in ("session_resumed", "session_stopped") and self.paused_ms is not None:
            self.pauses.add(self.paused_ms, max(self.paused_ms, event.timestamp_ms))
            self.paused_ms = None
        elif event.name == "socket_lost" and socket in _HEARD_ON and self.away_ms is None:
            self.away_ms = event.timestamp_ms
        elif event.name == "socket_reopened":
            self.reconnects[str(socket)] += 1
            if socket in _HEARD_ON:
                self.away_ms = None
