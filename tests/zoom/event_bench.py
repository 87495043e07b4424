"""An event WebSocket between rtmsd and the simulator: real sockets and TLS, time twenty times as fast."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from fast_time import FastClock, run_fast

from rtmsd.config import Secret
from rtmsd.errors import RtmsdError
from rtmsd.simulator.certificates import server_tls
from rtmsd.simulator.event_socket import EventSockets
from rtmsd.zoom.events import EventSocket
from rtmsd.zoom.oauth import Token

SPEED = 20.0
SUBSCRIPTION = "uFW_y8bCS8ahbilhNZNRsQ"
TOKEN = "eyJhbGciOiJIUzUxMiJ9.token+of/hush"  # with characters that an address has to encode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def fast(scenario: Awaitable[None]) -> None:
    """Run a scenario; 900 of its seconds are the end of every patience."""

    async def bounded() -> None:
        async with asyncio.timeout(900):
            await scenario
        left = [task.get_name() for task in asyncio.all_tasks()]
        assert "event-heartbeat" not in left

    run_fast(bounded(), SPEED)


async def until(true: Callable[[], object]) -> None:
    """Wait for something to become true."""
    while not true():
        await asyncio.sleep(0.1)


class FakeTokens:
    """Tokens with a number each: a new one after each that was refused. Raises what is in `errors` first."""

    def __init__(self) -> None:
        self.number = 1
        self.asked = 0
        self.errors: list[RtmsdError] = []

    async def token(self) -> Token:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return Token(Secret(f"{TOKEN}-{self.number}"), renew_at=1e12)

    def refused(self, token: Token) -> None:
        if token.secret.reveal() == f"{TOKEN}-{self.number}":
            self.number += 1


class Zoom:
    """Both ends. `good` are the numbers of the tokens that Zoom takes; `received` the events that came through."""

    def __init__(self, session: aiohttp.ClientSession, tls: ssl.SSLContext, clock: FastClock) -> None:
        self.good = set(range(1, 100))
        self.sockets = EventSockets(may_connect=self._may_connect)
        self.tokens = FakeTokens()
        self.received: list[bytes] = []
        self.gaps = 0
        self.url = ""
        self.session = session
        self.tls = tls
        self.server_tls: ssl.SSLContext | None = None
        self.clock = clock

    def client(
        self, *, on_event: Callable[[bytes], Awaitable[None]] | None = None, url: str = ""
    ) -> EventSocket:
        return EventSocket(
            session=self.session,
            events_url=url or self.url,
            subscription_id=SUBSCRIPTION,
            tokens=self.tokens,
            on_event=on_event or self._on_event,
            clock=self.clock,
            chance=random.Random(7),
            tls=self.tls,
            on_gap=self._on_gap,
        )

    async def send(self, event: bytes) -> bool:
        return await self.sockets.send(SUBSCRIPTION, event)

    def _may_connect(self, subscription_id: str, access_token: str) -> bool:
        token, _, number = access_token.rpartition("-")
        return (subscription_id, token) == (SUBSCRIPTION, TOKEN) and int(number) in self.good

    async def _on_event(self, event: bytes) -> None:
        self.received.append(event)

    def _on_gap(self) -> None:
        self.gaps += 1


@asynccontextmanager
async def zoom(tmp: Path, handler: Handler | None = None) -> AsyncIterator[Zoom]:
    """Serve Zoom's side at `/ws`, or `handler` there instead of the simulator."""
    clock = FastClock(SPEED)
    tls = server_tls(tmp / "ca.pem", host="localhost", unix_seconds=clock.wall())
    async with aiohttp.ClientSession() as session:
        both = Zoom(session, ssl.create_default_context(cafile=tmp / "ca.pem"), clock)
        both.server_tls = tls
        application = web.Application()
        application.router.add_get("/ws", handler or both.sockets.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
        await runner.setup()
        await web.TCPSite(runner, "localhost", 0, ssl_context=tls).start()
        both.url = f"wss://localhost:{runner.addresses[0][1]}/ws"
        try:
            yield both
        finally:
            both.sockets.drop()
            await runner.cleanup()


@asynccontextmanager
async def running(client: EventSocket) -> AsyncIterator[EventSocket]:
    """Run a client until the context ends; what it raises comes out."""
    task = asyncio.create_task(client.run(), name="event-socket")
    try:
        yield client
    finally:
        task.cancel()
        [end] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError), end
