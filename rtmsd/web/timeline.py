"""Who was heard when, as lines to draw: one SVG per speaker, with the same in words for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtmsd.web.words import duration

Span = tuple[int, int]

WIDTH = 1000
"""Of the drawing, in its own units; it is stretched to the width of the page."""

HEIGHT = 20
_LEAST = 2  # the width of a word in a long meeting

_SHOWN_SPEAKERS = 12

# A living stream's axis is longer than the stream, so that it need not be drawn anew every second. All have halves
# that read well.
_STEPS_SECS = (20, 60, 120, 240, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200)
_DAY_SECS = 86_400


@dataclass(frozen=True)
class Speaker:
    """One participant's speech. Nobody's name: the page may be seen by more people than the recording."""

    user_id: int
    spans: Sequence[Span]
    heard_ms: int


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One stream, in Unix milliseconds of the meeting. `until_ms` is now, or the end of one that is over.

    `mixed`: Zoom sends one track with everybody's voices. `away`: nothing is heard since then, and it is not known
    yet whether that will come later.
    """

    from_ms: int
    until_ms: int
    over: bool
    speakers: Sequence[Speaker] = ()
    missing: Sequence[Span] = ()
    paused: Sequence[Span] = ()
    away: Span | None = None
    mixed: bool = False


@dataclass(frozen=True)
class Line:
    """One speaker. `speech` is a path in units of WIDTH × HEIGHT, `words` says all that is drawn as a sentence."""

    label: str
    title: str
    words: str
    speech: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A stream. The paths of when nobody was heard are the same in every line; `more` speakers are not drawn.

    `ticks` label the axis at its begin, middle and end.
    """

    lines: Sequence[Line]
    more: int
    ticks: tuple[str, str, str]
    silence: str
    missing: str
    paused: str
    away: str


def draw(timeline: Timeline) -> Drawing:
    """Turn a timeline into what the page draws."""
    length_secs = max(1.0, (timeline.until_ms - timeline.from_ms) / 1000)
    axis_secs = length_secs if timeline.over else _axis_secs(length_secs)
    axis = _Axis(timeline.from_ms, timeline.until_ms, axis_secs * 1000)
    missing, paused = axis.place(timeline.missing), axis.place(timeline.paused)
    away = axis.place([timeline.away] if timeline.away else [])
    known = axis.place([(timeline.from_ms, timeline.until_ms)])
    return Drawing(
        lines=_lines(timeline, axis),
        more=max(0, len(timeline.speakers) - _SHOWN_SPEAKERS),
        ticks=("0", duration(axis_secs / 2), duration(axis_secs)),
        silence=_strokes(_without(known, sorted([*missing, *paused, *away]))),
        missing=_boxes(missing, top=2, height=16),
        paused=_strokes(paused),
        away=_boxes(away, top=5, height=10),
    )


def _lines(timeline: Timeline, axis: _Axis) -> list[Line]:
    besides = "".join(
        f", {duration(sum(to_ms - from_ms for from_ms, to_ms in spans) / 1000)} {what}"
        for spans, what in ((timeline.missing, "missing"), (timeline.paused, "paused"))
        if spans
    )
    if not timeline.speakers:
        return [Line("Nobody", "no sound so far", f"Nobody was heard so far{besides}.", "")]
    lines = []
    for number, speaker in enumerate(timeline.speakers[:_SHOWN_SPEAKERS], 1):
        label = "Everybody" if timeline.mixed else f"Speaker {number}"
        title = "mixed by Zoom" if timeline.mixed else f"user {speaker.user_id}"
        times = len(speaker.spans)
        heard = f"{duration(speaker.heard_ms / 1000)}, {times} {'time' if times == 1 else 'times'}"
        words = f"{label} was heard for {heard}{besides}."
        lines.append(Line(label, title, words, _boxes(axis.place(speaker.spans), top=4, height=12)))
    return lines


def _axis_secs(length_secs: float) -> float:
    for step in _STEPS_SECS:
        if length_secs <= step:
            return step
    return _DAY_SECS * -(-length_secs // _DAY_SECS)


class _Axis:
    def __init__(self, from_ms: int, until_ms: int, length_ms: float) -> None:
        self._from_ms = from_ms
        self._until_ms = until_ms
        self._scale = WIDTH / length_ms

    def place(self, spans: Iterable[Span]) -> list[Span]:
        """Give spans in units, none narrower than one can see; those that then touch become one."""
        placed: list[Span] = []
        for from_ms, to_ms in spans:
            if to_ms <= self._from_ms or from_ms >= self._until_ms:
                continue
            left = int((max(from_ms, self._from_ms) - self._from_ms) * self._scale)
            right = int((min(to_ms, self._until_ms) - self._from_ms) * self._scale)
            right = min(WIDTH, max(right, left + _LEAST))
            if placed and left <= placed[-1][1]:
                placed[-1] = placed[-1][0], max(right, placed[-1][1])
            else:
                placed.append((left, right))
        return placed


def _boxes(spans: Iterable[Span], *, top: int, height: int) -> str:
    return "".join(
        f"M{left} {top}h{right - left}v{height}h-{right - left}z" for left, right in spans if right > left
    )


def _strokes(spans: Iterable[Span]) -> str:
    return "".join(f"M{left} {HEIGHT // 2}H{right}" for left, right in spans if right > left)


def _without(spans: Iterable[Span], holes: Sequence[Span]) -> list[Span]:
    """Cut `holes`, which are in order, out of the spans."""
    left_over: list[Span] = []
    for start, end in spans:
        for hole_start, hole_end in holes:
            left_over.append((start, min(end, hole_start)))
            start = max(start, hole_end)
        left_over.append((start, end))
    return [(start, end) for start, end in left_over if end > start]
