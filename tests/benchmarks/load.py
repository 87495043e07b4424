"""The load: Zoom's side of many streams at once, 20 ms packets at real-time pace, as cheaply as it can be done.

A process of its own. It is told what to do by JSON lines on stdin and answers each with one JSON line:
`{"begin": n, "webhook": url | null}` announces n streams, `{"wait": secs}` answers when all of them flow,
`{"report": true}` says what was sent and how late, `{"end": true}` ends all streams.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from rtmsd.protocol.signature import webhook_signature
from rtmsd.simulator.certificates import server_tls

PACKET_MS = 20
PACKET_BYTES = 640
PHASES = 80
PHASE_SECS = PACKET_MS / PHASES / 1000
LATE_SECS = 0.02
WEBHOOK_SECRET = "the-secret-token-of-the-load"
CLIENT_ID = "load-client-id"
CLIENT_SECRET = "the-client-secret-of-the-load"

_noise = base64.b64encode(random.Random(5).randbytes(PACKET_BYTES)).decode()
_HEAD = (
    '{"msg_type":14,"content":{"user_id":16778240,"user_name":"Ann Host","data":"'
    + _noise
    + f'","length":{PACKET_BYTES},"timestamp":'
).encode()


class Stream:
    """One stream: its sockets, and what was sent on it."""

    def __init__(self) -> None:
        self.media: WSTransport | None = None
        self.signaling: WSTransport | None = None
        self.flowing = False
        self.sent = 0
        self.next_ms = 0


class Load:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.streams: dict[str, Stream] = {}
        self._by_phase: list[list[Stream]] = [[] for _ in range(PHASES)]
        self.ticks = 0
        self.late_ticks = 0
        self.worst_late = 0.0
        self.run = 0
        self._cpu_from = 0.0
        self._from = 0.0

    # Sockets

    def accept(self, request: WSUpgradeRequest) -> WSListener:
        return Socket(self, request.path.decode())

    def hello(self, transport: WSTransport, path: str, message: dict[str, Any]) -> None:
        """Answer a handshake or an ACK; everything else (keep-alives, subscriptions) needs none."""
        kind = message.get("msg_type")
        if kind == 1:
            stream_id = message["rtms_stream_id"]
            self.streams[stream_id].signaling = transport
            urls = dict.fromkeys(("audio", "transcript"), f"{self.base_url}/media/{stream_id}")
            answer = {"msg_type": 2, "protocol_version": 1, "sequence": 0, "status_code": 0, "reason": ""}
            transport.send(
                WSMsgType.BINARY, json.dumps(answer | {"media_server": {"server_urls": urls}}).encode()
            )
        elif kind == 3:
            if message["media_type"] == 1:
                self.streams[message["rtms_stream_id"]].media = transport
            answer = {"msg_type": 4, "protocol_version": 1, "sequence": 0, "status_code": 0, "reason": ""}
            params = {"payload_encrypted": False, "media_params": message["media_params"]}
            transport.send(WSMsgType.BINARY, json.dumps(answer | params).encode())
        elif kind == 7:
            self.flow(self.streams[message["rtms_stream_id"]])

    def flow(self, stream: Stream) -> None:
        stream.flowing = True
        stream.next_ms = int(time.time() * 1000)

    def gone(self, transport: WSTransport) -> None:
        for stream in self.streams.values():
            if stream.media is transport:
                stream.flowing = False

    # Time

    async def pace(self) -> None:
        """Send each stream's packets at its own phase, as independent meetings do: 80 phases in 20 ms.

        The loop's own timers know no less than a millisecond; twenty packets at once would let the client do in one
        round what it really does in twenty.
        """
        at = time.monotonic()
        while True:
            at += PHASE_SECS
            rest = at - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            else:
                self.worst_late = max(self.worst_late, -rest)
                self.late_ticks += -rest > LATE_SECS
            await asyncio.sleep(0)
            self.ticks += 1
            self._tick(self.ticks % PHASES)

    def _tick(self, phase: int) -> None:
        for stream in self._by_phase[phase]:
            if stream.flowing and stream.media is not None:
                stream.media.send(WSMsgType.BINARY, _HEAD + str(stream.next_ms).encode() + b"}}")
                stream.next_ms += PACKET_MS
                stream.sent += 1

    async def keep_alive(self) -> None:
        while True:
            await asyncio.sleep(10)
            message = json.dumps(
                {"msg_type": 12, "sequence": 1, "timestamp": int(time.time() * 1000)}
            ).encode()
            for stream in self.streams.values():
                for transport in (stream.signaling, stream.media if stream.signaling else None):
                    if transport is not None and not transport.is_disconnected:
                        transport.send(WSMsgType.BINARY, message)

    # Commands

    async def begin(self, number: int, webhook: str | None) -> dict[str, Any]:
        self.run += 1
        ids = [f"{self.run:08x}{index:024x}" for index in range(number)]
        self.streams = {stream_id: Stream() for stream_id in ids}
        streams = list(self.streams.values())
        self._by_phase = [streams[phase::PHASES] for phase in range(PHASES)]
        if webhook is not None:
            async with aiohttp.ClientSession() as http:
                for stream_id in ids:
                    await self._announce(http, webhook, stream_id)
        return {"ids": ids}

    async def _announce(self, http: aiohttp.ClientSession, webhook: str, stream_id: str) -> None:
        payload = {
            "meeting_id": str(80_000_000_000 + int(stream_id[8:], 16)),
            "meeting_uuid": f"uuid-{stream_id}",
            "rtms_stream_id": stream_id,
            "server_urls": f"{self.base_url}/signaling",
        }
        event = {"event": "meeting.rtms_started", "event_ts": int(time.time() * 1000), "payload": payload}
        body = json.dumps(event).encode()
        timestamp = str(int(time.time()))
        signature = webhook_signature(secret=WEBHOOK_SECRET, timestamp=timestamp, body=body)
        headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": signature}
        async with http.post(webhook, data=body, headers=headers) as answer:
            assert answer.status == 200, answer.status

    async def wait(self, secs: float) -> dict[str, Any]:
        """Answer when every stream flows; measure from then on."""
        end = time.monotonic() + secs
        while not all(stream.flowing for stream in self.streams.values()) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        self.late_ticks = self.ticks = 0
        self.worst_late = 0.0
        self._cpu_from, self._from = _cpu(), time.monotonic()
        return {"flowing": sum(stream.flowing for stream in self.streams.values())}

    def report(self) -> dict[str, Any]:
        busy = (_cpu() - self._cpu_from) / max(1e-9, time.monotonic() - self._from)
        return {
            "sent": sum(stream.sent for stream in self.streams.values()),
            "late_share": self.late_ticks / max(1, self.ticks),
            "worst_late_secs": self.worst_late,
            "busy": busy,
        }

    def end(self) -> dict[str, Any]:
        now_ms = int(time.time() * 1000)
        message = json.dumps({"msg_type": 8, "state": 4, "reason": 6, "timestamp": now_ms}).encode()
        for stream in self.streams.values():
            stream.flowing = False
            if stream.signaling is not None and not stream.signaling.is_disconnected:
                stream.signaling.send(WSMsgType.BINARY, message)
        return {"sent": sum(stream.sent for stream in self.streams.values())}


class Socket(WSListener):
    def __init__(self, load: Load, path: str) -> None:
        self._load = load
        self._path = path

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self._path.startswith("/bare/"):
            stream = self._load.streams[self._path.removeprefix("/bare/")]
            stream.media = transport
            self._load.flow(stream)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._load.hello(transport, self._path, json.loads(frame.get_payload_as_bytes()))
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._load.gone(transport)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main(ca_file: Path) -> None:
    tls = server_tls(ca_file, host="127.0.0.1", unix_seconds=time.time())
    load = Load("")
    server = await ws_create_server(load.accept, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    load.base_url = f"wss://127.0.0.1:{port}"
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    tasks = [asyncio.create_task(load.pace()), asyncio.create_task(load.keep_alive())]
    print(json.dumps({"base_url": load.base_url}), flush=True)
    while line := await reader.readline():
        command = json.loads(line)
        if "begin" in command:
            answer = await load.begin(command["begin"], command.get("webhook"))
        elif "wait" in command:
            answer = await load.wait(command["wait"])
        elif "report" in command:
            answer = load.report()
        else:
            answer = load.end()
        print(json.dumps(answer), flush=True)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
