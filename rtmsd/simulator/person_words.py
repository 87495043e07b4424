"""How the actions of `person_actions` are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from rtmsd.protocol.codes import ChatMemberStatus, ContactCenterEventType
from rtmsd.simulator.actions import PersonAction
from rtmsd.simulator.cast import Cast, who
from rtmsd.simulator.person_actions import (
    ChangesGroup,
    ChatChange,
    Chats,
    Corrects,
    GroupChange,
    Holds,
    Shares,
    TurnsCamera,
    VoiceEvent,
)
from rtmsd.simulator.reading import Fields

PersonWord = Callable[[Fields, Cast, int], PersonAction]

_VOICE_EVENTS = {
    event.name.lower(): event
    for event in ContactCenterEventType
    if event >= ContactCenterEventType.MONITOR_STARTED
}
_STATUSES = {status.name.lower(): status for status in ChatMemberStatus}


def camera(fields: Fields, cast: Cast, at_ms: int) -> TurnsCamera:
    return TurnsCamera(at_ms, who(fields, cast), fields.one_of("turn", ("on", "off"), "on") == "on")


def share(fields: Fields, cast: Cast, at_ms: int) -> Shares:
    return Shares(at_ms, who(fields, cast), fields.one_of("turn", ("on", "off"), "on") == "on")


def chat(fields: Fields, cast: Cast, at_ms: int) -> Chats:
    """Write or change a message; nothing but a deletion goes without text."""
    operation = fields.one_of("operation", get_args(ChatChange), "new")
    of = fields.text("of") if fields.has("of") or operation not in ("new", "") else ""
    if fields.has("to") and fields.has("group"):
        fields.problem("to", "a message goes to one person or to a group; give one of them")
    return Chats(
        at_ms,
        who(fields, cast),
        fields.text("text", "" if operation == "delete" else None),
        operation,  # type: ignore[arg-type]  # one_of has just checked it
        fields.text("label", "") if operation == "new" else "",
        of,
        cast.people.get(fields.one_of("to", cast.people)) if fields.has("to") else None,
        fields.text("group", ""),
    )


def chat_group(fields: Fields, cast: Cast, at_ms: int) -> ChangesGroup:
    change = fields.one_of("change", get_args(GroupChange), "create")
    members = tuple(cast.people.get(name, 0) for name in fields.words("members", cast.people, ()))
    status = fields.one_of("status", _STATUSES, "in_chat_group")
    return ChangesGroup(
        at_ms,
        who(fields, cast),
        change,  # type: ignore[arg-type]  # one_of has just checked it
        fields.text("group"),
        members,
        _STATUSES.get(status, ChatMemberStatus.IN_CHAT_GROUP),
    )


def voice_event(fields: Fields, cast: Cast, at_ms: int) -> VoiceEvent:
    return VoiceEvent(at_ms, who(fields, cast), _VOICE_EVENTS.get(fields.one_of("event", _VOICE_EVENTS), 0))


PERSON_WORDS: dict[str, PersonWord] = {
    "camera": camera,
    "share": share,
    "chat": chat,
    "chat_group": chat_group,
    "correct": lambda fields, cast, at_ms: Corrects(at_ms, who(fields, cast), fields.text("text")),
    "retract": lambda fields, cast, at_ms: Corrects(at_ms, who(fields, cast), None),
    "hold": lambda fields, cast, at_ms: Holds(at_ms, who(fields, cast), on=True),
    "unhold": lambda fields, cast, at_ms: Holds(at_ms, who(fields, cast), on=False),
    "voice_event": voice_event,
}
