"""The status page, section by section; rendered at most once a second, however many look at it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import jinja2

from rtmsd.runtime.clock import Clock, iso_utc
from rtmsd.web.counters import REFUSALS, WebhookCounters
from rtmsd.web.problems import problems
from rtmsd.web.status import LIVING, PENDING, MeetingStatus, StatusSource, StreamStatus
from rtmsd.web.timeline import HEIGHT, WIDTH, Drawing, draw
from rtmsd.web.words import ago, amount, count, duration, told

RENDER_SECS = 1.0

SECTIONS = ("at", "verdict", "open", "meetings", "recent", "sinks", "webhooks")
"""The parts of the page that change: the templates' names, and the ids of their outermost elements."""

# Beyond these a stream is one line: the page is rendered by the loop that moves the media.
_DRAWN_LIVING = 12
_DRAWN_OVER = 6

# Beyond these a meeting stands among the others that can be unfolded, and beyond those in the JSON only.
_FIRST_MEETINGS = 12
_MOST_MEETINGS = 200

_RECENT_MS = 24 * 3_600_000
"""For so long a meeting that never streamed stays on the page."""


@dataclass(frozen=True)
class Rendered:
    """The page at one moment: its title, and each section's HTML by its id."""

    title: str
    sections: dict[str, str]


class Page:
    """Renders the page. What comes from outside is escaped by the templates."""

    def __init__(
        self, source: StatusSource, clock: Clock, version: str, templates: jinja2.Environment
    ) -> None:
        self._source = source
        self._clock = clock
        self._version = version
        self._rendered: Rendered | None = None
        self._at = 0.0
        self._templates = templates
        self._templates.filters.update(
            duration=duration, amount=amount, count=count, told=told, ago=self._ago
        )

    def rendered(self) -> Rendered:
        """Return the page as it is, or was less than a second ago."""
        now = self._clock.monotonic()
        if self._rendered is None or now - self._at >= RENDER_SECS:
            self._rendered, self._at = self._render(), now
        return self._rendered

    def _render(self) -> Rendered:
        context = self._context()
        sections = {name: self._templates.get_template(f"{name}.html").render(context) for name in SECTIONS}
        wrong = len(context["problems"])
        return Rendered(f"({wrong}) rtmsd" if wrong else "rtmsd", sections)

    def _context(self) -> dict[str, Any]:
        now_ms = self._clock.wall_ms()
        streams, sinks = self._source.streams(), self._source.sinks()
        webhooks = self._source.webhooks()
        meetings, sockets = self._source.meetings(), self._source.event_sockets()
        wrong, lately = problems(
            self._source.checks(),
            streams,
            sinks,
            webhooks,
            meetings=meetings,
            sockets=sockets,
            now_ms=now_ms,
        )
        living = [stream for stream in streams if stream.state in LIVING]
        living.sort(key=lambda stream: not stream.problem)
        over = [stream for stream in streams if stream.state not in LIVING]
        drawn, over_drawn = living[:_DRAWN_LIVING], over[:_DRAWN_OVER]
        streaming, waiting = _by_streams(meetings, {stream.stream_id for stream in living}, now_ms)
        return {
            "version": self._version,
            "now": _moment(now_ms),
            "problems": wrong,
            "lately": lately,
            "living": living,
            "drawn": drawn,
            "over": over,
            "over_drawn": over_drawn,
            "drawings": {
                stream.stream_id: drawing
                for stream in (*drawn, *over_drawn)
                if (drawing := self._drawing(stream)) is not None
            },
            "begun": {stream.stream_id: _moment(stream.started_ms) for stream in streams},
            "width": WIDTH,
            "height": HEIGHT,
            "streaming": streaming,
            "waiting": waiting[:_MOST_MEETINGS],
            "unlisted": max(0, len(waiting) - _MOST_MEETINGS),
            "first_meetings": _FIRST_MEETINGS,
            "pending": sum(one.state in PENDING and not one.over for one in waiting),
            "event_sockets": sockets,
            "sinks": sinks,
            "webhooks": _webhook_rows(webhooks),
            "last_taken_ms": webhooks.last_taken_ms,
        }

    def _drawing(self, stream: StreamStatus) -> Drawing | None:
        timeline = self._source.timeline(stream.stream_id)
        return None if timeline is None else draw(timeline)

    def _ago(self, then_ms: int | None) -> str:
        return ago(then_ms, self._clock.wall_ms())


def _by_streams(
    meetings: Sequence[MeetingStatus], living: Set[str], now_ms: int
) -> tuple[list[tuple[MeetingStatus, str]], list[MeetingStatus]]:
    """Return the meetings that stream, each with its stream; and those of which there is something else to say."""
    streaming: list[tuple[MeetingStatus, str]] = []
    waiting: list[MeetingStatus] = []
    for meeting in meetings:
        stream_id = next((one for one in meeting.streams if one in living), None)
        if stream_id is not None:
            streaming.append((meeting, stream_id))
        elif _is_told(meeting, now_ms):
            waiting.append(meeting)
    waiting.sort(key=lambda one: (not one.problem, one.over, one.state == "not_taken"))
    return streaming, waiting


def _is_told(meeting: MeetingStatus, now_ms: int) -> bool:
    """Whether there is more to say of a meeting than its streams' own cards do."""
    if meeting.problem and now_ms - (meeting.trouble_ms or 0) < _RECENT_MS:
        return True
    if meeting.over or not meeting.sentence:
        return False
    return meeting.state not in ("confirmed", "given_up")


def _moment(unix_ms: int) -> str:
    return iso_utc(unix_ms)[:19].replace("T", " ")


def _webhook_rows(webhooks: WebhookCounters) -> list[tuple[str, int, str]]:
    """Return (result, number, why), the good ones first."""
    rows = [(result, number, REFUSALS.get(result, "")) for result, number in webhooks.by_result().items()]
    return sorted(rows, key=lambda row: (row[0] in REFUSALS, -row[1], row[0]))
