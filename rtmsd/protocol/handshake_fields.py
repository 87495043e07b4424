"""What an answer to a handshake holds besides what is known, kept for diagnosis (protocol.md §12).

V2 adds fields to these answers. They change nothing here; but that they came is worth seeing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from rtmsd.protocol.codes import MessageType

MAX_FIELDS = 20
MAX_TEXT = 200

ANSWERS = (MessageType.SIGNALING_HAND_SHAKE_RESP, MessageType.DATA_HAND_SHAKE_RESP)

_KNOWN = frozenset(
    {
        "msg_type",
        "protocol_version",
        "sequence",
        "status_code",
        "reason",
        "timestamp",
        "media_server.server_urls",
        "media_params",
        "payload_encrypted",  # the docs have both (§10 C13)
        "payload_encryption",
    }
)
_SECRET = re.compile(r"pass|key|secret|token|signature|salt|nonce", re.IGNORECASE)


def unknown_fields(data: bytes | memoryview) -> dict[str, str]:
    """Return the fields of a handshake answer that nobody here knows, as text; what may be a secret as "***".

    `media_server` is looked into. At most MAX_FIELDS of MAX_TEXT characters each. Never raises.
    """
    try:
        answer = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    if not isinstance(answer, dict):
        return {}
    server = answer.pop("media_server", None)
    if isinstance(server, dict):
        answer |= {f"media_server.{name}": value for name, value in server.items()}
    found = [(name[:MAX_TEXT], _text(name, value)) for name, value in answer.items() if name not in _KNOWN]
    return dict(found[:MAX_FIELDS])


def _text(name: str, value: Any) -> str:
    if _SECRET.search(name):
        return "***"
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError, OverflowError):
        return "?"
    if _SECRET.search(text):  # what is within may be named so, too
        return "***"
    return text[:MAX_TEXT]
