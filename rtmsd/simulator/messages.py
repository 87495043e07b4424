"""What Zoom says on the sockets, as the JSON objects of protocol.md §5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtmsd.protocol.codes import (
    EventType,
    MessageType,
    SessionState,
    StatusCode,
    StreamState,
)

Message = dict[str, Any]  # JSON objects hold anything


def reason_text(status: StatusCode) -> str:
    """Write a status as Zoom does: `Duplicate signal request`; nothing for OK."""
    return "" if status is StatusCode.STATUS_OK else status.name.replace("_", " ").capitalize()


def signaling_response(status: StatusCode, server_urls: Mapping[str, str]) -> Message:
    return {
        "msg_type": MessageType.SIGNALING_HAND_SHAKE_RESP,
        "protocol_version": 1,
        "sequence": 0,
        "status_code": status,
        "reason": reason_text(status),
        "media_server": {"server_urls": dict(server_urls)} if status is StatusCode.STATUS_OK else {},
    }


def data_response(status: StatusCode, media_params: Message) -> Message:
    """`media_params` is an object even when empty: the official client fails the join without one."""
    return {
        "msg_type": MessageType.DATA_HAND_SHAKE_RESP,
        "protocol_version": 1,
        "sequence": 0,
        "status_code": status,
        "reason": reason_text(status),
        "payload_encrypted": False,
        "media_params": media_params,
    }


def keep_alive(sequence: int, timestamp_ms: int) -> Message:
    return {"msg_type": MessageType.KEEP_ALIVE_REQ, "sequence": sequence, "timestamp": timestamp_ms}


def stream_state(state: StreamState, reason: int, timestamp_ms: int) -> Message:
    return {
        "msg_type": MessageType.STREAM_STATE_UPDATE,
        "state": state,
        "reason": reason,
        "timestamp": timestamp_ms,
    }


def session_state(session_id: str, state: SessionState, reason: int, timestamp_ms: int) -> Message:
    """The reason goes under both of its names (protocol.md §5.7); only a stopped session has `stop_reason`."""
    message: Message = {
        "msg_type": MessageType.SESSION_STATE_UPDATE,
        "rtms_session_id": session_id,
        "state": state,
        "reason": reason,
        "timestamp": timestamp_ms,
    }
    if state is SessionState.STOPPED:
        message["stop_reason"] = reason
    return message


def session_state_response(session_id: str, state: SessionState, timestamp_ms: int) -> Message:
    return {
        "msg_type": MessageType.SESSION_STATE_RESP,
        "rtms_session_id": session_id,
        "state": state,
        "timestamp": timestamp_ms,
    }


def stream_state_response(stream_id: str, state: StreamState, timestamp_ms: int) -> Message:
    """The one message whose documented example carries seconds."""
    return {
        "msg_type": MessageType.STREAM_STATE_RESP,
        "rtms_stream_id": stream_id,
        "state": state,
        "timestamp": timestamp_ms // 1000,
    }


def stream_close_response(stream_id: str, status: StatusCode, timestamp_ms: int) -> Message:
    return {
        "msg_type": MessageType.STREAM_CLOSE_RESP,
        "rtms_stream_id": stream_id,
        "status_code": status,
        "reason": reason_text(status) or "OK",
        "timestamp": timestamp_ms,
    }


def video_subscription_response(user_id: object, status: StatusCode, timestamp_ms: int) -> Message:
    return {
        "msg_type": MessageType.VIDEO_SUBSCRIPTION_RESP,
        "user_id": user_id,
        "status_code": status,
        "reason": reason_text(status) or "OK",
        "timestamp": timestamp_ms,
    }


def event(kind: EventType, timestamp_ms: int, **fields: object) -> Message:
    return {
        "msg_type": MessageType.EVENT_UPDATE,
        "event": {"event_type": kind, "timestamp": timestamp_ms, **fields},
    }
