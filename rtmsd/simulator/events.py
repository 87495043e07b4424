"""What happens in a meeting as Zoom's events: a table for each product, for the same numbers mean other things
(protocol.md §5.9, §6.2, §6.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from rtmsd.protocol.codes import ContactCenterEventType, EventType, MessageType
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.messages import Message, event
from rtmsd.simulator.moment import Happening, View
from rtmsd.simulator.products import Product

_AGENTS = {
    EventType.PARTICIPANT_JOIN: ContactCenterEventType.USER_ANSWERED,
    EventType.PARTICIPANT_LEAVE: ContactCenterEventType.USER_END,
}
_CONSUMERS = {
    EventType.PARTICIPANT_JOIN: ContactCenterEventType.CONSUMER_ANSWERED,
    EventType.PARTICIPANT_LEAVE: ContactCenterEventType.CONSUMER_END,
}


def event_of(product: Product, happening: Happening, at_ms: int) -> tuple[int, Message] | None:
    """Give the event's number and its message; None when the product has no such event."""
    kind, person = happening.kind, happening.person
    if product.is_call_centre:
        if isinstance(kind, EventType):
            table = _CONSUMERS if person.role == "consumer" else _AGENTS
            if kind not in table:
                return None
            kind = table[kind]
        return kind, _voice_event(kind, person, at_ms)
    if not product.has_events or not isinstance(kind, EventType):
        return None
    return kind, _event(kind, person, at_ms, dict(happening.details))


def greetings(
    product: Product, new: Collection[int], people: Iterable[Person], view: View, at_ms: int
) -> list[Message]:
    """Tell who subscribes to events what is so already: who is here, whose camera is on, who shares.

    Documents say it of participants only, and that with a question mark (§5.9); without it nobody could know the rest.
    """
    present = list(people)
    if product.has_events and EventType.PARTICIPANT_JOIN in new and present:
        both = {"participants": [_named(person) for person in present]}
        told = [event(EventType.PARTICIPANT_JOIN, at_ms, **both)]
    elif not product.has_events:
        happenings = (Happening(EventType.PARTICIPANT_JOIN, person) for person in present)
        return [
            message
            for found in (event_of(product, one, at_ms) for one in happenings)
            if found is not None and found[0] in new
            for message in found[1:]
        ]
    else:
        told = []
    if EventType.PARTICIPANT_VIDEO_ON in new:
        told += [_event(EventType.PARTICIPANT_VIDEO_ON, person, at_ms, {}) for person in view.cameras]
    if EventType.SHARING_START in new and view.sharer is not None:
        told.append(_event(EventType.SHARING_START, view.sharer, at_ms, {}))
    return told


def _event(kind: EventType, person: Person, at_ms: int, details: dict[str, Any]) -> Message:
    """JOIN names people, LEAVE and VIDEO only count their ids; all as objects."""
    match kind:
        case EventType.ACTIVE_SPEAKER_CHANGE | EventType.SHARING_START:
            details = _named(person)
        case EventType.PARTICIPANT_JOIN:
            details = {"participants": [_named(person)]}
        case EventType.PARTICIPANT_LEAVE | EventType.PARTICIPANT_VIDEO_ON | EventType.PARTICIPANT_VIDEO_OFF:
            details = {"participants": [{"user_id": person.user_id}]}
    return event(kind, at_ms, **details)


def _voice_event(kind: int, person: Person, at_ms: int) -> Message:
    """Write an event of a contact centre, with its own name for the time and a misspelt key (§5.9, §10 C39)."""
    agent = person.role == "agent"
    return {
        "msg_type": MessageType.EVENT_UPDATE,
        "event": {
            "event_type": kind,
            "event_ts": at_ms,
            "paticipant_info": {
                "channel_id": person.channel,
                "participant_mode": person.role,
                "queue_id": "simulated-queue",
                "queue_name": "Simulated queue",
                "phone_number": "" if agent else "+15550100",
                "user_id": f"simulated-agent-{person.user_id}" if agent else "",
                "display_name": person.name,
            },
        },
    }


def _named(person: Person) -> dict[str, object]:
    return {"user_id": person.user_id, "user_name": person.name}
