"""What Zoom tells of a meeting's life: each event of protocol.md §2.6 as its name and payload. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rtmsd.simulator.cloud.world import Attendee

Payload = dict[str, object]
LifecycleEvent = tuple[str, Payload]

_SCHEDULED = 2
_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """A meeting, as all its events name it. `started_ms` (Unix ms) is None before it has begun."""

    account_id: str
    number: int
    uuid: str
    host_id: str
    topic: str
    started_ms: int | None = None

    def wrapped(self, *, number_as_string: bool = True, **more: object) -> Payload:
        """Write the payload. The number is a string in most events (§2.6)."""
        thing: Payload = {
            "id": str(self.number) if number_as_string else self.number,
            "uuid": self.uuid,
            "host_id": self.host_id,
            "topic": self.topic,
            "type": _SCHEDULED,
        }
        if self.started_ms is not None:
            thing["start_time"] = utc(self.started_ms)
        thing |= {"timezone": "Europe/Paris", "duration": _MINUTES, **more}
        return {"account_id": self.account_id, "object": thing}


def utc(unix_ms: int) -> str:
    """Write a time as these events do: `2026-11-20T10:00:41Z`."""
    return datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def started(about: Occurrence) -> LifecycleEvent:
    return "meeting.started", about.wrapped()


def ended(about: Occurrence, now_ms: int) -> LifecycleEvent:
    return "meeting.ended", about.wrapped(end_time=utc(now_ms))


def joined(about: Occurrence, who: Attendee, now_ms: int) -> LifecycleEvent:
    participant = {**_known(who), "join_time": utc(now_ms)}
    return "meeting.participant_joined", about.wrapped(participant=participant)


def left(about: Occurrence, who: Attendee, now_ms: int, *, reason: str) -> LifecycleEvent:
    participant = {**_known(who), "leave_time": utc(now_ms), "leave_reason": reason}
    return "meeting.participant_left", about.wrapped(participant=participant)


def waits_for_host(about: Occurrence, who: Attendee) -> LifecycleEvent:
    """Join-before-host is off. The event has no in-meeting id and no e-mail."""
    return "meeting.participant_jbh_waiting", about.wrapped(participant=_named(who))


def waits_no_more_for_host(about: Occurrence, who: Attendee) -> LifecycleEvent:
    """The only one of these whose meeting number is a number."""
    participant = _named(who)
    return "meeting.participant_jbh_waiting_left", about.wrapped(
        number_as_string=False, participant=participant
    )


def joined_before_host(about: Occurrence, who: Attendee) -> LifecycleEvent:
    return "meeting.participant_jbh_joined", about.wrapped(participant=_named(who))


def waiting_room(about: Occurrence, what: str, who: Attendee, now_ms: int) -> LifecycleEvent:
    """Tell of the waiting room; `what` is `joined_waiting_room`, `left_…`, `put_in_…` or `admitted`."""
    participant = {**_known(who), "date_time": utc(now_ms)}
    return f"meeting.participant_{what}", about.wrapped(participant=participant)


def role_changed(about: Occurrence, who: Attendee, new_role: str, now_ms: int) -> LifecycleEvent:
    participant = {
        **_known(who),
        "date_time": utc(now_ms),
        "old_role": who.role,
        "new_role": new_role,
    }
    return "meeting.participant_role_changed", about.wrapped(participant=participant)


def _named(who: Attendee) -> Payload:
    """Name somebody; guests have no Zoom user id."""
    return {"user_name": who.name, **({"id": who.zoom_user_id} if who.zoom_user_id else {})}


def _known(who: Attendee) -> Payload:
    """Name somebody who is at the door or inside; `participant_uuid` is the same when they come back."""
    known: Payload = {"user_id": str(who.user_id), **_named(who)}
    known["participant_uuid"] = f"Person{who.user_id:016d}"
    if who.zoom_user_id:
        known["participant_user_id"] = who.zoom_user_id
    known["email"] = f"{who.zoom_user_id}@example.com" if who.zoom_user_id else ""
    return known
