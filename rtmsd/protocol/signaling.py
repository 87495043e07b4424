"""What is said on the signaling socket, and which hosts may be talked to (protocol.md §5.2–§5.4, §5.7, §5.9)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from rtmsd.frames import Event
from rtmsd.protocol.codes import EventType, MessageType, SessionState, StreamState
from rtmsd.protocol.messages import EventBody, Message, encode, normalised_ms

# 1 and 7 come unasked; 5, 6 need the screen share scope; 8, 9 serve individual video (§5.3).
SUBSCRIBED = (EventType.ACTIVE_SPEAKER_CHANGE, EventType.PARTICIPANT_JOIN, EventType.PARTICIPANT_LEAVE)

_EVENT_NAMES = {
    EventType.FIRST_PACKET_TIMESTAMP: "first_packet",
    EventType.ACTIVE_SPEAKER_CHANGE: "active_speaker_changed",
    EventType.PARTICIPANT_JOIN: "participant_joined",
    EventType.PARTICIPANT_LEAVE: "participant_left",
    EventType.SHARING_START: "sharing_started",
    EventType.SHARING_STOP: "sharing_stopped",
    EventType.MEDIA_CONNECTION_INTERRUPTED: "media_interrupted",
    EventType.PARTICIPANT_VIDEO_ON: "participant_video_on",
    EventType.PARTICIPANT_VIDEO_OFF: "participant_video_off",
}
_SESSION_NAMES = {
    SessionState.STARTED: "session_started",
    SessionState.PAUSED: "session_paused",
    SessionState.RESUMED: "session_resumed",
    SessionState.STOPPED: "session_stopped",
}

_DNS_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LOOPBACK = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1")


def handshake(*, uuid: str, stream_id: str, signature: str, sequence: int) -> bytes:
    """Message 1. `buffer_data` asks for the audio from before we were connected (§5.2)."""
    return encode(
        {
            "msg_type": int(MessageType.SIGNALING_HAND_SHAKE_REQ),
            "protocol_version": 1,
            "sequence": sequence,
            "meeting_uuid": uuid,
            "rtms_stream_id": stream_id,
            "signature": signature,
            "buffer_data": True,
        }
    )


def subscription() -> bytes:
    events = [{"event_type": int(number), "subscribe": True} for number in SUBSCRIBED]
    return encode({"msg_type": int(MessageType.EVENT_SUBSCRIPTION), "events": events})


def ready_ack(stream_id: str) -> bytes:
    return encode({"msg_type": int(MessageType.CLIENT_READY_ACK), "rtms_stream_id": stream_id})


def keep_alive_reply(message: Message) -> bytes:
    """Echo what the request has: docs speak of `timestamp`, the SDK of both (§5.4)."""
    reply: dict[str, int] = {"msg_type": int(MessageType.KEEP_ALIVE_RESP)}
    if message.sequence is not None:
        reply["sequence"] = message.sequence
    if message.timestamp is not None:
        reply["timestamp"] = message.timestamp
    return json.dumps(reply).encode()  # unlike faster ones it takes any number


def number_of(table: type[IntEnum], value: int | str | None) -> int | None:
    """Read a state or reason that may come as a number, a number in text, or a name (§10 C12)."""
    if isinstance(value, str):
        text = value.strip().upper().removeprefix("STOP_BC_")
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        return int(table[text]) if text in table.__members__ else None
    return value


def session_event(message: Message, *, now_ms: int) -> Event | None:
    """Turn message 9 into an event; states without a meaning for a recording give None."""
    state = number_of(SessionState, message.state)
    name = _SESSION_NAMES.get(SessionState(state)) if state in list(SessionState) else None
    if name is None:
        return None
    return Event(name, _when(message.timestamp, now_ms), details=_some(session_id=message.rtms_session_id))


def stream_event(state: int, message: Message, *, now_ms: int) -> Event:
    name = StreamState(state).name.lower() if state in list(StreamState) else f"state_{state}"
    return Event(f"stream_{name}", _when(message.timestamp, now_ms))


def events(body: EventBody, *, now_ms: int) -> list[Event]:
    """Turn message 6 into events, one per participant; numbers without a name give none."""
    try:
        name = _EVENT_NAMES[EventType(body.event_type)]
    except (ValueError, KeyError):
        return []
    when = _when(body.timestamp, now_ms)
    if not body.participants:
        return [Event(name, when, body.user_id, body.user_name)]
    return [Event(name, when, user_id, user_name) for user_id, user_name in _people(body.participants)]


def _people(participants: Sequence[dict[str, Any] | int]) -> Iterable[tuple[int | None, str | None]]:
    for one in participants:
        if isinstance(one, int):
            yield one, None
            continue
        user_id, name = one.get("user_id"), one.get("user_name")
        if isinstance(user_id, str) and user_id.isascii() and user_id.isdigit() and len(user_id) < 20:
            user_id = int(user_id)
        yield user_id if isinstance(user_id, int) else None, name if isinstance(name, str) else None


def _when(timestamp: int | None, now_ms: int) -> int:
    return normalised_ms(timestamp) if timestamp and timestamp > 0 else now_ms


def _some(**details: str | None) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value}


def url_problem(url: str, allowed_hosts: Sequence[str]) -> str | None:
    """Say why `url` must not be connected to, or None.

    `wss://` to an allowed host; `ws://` only to a loopback address that is allowed by name (design.md §4).
    """
    if not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        return "is not a URL"
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("wss", "ws") or not host:
        return "is not a wss:// URL"
    if parts.username is not None or parts.password is not None:
        return "carries a user name"
    if not any(_matches(host, pattern.lower()) for pattern in allowed_hosts):
        return f"leads to the host {host[:100]!r}, which `zoom.allowed_hosts` does not name"
    if parts.scheme == "ws" and not _LOOPBACK.fullmatch(host):
        return "is not encrypted (ws:// is for loopback addresses only)"
    return None


def _matches(host: str, pattern: str) -> bool:
    """Only plain names match a pattern: an IPv6 literal may have a zone id that ends like one."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and _DNS_NAME.fullmatch(host) is not None
    return host == pattern


def choose_url(urls: Sequence[str], allowed_hosts: Sequence[str]) -> tuple[str | None, str]:
    """Take the first URL that may be used; otherwise None and why the first one may not (§2.5.1)."""
    for url in urls:
        if url_problem(url, allowed_hosts) is None:
            return url, ""
    if not urls:
        return None, "no server URL was given"
    return None, f"the server URL {url_problem(urls[0], allowed_hosts)}"
