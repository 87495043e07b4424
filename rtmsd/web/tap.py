"""A living stream over HTTP, for as long as somebody listens: phrases, JSON lines, or samples."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import structlog
from aiohttp import web
from yarl import URL

from rtmsd.config import is_loopback
from rtmsd.frames import AudioFrame, Item, MediaKind, StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.web.tap_choice import Asked, Living, check_media, choose, choose_user, read_query
from rtmsd.web.tap_lines import json_lines, text_lines
from rtmsd.web.tap_sound import BrokenOffError, FormatChangedError, Sound

MAX_TAPS = 10
"""One more is told to come back later."""

LOOK_SECS = 0.25
"""So often silence is made, and a listener that has gone is noticed."""

STALLED_SECS = 60.0
"""A listener that takes no bytes for so long is let go of."""

PIECE_BYTES = 64 * 1024
"""So much at a time has to be taken within that: who reads slowly still reads."""

CLOSING_SECS = 1.0
"""What a daemon that stops gives its listeners to take what waits."""

_ENDS: Mapping[type[Exception], str] = {
    ConnectionError: "the listener went",
    TimeoutError: "the listener took nothing any more",
    FormatChangedError: "Zoom sends another form of sound now",
    BrokenOffError: "rtmsd stops",
}


class Tap(Protocol):
    """What comes to one listener, which is slower than the meeting at its own cost. `over`: nothing more will."""

    over: bool

    @property
    def dropped(self) -> int: ...

    async def take(self, secs: float) -> Sequence[Item]:
        """Wait for the next items, no longer than `secs`."""


class Taps(Protocol):
    """Every living stream, and the media that come in it."""

    def living(self) -> Sequence[Living]: ...

    async def coming(self, secs: float) -> None:
        """Wait until a stream begins, no longer than `secs`."""

    def listening(self, stream_id: str, wants: frozenset[MediaKind]) -> AbstractContextManager[Tap]: ...

    def close(self) -> None:
        """Let all who listen come to their ends."""


class _Form(Protocol):
    """How items are written. `of` is also called when none came; `last`, when none will. `left_out` had no place."""

    @property
    def left_out(self) -> int: ...

    def of(self, items: Sequence[Item], now: float) -> bytes: ...

    def last(self) -> bytes: ...


class Tapping:
    """Answers `GET /tap`. `heard` says who was heard in a stream so far, by user id.

    `local_only`: no token protects what people say, so who calls this machine by another name than its loopback's is refused.
    Else a page in a browser here could listen, under a name of its own that leads to 127.0.0.1.
    """

    def __init__(
        self, taps: Taps, *, heard: Callable[[str], Sequence[int]], clock: Clock, local_only: bool
    ) -> None:
        self._taps = taps
        self._heard = heard
        self._clock = clock
        self._local_only = local_only
        self._deadline = math.inf  # on the loop's clock, once the daemon stops
        self._writing: set[asyncio.Timeout] = set()
        self._log = structlog.get_logger("rtmsd.web")
        self.listeners = 0

    async def close(self, _: web.Application) -> None:
        """Let everybody have what waits, and end."""
        self._deadline = asyncio.get_running_loop().time() + CLOSING_SECS
        for one in self._writing:
            if not one.expired():
                one.reschedule(self._deadline)
        self._taps.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer until the stream ends or the listener goes. There is no task besides the request's own; cancelling is safe."""
        if self._local_only and not _calls_loopback(request):
            raise web.HTTPForbidden(
                text="Without an admin token (admin.token), a tap is for those who call this machine localhost or 127.0.0.1.\n"
            )
        asked = read_query(request.query)
        if self.listeners >= MAX_TAPS:
            raise web.HTTPServiceUnavailable(
                headers={"Retry-After": "60"},
                text=f"{MAX_TAPS} listen already, and there are no more taps; end one of them.\n",
            )
        self.listeners += 1
        try:
            return await self._listen(request, asked)
        except ConnectionError:
            return web.Response()  # for nobody
        except (TimeoutError, FormatChangedError, BrokenOffError, asyncio.CancelledError) as error:
            if request.transport is not None:
                request.transport.abort()  # so that it is not taken for the end
            if isinstance(error, asyncio.CancelledError):
                raise
            return web.Response()
        finally:
            self.listeners -= 1

    async def _listen(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        stream, media = await self._stream(request, asked)
        check_media((stream, media), asked)
        log = self._log.bind(stream_id=stream.stream_id, form=asked.form)
        with self._taps.listening(stream.stream_id, asked.wants) as tap:
            log.info("tap opened")
            form: _Form | None = None
            how = "the stream ended, or rtmsd stops"
            try:
                form, response, items = await self._begin(request, asked, stream, tap)
                await response.prepare(request)
                await self._send(request, response, tap, form, items)
                return response
            except (
                ConnectionError,
                TimeoutError,
                FormatChangedError,
                BrokenOffError,
                web.HTTPException,
            ) as error:
                how = next((why for kind, why in _ENDS.items() if isinstance(error, kind)), "it was refused")
                raise
            finally:
                log.info("tap closed", why=how, dropped=tap.dropped, left_out=form.left_out if form else 0)

    async def _stream(self, request: web.Request, asked: Asked) -> Living:
        """Find the stream, or wait until it is there."""
        while (one := choose(self._taps.living(), asked)) is None:
            await self._taps.coming(LOOK_SECS)
            self._check(request)
        return one

    async def _begin(
        self, request: web.Request, asked: Asked, stream: StreamInfo, tap: Tap
    ) -> tuple[_Form, web.StreamResponse, Sequence[Item]]:
        """Give the form, the head of the answer, and the items that came already: what sound is like, only sound can tell."""
        if asked.form == "text":
            return text_lines(asked.user_id), _head("text/plain; charset=utf-8"), ()
        if asked.form == "json":
            lines = json_lines(stream, asked.user_id, samples=asked.samples)
            return lines, _head("application/x-ndjson"), ()
        while True:
            items = await tap.take(LOOK_SECS)
            if frame := next((item for item in items if isinstance(item, AudioFrame)), None):
                break
            self._check(request)
            if tap.over:
                raise web.HTTPConflict(text="The stream ended before anything was heard.\n")
        user_id = choose_user(frame.format, asked, self._heard(stream.stream_id), frame.user_id)
        form = frame.format
        head = _head(f"audio/L16;rate={form.rate};channels={form.channels};endianness=little-endian")
        head.headers["Rtmsd-Zero-Ms"] = str(frame.timestamp_ms)
        return Sound(form, user_id, frame.timestamp_ms), head, items

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        tap: Tap,
        form: _Form,
        items: Sequence[Item],
    ) -> None:
        while not tap.over:
            await self._write(request, response, form.of(items, self._clock.monotonic()))
            items = await tap.take(LOOK_SECS)
        await self._write(request, response, form.last())

    async def _write(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        """Write, and wait until the listener has room again. ConnectionError: it has gone; TimeoutError: it stands still."""
        if _gone(request):
            raise ConnectionResetError
        whole = memoryview(data)
        for at in range(0, len(data), PIECE_BYTES):
            until = min(asyncio.get_running_loop().time() + STALLED_SECS, self._deadline)
            async with asyncio.timeout_at(until) as patience:
                self._writing.add(patience)
                try:
                    await response.write(whole[at : at + PIECE_BYTES])
                finally:
                    self._writing.discard(patience)

    def _check(self, request: web.Request) -> None:
        """End when there is no reason to wait any longer."""
        if _gone(request):
            raise ConnectionResetError
        if self._deadline < math.inf:
            raise web.HTTPServiceUnavailable(text="rtmsd stops.\n")


def _head(content_type: str) -> web.StreamResponse:
    # The second is for nginx, which would hold lines back.
    return web.StreamResponse(headers={"Content-Type": content_type, "X-Accel-Buffering": "no"})


def _calls_loopback(request: web.Request) -> bool:
    try:
        return is_loopback(URL.build(scheme="http", authority=request.host).host or "")
    except ValueError:
        return False


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
