"""What somebody should look at, in plain words: what is wrong now, and what was lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rtmsd.web.counters import REFUSALS, Warned, WebhookCounters
from rtmsd.web.health import Check
from rtmsd.web.status import LIVING, EventSocketStatus, MeetingStatus, SinkStatus, StreamStatus

_NOW_MS = 3_600_000
"""After this time nobody waits for what failed once."""

_LATELY_MS = 24 * 3_600_000

_MOST_MEETINGS = 20
"""Beyond so many it is one thing that is the matter, and not each meeting's own."""

# What only a wrong set-up causes; without a signature anybody may have sent it.
_OUR_REFUSALS = (
    "bad_signature",
    "body_altered",
    "stale",
    "stale_retry",
    "malformed",
    "journal_failed",
    "validation_refused",
)


@dataclass(frozen=True)
class Problem:
    """One thing to fix: where, and in a sentence what and how. `anchor` is where the page says more.

    `at_ms` is when it was; None: it is so now.
    """

    where: str
    sentence: str
    anchor: str = ""
    at_ms: int | None = None
    now: bool = True


def problems(
    checks: Sequence[Check],
    streams: Sequence[StreamStatus],
    sinks: Sequence[SinkStatus],
    webhooks: WebhookCounters,
    *,
    meetings: Sequence[MeetingStatus] = (),
    sockets: Sequence[EventSocketStatus] = (),
    now_ms: int,
) -> tuple[list[Problem], list[Problem]]:
    """Gather what is wrong now, the most general first; and what was wrong within a day, the latest first.

    What failed is wrong now until it has worked again, for an hour at most.
    """
    found = [Problem(check.name, check.sentence) for check in checks if not check.ok]
    found += _of_webhooks(webhooks, now_ms)
    found += _of_sockets(sockets)
    found += _of_sinks(sinks)
    worked = _worked(streams)
    of_meetings = {(one.app, one.trouble) for one in meetings}  # which say it themselves
    warned = [one for one in webhooks.warned if (one.app, one.sentence) not in of_meetings]
    found += _of_warnings(warned, worked, now_ms)
    found += _of_streams(streams, worked, now_ms)
    found += _of_meetings(meetings, now_ms)
    lately = [one for one in found if not one.now and now_ms - (one.at_ms or 0) < _LATELY_MS]
    return [one for one in found if one.now], sorted(lately, key=lambda one: -(one.at_ms or 0))


def _of_webhooks(webhooks: WebhookCounters, now_ms: int) -> Iterator[Problem]:
    refused_ms = webhooks.last_refused_ms
    if refused_ms is not None and webhooks.last_refusal in _OUR_REFUSALS:
        sentence = f"The last webhook that was not taken was refused: {REFUSALS[webhooks.last_refusal]}."
        taken_since = (webhooks.last_taken_ms or 0) > refused_ms
        now = not taken_since and now_ms - refused_ms < _NOW_MS
        yield Problem("Webhooks", sentence, "webhooks", refused_ms, now)


def _of_sockets(sockets: Sequence[EventSocketStatus]) -> Iterator[Problem]:
    for socket in sockets:
        if socket.problem:
            where, anchor = f"Event WebSocket ({socket.app})", f"events-{socket.app}"
            yield Problem(where, socket.problem, anchor, socket.problem_ms, socket.state != "connected")


def _of_sinks(sinks: Sequence[SinkStatus]) -> Iterator[Problem]:
    for sink in sinks:
        if sink.problem or sink.last_trouble_ms is not None:
            at_ms = sink.last_trouble_ms
            yield Problem(f"Sink {sink.name}", sink.sentence, f"sink-{sink.name}", at_ms, sink.problem)


def _worked(streams: Sequence[StreamStatus]) -> dict[str, int]:
    """Return, by app, when the latest stream began that had no fault of its own."""
    worked: dict[str, int] = {}
    for stream in streams:
        if stream.state not in ("joining", "failed", "ignored"):
            worked[stream.app] = max(worked.get(stream.app, 0), stream.started_ms)
    return worked


def _of_warnings(warned: Iterable[Warned], worked: dict[str, int], now_ms: int) -> Iterator[Problem]:
    for one in warned:
        now = now_ms - one.at_ms < _NOW_MS and worked.get(one.app, 0) <= one.at_ms
        yield Problem(f"Zoom account ({one.app})", one.sentence, "webhooks", one.at_ms, now)


def _of_streams(streams: Sequence[StreamStatus], worked: dict[str, int], now_ms: int) -> Iterator[Problem]:
    for stream in streams:
        if not stream.problem:
            continue
        meeting = f"Meeting {stream.meeting_id}" if stream.meeting_id else "Stream"
        at_ms = stream.ended_ms if stream.ended_ms is not None else stream.started_ms
        now = stream.state in LIVING or (
            stream.state in ("failed", "ignored")
            and now_ms - at_ms < _NOW_MS
            and worked.get(stream.app, 0) <= stream.started_ms
        )
        sentence = stream.sentence or f"{stream.gap_secs:.1f} s are missing."
        where, anchor = f"{meeting} ({stream.app})", f"stream-{stream.stream_id}"
        yield Problem(where, sentence, anchor, None if stream.state in LIVING else at_ms, now)


def _of_meetings(meetings: Sequence[MeetingStatus], now_ms: int) -> Iterator[Problem]:
    """A start is wrong until a stream comes of it, for an hour at most."""
    wrong: list[Problem] = []
    mended: list[Problem] = []
    for one in meetings:
        if one.trouble_ms is None:
            continue
        now = one.problem and now_ms - one.trouble_ms < _NOW_MS
        where = f"Meeting {one.number} ({one.app})" if one.number else f"A meeting ({one.app})"
        problem = Problem(where, one.trouble, _shown_at(one), one.trouble_ms, now)
        (wrong if now else mended).append(problem)
    yield from wrong[:_MOST_MEETINGS]
    if (more := len(wrong) - _MOST_MEETINGS) > 0:
        yield Problem("Meetings", f"{more} more have no stream so far; they stand below.", "meetings")
    yield from mended


def _shown_at(meeting: MeetingStatus) -> str:
    """Say where the page says more of a meeting: what has streamed after all, its stream does."""
    if meeting.problem or not meeting.streams:
        return meeting.anchor
    return f"stream-{meeting.streams[-1]}"
