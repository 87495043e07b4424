"""What Zoom tells of a stream on the signaling socket: message 6, per product (protocol.md §5.9, §6.2, §6.3).

Numbers from 8 mean something else in a contact centre than in a meeting (§10 C41), so a decoder belongs to a product
and to a version of the protocol. Of V2 this is known (§12): `event_code`, which is unique over all products, stands
beside or instead of `event_type`, and Zoom Phone has nothing else. Its numbers are not published: an event that has only
a code is counted, and not interpreted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import msgspec

from rtmsd.frames import Event
from rtmsd.protocol.codes import ContactCenterEventType, EventType, number_of
from rtmsd.protocol.messages import MAX_TIMESTAMP, PROTOCOL_VERSION, normalised_ms, read_id, written
from rtmsd.protocol.people import People

MAX_DETAILS_BYTES = 4000
MAX_PARTICIPANTS = 2000

# In the past tense; what is not here is called as Zoom calls it, in small letters.
_PAST = {
    EventType.FIRST_PACKET_TIMESTAMP: "first_packet",
    EventType.ACTIVE_SPEAKER_CHANGE: "active_speaker_changed",
    EventType.PARTICIPANT_JOIN: "participant_joined",
    EventType.PARTICIPANT_LEAVE: "participant_left",
    EventType.SHARING_START: "sharing_started",
    EventType.SHARING_STOP: "sharing_stopped",
    EventType.MEDIA_CONNECTION_INTERRUPTED: "media_interrupted",
}

_SPEAKERS = (EventType.ACTIVE_SPEAKER_CHANGE, EventType.PARTICIPANT_JOIN, EventType.PARTICIPANT_LEAVE)
_SHARING = (EventType.SHARING_START, EventType.SHARING_STOP)
_CAMERAS = (EventType.PARTICIPANT_VIDEO_ON, EventType.PARTICIPANT_VIDEO_OFF)

# The docs misspell the one, and may correct it (§10 C39).
_PARTY_KEYS = ("paticipant_info", "participant_info")
_TIME_KEYS = ("timestamp", "event_ts")
_NOT_DETAILS = frozenset(
    {"event_type", "event_code", "user_name", "display_name", "participants"} | {*_TIME_KEYS}
)


class EventTable(msgspec.Struct, frozen=True):
    """How one product's events are read in one version. `by_number` holds their names.

    `subscribed` are asked for (1 and 7 come unasked, §5.3), `sharing` and `cameras` only when somebody needs them:
    sharing needs a scope of its own.
    """

    by_number: Mapping[int, str]
    subscribed: tuple[int, ...] = ()
    sharing: tuple[int, ...] = ()
    cameras: tuple[int, ...] = ()


def _names(numbers: Iterable[IntEnum]) -> dict[int, str]:
    return {int(one): _PAST.get(one, one.name.lower()) for one in numbers if one}  # type: ignore[call-overload]


_MEETING = EventTable(_names(EventType), _SPEAKERS, _SHARING, _CAMERAS)
_CONTACT_CENTER = EventTable(
    # The published table begins at 8. That 1–7 are as in meetings is guessed; to subscribe to them might make
    # Zoom refuse the rest, so only the published ones are asked for.
    _names(one for one in EventType if one < 8) | _names(ContactCenterEventType),
    tuple(one for one in ContactCenterEventType if one),
)

TABLES: Mapping[tuple[str, int], EventTable] = MappingProxyType(
    {
        ("meeting", 1): _MEETING,
        ("webinar", 1): _MEETING,
        ("video_sdk", 1): _MEETING,
        ("contact_center", 1): _CONTACT_CENTER,
        ("phone", 1): EventTable({}),  # has event codes only
    }
)
"""By product and protocol version."""


def table_of(product: str, version: int = PROTOCOL_VERSION) -> EventTable:
    """Return the product's table; a product that is not known is like a meeting."""
    return TABLES.get((product, version), _MEETING)


def wanted_events(table: EventTable, *, sharing: bool, cameras: bool) -> tuple[int, ...]:
    """Return the numbers to subscribe to; none: there is nothing to subscribe to."""
    return table.subscribed + (table.sharing if sharing else ()) + (table.cameras if cameras else ())


def number_in(body: Mapping[str, Any]) -> int | None:
    """Return the `event_type`; None for what has none, as events with a code only."""
    number = number_of(EventType, body.get("event_type"))
    return number if number is not None and abs(number) < 2**31 else None


def read_events(body: Mapping[str, Any], table: EventTable, people: People, *, now_ms: int) -> list[Event]:
    """Turn message 6 into events, one per participant; numbers without a name give none.

    `people` learns channels and names; its news are not among what is returned.
    """
    number = number_in(body)
    name = table.by_number.get(number) if number is not None else None
    if name is None:
        return []
    when = _when(body, now_ms)
    participants = body.get("participants")
    if isinstance(participants, list) and participants:
        found = [_of_participant(name, when, one, people) for one in participants[:MAX_PARTICIPANTS]]
    else:
        found = [_of_party(name, when, body, people)]
    for event in found:
        if event.user_id is not None and event.name == "participant_joined":
            people.named(event.user_id, event.user_name, event.timestamp_ms)
    return found


def _of_participant(name: str, when: int, one: object, people: People) -> Event:
    """Participants are objects in the docs, and bare ids in the SDK (§10 C28)."""
    if not isinstance(one, dict):
        return Event(name, when, read_id(one))
    return _of_party(name, when, one, people)


def _of_party(name: str, when: int, body: Mapping[str, Any], people: People) -> Event:
    """Read who it was, by user id or by channel, and keep the rest as details: but for the phone number, for which
    nobody has a use."""
    party = next((body[key] for key in _PARTY_KEYS if isinstance(body.get(key), dict)), None)
    fields = {**body, **party} if party is not None else body
    channel = fields.get("channel_id")
    user_id = read_id(fields.get("user_id"))
    if isinstance(channel, str) and channel:
        user_id = people.channel(channel, when)
    said = next(
        (fields[key] for key in ("user_name", "display_name") if isinstance(fields.get(key), str)), None
    )
    return Event(name, when, user_id, said, _details(fields, user_id))


def _details(fields: Mapping[str, Any], user_id: int | None) -> dict[str, Any]:
    hidden = {*_NOT_DETAILS, *_PARTY_KEYS, "phone_number"}
    details = {
        key: value
        for key, value in fields.items()
        if key not in hidden
        and value not in (None, "", [], {})
        and not (key == "user_id" and read_id(value) == user_id)
    }
    text = written(details)
    return details if text is not None and len(text) <= MAX_DETAILS_BYTES else {}


def _when(body: Mapping[str, Any], now_ms: int) -> int:
    for key in _TIME_KEYS:
        value = read_id(body.get(key))
        if value is not None and 0 < value < MAX_TIMESTAMP:
            return normalised_ms(value)
    return now_ms
