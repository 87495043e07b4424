"""What Zoom's own client throws away, by observation of `rtms` 1.1.0 (protocol.md §11.1)."""

from __future__ import annotations

from rtmsd.protocol.codes import EventType, MessageType, SessionState
from rtmsd.simulator.messages import Message

_NEEDED = {
    MessageType.KEEP_ALIVE_REQ: ("sequence", "timestamp"),
    MessageType.SIGNALING_HAND_SHAKE_RESP: ("status_code",),
    MessageType.DATA_HAND_SHAKE_RESP: ("status_code",),
    MessageType.STREAM_STATE_UPDATE: ("timestamp", "reason", "state"),
    MessageType.SESSION_STATE_UPDATE: ("timestamp", "state"),
}
_CONTENT_NEEDED = {
    MessageType.MEDIA_DATA_AUDIO: ("timestamp",),
    MessageType.MEDIA_DATA_VIDEO: ("timestamp",),
    MessageType.MEDIA_DATA_TRANSCRIPT: ("timestamp", "start_time", "end_time"),
}
_LARGEST_SEQUENCE = 2**31 - 1


def rejection(sent: Message | bytes) -> str:
    """Say why Zoom's client would not take a message; nothing when it would."""
    if isinstance(sent, bytes):
        return "it is not JSON"
    kind = sent.get("msg_type", 0)
    for key in _NEEDED.get(kind, ()):
        if not _is_number(sent.get(key)):
            return f"message {kind} has no number {key}"
    if kind == MessageType.KEEP_ALIVE_REQ and sent["sequence"] > _LARGEST_SEQUENCE:
        return "the sequence of a keep-alive is over 2³¹"
    if kind == MessageType.DATA_HAND_SHAKE_RESP and not isinstance(sent.get("media_params"), dict):
        return "media_params is no object"
    if kind == MessageType.SESSION_STATE_UPDATE and sent["state"] == SessionState.STOPPED:
        return "" if _is_number(sent.get("reason")) else "a stopped session has no number reason"
    if kind == MessageType.EVENT_UPDATE:
        return _event_rejection(sent.get("event"))
    if kind in _CONTENT_NEEDED:
        return _content_rejection(kind, sent.get("content"))
    return ""


def _content_rejection(kind: MessageType, content: object) -> str:
    if not isinstance(content, dict):
        return f"message {kind} has no content"
    for key in _CONTENT_NEEDED[kind]:
        if not _is_number(content.get(key)):
            return f"message {kind} has no number {key}"
    channel = isinstance(content.get("channel_id"), str) and kind == MessageType.MEDIA_DATA_AUDIO
    if not _is_number(content.get("user_id")) and not channel:
        return f"message {kind} does not say whose it is"
    return "" if "user_name" in content and "data" in content else f"message {kind} lacks user_name or data"


def _event_rejection(event: object) -> str:
    if not isinstance(event, dict) or not _is_number(event.get("event_type")):
        return "an event has no number event_type"
    participants = event.get("participants", [])
    if event["event_type"] == EventType.PARTICIPANT_JOIN:
        if not all(isinstance(one, dict) and _is_number(one.get("user_id")) for one in participants):
            return "who joined has no number user_id"
    elif event["event_type"] == EventType.PARTICIPANT_VIDEO_ON:
        if not all(isinstance(one, dict) for one in participants):
            return "event 8 with bare ids throws inside its poll"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
