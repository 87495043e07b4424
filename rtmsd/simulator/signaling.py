"""The signaling socket: its handshake, and what clients ask for on it (protocol.md §5.2, §5.3, §5.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from rtmsd.protocol.codes import MessageType, SessionState, StatusCode, StopReason
from rtmsd.simulator import messages
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.media_socket import URL_KEYS
from rtmsd.simulator.messages import Message
from rtmsd.simulator.stream import Stream


async def serve_signaling(
    connection: Connection,
    *,
    find: Callable[[object], Stream | None],
    server_urls: Mapping[str, str],
    handshake_secs: float,
    now_ms: Callable[[], int],
) -> None:
    """Serve one signaling socket until it is gone. `find` knows living streams by their id.

    A wrong signature gets no answer but Close(1000, "Normal close"): so does Zoom's (protocol.md §5.2).
    """
    try:
        async with asyncio.timeout(handshake_secs):
            request = await connection.read()
    except TimeoutError:
        request = None
    if request is None:
        return
    stream = find(request.get("rtms_stream_id"))
    status = _judge(request, stream)
    if status is StatusCode.INVALID_SIGNATURE and stream is not None:
        stream.refused()
        return
    if status is not StatusCode.STATUS_OK or stream is None:
        connection.send(messages.signaling_response(status, {}))
        return
    granted = {URL_KEYS[kind] for kind in stream.granted} | {"all"}
    urls = {name: url for name, url in server_urls.items() if name in granted}
    connection.send(messages.signaling_response(status, urls))
    stream.signaling_opened(connection, buffer_data=request.get("buffer_data") is not False)
    try:
        while (message := await connection.read()) is not None:
            _answer(message, stream, connection, now_ms())
    finally:
        stream.signaling_lost(connection)


def _judge(request: Message, stream: Stream | None) -> StatusCode:
    if not request:
        return StatusCode.INVALID_PAYLOAD
    if request.get("msg_type") != MessageType.SIGNALING_HAND_SHAKE_REQ:
        return StatusCode.INVALID_MESSAGE_TYPE
    if stream is None:
        return StatusCode.INVALID_RTMS_STREAM_ID
    status = stream.identity.judge(request)
    if status is StatusCode.STATUS_OK and stream.signaling is not None:
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
            known = session_id == stream.identity.session_id
            state = stream.session if known else SessionState.INACTIVE
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
            refused = StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT
            connection.send(messages.video_subscription_response(message.get("user_id"), refused, now_ms))


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
