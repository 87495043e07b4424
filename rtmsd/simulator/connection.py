"""One WebSocket as Zoom's side holds it: messages in, messages out through a queue, keep-alives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import ClientConnectionResetError, WSMsgType, web

from rtmsd.protocol.codes import MessageType
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.distortions import Sent
from rtmsd.simulator.faults import Faults
from rtmsd.simulator.fragments import fragments
from rtmsd.simulator.messages import Message, keep_alive

_QUEUE = 20_000  # a minute of three people's 20 ms packets, twice
_HELD_CHECK_SECS = 0.02
_LATE_SECS = 0.2
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


@dataclass(frozen=True)
class Received:
    """A message of the client; `socket` is `signaling` or the media path's last part; `at` is Unix seconds.

    `frame` is the kind of WebSocket frame that it came in: `text` or `binary`.
    """

    at: float
    socket: str
    message: Message
    frame: str


@dataclass(frozen=True)
class _Close:
    code: int
    reason: str


@dataclass(frozen=True)
class _Nothing:
    """Wakes the writer up, that it may look at the time."""


class Connection:
    """A client's socket. `kind` is `signaling`, or which media URL it came to (`audio`, `transcript`, `all`, …).

    `server` is the number of the server that it came to; `names` are what faults call it, and `faults` those of its
    stream, once it is known. Sending never waits: a client that lets 20 000 messages pile up is cut off.
    """

    def __init__(
        self,
        *,
        kind: str,
        server: int,
        websocket: web.WebSocketResponse,
        transport: asyncio.Transport,
        text: bool,
        clock: Clock,
        on_received: Callable[[Received], None],
    ) -> None:
        self.kind = kind
        self.server = server
        self.names: Sequence[str] = (kind,)
        self.faults: Faults | None = None
        self.gone = asyncio.Event()
        self._websocket = websocket
        self._transport = transport
        self._text = text
        self._clock = clock
        self._on_received = on_received
        self._outgoing: asyncio.Queue[Message | _Close | _Nothing] = asyncio.Queue()
        self._spoke_at = self._keep_alive_at = clock.monotonic()
        self._held_until = 0.0
        self._dark = self._doomed = False
        self._late: Sent | None = None
        self._sequence = 0
        self._unanswered: list[int] = []

    def send(self, message: Message) -> None:
        self._spoke_at = self._clock.monotonic()
        if self._outgoing.qsize() >= _QUEUE:
            self.abort()
            return
        self._outgoing.put_nowait(message)

    def close(self, code: int = 1000, reason: str = "Normal close") -> None:
        """Send a Close frame after everything that was sent."""
        self._outgoing.put_nowait(_Close(code, reason))

    def abort(self) -> None:
        """Drop TCP: no Close frame, no TLS goodbye, a reset on the wire. Out of the dark no reset comes before its end."""
        if self._dark:
            self._doomed = True
        else:
            self.cut()

    def cut(self) -> None:
        """Drop TCP now, also out of the dark."""
        self._held_until = 0.0
        self._dark = False
        if self._transport.is_closing():
            self._transport.abort()
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def end(self) -> None:
        """End TLS and TCP in an orderly way, but without a Close frame."""
        self._transport.close()

    @property
    def ending(self) -> bool:
        return self._transport.is_closing()

    def hold(self, seconds: float) -> None:
        """Write nothing for so long; then all that was sent meanwhile. Pings are answered nevertheless."""
        self._held_until = self._clock.monotonic() + seconds

    def darken(self, seconds: float) -> None:
        """Neither write nor read for so long, pings included; TCP stays."""
        self.hold(seconds)
        self._dark = True
        self._transport.pause_reading()
        self._outgoing.put_nowait(_Nothing())

    async def write(self) -> None:
        """Send what was queued until the close; the connection's own task. Cancelling it loses what is queued."""
        with contextlib.suppress(ClientConnectionResetError, ConnectionError):
            while True:
                message = await self._next()
                while self._clock.monotonic() < self._held_until:  # noqa: ASYNC110  # a test's clock runs faster
                    await asyncio.sleep(_HELD_CHECK_SECS)
                if self._dark:
                    self._brighten()
                if isinstance(message, _Close):
                    await self._send_late()
                    await self._websocket.close(code=message.code, message=message.reason.encode())
                    return
                if isinstance(message, dict):
                    await self._send_distorted(message)

    async def _next(self) -> Message | _Close | _Nothing:
        """Take what is to be sent next; what is held back to come late is not held back for long."""
        try:
            async with asyncio.timeout(None if self._late is None else _LATE_SECS):
                return await self._outgoing.get()
        except TimeoutError:
            await self._send_late()
            return _Nothing()

    def _brighten(self) -> None:
        self._dark = False
        if self._doomed:
            self.cut()
        elif not self.ending:
            self._transport.resume_reading()

    async def _send_distorted(self, message: Message) -> None:
        if self.faults is None:
            await self._send(message)
            return
        for sent in self.faults.distorted(message, self.names):
            # Only of media: who waits for an answer must get one, though nothing should follow it.
            media = isinstance(sent, dict) and "content" in sent
            if media and self._late is None and self.faults.hits("reordered", self.names):
                self._late = sent
                continue
            await self._send(sent)
            await self._send_late()

    async def _send_late(self) -> None:
        if self._late is not None:
            late, self._late = self._late, None
            await self._send(late)

    async def _send(self, sent: Sent) -> None:
        data = sent if isinstance(sent, bytes) else orjson.dumps(sent)
        text = self._text
        if self.faults is not None:
            mixed = self.faults.hits("mixed_frames", self.names) and self.faults.chance.random() < 0.5
            text = self.faults.hits("text_frames", self.names) or text != mixed
            if self.faults.hits("fragments", self.names):
                self._transport.write(b"".join(fragments(data, text=text, chance=self.faults.chance)))
                return
        if text and not isinstance(sent, bytes):
            await self._websocket.send_str(data.decode())
        else:
            await self._websocket.send_bytes(data)

    async def read(self) -> Message | None:
        """Give the client's next message, keep-alive answers taken out; None when the socket is gone.

        Accepts text and binary frames. What is not a JSON object comes as an empty one.
        """
        while True:
            frame = await self._websocket.receive()
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._held_until = 0.0  # nobody waits for it any more
                return None
            try:
                message = orjson.loads(frame.data)
            except orjson.JSONDecodeError:
                message = {}
            if not isinstance(message, dict):
                message = {}
            kind = "text" if frame.type is WSMsgType.TEXT else "binary"
            self._on_received(Received(self._clock.wall(), self.kind, message, kind))
            if message.get("msg_type") != MessageType.KEEP_ALIVE_RESP:
                return message
            if message.get("timestamp") in self._unanswered:
                self._unanswered.clear()

    def keep_alive(self, now: float, *, every_secs: float, misses: int, only_idle: bool) -> bool:
        """Ask for a sign of life when it is time; False when as many as `misses` have gone unanswered."""
        since = max(self._keep_alive_at, self._spoke_at) if only_idle else self._keep_alive_at
        if now - since < every_secs:
            return True
        if len(self._unanswered) >= misses:
            return False
        self._sequence += 1
        timestamp_ms = self._clock.wall_ms()
        self._unanswered.append(timestamp_ms)
        self._keep_alive_at = now
        self.send(keep_alive(self._sequence, timestamp_ms))
        return True
