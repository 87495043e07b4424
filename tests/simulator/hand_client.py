"""A client written for these tests alone: it says what it is told to, and keeps all that it hears."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp

from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Simulator

SPEED = 10


class FastClock(Clock):
    """Time that runs ten times as fast."""

    def __init__(self) -> None:
        self._from = super().monotonic()
        self._wall_from = super().wall()

    def monotonic(self) -> float:
        return (super().monotonic() - self._from) * SPEED

    def wall(self) -> float:
        return self._wall_from + self.monotonic()


class Socket:
    """One WebSocket with everything that came over it; `closed` is the close code once it is gone."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.heard: list[dict[str, Any]] = []
        self.kinds: set[aiohttp.WSMsgType] = set()
        self.answers_keep_alives = True
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self.websocket:
            self.kinds.add(frame.type)
            message = json.loads(frame.data)
            if message["msg_type"] == 12 and self.answers_keep_alives:
                await self.say(
                    {"msg_type": 13, "sequence": message["sequence"], "timestamp": message["timestamp"]}
                )
            self.heard.append(message)

    async def say(self, message: dict[str, Any]) -> None:
        """Speak as the official client does: pretty-printed, in a binary frame."""
        await self.websocket.send_bytes((json.dumps(message, indent="\t") + "\n").encode())

    def of(self, *msg_types: int) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["msg_type"] in msg_types]

    async def next(self, msg_type: int) -> dict[str, Any]:
        """Wait for the first message of a type."""
        await until(lambda: bool(self.of(msg_type)) or self._task.done())
        assert self.of(msg_type), (
            f"no message {msg_type} before the socket closed with {self.websocket.close_code}"
        )
        return self.of(msg_type)[0]

    async def gone(self) -> int | None:
        """Wait until the socket is closed; give the close code."""
        async with asyncio.timeout(10):
            await asyncio.wait([self._task])
        return self.websocket.close_code


class HandClient:
    """Enter it with a simulator; it learns of the meeting from the webhooks that it is given."""

    def __init__(self, simulator: Simulator, *, secret: str | None = None) -> None:
        self.simulator = simulator
        self.started: dict[str, Any] = {}
        self.secret = secret or simulator.client_secret
        self._sockets: list[Socket] = []

    async def __aenter__(self) -> HandClient:
        self._tls = ssl.create_default_context(cafile=str(self.simulator.ca_file))
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets:
            await socket.websocket.close()
            await socket.gone()
        await self._session.close()

    async def socket(self, url: str) -> Socket:
        websocket = await self._session.ws_connect(url, ssl=self._tls)
        socket = Socket(websocket)
        self._sockets.append(socket)
        return socket

    def handshake(self, msg_type: int, **more: object) -> dict[str, Any]:
        uuid, stream = self.started["meeting_uuid"], self.started["rtms_stream_id"]
        text = f"{self.simulator.client_id},{uuid},{stream}".encode()
        signature = hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        return {
            "msg_type": msg_type,
            "protocol_version": 1,
            "sequence": 4711,
            "meeting_uuid": uuid,
            "rtms_stream_id": stream,
            "signature": signature,
            **more,
        }

    async def signaling(self, **more: object) -> Socket:
        socket = await self.socket(self.started["server_urls"])
        await socket.say(self.handshake(1, **more))
        return socket

    async def media(self, signaling: Socket, name: str, media_type: int, params: object = None) -> Socket:
        urls = (await signaling.next(2))["media_server"]["server_urls"]
        socket = await self.socket(urls[name])
        await socket.say(self.handshake(3, media_type=media_type, media_params=params))
        return socket

    async def ready(self, signaling: Socket) -> None:
        await signaling.say({"msg_type": 7, "rtms_stream_id": self.started["rtms_stream_id"]})

    async def subscribe(self, signaling: Socket) -> None:
        events = [{"event_type": kind, "subscribe": True} for kind in (2, 3, 4)]
        await signaling.say({"msg_type": 5, "events": events})

    async def join(self, params: object = None) -> tuple[Socket, Socket, Socket]:
        """Do the whole handshake with audio and transcripts."""
        signaling = await self.signaling()
        audio = await self.media(signaling, "audio", 1, params)
        transcript = await self.media(signaling, "transcript", 8)
        assert (await audio.next(4))["status_code"] == (await transcript.next(4))["status_code"] == 0
        await self.ready(signaling)
        await self.subscribe(signaling)
        return signaling, audio, transcript


def audio_of(socket: Socket) -> dict[int, list[tuple[int, bytes]]]:
    """Collect the packets of an audio socket by user: (timestamp, samples)."""
    tracks: dict[int, list[tuple[int, bytes]]] = {}
    for message in socket.of(14):
        content = message["content"]
        samples = base64.b64decode(content["data"])
        assert content["length"] == len(samples)
        tracks.setdefault(content["user_id"], []).append((content["timestamp"], samples))
    return tracks


async def until(true: Callable[[], bool]) -> None:
    """Wait, at most 10 s, for something to become true."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
