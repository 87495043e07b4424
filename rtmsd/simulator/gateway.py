"""The TLS server: takes WebSockets, and keeps what came over them for tests to look at."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.connection import Connection, Received
from rtmsd.simulator.media import serve_media
from rtmsd.simulator.media_socket import URL_KEYS
from rtmsd.simulator.serving import serving, upgraded
from rtmsd.simulator.signaling import serve_signaling
from rtmsd.simulator.stream import Stream

_BIGGEST_MESSAGE = 1 << 20


class Gateway:
    """Signaling at `/signaling`, media at `/media/…`, all of them on one port; those of the second server, which takes
    a stream over when the first has died, below `/server1`, and so on.

    `base_url` is where all this can be reached; `find` knows living streams by their id. `received` holds every message
    of every client, `connections` how many sockets were opened of each kind.
    """

    def __init__(
        self, *, find: Callable[[object], Stream | None], clock: Clock, handshake_secs: float, text: bool
    ) -> None:
        self.base_url = ""
        self.received: list[Received] = []
        self.connections: Counter[str] = Counter()
        self._find = find
        self._clock = clock
        self._handshake_secs = handshake_secs
        self._text = text
        self._live: set[Connection] = set()

    @asynccontextmanager
    async def listening(self, address: tuple[str, int], tls: ssl.SSLContext) -> AsyncIterator[int]:
        """Listen; gives the port. Leaving drops every socket. Raises OSError when the address is taken."""
        app = web.Application()
        for server in ("", r"/server{server:[1-9]\d{0,3}}"):
            app.router.add_get(server + "/signaling", self._serve_signaling)
            app.router.add_get(server + "/media/{kind}", self._serve_media)
        async with serving(app, address, tls=tls, shutdown_secs=2.0) as port:
            try:
                yield port
            finally:
                self.abort_all()

    def abort_all(self) -> None:
        for connection in list(self._live):
            connection.cut()

    def signaling_url(self, server: int) -> str:
        return f"{self._at(server)}/signaling"

    def media_urls(self, server: int) -> dict[str, str]:
        return {name: f"{self._at(server)}/media/{name}" for name in (*URL_KEYS.values(), "all")}

    def _at(self, server: int) -> str:
        return f"{self.base_url}/server{server}" if server else self.base_url

    async def _serve_signaling(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(
            request,
            "signaling",
            lambda connection: serve_signaling(
                connection,
                find=self._find,
                server_urls=self.media_urls(connection.server),
                handshake_secs=self._handshake_secs,
                clock=self._clock,
            ),
        )

    async def _serve_media(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(
            request,
            request.match_info["kind"],
            lambda connection: serve_media(
                connection, find=self._find, handshake_secs=self._handshake_secs, clock=self._clock
            ),
        )

    async def _serve(
        self, request: web.Request, kind: str, life: Callable[[Connection], Awaitable[None]]
    ) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False, max_msg_size=_BIGGEST_MESSAGE, timeout=2.0)
        transport = await upgraded(websocket, request)
        if transport is None:
            return websocket
        connection = Connection(
            kind=kind,
            server=int(request.match_info.get("server", 0)),
            websocket=websocket,
            transport=transport,
            text=self._text,
            clock=self._clock,
            on_received=self.received.append,
        )
        self.connections[kind] += 1
        self._live.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.write())
                await life(connection)
                connection.close()
        finally:
            self._live.discard(connection)
            connection.gone.set()
        return websocket
