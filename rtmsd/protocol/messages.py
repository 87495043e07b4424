"""One WebSocket message: bytes to a value, and values to bytes (protocol.md §5).

Zoom's numbers may come as numbers or as text, its states and reasons as numbers or names; both are taken (§10 C12,
C25). A field that is of no such form is left out, and the rest of its message is taken.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import orjson

from rtmsd.protocol.codes import MessageType, number_of

PROTOCOL_VERSION = 1
"""What our handshakes speak: V1, JSON. What of V2 is known stands in `events` and `handshake_fields` (§12)."""

MAX_TIMESTAMP = 10**19
"""Nanoseconds far beyond our time: what is larger is no timestamp of any unit."""


MS_FROM, MS_TO = 100_000_000_000, 100_000_000_000_000
"""Timestamps in milliseconds lie between these; below are seconds, above micro- and nanoseconds."""


MIN_ID, MAX_ID = -(2**63), 2**63 - 1

UserId = Annotated[int, msgspec.Meta(ge=MIN_ID, le=MAX_ID)]
"""Zoom's are unsigned 32-bit numbers (protocol.md §5.0); larger ones could not be written down."""


class Content(msgspec.Struct, gc=False):
    """The `content` of the media messages 14–18."""

    user_id: UserId = -1
    user_name: str | None = None
    data: str | dict[str, Any] = ""  # an object only in some forms of chat
    length: int | None = None
    timestamp: int = 0
    channel_id: str | None = None  # contact centre: the party's channel, beside or instead of a user
    start_time: int = 0
    end_time: int = 0
    language: int | str | None = None
    attribute: int | str | None = None


class AudioContent(msgspec.Struct, gc=False):
    """The `content` of message 14, and nothing else: nearly every message is one, and each field costs."""

    user_id: UserId = -1
    user_name: str | None = None
    data: str = ""
    length: int | None = None
    timestamp: int = 0
    channel_id: str | None = None


class AudioMessage(msgspec.Struct, gc=False):
    """What a message on an audio socket mostly is."""

    msg_type: int
    content: AudioContent | None = None


class MediaServer(msgspec.Struct):
    server_urls: dict[str, Any] = {}


class Message(msgspec.Struct):
    """Any message that Zoom sends, with every field that some message has."""

    msg_type: int
    content: Content | None = None
    sequence: int | None = None
    timestamp: int | None = None
    status_code: int | str | None = None
    reason: int | str | None = None
    stop_reason: int | str | None = None
    state: int | str | None = None
    user_id: UserId | None = None
    rtms_session_id: str | None = None
    media_server: MediaServer | None = None
    media_params: dict[str, Any] | None = None
    event: dict[str, Any] | None = None


class Malformed(msgspec.Struct, frozen=True):
    """What came is no message of the protocol. `kind` is safe to count and log by."""

    kind: str


# Not strict: "16778240" is an id, too.
decode_good = msgspec.json.Decoder(Message, strict=False).decode
"""Read one message; raise msgspec.MsgspecError, UnicodeError or RecursionError: then ask `decode`."""

decode_audio = msgspec.json.Decoder(AudioMessage, strict=False).decode
"""Read a message that is probably audio; raises as `decode_good`. What has no content is another message."""


def decode(data: bytes | memoryview) -> Message | Malformed:
    """Read one message; never raises, whatever the bytes."""
    try:
        return decode_good(data)
    except msgspec.ValidationError:
        return _salvage(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Malformed("not_json")


def _salvage(data: bytes | memoryview) -> Message | Malformed:
    """Take what can be taken of a message that has fields of the wrong type.

    A keep-alive that stays unanswered would cost the stream, and a number where a name belongs a phrase.
    """
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Malformed("not_json")
    number = number_of(MessageType, document.get("msg_type")) if isinstance(document, dict) else None
    if number is None:
        return Malformed("no_msg_type")
    fields = _fitting(Message, document) | {"msg_type": number}
    if isinstance(content := document.get("content"), dict):
        fields["content"] = _content(content)
    if isinstance(server := document.get("media_server"), dict):
        fields["media_server"] = MediaServer(**_fitting(MediaServer, server))
    return Message(**fields)


def _content(given: dict[str, Any]) -> Content:
    content = Content(**_fitting(Content, given))
    channel, user_id = given.get("channel_id"), given.get("user_id")
    if isinstance(channel, int) and not isinstance(channel, bool):
        content.channel_id = str(channel)
    elif content.channel_id is None and content.user_id < 0 and isinstance(user_id, str):
        content.channel_id = user_id  # some channels stand where users do
    return content


def _fitting(cls: type[msgspec.Struct], given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `given` that are what `cls` wants them to be, as it wants them."""
    fitting = {}
    for field in msgspec.structs.fields(cls):
        if field.name in given:
            try:
                fitting[field.name] = msgspec.convert(_whole(given[field.name]), field.type, strict=False)
            except (msgspec.ValidationError, UnicodeError, RecursionError):
                continue
    return fitting


def _whole(value: object) -> object:
    """Round a number with a fraction: Zoom's numbers are whole."""
    return round(value) if isinstance(value, float) and math.isfinite(value) else value


def encode(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message)


def written(value: dict[str, Any]) -> bytes | None:
    """Write what came from outside as JSON again; None when that cannot be: numbers beyond 64 bits cannot be written."""
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, OverflowError, TypeError):
        return None


def part_of(fields: dict[str, Any], key: str) -> dict[str, Any]:
    """Open an object within another; a missing one, or what is none, is empty."""
    part = fields.get(key)
    return part if isinstance(part, dict) else {}


def id_text(value: object) -> str:
    """Read an id, which some sources write as a number. Over-long ones are nobody's id."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) and len(value) <= 512 else ""


def read_id(value: object) -> int | None:
    """Read an id, which may be text (§10 C25); None when it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and MIN_ID <= value <= MAX_ID:
        return value
    return None


def normalised_ms(timestamp: int) -> int:
    """Turn a timestamp of any unit into milliseconds, by its magnitude (protocol.md §5.0)."""
    if timestamp < MS_FROM:
        return timestamp * 1000
    if timestamp < MS_TO:
        return timestamp
    return min(timestamp, MAX_TIMESTAMP) // (1000 if timestamp < 100_000_000_000_000_000 else 1_000_000)
