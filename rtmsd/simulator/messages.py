"""What Zoom says on the sockets, as the JSON objects of protocol.md §5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pybase64

from rtmsd.protocol.codes import (
    ChatOperation,
    ChatSessionType,
    EventType,
    MessageType,
    SessionState,
    StatusCode,
    StreamState,
)
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.sound import Packet
from rtmsd.simulator.truth import Phrase, Written

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
        "reason": reason_text(status),
        "timestamp": timestamp_ms,
    }


def event(kind: EventType, timestamp_ms: int, **fields: object) -> Message:
    return {
        "msg_type": MessageType.EVENT_UPDATE,
        "event": {"event_type": kind, "timestamp": timestamp_ms, **fields},
    }


def people_event(kind: EventType, timestamp_ms: int, people: Iterable[Person]) -> Message:
    """JOIN names people, LEAVE only counts their ids, both as objects; ACTIVE_SPEAKER_CHANGE is about one."""
    if kind is EventType.ACTIVE_SPEAKER_CHANGE:
        (person,) = people
        return event(kind, timestamp_ms, user_id=person.user_id, user_name=person.name)
    if kind is EventType.PARTICIPANT_LEAVE:
        return event(kind, timestamp_ms, participants=[{"user_id": person.user_id} for person in people])
    return event(
        kind,
        timestamp_ms,
        participants=[{"user_id": person.user_id, "user_name": person.name} for person in people],
    )


def audio(packet: Packet) -> Message:
    return {
        "msg_type": MessageType.MEDIA_DATA_AUDIO,
        "content": {
            "user_id": packet.person.user_id,
            "user_name": packet.person.name,
            "data": pybase64.b64encode_as_string(packet.data),
            "length": len(packet.data),
            "timestamp": packet.timestamp_ms,
        },
    }


def transcript(phrase: Phrase, name: str, language: int) -> Message:
    return {
        "msg_type": MessageType.MEDIA_DATA_TRANSCRIPT,
        "content": {
            "user_id": phrase.user_id,
            "user_name": name,
            "start_time": phrase.start_ms,
            "end_time": phrase.end_ms,
            "timestamp": phrase.start_ms,
            "language": language,
            "data": phrase.text,
            "attribute": 1,
        },
    }


def chat(written: Written, name: str) -> Message:
    """Write a new message to everyone; its data is JSON within JSON (protocol.md §5.6)."""
    data = {
        "chat_session": {"type": ChatSessionType.EVERYONE},
        "operation_type": ChatOperation.NEW,
        "message_id": written.message_id,
        "parent_message_id": "",
        "sender": {"user_id": written.user_id, "user_name": name},
        "receiver": None,
        "text": written.text,
        "files": [],
        "delete_file_id_list": [],
    }
    return {
        "msg_type": MessageType.MEDIA_DATA_CHAT,
        "content": {"timestamp": written.timestamp_ms, "data": orjson.dumps(data).decode()},
    }
