"""A media socket's handshake and life (protocol.md §5.5)."""

from __future__ import annotations

from collections.abc import Callable

from rtmsd.protocol.codes import MediaDataType, MessageType, StatusCode
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import messages
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.handshakes import admitted, first_message
from rtmsd.simulator.media_params import MediaParams, Refused, media_kinds, media_params
from rtmsd.simulator.media_socket import URL_KEYS, MediaSocket
from rtmsd.simulator.messages import Message
from rtmsd.simulator.stream import Stream


async def serve_media(
    connection: Connection,
    *,
    find: Callable[[object], Stream | None],
    handshake_secs: float,
    clock: Clock,
) -> None:
    """Serve one media socket until it is gone. `find` knows living streams by their id.

    Every media URL takes every granted kind; what decides is `media_type`. A wrong signature gets a bare Close.
    """
    request = await first_message(connection, handshake_secs)
    if request is None:
        return
    stream = find(request.get("rtms_stream_id"))
    if stream is not None and not await admitted(
        connection, stream, _names(request, connection), respond=_refusal, clock=clock
    ):
        return
    try:
        kinds, params = _accept(request, stream)
    except Refused as refused:
        impostor = stream if refused.status is StatusCode.INVALID_SIGNATURE else None
        if impostor is None or impostor.faults.behaviour.wrong_signature == "status":
            connection.send(_refusal(refused.status))
        if impostor is not None:
            impostor.refused()
        return
    assert stream is not None
    connection.send(messages.data_response(StatusCode.STATUS_OK, params.confirmed()))
    by_channel = stream.identity.product.is_call_centre
    stream.media_opened(MediaSocket(connection, kinds, params, by_channel=by_channel))
    try:
        while (message := await connection.read()) is not None:
            stream.heard_on_media(message)
    finally:
        stream.media_lost(connection)


def _refusal(status: StatusCode) -> Message:
    return messages.data_response(status, {})


def _names(request: Message, connection: Connection) -> list[str]:
    """What faults call a media socket: the kinds that it asks for."""
    asked = request.get("media_type")
    kinds = asked if isinstance(asked, int) else 0
    everything = kinds & MediaDataType.ALL
    return [name for kind, name in URL_KEYS.items() if kind & kinds or everything] or [connection.kind]


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
    strictness = stream.faults.behaviour.media_params
    try:
        return kinds, media_params(request.get("media_params"), kinds, strictness)
    except Refused:
        if strictness != "lenient":
            raise
        return kinds, media_params(None, kinds)
