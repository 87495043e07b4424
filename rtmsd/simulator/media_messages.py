"""What media sockets carry, as the JSON objects of protocol.md §5.6."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pybase64

from rtmsd.protocol.codes import ChatOperation, MessageType
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.messages import Message
from rtmsd.simulator.sound import Packet
from rtmsd.simulator.truth import Phrase, Written


def audio(packet: Packet, *, by_channel: bool) -> Message:
    """Write a packet; in a contact centre (`by_channel`) whose it is tells `channel_id` instead of `user_id`."""
    person = packet.person
    whose = {"channel_id": person.channel} if by_channel and person.user_id else {"user_id": person.user_id}
    return {
        "msg_type": MessageType.MEDIA_DATA_AUDIO,
        "content": {
            **whose,
            "user_name": person.name,
            "data": pybase64.b64encode_as_string(packet.data),
            "length": len(packet.data),
            "timestamp": packet.timestamp_ms,
        },
    }


def picture(kind: MessageType, person: Person, timestamp_ms: int, data: bytes) -> Message:
    """Write a picture of a camera (15) or of the shared screen (16)."""
    return {
        "msg_type": kind,
        "content": {
            "user_id": person.user_id,
            "user_name": person.name,
            "data": pybase64.b64encode_as_string(data),
            "length": len(data),
            "timestamp": timestamp_ms,
        },
    }


def transcript(phrase: Phrase, person: Person, *, by_channel: bool) -> Message:
    """Write a phrase; in a contact centre with the channel, too: the official client needs a `user_id` in any case."""
    channel = {"channel_id": person.channel} if by_channel else {}
    return {
        "msg_type": MessageType.MEDIA_DATA_TRANSCRIPT,
        "content": {
            "user_id": phrase.user_id,
            **channel,
            "user_name": person.name,
            "start_time": phrase.start_ms,
            "end_time": phrase.end_ms,
            "timestamp": phrase.start_ms,
            "language": phrase.language,
            "data": phrase.text,
            "attribute": phrase.attribute,
        },
    }


def chat(written: Written, names: Mapping[int, str]) -> Message:
    """Write a chat message or what was done to one; its data is JSON within JSON (protocol.md §5.6).

    Where the emoji of an emoji operation stands is not published: here in `text`, and in `emoji`, too.
    """
    session: Message = {"type": written.session}
    if written.group_id:
        session["id"] = written.group_id
    receiver = None
    if written.receiver_id is not None:
        receiver = {"user_id": written.receiver_id, "user_name": names[written.receiver_id]}
    data = {
        "chat_session": session,
        "operation_type": written.operation,
        "message_id": written.message_id,
        "parent_message_id": written.parent_id,
        "sender": {"user_id": written.user_id, "user_name": names[written.user_id]},
        "receiver": receiver,
        "text": written.text,
        "files": [],
        "delete_file_id_list": [],
    }
    if written.operation in (ChatOperation.ADD_EMOJI, ChatOperation.REMOVE_EMOJI):
        data["emoji"] = written.text
    return {
        "msg_type": MessageType.MEDIA_DATA_CHAT,
        "content": {"timestamp": written.timestamp_ms, "data": orjson.dumps(data).decode()},
    }
