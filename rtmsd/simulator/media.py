"""A media socket's handshake and life (protocol.md §5.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtmsd.protocol.codes import MediaDataType, MessageType, StatusCode
from rtmsd.simulator import messages
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.media_params import MediaParams, Refused, media_kinds, media_params
from rtmsd.simulator.media_socket import MediaSocket
from rtmsd.simulator.messages import Message
from rtmsd.simulator.stream import Stream


async def serve_media(
    connection: Connection, *, find: Callable[[object], Stream | None], handshake_secs: float
) -> None:
    """Serve one media socket until it is gone. `find` knows living streams by their id.

    Every media URL takes every granted kind; what decides is `media_type`. A wrong signature gets a bare Close.
    """
    try:
        async with asyncio.timeout(handshake_secs):
            request = await connection.read()
    except TimeoutError:
        request = None
    if request is None:
        return
    stream = find(request.get("rtms_stream_id"))
    try:
        kinds, params = _accept(request, stream)
    except Refused as refused:
        if refused.status is StatusCode.INVALID_SIGNATURE and stream is not None:
            stream.refused()
        else:
            connection.send(messages.data_response(refused.status, {}))
        return
    assert stream is not None
    connection.send(messages.data_response(StatusCode.STATUS_OK, params.confirmed()))
    stream.media_opened(MediaSocket(connection, kinds, params))
    try:
        while await connection.read() is not None:
            pass  # nothing but keep-alive answers is expected here, and `read` keeps those to itself
    finally:
        stream.media_lost(connection)


def _accept(request: Message, stream: Stream | None) -> tuple[MediaDataType, MediaParams]:
    """Judge a handshake. Raises Refused with the status that Zoom answers."""
    if not request:
        raise Refused(StatusCode.INVALID_PAYLOAD)
    if request.get("msg_type") != MessageType.DATA_HAND_SHAKE_REQ:
        raise Refused(StatusCode.INVALID_MESSAGE_TYPE)
    if stream is None:
        raise Refused(StatusCode.INVALID_RTMS_STREAM_ID)
    status = stream.identity.judge(request)
    if status is not StatusCode.STATUS_OK:
        raise Refused(status)
    if stream.signaling is None:
        raise Refused(StatusCode.INVALID_RTMS_STREAM_ID)  # no media without signaling
    kinds = media_kinds(request.get("media_type"), stream.granted)
    taken = MediaDataType(0)
    for socket in stream.media:
        taken |= socket.kinds
    if kinds & taken:
        everything = any(socket.kinds == stream.granted for socket in stream.media)
        raise Refused(
            StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST
            if everything
            else StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION
        )
    return kinds, media_params(request.get("media_params"), kinds)
