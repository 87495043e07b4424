"""The signaling socket: its handshake, and what clients ask for on it (protocol.md §5.2, §5.3, §5.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtmsd.protocol.codes import MessageType, SessionState, StatusCode, StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import messages
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.handshakes import admitted, first_message
from rtmsd.simulator.media_socket import URL_KEYS
from rtmsd.simulator.messages import Message
from rtmsd.simulator.stream import Stream

SIGNALING = "signaling"


async def serve_signaling(
    connection: Connection,
    *,
    find: Callable[[object], Stream | None],
    server_urls: Mapping[str, str],
    handshake_secs: float,
    clock: Clock,
) -> None:
    """Serve one signaling socket until it is gone. `find` knows living streams by their id.

    A wrong signature gets no answer but Close(1000, "Normal close"): so does Zoom's (protocol.md §5.2).
    """
    request = await first_message(connection, handshake_secs)
    if request is None:
        return
    stream = find(request.get("rtms_stream_id"))
    if stream is not None and not await admitted(
        connection, stream, (SIGNALING,), respond=_refusal, clock=clock
    ):
        return
    status = _judge(request, stream)
    if status is StatusCode.INVALID_SIGNATURE and stream is not None:
        if stream.faults.behaviour.wrong_signature == "status":
            connection.send(_refusal(status))
        stream.refused()
        return
    if status is not StatusCode.STATUS_OK or stream is None:
        connection.send(_refusal(status))
        return
    if stream.signaling is not None:
        stream.kicked()
    granted = {URL_KEYS[kind] for kind in stream.granted} | {"all"}
    urls = {name: url for name, url in server_urls.items() if name in granted}
    connection.send(messages.signaling_response(status, urls))
    stream.signaling_opened(connection, buffer_data=request.get("buffer_data") is not False)
    try:
        while (message := await connection.read()) is not None:
            _answer(message, stream, connection, clock.wall_ms())
    finally:
        stream.signaling_lost(connection)


def _refusal(status: StatusCode) -> Message:
    return messages.signaling_response(status, {})


def _judge(request: Message, stream: Stream | None) -> StatusCode:
    if not request:
        return StatusCode.INVALID_PAYLOAD
    if request.get("msg_type") != MessageType.SIGNALING_HAND_SHAKE_REQ:
        return StatusCode.INVALID_MESSAGE_TYPE
    if stream is None:
        return StatusCode.INVALID_RTMS_STREAM_ID
    status = stream.identity.judge(request)
    kicks = stream.faults.behaviour.second_signaling == "kick"
    if status is StatusCode.STATUS_OK and stream.signaling is not None and not kicks:
        return StatusCode.DUPLICATE_SIGNAL_REQUEST
    return status


def _answer(message: Message, stream: Stream, connection: Connection, now_ms: int) -> None:
    """Do what one message asks. What is unknown, or is about another stream, gets no answer."""
    if (
        stream.stop_reason is not None
        or stream.signaling is None
        or stream.signaling.connection is not connection
    ):
        return  # over or given up meanwhile, the client's last words are still coming in
    mine = message.get("rtms_stream_id") == stream.identity.stream_id
    match message.get("msg_type"):
        case MessageType.EVENT_SUBSCRIPTION:
            stream.subscribe(_wanted(message.get("events")))
        case MessageType.CLIENT_READY_ACK if mine:
            stream.acknowledged()
        case MessageType.SESSION_STATE_REQ:
            session_id = str(message.get("rtms_session_id"))
            known = stream.other_sessions | {stream.identity.session_id: stream.session}
            state = SessionState(known.get(session_id, SessionState.INACTIVE))
            connection.send(messages.session_state_response(session_id, state, now_ms))
        case MessageType.STREAM_STATE_REQ if mine:
            connection.send(messages.stream_state_response(stream.identity.stream_id, stream.state, now_ms))
        case MessageType.STREAM_CLOSE_REQ:
            status = StatusCode.STATUS_OK if mine else StatusCode.INVALID_RTMS_STREAM_ID
            connection.send(
                messages.stream_close_response(str(message.get("rtms_stream_id")), status, now_ms)
            )
            if mine:
                stream.stop(StopReason.RECEIVER_REQUEST_CLOSE)
        case MessageType.VIDEO_SUBSCRIPTION_REQ:
            user_id = message.get("user_id")
            status = stream.subscribe_video(user_id, on=message.get("subscribe") is not False)
            connection.send(messages.video_subscription_response(user_id, status, now_ms))


def _wanted(events: object) -> dict[int, bool]:
    """Read `events`: objects as documented, or bare numbers as in some of Zoom's samples (protocol.md §5.3)."""
    wanted: dict[int, bool] = {}
    for entry in events if isinstance(events, list) else []:
        kind, on = (
            (entry.get("event_type"), entry.get("subscribe")) if isinstance(entry, dict) else (entry, True)
        )
        if isinstance(kind, int):
            wanted[kind] = on is not False
    return wanted
