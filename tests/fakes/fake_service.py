"""What the fakes of transcription services have in common: a server on this machine, its faults, what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import WSMsgType, web
from coded_speech import Ear

Value = TypeVar("Value")

KEY = "key-that-nobody-may-see"


@dataclass
class Faults:
    """What goes wrong. Lists are used up, one for each connection or request; None means that this one goes well."""

    statuses: list[int | None] = field(default_factory=list)  # HTTP status instead of an answer
    retry_after: str | None = None  # sent with them
    drop_after_secs: list[float | None] = field(
        default_factory=list
    )  # cut the connection after so much sound
    slow_secs: float = 0.0  # before each answer
    mute: bool = False  # answer nothing any more
    lifetime_secs: list[float | None] = field(default_factory=list)  # after which a session expires


@dataclass
class Session:
    """One connection as the service saw it."""

    ear: Ear = field(default_factory=Ear)
    said_goodbye: bool = False
    closed: bool = False
    keep_alives: int = 0
    close_code: int | None = None  # ours, if we closed for a broken rule
    words_given: int = 0

    @property
    def secs(self) -> float:
        return self.ear.secs


def used_up(values: list[Value | None]) -> Value | None:
    return values.pop(0) if values else None


class FakeService:
    """A server for one engine; subclasses say what it answers. `sessions`: all that there were."""

    path = "/"

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.sessions: list[Session] = []
        self.address = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeService]:
        app = web.Application(client_max_size=30 * 2**20)
        app.router.add_route("*", self.path, self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.address = f"{host}:{port}{self.path}"
            yield self
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    def _failing(self) -> web.Response | None:
        status = used_up(self.faults.statuses)
        if status is None:
            return None
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after else {}
        return web.Response(status=status, headers=headers)


class FakeLiveService(FakeService):
    """One that speaks over WebSockets."""

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        refusal = self._failing() or self._refused(request)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        session = Session()
        self.sessions.append(session)
        try:
            await self._converse(request, socket, session)
        finally:
            session.closed = True
        return socket

    def _refused(self, request: web.Request) -> web.Response | None:
        return None

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse, session: Session) -> None:
        raise NotImplementedError

    async def say(self, socket: web.WebSocketResponse, message: dict[str, object]) -> None:
        if self.faults.mute:
            return
        if self.faults.slow_secs:
            await asyncio.sleep(self.faults.slow_secs)
        if not socket.closed:
            await socket.send_json(message)

    async def close(self, socket: web.WebSocketResponse, session: Session, code: int, why: str = "") -> None:
        session.close_code = code
        await socket.close(code=code, message=why.encode())


def dropped(request: web.Request, session: Session, after_secs: float | None) -> bool:
    """Cut the connection as a broken network does, if so much sound has come."""
    if after_secs is None or session.secs < after_secs:
        return False
    assert request.transport is not None
    request.transport.abort()
    return True


ENDED = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
