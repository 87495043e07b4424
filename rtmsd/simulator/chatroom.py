"""The chat of a meeting as it goes on (protocol.md §6.8)."""

from __future__ import annotations

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import ChatOperation, ChatSessionType, EventType
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.moment import Happening
from rtmsd.simulator.person_actions import ChangesGroup, Chats
from rtmsd.simulator.truth import Written

_GROUP_EVENTS = {
    "create": EventType.CHAT_GROUP_CREATE,
    "delete": EventType.CHAT_GROUP_DELETE,
    "members_add": EventType.CHAT_GROUP_MEMBERS_ADD,
    "members_delete": EventType.CHAT_GROUP_MEMBERS_DELETE,
    "member_status": EventType.CHAT_GROUP_MEMBER_STATUS_UPDATE,
}
_PRIVATE = 0  # the only group type there is


class Chatroom:
    """Gives messages their ids and finds those that are changed; `zero_ms` keeps ids of different meetings apart."""

    def __init__(self, zero_ms: int) -> None:
        self._zero_ms = zero_ms
        self._labelled: dict[str, str] = {}
        self._written = 0

    def write(self, action: Chats, now_ms: int) -> Written:
        """Write or change a message. Raises SimulatorError when there is none of the label that it is about."""
        earlier = ""
        if action.of and not (earlier := self._labelled.get(action.of, "")):
            raise SimulatorError(f'no chat message was labelled "{action.of[:40]}" so far')
        if action.operation != "new" and not action.of:
            raise SimulatorError(f'say which message to {action.operation}: of = "…", the label it was given')
        message_id = earlier
        if action.operation == "new":
            message_id = f"{self._zero_ms:X}-{self._written:04X}"
            self._written += 1
            if action.label:
                self._labelled[action.label] = message_id
        return Written(
            action.user_id,
            now_ms,
            action.text,
            message_id,
            operation=ChatOperation[action.operation.upper()],
            session=_session(action),
            receiver_id=action.to,
            parent_id=earlier if action.operation == "new" else "",
            group_id=f"group-{action.group}" if action.group else "",
        )


def group_happening(action: ChangesGroup, person: Person, names: dict[int, str]) -> Happening:
    """Tell a change of a chat group; the shape of these events is unpublished, and this one a guess (§5.9)."""
    return Happening(
        _GROUP_EVENTS[action.change],
        person,
        {
            "group_id": f"group-{action.group}",
            "group_name": action.group,
            "group_type": _PRIVATE,
            "members": [
                {"user_id": user_id, "user_name": names[user_id], "status": action.status}
                for user_id in action.members
            ],
        },
    )


def _session(action: Chats) -> ChatSessionType:
    if action.group:
        return ChatSessionType.CHAT_GROUP
    return ChatSessionType.EVERYONE if action.to is None else ChatSessionType.INDIVIDUAL
