"""One WebSocket to Zoom, on picows: whole messages in, bytes out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSParsedURL,
    WSTransport,
    ws_connect,
)

from rtmsd import __version__
from rtmsd.streams.gathering import Gathering

MAX_PICTURE_BYTES = 24 * 1024 * 1024
"""PNG frames of a shared 1440p screen take several MB (protocol.md §8): room for 16 MiB, which base64 makes 21.4."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Everything else is small: the largest audio takes 256 kB (§8), and an event may name all the people of a large webinar."""

MAX_FRAGMENTS = 16_384
"""A message may come in so many pieces; with empty ones it would otherwise never end."""

MAX_UNREAD_BYTES = 1024 * 1024
"""We say little. A server that has left so much of it unread does not read at all, and makes us answer on."""

PARTING_SECS = 3.0
"""So long a Close frame may wait for a server that does not read; then the connection is cut."""

HANDSHAKE_SECS = 10.0

_TEXT, _BINARY = WSMsgType.TEXT, WSMsgType.BINARY

OnMessage = Callable[[bytes | memoryview], None]
OnClosed = Callable[[int | None], None]


def client_tls(ca_file: Path | None) -> ssl.SSLContext:
    """Make the TLS context for Zoom: the system's CAs, and `ca_file` beside them. Always verifies."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class Connection(WSListener):
    """An open WebSocket. Callbacks run in the socket's own reader, one message after the other.

    `on_message` gets a view that is valid only during the call. `on_closed` is called once, with the code of the
    peer's Close frame, or None when there was none; after `close` it is not called at all.
    """

    def __init__(
        self,
        on_message: OnMessage,
        on_closed: OnClosed,
        gathering: Gathering | None,
        max_message_bytes: int,
    ) -> None:
        self.messages = 0
        self.received_bytes = 0
        self._gathering = gathering
        self._on_message = on_message
        self._on_closed: OnClosed | None = on_closed
        self._transport: WSTransport | None = None
        self._max_message_bytes = max_message_bytes
        self._fragments = bytearray()
        self._fragments_count = 0
        self._close_code: int | None = None
        self._deaf = False

    def send(self, data: bytes) -> None:
        """Send one text message; does nothing on a socket that is gone."""
        if self._transport is not None and not self._transport.is_disconnected and not self._deaf:
            self._transport.send(WSMsgType.TEXT, data)

    def close(self) -> None:
        """Send a Close frame with 1000 and let go of the socket, without waiting for the peer's."""
        self._on_closed = None
        self._leave_gathering()
        if self._transport is not None and not self._transport.is_disconnected:
            _part(self._transport, WSCloseCode.OK)

    @property
    def opened(self) -> bool:
        """Whether it was ever open."""
        return self._transport is not None

    def read_now(self) -> None:
        """Do not wait for more to gather."""
        if self._gathering is not None:
            self._gathering.read_now(self)

    def hurry(self) -> None:
        """Never wait for more to gather again: it will be closed soon."""
        self.read_now()
        self._leave_gathering()

    def _leave_gathering(self) -> None:
        if self._gathering is not None:
            self._gathering.remove(self)

    # picows calls these

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._on_closed is None:  # given up while it opened
            transport.disconnect(False)
            return
        transport.underlying_transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES)
        if self._gathering is not None:
            self._gathering.add(self, transport.underlying_transport.get_extra_info("socket"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._on_closed is None:
            return
        kind = frame.msg_type
        if (kind is _BINARY or kind is _TEXT) and frame.fin:
            self.messages += 1
            self.received_bytes += frame.payload_size
            self._on_message(frame.get_payload_as_memoryview())
        elif kind in (_TEXT, _BINARY, WSMsgType.CONTINUATION):
            self._fragment(transport, frame)
        elif kind is WSMsgType.CLOSE:
            self._close_code = _number(frame.get_close_code())
            _part(transport, WSCloseCode.OK)

    def _fragment(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._deaf:
            return
        self._fragments_count += 1
        size = len(self._fragments) + frame.payload_size
        if size > self._max_message_bytes or self._fragments_count > MAX_FRAGMENTS:
            self._listen_no_more()
            _part(transport, WSCloseCode.MESSAGE_TOO_BIG)
            return
        self._fragments += frame.get_payload_as_memoryview()
        if frame.fin:
            message = bytes(self._fragments)
            self._forget_fragments()
            self._on_message(message)

    def _forget_fragments(self) -> None:
        self._fragments = bytearray()
        self._fragments_count = 0

    def pause_writing(self) -> None:
        """The peer makes us answer and does not read the answers: cut the connection, when whoever writes is done."""
        assert self._transport is not None
        self._listen_no_more()
        asyncio.get_running_loop().call_soon(self._transport.disconnect, False)

    def resume_writing(self) -> None:
        pass

    def _listen_no_more(self) -> None:
        """What is still in the reader's hands is not wanted."""
        self._deaf = True
        self._on_message = _ignored

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._forget_fragments()
        self._leave_gathering()
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            on_closed(self._close_code)


def _ignored(data: bytes | memoryview) -> None:
    pass


def _part(transport: WSTransport, code: WSCloseCode) -> None:
    """Send a Close frame and let go of the socket: when the peer has read it, or does not."""
    transport.send_close(code)
    transport.disconnect()
    asyncio.get_running_loop().call_later(PARTING_SECS, transport.disconnect, False)


def _number(code: object) -> int:
    """Codes that picows does not know come as plain numbers."""
    value = getattr(code, "value", code)
    return value if isinstance(value, int) else 0


# OpenSSL's numbers for a chain that ends at nobody we know.
_UNKNOWN_ISSUER = (18, 19, 20, 21)


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    told = f"the server's TLS certificate was not accepted ({error.verify_message})"
    if error.verify_code in _UNKNOWN_ISSUER:
        return f"{told}; if a private CA signed it, name that in `zoom.ca_file`"
    return told


class ConnectError(Exception):
    """No connection came about; the text is safe to print."""


class _Dialling:
    """Connects a socket, and can hang up while picows holds it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    async def connect(self, url: WSParsedURL) -> socket.socket:
        """Connect to the first address of a host that answers, in the resolver's order."""
        loop = asyncio.get_running_loop()
        problem = OSError("the host has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(
            url.host, url.port, type=socket.SOCK_STREAM
        ):
            self._socket = one = socket.socket(family, kind, protocol)
            try:
                one.setblocking(False)
                await loop.sock_connect(one, address)
            except OSError as error:
                one.close()
                problem = error
            except BaseException:
                one.close()
                raise
            else:
                return one
        raise problem

    def hang_up(self) -> None:
        """Whoever has the socket now finds that it has ended."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it was never connected, or is closed
                self._socket.shutdown(socket.SHUT_RDWR)


async def connect(
    url: str,
    *,
    tls: ssl.SSLContext,
    gathering: Gathering | None,
    on_message: OnMessage,
    on_closed: OnClosed,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Connection:
    """Open a WebSocket; raise ConnectError with the reason. Redirects are not followed. Cancelling is safe."""
    connection = Connection(on_message, on_closed, gathering, max_message_bytes)
    dialling = _Dialling()
    try:
        await ws_connect(
            lambda: connection,
            url,
            ssl_context=tls,
            websocket_handshake_timeout=HANDSHAKE_SECS,
            max_frame_size=max_message_bytes,
            max_redirects=0,
            socket_factory=dialling.connect,
            extra_headers={"User-Agent": f"rtmsd/{__version__}"},
        )
    except asyncio.CancelledError:
        connection.close()  # it may just have opened
        if not connection.opened:
            dialling.hang_up()
        raise
    except WSHandshakeError as error:
        status = error.response.status if error.response is not None else None
        raise ConnectError(
            f"the server answered the WebSocket upgrade with HTTP {int(status)}"
            if status is not None
            else "the server's answer to the WebSocket upgrade was not one"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ConnectError(_certificate_problem(error)) from None
    except ssl.SSLError as error:
        raise ConnectError(f"TLS failed ({error.reason or 'no reason given'})") from None
    except TimeoutError:
        raise ConnectError(f"no answer to the WebSocket upgrade within {HANDSHAKE_SECS:.0f} s") from None
    except OSError as error:
        raise ConnectError(f"no connection ({error.strerror or type(error).__name__})") from None
    except (WSError, ValueError) as error:
        raise ConnectError(f"the server URL cannot be used ({type(error).__name__})") from None
    if not connection.opened:  # picows takes the end of a connection for an answer
        raise ConnectError("the server closed the connection before it answered the WebSocket upgrade")
    return connection
