"""Ways in which a message can be wrong, or merely other than expected: one table, by name.

Each takes a message as it should be and gives what is sent instead: messages, and for what is no JSON object, bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import orjson

from rtmsd.protocol.codes import (
    ContactCenterEventType,
    EventType,
    MessageType,
    SessionState,
    StatusCode,
    StreamState,
)
from rtmsd.simulator.messages import Message

Sent = Message | bytes
Distortion = Callable[[Message, Random], Iterable[Sent]]

PADDING_BYTES = 1 << 20
BACKWARDS_MS = 5000

FRAMES = ("text_frames", "mixed_frames", "fragments")
"""Not the messages but the WebSocket frames are other: `text_frames` `mixed_frames` `fragments`."""

ORDER = ("reordered",)
"""A message is now and then sent after the one that follows it."""

_OLD_STATUSES = {
    StatusCode.INVALID_MESSAGE_TYPE: 4,
    StatusCode.INVALID_RTMS_STREAM_ID: 16,
    StatusCode.INVALID_SIGNATURE: 15,
    StatusCode.DUPLICATE_SIGNAL_REQUEST: 17,
    StatusCode.MEDIA_TYPE_AUDIO_NOT_SUPPORT: 24,
    StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT: 25,
    StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT: 26,
    StatusCode.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT: 27,
    StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT: 28,
    StatusCode.MEDIA_TYPE_INVALID_VALUE: 29,
    StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST: 30,
    StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION: 31,
    StatusCode.INVALID_MEDIA_PARAMS: 33,
}
_HANDSHAKES = (MessageType.SIGNALING_HAND_SHAKE_RESP, MessageType.DATA_HAND_SHAKE_RESP)
_TIMES = ("timestamp", "start_time", "end_time")


def _without(kinds: Iterable[MessageType], key: str) -> Distortion:
    """Leave a field of some kinds of message out."""
    concerned = frozenset(kinds)

    def distort(message: Message, _: Random) -> Iterable[Sent]:
        if message.get("msg_type") in concerned:
            message = {name: value for name, value in message.items() if name != key}
        yield message

    return distort


def _null_params(message: Message, _: Random) -> Iterable[Sent]:
    yield message | {"media_params": None} if "media_params" in message else message


def _names(message: Message, _: Random) -> Iterable[Sent]:
    """Write states and event types by name, as the mock server of 2025 does (§10 C12)."""
    kind, state = message.get("msg_type"), message.get("state")
    if kind == MessageType.STREAM_STATE_UPDATE and state in set(StreamState):
        message = message | {"state": StreamState(state).name}
    elif kind == MessageType.SESSION_STATE_UPDATE and state in set(SessionState):
        message = message | {"state": SessionState(state).name}
    elif kind == MessageType.EVENT_UPDATE:
        event = message["event"]
        table = ContactCenterEventType if "event_ts" in event else EventType
        if event["event_type"] in set(table):
            message = message | {"event": event | {"event_type": table(event["event_type"]).name}}
    yield message


def _strings(message: Message, _: Random) -> Iterable[Sent]:
    """Write the numbers below the top level as strings (§10 C25)."""
    yield {
        key: _stringed(value) if isinstance(value, dict | list) else value for key, value in message.items()
    }


def _stringed(value: Any) -> Any:  # JSON holds anything
    if isinstance(value, dict):
        return {key: _stringed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_stringed(one) for one in value]
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _timed(change: Callable[[int], int | float]) -> Distortion:
    """Change all times of media, events and states; keep-alives are left alone, whose times are an echo."""

    def distort(message: Message, _: Random) -> Iterable[Sent]:
        if message.get("msg_type") not in (MessageType.KEEP_ALIVE_REQ, MessageType.STREAM_STATE_RESP):
            message = _with_times(message, change)
        yield message

    return distort


def _with_times(value: Any, change: Callable[[int], int | float]) -> Any:  # JSON holds anything
    if not isinstance(value, dict):
        return value
    return {
        key: change(one) if key in _TIMES and isinstance(one, int) else _with_times(one, change)
        for key, one in value.items()
    }


def _content(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Distortion:
    """Change the content of what carries samples or pictures: it has a `length`."""

    def distort(message: Message, _: Random) -> Iterable[Sent]:
        content = message.get("content")
        if isinstance(content, dict) and "length" in content:
            message = message | {"content": change(content)}
        yield message

    return distort


def _missing(message: Message, chance: Random) -> Iterable[Sent]:
    """Leave out one field of a medium's content; after the message, so that nothing of it is lost."""
    yield message
    content = message.get("content")
    if isinstance(content, dict):
        gone = chance.choice(sorted(content))
        yield message | {"content": {key: value for key, value in content.items() if key != gone}}


def _old_statuses(message: Message, _: Random) -> Iterable[Sent]:
    """Write a status as the table of 2025 has it; the text still tells what is meant (§10 C14)."""
    status = message.get("status_code")
    yield message | {"status_code": _OLD_STATUSES[status]} if status in _OLD_STATUSES else message


def _reason_as(key: str) -> Distortion:
    """Give a session's reason under one of its two names only (§10 C11)."""

    def distort(message: Message, _: Random) -> Iterable[Sent]:
        if message.get("msg_type") == MessageType.SESSION_STATE_UPDATE and "stop_reason" in message:
            message = {
                name: value for name, value in message.items() if name not in ("reason", "stop_reason")
            } | {key: message["stop_reason"]}
        yield message

    return distort


def _bare_ids(message: Message, _: Random) -> Iterable[Sent]:
    """Write who left as bare numbers, which is what Zoom's own client reads (§10 C28)."""
    event = message.get("event")
    if isinstance(event, dict) and event.get("event_type") == EventType.PARTICIPANT_LEAVE:
        ids = [one["user_id"] if isinstance(one, dict) else one for one in event["participants"]]
        message = message | {"event": event | {"participants": ids}}
    yield message


def _extra(*more: Sent) -> Distortion:
    """Send something meaningless before each message."""

    def distort(message: Message, _: Random) -> Iterable[Sent]:
        yield from more
        yield message

    return distort


def _cut_off(message: Message, _: Random) -> Iterable[Sent]:
    whole = orjson.dumps(message)
    yield whole[: len(whole) // 2]
    yield message


MESSAGES: dict[str, Distortion] = {
    "no_sequence": _without([MessageType.KEEP_ALIVE_REQ], "sequence"),
    "no_status": _without(_HANDSHAKES, "status_code"),
    "null_params": _null_params,
    "names": _names,
    "strings": _strings,
    "seconds": _timed(lambda ms: ms // 1000),
    "microseconds": _timed(lambda ms: ms * 1000),
    "backwards": _timed(lambda ms: ms - BACKWARDS_MS),
    "no_padding": _content(lambda content: content | {"data": content["data"].rstrip("=")}),
    "lying_length": _content(lambda content: content | {"length": int(content["length"]) * 2 + 7}),
    "missing_fields": _missing,
    "unknown_fields": lambda message, _: [message | {"zz_unknown": {"deep": [1, None, "x"]}}],
    "unknown_messages": _extra(
        {"msg_type": 99, "content": {"data": "?"}}, {"msg_type": 6, "event": {"event_type": 77}}
    ),
    "rubbish": _extra(b"\xff\x00 not JSON", b"[1]", b""),
    "cut_off": _cut_off,
    "oversized": lambda message, _: [message | {"zz_padding": "x" * PADDING_BYTES}],
    "twice": lambda message, _: [message, message],
    "old_statuses": _old_statuses,
    "reason_only": _reason_as("reason"),
    "stop_reason_only": _reason_as("stop_reason"),
    "bare_ids": _bare_ids,
}
WORDS = (*MESSAGES, *ORDER, *FRAMES)
"""Every name that a scenario may use."""
