"""Zoom's side of one meeting, written from protocol.md §2, §5 and §6 alone and sharing no code with rtmsd.

It is a third opinion beside the client and the simulator: what both misread alike is found here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

_MEDIA = {"audio": 1, "video": 2, "deskshare": 4, "transcript": 8, "chat": 16}
_SPEED = 3.5  # of the media clock; what was buffered before the start comes faster than real time (§5.6.2)
_WEBHOOK_HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "user-agent": "Zoom Marketplace/1.0a",
}

Message = dict[str, Any]
# When (ms after the meeting's zero), on which socket, and what.
Line = tuple[int, str, Message | bytes]


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """`zero_ms` and `event_ts` are Unix time. `script` is asked with the ms of sound that a packet shall hold."""

    uuid: str
    number: str
    stream_id: str
    event_ts: int
    zero_ms: int
    length_ms: int
    script: Callable[[int], Iterable[Line]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _keyed_hash(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


@dataclass
class _Socket:
    """One open socket; its messages go out as text, as binary and in fragments around a ping, by turns."""

    ws: web.WebSocketResponse
    transport: asyncio.Transport
    unanswered: dict[int, int] = field(default_factory=dict)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    async def send(self, message: Message | bytes) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        turn = next(self._turn)
        if turn % 5 == 4:
            self._send_fragments(data, opcode=1 + turn % 2)
        elif turn % 2:
            await self.ws.send_bytes(data)
        else:
            await self.ws.send_str(data.decode())

    def _send_fragments(self, data: bytes, *, opcode: int) -> None:
        """Write three fragments, since aiohttp writes whole messages only (RFC 6455 §5.4)."""
        cut, again = len(data) // 3, len(data) * 2 // 3
        frames = b""
        for first, part in (
            (opcode, data[:cut]),
            (0, data[cut:again]),
            (0x89, b"?"),
            (0x80, data[again:]),
        ):
            size = bytes([len(part)]) if len(part) < 126 else b"\x7e" + len(part).to_bytes(2, "big")
            frames += bytes([first]) + size + part
        self.transport.write(frames)

    async def keep_alive(self) -> None:
        for sequence in itertools.count(101, 3):
            self.unanswered[sequence] = now_ms()
            await self.send({"msg_type": 12, "sequence": sequence, "timestamp": self.unanswered[sequence]})
            await asyncio.sleep(0.3)


class IndependentZoom:
    """Serves one meeting. `complaints` are what the client did wrong, one sentence each."""

    def __init__(
        self, meeting: Meeting, *, webhook_url: str, client: tuple[str, str], webhook_secret: str
    ) -> None:
        self.url = ""
        self.connections: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.close_codes: dict[str, int | None] = {}
        self.complaints: list[str] = []
        self.meeting = meeting
        self._webhook_url = webhook_url
        self._client = client
        self._webhook_secret = webhook_secret
        self._sockets: dict[str, _Socket] = {}
        self._packet_ms = 0
        self._acknowledged = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext) -> AsyncIterator[IndependentZoom]:
        app = web.Application()
        app.add_routes([web.get("/signaling", self._signaling), web.get("/media/{kind}", self._media)])
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            self.url = f"wss://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as self._http:
                yield self
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await runner.cleanup()

    # Webhooks (§2)

    def started(self, **changed: str) -> bytes:
        payload = {
            "account_id": "AAAAAABBBB",
            "operator_id": "30R7kT7bTIKSNUFEuH_Qlg",
            "meeting_id": self.meeting.number,
            "is_original_host": True,
            "server_urls": f"{self.url}/signaling",
        }
        return self._event("meeting.rtms_started", self.meeting.event_ts, payload | changed)

    def stopped(self, reason: int) -> bytes:
        return self._event("meeting.rtms_stopped", now_ms(), {"stop_reason": reason})

    def _event(self, name: str, event_ts: int, payload: Message) -> bytes:
        ids = {"meeting_uuid": self.meeting.uuid, "rtms_stream_id": self.meeting.stream_id}
        body = {"event": name, "event_ts": event_ts, "payload": ids | payload}
        return json.dumps(body, separators=(",", ":")).encode()

    def signature(self, body: bytes, *, age_secs: int = 0) -> dict[str, str]:
        stamp = str(now_ms() // 1000 - age_secs)
        digest = _keyed_hash(self._webhook_secret, f"v0:{stamp}:".encode() + body)
        return {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={digest}"}

    async def post(self, body: bytes, signature: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Post a webhook, rightly signed unless told otherwise; return the answer's status and body."""
        headers = _WEBHOOK_HEADERS | (self.signature(body) if signature is None else signature)
        async with self._http.post(self._webhook_url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    # Sockets (§5)

    async def _signaling(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._accept("signaling", request)
        if not self._genuine(await _first(socket), 1):
            # What Zoom does in practice, without an answer (§5.2.1).
            await socket.ws.close(code=1000, message=b"Normal close")
            self._start(self._stop_soon(18))
            return socket.ws
        urls = {kind: f"{self.url}/media/{kind}" for kind in _MEDIA}
        answer = {"msg_type": 2, "protocol_version": 1, "sequence": 0, "status_code": 0, "reason": ""}
        await socket.send(answer | {"media_server": {"server_urls": urls}})
        return await self._receive("signaling", socket)

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        kind = request.match_info["kind"]
        socket = await self._accept(kind, request)
        asked = await _first(socket)
        if not self._genuine(asked, 3) or asked["media_type"] != _MEDIA[kind]:
            self.complaints.append(f"a handshake on {kind} that does not fit")
        params = asked["media_params"][kind]
        if kind == "audio":
            # RAW L16 mono at 16 kHz, of every participant (§6.7).
            wanted = {"content_type": 2, "codec": 1, "channel": 1, "data_opt": 2, "sample_rate": 1}
            if params | wanted != params or params["send_rate"] % 20:
                self.complaints.append(f"audio parameters {params}")
            self._packet_ms = params["send_rate"]
        answer = {"msg_type": 4, "protocol_version": 1, "sequence": 0, "status_code": 0, "reason": ""}
        await socket.send(answer | {"payload_encrypted": False, "media_params": {kind: params}})
        return await self._receive(kind, socket)

    async def _accept(self, name: str, request: web.Request) -> _Socket:
        self.connections[name] += 1
        # Without autoclose, since aiohttp forgets the client's code when its own Close finds nobody.
        ws = web.WebSocketResponse(compress=False, autoclose=False)
        await ws.prepare(request)
        assert request.transport is not None
        self._sockets[name] = _Socket(ws, request.transport)
        return self._sockets[name]

    def _genuine(self, message: Message, msg_type: int) -> bool:
        client_id, client_secret = self._client
        uuid, stream_id = self.meeting.uuid, self.meeting.stream_id
        expected = {
            "msg_type": msg_type,
            "protocol_version": 1,
            "sequence": 1,
            "meeting_uuid": uuid,
            "rtms_stream_id": stream_id,
            "signature": _keyed_hash(client_secret, f"{client_id},{uuid},{stream_id}".encode()),
        }
        return message | expected == message

    async def _receive(self, name: str, socket: _Socket) -> web.WebSocketResponse:
        self._start(socket.keep_alive())
        async for frame in socket.ws:
            message = json.loads(frame.data)
            match message["msg_type"]:
                case 13 if socket.unanswered.pop(message["sequence"], None) == message["timestamp"]:
                    self.answered[name] += 1
                case 5 if name == "signaling" and {2, 3, 4} <= _subscriptions(message):
                    self._subscribed.set()
                case 7 if name == "signaling" and message["rtms_stream_id"] == self.meeting.stream_id:
                    self._acknowledged.set()
                case other:
                    self.complaints.append(f"message {other} on {name} that does not fit")
        self.close_codes[name] = socket.ws.close_code
        await socket.ws.close()
        return socket.ws

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(work))

    async def _stop_soon(self, reason: int) -> None:
        await asyncio.sleep(0.5)
        await self.post(self.stopped(reason))

    async def hold_meeting(self) -> list[int]:
        """Announce the meeting three times, play it and end it; return the webhooks' status codes."""
        start = self.started()
        answers = list(await asyncio.gather(self.post(start), self.post(start)))
        async with asyncio.timeout(10):
            await self._acknowledged.wait()  # no media flows before (§5.5.1)
            await self._subscribed.wait()
        answers.append(await self.post(start))
        loop = asyncio.get_running_loop()
        began = loop.time()
        for offset_ms, name, message in sorted(
            self.meeting.script(self._packet_ms), key=lambda line: line[0]
        ):
            await asyncio.sleep(max(0.0, began + offset_ms / 1000 / _SPEED - loop.time()))
            await self._sockets[name].send(message)
        await self._all_answered()
        end = {"timestamp": self.meeting.zero_ms + self.meeting.length_ms, "reason": 6}
        stopped = {"msg_type": 9, "rtms_session_id": "a1b2", "state": 5, "stop_reason": 6}
        await self._sockets["signaling"].send(stopped | end)
        await self._sockets["signaling"].send({"msg_type": 8, "state": 4} | end)
        answers.append(await self.post(self.stopped(6)))
        return [status for status, _ in answers]

    async def _all_answered(self) -> None:
        """Send no more keep-alives, and wait for the answers to the last."""
        for task in self._tasks:
            task.cancel()
        async with asyncio.timeout(5):
            while any(socket.unanswered for socket in self._sockets.values()):
                await asyncio.sleep(0.02)


async def _first(socket: _Socket) -> Message:
    message: Message = json.loads((await socket.ws.receive(timeout=5)).data)
    return message


def _subscriptions(message: Message) -> set[int]:
    return {one["event_type"] for one in message["events"] if one["subscribe"]}
