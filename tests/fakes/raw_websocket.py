"""A TLS WebSocket server that writes frames by hand, so that it can do what libraries will not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rtmsd.simulator.certificates import server_tls

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """One unmasked frame, as servers send them (RFC 6455 §5.2)."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack(">H", len(payload)) + payload
    return head + b"\x7f" + struct.pack(">Q", len(payload)) + payload


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, *frames: bytes) -> None:
        for one in frames:
            self.writer.write(one)
        await self.writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        """Read one (masked) frame of the client."""
        opcode, length = await self._reader.readexactly(2)
        length &= 0x7F
        if length == 126:
            [length] = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            [length] = struct.unpack(">Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)
        data = await self._reader.readexactly(length)
        return opcode & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@asynccontextmanager
async def raw_websocket(
    tmp: Path,
    behave: Callable[[Peer], Awaitable[None]],
    *,
    answer: bytes | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[tuple[str, Path]]:
    """Serve; yield the URL and the CA file. `answer` replaces the upgrade's answer."""
    ca_file = tmp / "ca.pem"
    tls: ssl.SSLContext = server_tls(ca_file, host=host, unix_seconds=time.time())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = next(
                line.split(": ")[1]
                for line in request.split("\r\n")
                if line.lower().startswith("sec-websocket-key")
            )
            accept = base64.b64encode(
                hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            )
            writer.write(
                answer
                or b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: "
                + accept
                + b"\r\n\r\n"
            )
            await writer.drain()
            await behave(Peer(reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"wss://127.0.0.1:{port}/signaling", ca_file
    finally:
        server.close()
        await asyncio.sleep(0.05)
