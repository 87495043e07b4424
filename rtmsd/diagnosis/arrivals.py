"""Which events have ever arrived, and which of those that an app needs never did: an event that is not ticked never comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rtmsd.config import AppConfig
from rtmsd.diagnosis.finding import Case, Finding
from rtmsd.errors import JournalError
from rtmsd.runtime.clock import iso_utc
from rtmsd.state.past import read_journal
from rtmsd.state.rows import StreamRow

Events = Mapping[str, tuple[int, int]]
"""Of one app: event → how often, and when last (Unix ms)."""

STOP_MS = 10 * 60_000
"""After an end, by when its rtms_stopped has come."""

_WHERE = "tick it in the Marketplace, Features, Access, Event subscription"


async def arrivals(case: Case) -> Finding:
    """Look into the journal, which a running daemon may be writing."""
    try:
        with read_journal(case.config.state_dir) as past:
            came, streams = past.events(), past.streams()
            troubles = {app.name: past.last_start_problem(app.name) for app in case.config.apps}
    except JournalError as error:
        return Finding("events", "skipped", f"It is not known what has ever arrived: {error}.")
    told = []
    for app in case.config.apps:
        events = {event: times for (name, event), times in came.items() if name == app.name}
        own = [row for row in streams if row.info.app == app.name]
        if problem := next(missing(app, events, own, now_ms=case.clock.wall_ms()), ""):
            return Finding("events", "broken", f"App {app.name}: {problem}.")
        told.append(_summary(app, events) + not_yet(app, events, troubles[app.name]))
    if not came:
        return Finding(
            "events",
            "skipped",
            "Nothing has ever arrived. Start a meeting as a user who has added the app; if still nothing comes: rtmsd explain "
            "no-webhook.",
        )
    return Finding("events", "ok", " ".join(told))


def missing(app: AppConfig, events: Events, streams: Sequence[StreamRow], *, now_ms: int) -> Iterator[str]:
    """Yield what an app needs and never got, each with what to do. Of an app that got nothing at all nothing is known."""
    if not events:
        return
    asks = app.start == "manual" or app.manual is not None or bool(app.hosts)
    if app.start == "manual" and "meeting.started" not in events:
        yield f"meeting.started never arrived, without which no meeting can be started: {_WHERE}"
    if asks and "meeting.started" in events and "meeting.participant_joined" not in events:
        yield (
            "meeting.started arrives, but never meeting.participant_joined, which tells that the host has come: start by hand fails "
            f"when a guest is first; {_WHERE}"
        )
    if not _any(events, "rtms_started") and app.start != "manual":
        yield (
            f"events arrive, but never one that a stream has started (rtms_started): {_WHERE}. If it is ticked, no meeting has had a "
            "stream yet: rtmsd why MEETING, with a meeting's number, says why"
        )
    ended = [row.ended_ms for row in streams if row.ended_ms is not None]
    if ended and now_ms - min(ended) > STOP_MS and not _any(events, "rtms_stopped"):
        yield f"streams have ended, but rtms_stopped never arrived, which says why: {_WHERE}"


def not_yet(app: AppConfig, events: Events, trouble: str) -> str:
    """Note that no stream has ever begun for an app that is started by hand: that is so until a request succeeds, and the
    first may have to wait for the host. `trouble`: the newest sentence about a start that failed."""
    if app.start != "manual" or not events or _any(events, "rtms_started"):
        return ""
    last = f" The last that failed: {trouble}" if trouble else ""
    return (
        f" No request to start it has been followed by a stream yet (rtms_started).{last} If a meeting with its host goes on "
        f"without one: rtmsd why MEETING, with its number; and {_WHERE}."
    )


def _any(events: Events, suffix: str) -> bool:
    return any(event.endswith(suffix) for event in events)


def _summary(app: AppConfig, events: Events) -> str:
    if not events:
        return f"App {app.name}: nothing yet."
    parts = [f"{event} {count}×" for event, (count, _) in sorted(events.items())]
    last = max(when for _, when in events.values())
    return f"App {app.name}: {', '.join(parts)}, last {iso_utc(last)[:16]}Z."
