"""One WebSocket message: bytes to a value, and values to bytes (protocol.md §5).

Zoom's numbers may come as numbers or as text, its reasons as numbers or names; both are taken (§10 C12, C25).
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from rtmsd.protocol.codes import MessageType

MAX_TIMESTAMP = 10**19
"""Nanoseconds far beyond our time: what is larger is no timestamp of any unit."""


MS_FROM, MS_TO = 100_000_000_000, 100_000_000_000_000
"""Timestamps in milliseconds lie between these; below are seconds, above micro- and nanoseconds."""


class Content(msgspec.Struct, gc=False):
    """The `content` of the media messages 14–18."""

    user_id: int = -1
    user_name: str | None = None
    data: str | dict[str, Any] = ""  # an object only in some forms of chat
    timestamp: int = 0
    start_time: int = 0
    end_time: int = 0
    language: int | None = None
    length: int | None = None


class AudioContent(msgspec.Struct, gc=False):
    """The `content` of message 14, and nothing else: nearly every message is one, and each field costs."""

    user_id: int = -1
    user_name: str | None = None
    data: str = ""
    timestamp: int = 0


class AudioMessage(msgspec.Struct, gc=False):
    """What a message on an audio socket mostly is."""

    msg_type: int
    content: AudioContent | None = None


class MediaServer(msgspec.Struct):
    server_urls: dict[str, str] = {}


class EventBody(msgspec.Struct):
    """The `event` of message 6. Participants are objects in the docs and bare ids in the SDK (§10 C28)."""

    event_type: int = 0
    timestamp: int = 0
    user_id: int | None = None
    user_name: str | None = None
    participants: list[dict[str, Any] | int] = []


class Message(msgspec.Struct):
    """Any message that Zoom sends, with every field that some message has."""

    msg_type: int
    content: Content | None = None
    sequence: int | None = None
    timestamp: int | None = None
    status_code: int | None = None
    reason: int | str | None = None
    stop_reason: int | str | None = None
    state: int | str | None = None
    rtms_session_id: str | None = None
    media_server: MediaServer | None = None
    media_params: dict[str, Any] | None = None
    event: EventBody | None = None


class Malformed(msgspec.Struct, frozen=True):
    """What came is no message of the protocol. `kind` is safe to count and log by."""

    kind: str


# Not strict: "16778240" is an id, too.
decode_good = msgspec.json.Decoder(Message, strict=False).decode
"""Read one message; raise msgspec.MsgspecError, UnicodeError or RecursionError: then ask `decode`."""

decode_audio = msgspec.json.Decoder(AudioMessage, strict=False).decode
"""Read a message that is probably audio; raises as `decode_good`. What has no content is another message."""

_KNOWN = frozenset(int(number) for number in MessageType)


def decode(data: bytes | memoryview) -> Message | Malformed:
    """Read one message; never raises, whatever the bytes."""
    try:
        return decode_good(data)
    except msgspec.ValidationError:
        return _salvage(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Malformed("not_json")


def _salvage(data: bytes | memoryview) -> Message | Malformed:
    """Save a keep-alive whose other fields are of the wrong type: unanswered, it would cost the stream."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Malformed("not_json")
    number = document.get("msg_type") if isinstance(document, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        return Malformed("no_msg_type")
    if number == MessageType.KEEP_ALIVE_REQ:
        sequence, timestamp = document.get("sequence"), document.get("timestamp")
        return Message(
            number,
            sequence=sequence if isinstance(sequence, int) else None,
            timestamp=timestamp if isinstance(timestamp, int) else None,
        )
    return Malformed(f"message_{number}" if number in _KNOWN else "message_unknown")


def encode(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message)


def normalised_ms(timestamp: int) -> int:
    """Turn a timestamp of any unit into milliseconds, by its magnitude (protocol.md §5.0)."""
    if timestamp < MS_FROM:
        return timestamp * 1000
    if timestamp < MS_TO:
        return timestamp
    return min(timestamp, MAX_TIMESTAMP) // (1000 if timestamp < 100_000_000_000_000_000 else 1_000_000)
