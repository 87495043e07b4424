"""One WebSocket over real TLS: every frame form, every limit, every way to fail."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, frame, raw_websocket

from rtmsd.streams import transport
from rtmsd.streams.gathering import Gathering
from rtmsd.streams.transport import (
    MAX_FRAGMENTS,
    MAX_MESSAGE_BYTES,
    MAX_PICTURE_BYTES,
    ConnectError,
    Connection,
    client_tls,
    connect,
)


class Inbox:
    """What a connection reported."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.closes: list[int | None] = []
        self.closed = asyncio.Event()

    def message(self, data: bytes | memoryview) -> None:
        self.messages.append(bytes(data))

    def close(self, code: int | None) -> None:
        self.closes.append(code)
        self.closed.set()


async def talk(
    tmp: Path,
    behave: Callable[[Peer], Awaitable[None]],
    answer: bytes | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Inbox:
    """Connect, let the server behave, and wait until the connection is gone."""
    inbox = Inbox()
    async with raw_websocket(tmp, behave, answer=answer) as (url, ca_file), asyncio.timeout(20):
        await connect(
            url,
            tls=client_tls(ca_file),
            gathering=Gathering(),
            on_message=inbox.message,
            on_closed=inbox.close,
            max_message_bytes=max_message_bytes,
        )
        await inbox.closed.wait()
    return inbox


async def test_text_binary_and_fragments_are_messages(tmp_path: Path) -> None:
    """Zoom may send either, and any message in pieces, with control frames between them."""

    async def behave(peer: Peer) -> None:
        await peer.send(
            frame(TEXT, b'{"a":1}'),
            frame(BINARY, b'{"b":2}'),
            frame(TEXT, b'{"c"', fin=False),
            frame(PING, b"hello"),
            frame(CONTINUATION, b":", fin=False),
            frame(CONTINUATION, b"3}"),
            frame(BINARY, b"", fin=False),
            frame(CONTINUATION, b"{}"),
        )
        assert await peer.receive() == (PONG, b"hello")
        await peer.send(frame(CLOSE, struct.pack(">H", 1000) + b"Normal close"))
        assert (await peer.receive())[0] == CLOSE

    inbox = await talk(tmp_path, behave)
    assert inbox.messages == [b'{"a":1}', b'{"b":2}', b'{"c":3}', b"{}"]
    assert inbox.closes == [1000]


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", 0), (struct.pack(">H", 1011), 1011), (struct.pack(">H", 4321), 4321)]
)
async def test_a_close_frame_is_told_from_a_broken_connection(
    tmp_path: Path, payload: bytes, code: int
) -> None:
    """A Close frame gives its code, known or not; 0 when it has none."""

    async def behave(peer: Peer) -> None:
        await peer.send(frame(CLOSE, payload))
        await peer.receive()

    assert (await talk(tmp_path, behave)).closes == [code]


@pytest.mark.parametrize("how", ["abort", "tls_end"])
async def test_a_broken_connection_has_no_code(tmp_path: Path, how: str) -> None:
    """A reset and an end of TLS without a Close frame are the network's doing."""

    async def behave(peer: Peer) -> None:
        if how == "abort":
            peer.writer.transport.abort()

    assert (await talk(tmp_path, behave)).closes == [None]


@pytest.mark.parametrize("most", [MAX_MESSAGE_BYTES, MAX_PICTURE_BYTES])
async def test_large_messages_pass_and_larger_ones_close(tmp_path: Path, most: int) -> None:
    """Pictures of 16 MiB pass whole and in fragments; what is larger closes this socket, without being read."""
    large = bytes(most - 64)

    async def behave(peer: Peer) -> None:
        half = len(large) // 2
        await peer.send(
            frame(BINARY, large), frame(BINARY, large[:half], fin=False), frame(CONTINUATION, large[half:])
        )
        await peer.send(frame(BINARY, bytes(most + 1))[:100])
        await peer.receive()

    inbox = await talk(tmp_path, behave, max_message_bytes=most)
    assert [len(message) for message in inbox.messages] == [len(large), len(large)]
    assert len(inbox.closes) == 1


async def test_endless_fragments_close(tmp_path: Path) -> None:
    """A message that never ends does not fill the memory."""

    async def behave(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"x", fin=False))
        for _ in range(40):
            await peer.send(frame(CONTINUATION, bytes(1 << 20), fin=False))

    inbox = await talk(tmp_path, behave)
    assert inbox.messages == [] and len(inbox.closes) == 1


async def test_endless_empty_fragments_close(tmp_path: Path) -> None:
    """Nor does one that only goes on."""

    async def behave(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"x", fin=False))
        await peer.send(frame(CONTINUATION, b"", fin=False) * (MAX_FRAGMENTS + 1), frame(TEXT, b"after"))
        await peer.receive()

    inbox = await talk(tmp_path, behave)
    assert inbox.messages == [] and len(inbox.closes) == 1


@pytest.mark.parametrize("asking", [frame(PING, b"x" * 125), frame(TEXT, b"?" * 100)])
async def test_a_server_that_does_not_read_what_it_asks_for_is_left(tmp_path: Path, asking: bytes) -> None:
    """Answers that nobody takes do not fill the memory: the connection is cut, as if it had broken."""
    inbox = Inbox()

    async def behave(peer: Peer) -> None:
        await peer.receive()
        while not inbox.closed.is_set():
            await peer.send(asking * 1000)
            await asyncio.sleep(0)  # drain() may return at once

    async with raw_websocket(tmp_path, behave) as (url, ca_file), asyncio.timeout(60):
        connection = await connect(
            url,
            tls=client_tls(ca_file),
            gathering=None,
            on_message=lambda data: connection.send(bytes(data) * 100),
            on_closed=inbox.close,
        )
        connection.send(b"ready")
        await inbox.closed.wait()
    assert inbox.closes == [None]


async def test_a_server_that_does_not_read_is_parted_from_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Close frame that nobody takes does not keep the socket, nor what else waits to be sent."""
    monkeypatch.setattr(transport, "PARTING_SECS", 0.2)
    monkeypatch.setattr(transport, "MAX_UNREAD_BYTES", 1 << 30)
    gone = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await gone.wait()

    async with raw_websocket(tmp_path, behave) as (url, ca_file), asyncio.timeout(20):
        connection = await connect(
            url, tls=client_tls(ca_file), gathering=None, on_message=lambda _: None, on_closed=lambda _: None
        )
        connection.send(bytes(32 << 20))
        connection.close()
        assert connection._transport is not None
        await connection._transport.wait_disconnected()
        gone.set()


async def nothing(peer: Peer) -> None:
    return None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: wss://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200"),
        (b"nonsense\r\n\r\n", "upgrade"),
        (b"HTTP/1.1 101 Switching", "closed the connection before it answered"),
    ],
)
async def test_refused_upgrades_say_so(tmp_path: Path, answer: bytes, text: str) -> None:
    """Redirects are not followed; the status is told."""
    with pytest.raises(ConnectError, match=text):
        await talk(tmp_path, nothing, answer)


async def test_an_unknown_ca_is_never_accepted(tmp_path: Path) -> None:
    """Verification cannot be switched off: without the CA file there is no connection, and the sentence says what to do."""
    inbox = Inbox()
    async with raw_websocket(tmp_path, nothing) as (url, _):
        with pytest.raises(ConnectError, match=r"zoom\.ca_file"):
            await connect(
                url,
                tls=client_tls(None),
                gathering=Gathering(),
                on_message=inbox.message,
                on_closed=inbox.close,
            )


async def test_nobody_listening_is_told() -> None:
    """A refused connection is a ConnectError, not a traceback."""
    with pytest.raises(ConnectError, match="no connection"):
        await connect(
            "wss://127.0.0.1:9/",
            tls=client_tls(None),
            gathering=Gathering(),
            on_message=lambda _: None,
            on_closed=lambda _: None,
        )


async def test_after_close_nothing_is_reported(tmp_path: Path) -> None:
    """Whoever closes a connection does not hear of it again; the peer gets a Close frame with 1000."""
    seen: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def behave(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"one"))
        seen.put_nowait(await peer.receive())
        await peer.send(frame(TEXT, b"two"))

    inbox = Inbox()
    async with raw_websocket(tmp_path, behave) as (url, ca_file), asyncio.timeout(10):
        connection: Connection = await connect(
            url,
            tls=client_tls(ca_file),
            gathering=Gathering(),
            on_message=inbox.message,
            on_closed=inbox.close,
        )
        while not inbox.messages:
            await asyncio.sleep(0.01)
        connection.close()
        connection.send(b"into the void")
        assert await seen.get() == (CLOSE, struct.pack(">H", 1000))
        await asyncio.sleep(0.1)
    assert inbox.messages == [b"one"] and inbox.closes == []
