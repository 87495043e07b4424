"""What Zoom says over an event WebSocket: one event, an answer, or nonsense. Pure (protocol.md §2.4)."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

import msgspec

HEARTBEAT = '{"module":"heartbeat"}'
"""What a client sends every 30 s."""


class Kind(Enum):
    """What a message is."""

    EVENT = "event"
    ANSWER = "answer"
    """To a heartbeat or to the connecting itself: the connection is alive."""

    REFUSAL = "refusal"
    """The same, with `success` false: Zoom does not take the token, or knows no such subscription."""

    UNKNOWN = "unknown"
    """Of a module that rtmsd does not know."""

    MALFORMED = "malformed"


class Message(NamedTuple):
    """One message; `event` is the JSON text of an event, as the body of Zoom's webhook would be."""

    kind: Kind
    event: bytes = b""


def read_message(data: str | bytes) -> Message:
    """Read one message, whatever it is.

    Events are `{"module":"message","content":"<JSON text>"}`. After connecting comes `{"module":"build_connection",
    "success":true}`; a refusal is the same with false and the reason as `content` (Zoom's forum, thread 69974). A heartbeat
    is answered with `{"module":"heartbeat","success":true,"content":"live"}` (thread 94953). Guesses: that an answer to a
    heartbeat with `success` false is a refusal as well, and that `content` may be an object instead of its text.
    """
    document = _document(data)
    if document is None:
        return Message(Kind.MALFORMED)
    module = document.get("module")
    if module == "message":
        return _event(document.get("content"))
    if module in ("build_connection", "heartbeat"):
        return Message(Kind.REFUSAL if document.get("success") is False else Kind.ANSWER)
    return Message(Kind.UNKNOWN if isinstance(module, str) else Kind.MALFORMED)


def _event(content: object) -> Message:
    if isinstance(content, dict):
        return Message(Kind.EVENT, msgspec.json.encode(content))
    if not isinstance(content, str) or _document(content) is None:
        return Message(Kind.MALFORMED)
    return Message(Kind.EVENT, content.encode())


def _document(data: str | bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
