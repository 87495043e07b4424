"""A session over a WebSocket, whatever is spoken on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp

from rtmsd_transcribe.engine import EngineLost, EngineRefused, EngineStalled, Heard
from rtmsd_transcribe.engines.address import host_of
from rtmsd_transcribe.engines.dialect import BYTES_PER_SECOND, Dialect
from rtmsd_transcribe.engines.faults import http_fault
from rtmsd_transcribe.engines.window import Window

_OPEN_SECS = 10.0
_CLOSE_SECS = 2.0
# A peer that answers no ping for this long is gone, whatever TCP believes.
_HEARTBEAT_SECS = 20.0
# After our goodbye the rest is a matter of moments.
_LAST_ANSWER_SECS = 30.0
# Deepgram wants a sign of life every 3 to 5 s and hangs up after 10 (developers.deepgram.com/docs/audio-keep-alive).
_SILENCE_SECS = 4.0
# Answers that may be outstanding where each piece of sound gets one: a second of sound.
_OUTSTANDING = 10
# How far sound may run ahead where it must not be faster than real time.
_AHEAD_SECS = 0.5

_CLOSED = (
    aiohttp.WSMsgType.CLOSE,
    aiohttp.WSMsgType.CLOSING,
    aiohttp.WSMsgType.CLOSED,
    aiohttp.WSMsgType.ERROR,
)


class LiveSession:
    """One speaker's sound on one socket. `sent_secs`: how much of it was sent, as the service counts it."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, dialect: Dialect, *, real_time_only: bool
    ) -> None:
        self._socket = socket
        self._dialect = dialect
        self._window = Window(_OUTSTANDING) if dialect.lock_step else None
        self._real_time_only = real_time_only
        self._loop = asyncio.get_running_loop()
        self._due = self._last_sent = self._loop.time()
        self._finished = asyncio.Event()
        self._hung_up = False
        self.sent_secs = 0.0

    async def send(self, pcm: bytes) -> None:
        """Send sound as soon as the service may have it. After a cancellation the session is to be left."""
        await self._send_sound(self._dialect.sound(pcm))

    async def finish(self) -> None:
        """Send what was held back, then the goodbye."""
        await self._send_sound(self._dialect.rest())
        await self._say(self._dialect.goodbye)
        self._finished.set()

    async def heard(self) -> AsyncIterator[Heard]:
        """Give what the service understands, until it has answered everything.

        Raises EngineLost when the socket closes before that, EngineStalled when the rest is never answered, EngineRefused
        when the service will never work.
        """
        try:
            while not self._dialect.done:
                text = await self._receive()
                if text is None and self._hung_up:
                    raise EngineStalled(
                        f"{self._dialect.name} did not answer the rest within {_LAST_ANSWER_SECS:g} s."
                    )
                if text is None:
                    for heard in self._dialect.closed(self._socket.close_code):
                        yield heard
                    return
                if self._window:
                    self._window.leave()
                for heard in self._dialect.received(text):
                    yield heard
        finally:
            if self._window:
                self._window.shut()

    async def tend(self) -> None:
        """Say that we are there when there is no sound for seconds; hang up when the last answer does not come."""
        with suppress(EngineLost):
            while not self._finished.is_set():
                try:
                    async with asyncio.timeout_at(self._last_sent + _SILENCE_SECS):
                        await self._finished.wait()
                except TimeoutError:
                    await self._stay()
            await asyncio.sleep(_LAST_ANSWER_SECS)
            self._hung_up = True
            await self._socket.close()

    async def end(self) -> None:
        """End the session with the service, which may bill for as long as it is open, and close; within seconds."""
        with suppress(TimeoutError, EngineLost, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_CLOSE_SECS):
                if not self._finished.is_set() and not self._socket.closed:
                    await self._say(self._dialect.goodbye)
                await self._socket.close()

    async def _stay(self) -> None:
        if self._loop.time() - self._last_sent < _SILENCE_SECS:
            return  # there was sound meanwhile
        if self._dialect.keep_alive is not None:
            await self._say(self._dialect.keep_alive)
        self._last_sent = self._loop.time()

    async def _send_sound(self, pcm: bytes) -> None:
        if not pcm:
            return
        seconds = len(pcm) / BYTES_PER_SECOND
        if self._window:
            await self._window.enter()
        if self._real_time_only:
            await self._wait_for_its_time(seconds)
        await self._sent(self._socket.send_bytes(pcm))
        self.sent_secs += seconds

    async def _wait_for_its_time(self, seconds: float) -> None:
        # What was not sent during a pause is no credit: the next piece starts from now.
        self._due = max(self._due, self._loop.time()) + seconds
        ahead = self._due - _AHEAD_SECS - self._loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)

    async def _say(self, text: str) -> None:
        await self._sent(self._socket.send_str(text))

    async def _sent(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except (aiohttp.ClientError, OSError):
            # What heard() raises says more: it knows the close code.
            raise EngineLost(f"{self._dialect.name} closed the session.") from None
        self._last_sent = self._loop.time()

    async def _receive(self) -> str | None:
        """Wait for a text; None when the socket was closed."""
        while True:
            message = await self._socket.receive()
            if message.type in _CLOSED:
                return None
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)


@asynccontextmanager
async def live_session(
    http: aiohttp.ClientSession,
    url: str,
    dialect: Dialect,
    *,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    real_time_only: bool = False,
) -> AsyncIterator[LiveSession]:
    """Open a session; leaving it says goodbye to the service, also after an exception or a cancellation."""
    socket = await _connected(http, url, dialect.name, params=params, headers=headers)
    session = LiveSession(socket, dialect, real_time_only=real_time_only)
    tending = asyncio.create_task(session.tend())
    try:
        opening = dialect.opening()
        if opening is not None:
            await session._say(opening)
        yield session
    finally:
        tending.cancel()
        await session.end()
        await asyncio.gather(tending, return_exceptions=True)


async def _connected(
    http: aiohttp.ClientSession,
    url: str,
    engine: str,
    *,
    params: Mapping[str, str],
    headers: Mapping[str, str],
) -> aiohttp.ClientWebSocketResponse:
    fault: EngineLost | EngineRefused
    try:
        async with asyncio.timeout(_OPEN_SECS):
            return await http.ws_connect(
                url,
                params=params,
                headers=headers,
                heartbeat=_HEARTBEAT_SECS,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECS),
            )
    except aiohttp.WSServerHandshakeError as error:
        fault = http_fault(engine, error.status, error.headers.get("Retry-After") if error.headers else None)
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        fault = EngineLost(f"{engine} could not be reached at {host_of(url)}: {type(error).__name__}.")
    # Outside of the handler: aiohttp's error holds the request's headers, the key among them.
    raise fault
