"""What is said on the signaling socket, and which hosts may be talked to (protocol.md §5.2–§5.4, §5.7, §5.8)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from rtmsd.frames import Event
from rtmsd.protocol.codes import MessageType, SessionState, StatusCode, StreamState
from rtmsd.protocol.codes import number_of as number_of
from rtmsd.protocol.messages import PROTOCOL_VERSION, Message, encode, normalised_ms

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


def handshake(*, ids: Mapping[str, str], stream_id: str, signature: str, sequence: int) -> bytes:
    """Message 1. `ids` are the product's; `buffer_data` asks for the audio from before we were connected (§5.2)."""
    return encode(
        {
            "msg_type": int(MessageType.SIGNALING_HAND_SHAKE_REQ),
            "protocol_version": PROTOCOL_VERSION,
            "sequence": sequence,
            **ids,
            "rtms_stream_id": stream_id,
            "signature": signature,
            "buffer_data": True,
        }
    )


def subscription(numbers: Sequence[int]) -> bytes:
    """Message 5 for these events; there is no answer (§5.3)."""
    events = [{"event_type": int(number), "subscribe": True} for number in numbers]
    return encode({"msg_type": int(MessageType.EVENT_SUBSCRIPTION), "events": events})


def video_subscription(user_id: int, *, subscribe: bool, at_ms: int) -> bytes:
    """Message 28: whose camera is wanted, or is not any more (§5.8)."""
    return encode(
        {
            "msg_type": int(MessageType.VIDEO_SUBSCRIPTION_REQ),
            "user_id": user_id,
            "subscribe": subscribe,
            "timestamp": at_ms,
        }
    )


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


_TELLING = (
    StatusCode.DUPLICATE_SIGNAL_REQUEST,
    StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION,
    StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION,
    StatusCode.INVALID_SIGNATURE,
)


def status_of(message: Message) -> int | None:
    """Read the status of an answer, as a number or a name; None when it has none, -1 when it is not to be understood.

    Two tables are in circulation, in which the same numbers mean other things (§6.4, §10 C14): where the reason's
    text names a status of the new table, the text decides.
    """
    if message.status_code is None:
        return None
    status = number_of(StatusCode, message.status_code)
    if status == StatusCode.STATUS_OK or not isinstance(message.reason, str):
        return -1 if status is None else status
    said = re.sub(r"[^A-Z]+", "_", message.reason.upper()).strip("_")
    if said in StatusCode.__members__ and said != StatusCode.STATUS_OK.name:
        return int(StatusCode[said])
    named = next((one for one in _TELLING if one.name in said), status)
    return -1 if named is None else int(named)


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
