"""A hand-made Zoom whose audio comes densely: enough to be read in bunches."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from raw_websocket import BINARY, TEXT, Peer, frame, raw_websocket

from rtmsd.frames import AudioFrame, Item, MediaKind, StreamInfo
from rtmsd.protocol.media import MediaRequest
from rtmsd.protocol.stream import StreamMachine
from rtmsd.runtime.clock import Clock
from rtmsd.streams.driver import StreamDriver
from rtmsd.streams.gathering import Gathering
from rtmsd.streams.transport import client_tls

PACKET_MS = 10
_DATA = base64.b64encode(bytes(640)).decode()


class DenseZoom:
    """One stream's server. It sends a packet every 10 ms, and after a reconnect what it could not send."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[int] = []
        self.signaling: Peer | None = None
        self.audio: Peer | None = None
        self.closed = asyncio.Event()
        """An audio socket has ended."""
        self._next_ms = Clock().wall_ms()
        self._feeding: asyncio.Task[None] | None = None

    async def behave(self, peer: Peer) -> None:
        try:
            while True:
                opcode, data = await peer.receive()
                if opcode not in (TEXT, BINARY):
                    return
                await self._answer(peer, json.loads(data))
        finally:
            if peer is self.audio:
                self.stop()
                self.closed.set()

    async def _answer(self, peer: Peer, message: dict[str, Any]) -> None:
        match message["msg_type"]:
            case 1:
                self.signaling = peer
                await say(peer, msg_type=2, status_code=0, media_server={"server_urls": {"audio": self.url}})
            case 3:
                self.stop()
                self.audio = peer
                await say(peer, msg_type=4, status_code=0)
            case 7:
                assert self.audio is not None
                self._feeding = asyncio.create_task(self._feed(self.audio))

    async def _feed(self, peer: Peer) -> None:
        while True:
            while self._next_ms <= Clock().wall_ms():
                content = {"user_id": 7, "user_name": "Ann", "timestamp": self._next_ms, "data": _DATA}
                peer.writer.write(frame(BINARY, json.dumps({"msg_type": 14, "content": content}).encode()))
                self.sent.append(self._next_ms)
                self._next_ms += PACKET_MS
            await asyncio.sleep(PACKET_MS / 1000)

    def stop(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None


async def say(peer: Peer, **message: Any) -> None:
    await peer.send(frame(TEXT, json.dumps(message).encode()))


class Listener:
    """A driver of a stream there, and what it delivered."""

    def __init__(self, zoom: DenseZoom, ca_file: Path) -> None:
        clock = Clock()
        self.items: list[Item] = []
        self.machine = StreamMachine(
            info=StreamInfo(
                app="a", product="meeting", stream_id="s", meeting_uuid="u", started_ms=clock.wall_ms()
            ),
            server_urls=[zoom.url],
            client_id="id",
            client_secret="secret",
            request=MediaRequest(kinds=frozenset({MediaKind.AUDIO}), send_rate_ms=20),
            allowed_hosts=["127.0.0.1"],
            backoff=lambda: itertools.repeat(1.0),
            wall_offset=clock.wall() - clock.monotonic(),
        )
        self.driver = StreamDriver(
            self.machine,
            tls=client_tls(ca_file),
            gathering=Gathering(),
            deliver=self.items.append,
            clock=clock,
            log=structlog.get_logger(),
        )

    @property
    def heard(self) -> list[int]:
        return [item.timestamp_ms for item in self.items if isinstance(item, AudioFrame)]


@asynccontextmanager
async def dense_zoom(tmp: Path) -> AsyncIterator[tuple[DenseZoom, Listener, asyncio.Task[Any]]]:
    """Serve, and listen: yields the server, the listener, and the task of its driver."""
    zoom = DenseZoom()
    async with raw_websocket(tmp, zoom.behave) as (url, ca_file):
        zoom.url = url
        listener = Listener(zoom, ca_file)
        running = asyncio.create_task(listener.driver.run())
        try:
            yield zoom, listener, running
        finally:
            running.cancel()
            await asyncio.wait([running])
            zoom.stop()
