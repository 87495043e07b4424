"""What Zoom tells of a meeting's life: started, who came and went, ended (protocol.md §2.6)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from rtmsd.protocol.messages import id_text, part_of

Happening = Literal[
    "started", "ended", "joined", "left", "jbh_joined", "waits", "waits_no_more", "admitted", "role"
]

_EVENTS: dict[str, Happening] = {
    "meeting.started": "started",
    "meeting.ended": "ended",
    "meeting.participant_joined": "joined",
    "meeting.participant_left": "left",
    # Somebody is in the meeting before the host.
    "meeting.participant_jbh_joined": "jbh_joined",
    # Somebody waits because nobody may join before the host: the meeting has not started.
    "meeting.participant_jbh_waiting": "waits",
    "meeting.participant_jbh_waiting_left": "waits_no_more",
    "meeting.participant_joined_waiting_room": "waits",
    "meeting.participant_put_in_waiting_room": "waits",
    "meeting.participant_left_waiting_room": "waits_no_more",
    "meeting.participant_admitted": "admitted",
    "meeting.participant_role_changed": "role",
    "webinar.started": "started",
    "webinar.ended": "ended",
}


class Lifecycle(msgspec.Struct, frozen=True):
    """One event of a meeting. `user_id` is the participant's Zoom user id, empty for guests; names and e-mails are not kept.

    `host_id` is the scheduled host, whether or not present. `role` is the new one after a change: host, cohost, attendee.
    """

    happening: Happening
    at_ms: int
    meeting_id: str
    meeting_uuid: str
    host_id: str
    account_id: str = ""
    topic: str = ""
    user_id: str = ""
    role: str = ""


def lifecycle(event: str, event_ts: int, payload: dict[str, Any]) -> Lifecycle | None:
    """Read the payload of a verified webhook; None when it says nothing of a meeting's life, or names no meeting."""
    happening = _EVENTS.get(event)
    if happening is None:
        return None
    meeting = part_of(payload, "object")
    participant = part_of(meeting, "participant")
    found = Lifecycle(
        happening,
        event_ts,
        meeting_id=id_text(meeting.get("id")).replace(" ", ""),
        meeting_uuid=id_text(meeting.get("uuid")),
        host_id=id_text(meeting.get("host_id")),
        account_id=id_text(payload.get("account_id")),
        topic=id_text(meeting.get("topic")),
        user_id=id_text(participant.get("id")) or id_text(participant.get("participant_user_id")),
        role=id_text(participant.get("new_role")).lower(),
    )
    return found if found.meeting_id and found.meeting_uuid else None


def kept(event: str, life: Lifecycle) -> bytes:
    """Write the event again with nothing but what was read of it: no names, no addresses."""
    participant = {"id": life.user_id, "new_role": life.role}
    meeting = {
        "id": life.meeting_id,
        "uuid": life.meeting_uuid,
        "host_id": life.host_id,
        "topic": life.topic,
        "participant": participant,
    }
    payload = {"account_id": life.account_id, "object": meeting}
    return msgspec.json.encode({"event": event, "event_ts": life.at_ms, "payload": payload})
