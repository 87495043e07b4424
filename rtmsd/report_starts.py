"""What the starters and the event WebSockets say of themselves, for the status page and the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rtmsd.frames import StreamInfo
from rtmsd.start.meetings import StartedMeeting
from rtmsd.start.starter import Starter
from rtmsd.start.values import State
from rtmsd.web.status import EventSocketStatus, MeetingState, MeetingStatus, Starts
from rtmsd.zoom.events import EventSocket

_SETTLED = (State.REFUSED, State.GIVEN_UP)
"""What these say is more than that the meeting has not started by its deadline."""


def meetings(starters: Iterable[Starter], streams: Iterable[StreamInfo]) -> list[MeetingStatus]:
    """Say of each meeting where its start stands, the latest change first. `streams` are all that are known."""
    of_meeting: dict[tuple[str, str], list[str]] = {}
    for info in streams:
        of_meeting.setdefault((info.app, info.meeting_uuid), []).append(info.stream_id)
    found = [one for starter in starters for one in _of_app(starter, of_meeting)]
    return sorted(found, key=lambda one: one.changed_ms, reverse=True)


def event_sockets(sockets: Mapping[str, EventSocket]) -> list[EventSocketStatus]:
    """Say how the event WebSockets fare, by the names of their apps."""
    return [
        EventSocketStatus(
            app=app,
            connected_since_ms=socket.state.connected_since_ms,
            events=socket.state.events,
            last_event_ms=socket.state.last_event_ms,
            problem=socket.state.problem,
            problem_ms=socket.state.problem_ms,
        )
        for app, socket in sockets.items()
    ]


def starts(starters: Collection[Starter]) -> Starts:
    """Sum up what the starters of all apps have counted."""
    return Starts(
        attempts=sum((starter.attempts for starter in starters), Counter[str]()),
        confirmed=sum(starter.confirmed for starter in starters),
        confirm_secs=sum(starter.confirm_secs for starter in starters),
        never_started=sum(starter.never_started for starter in starters),
    )


def _of_app(starter: Starter, streams: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[MeetingStatus]:
    heard_ms: dict[str, int] = {}
    for meeting in starter.meetings.values():
        told = _meeting(meeting, streams.get((starter.app.name, meeting.row.uuid), ()))
        heard_ms[told.number] = max(told.changed_ms, heard_ms.get(told.number, 0))
        yield told
    for missing in starter.missing:
        if heard_ms.get(missing.row.number, 0) <= missing.changed_ms:  # else it was only late
            yield _meeting(missing, ())


def _meeting(meeting: StartedMeeting, streams: Sequence[str]) -> MeetingStatus:
    row = meeting.row
    return MeetingStatus(
        app=row.app,
        number=row.number,
        uuid=row.uuid,
        state=_state(meeting),
        sentence=meeting.sentence,
        changed_ms=meeting.changed_ms or row.begun_ms,
        streams=streams,
        over=meeting.over,
        problem=meeting.troubled,
        trouble=meeting.trouble,
        trouble_ms=meeting.trouble_ms,
    )


def _state(meeting: StartedMeeting) -> MeetingState:
    if meeting.never_started and meeting.state not in _SETTLED:
        return "never_started"
    return "not_taken" if meeting.machine is None else meeting.state.value
