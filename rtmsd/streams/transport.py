"""One WebSocket to Zoom, on picows: whole messages in, bytes out."""

from __future__ import annotations

import asyncio
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
    WSTransport,
    ws_connect,
)

from rtmsd import __version__
from rtmsd.streams.gathering import Gathering

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
"""PNG frames of a shared 1440p screen take several MB (protocol.md §8): room for 16 MiB, which base64 makes 21.4."""

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

    def __init__(self, on_message: OnMessage, on_closed: OnClosed, gathering: Gathering | None) -> None:
        self.messages = 0
        self.received_bytes = 0
        self._gathering = gathering
        self._on_message = on_message
        self._on_closed: OnClosed | None = on_closed
        self._transport: WSTransport | None = None
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._close_code: int | None = None

    def send(self, data: bytes) -> None:
        """Send one text message; does nothing on a socket that is gone."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.TEXT, data)

    def close(self) -> None:
        """Send a Close frame with 1000 and let go of the socket, without waiting for the peer's."""
        self._on_closed = None
        self._leave_gathering()
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def read_now(self) -> None:
        """Do not wait for more to gather."""
        if self._gathering is not None:
            self._gathering.read_now(self)

    def _leave_gathering(self) -> None:
        if self._gathering is not None:
            self._gathering.remove(self)

    # picows calls these

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
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
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def _fragment(self, transport: WSTransport, frame: WSFrame) -> None:
        self._fragments_bytes += frame.payload_size
        if self._fragments_bytes > MAX_MESSAGE_BYTES:
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
            return
        self._fragments.append(frame.get_payload_as_bytes())
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._fragments_bytes = 0
            self._on_message(message)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._fragments.clear()
        self._leave_gathering()
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            on_closed(self._close_code)


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


async def connect(
    url: str, *, tls: ssl.SSLContext, gathering: Gathering | None, on_message: OnMessage, on_closed: OnClosed
) -> Connection:
    """Open a WebSocket; raise ConnectError with the reason. Redirects are not followed. Cancelling is safe."""
    connection = Connection(on_message, on_closed, gathering)
    try:
        await ws_connect(
            lambda: connection,
            url,
            ssl_context=tls,
            websocket_handshake_timeout=HANDSHAKE_SECS,
            max_frame_size=MAX_MESSAGE_BYTES,
            max_redirects=0,
            extra_headers={"User-Agent": f"rtmsd/{__version__}"},
        )
    except asyncio.CancelledError:
        connection.close()  # it may just have opened
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
    return connection
