"""Chat messages, whose form Zoom has changed and not fully published (protocol.md §5.6, §6.8)."""

from __future__ import annotations

from typing import Any

import msgspec

from rtmsd.frames import ChatFrame
from rtmsd.protocol.codes import ChatOperation, ChatSessionType, number_of
from rtmsd.protocol.messages import (
    MAX_TIMESTAMP,
    Content,
    Malformed,
    normalised_ms,
    part_of,
    read_id,
    written,
)

_TEXT_KEYS = ("text", "content", "message", "data")
"""The name of the text is not certain: the first of these that is a string is it."""


def chat_frame(content: Content) -> ChatFrame | Malformed:
    """Decode message 18: `data` is an object, an object as JSON text, or just the text."""
    if not 0 < content.timestamp < MAX_TIMESTAMP:
        return Malformed("chat_without_time")
    said = _object(content.data)
    sender = part_of(said, "sender")
    session = part_of(said, "chat_session")
    text = next((said[key] for key in _TEXT_KEYS if isinstance(said.get(key), str)), "")
    user_id = read_id(sender.get("user_id"))
    if user_id is None and content.user_id >= 0:
        user_id = content.user_id
    name = sender.get("user_name")
    return ChatFrame(
        user_id=user_id,
        user_name=name if isinstance(name, str) else content.user_name or "",
        timestamp_ms=normalised_ms(content.timestamp),
        operation=_name(ChatOperation, said.get("operation_type"), "new"),
        message_id=_text(said.get("message_id")),
        text=text,
        audience=_name(ChatSessionType, session.get("type"), "unknown"),
        receiver_id=read_id(part_of(said, "receiver").get("user_id")),
        parent_id=_text(said.get("parent_message_id")),
        raw=said if written(said) is not None else {},
    )


def _object(data: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {"text": data}
    return said if isinstance(said, dict) else {"text": data}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(table: type[ChatOperation] | type[ChatSessionType], value: object, otherwise: str) -> str:
    number = number_of(table, value)
    return table(number).name.lower() if number in list(table) else otherwise
