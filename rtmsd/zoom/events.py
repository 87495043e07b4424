"""Zoom's event WebSocket: events for machines that no webhook can reach (protocol.md §2.4)."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
import structlog
from yarl import URL

from rtmsd.errors import JournalError, RtmsdError
from rtmsd.runtime.backoff import backoff
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.event_losses import AGAIN, MOST_BYTES, REDIRECTS, Lost, end_of, not_upgraded, unreachable
from rtmsd.zoom.event_messages import HEARTBEAT, Kind, read_message
from rtmsd.zoom.meetings import Tokens
from rtmsd.zoom.oauth import Token

HEARTBEAT_SECS = 30.0
SILENCE_SECS = 65.0
"""Two heartbeats went unanswered: the connection is dead, whatever TCP thinks."""

CONNECT_SECS = 10.0
GREETING_SECS = 10.0
"""How long Zoom has to take or refuse a connection; without a word from it the connection counts as taken (a guess)."""

LASTED_SECS = 60.0
"""A connection that lived this long was a good one: the next loss is not the fault of the same cause."""

DELAYS_SECS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Between tries; the last goes on."""

_CLOSE_SECS = 1.0


@dataclass
class EventSocketState:
    """How an event WebSocket fares, for the status page. Times are Unix ms; `problem` is the last one, solved or not."""

    connected_since_ms: int | None = None
    last_event_ms: int | None = None
    problem: str = ""
    problem_ms: int | None = None
    connections: int = 0
    events: int = 0
    not_kept: int = 0
    malformed: int = 0
    unknown: int = 0


class EventSocket:
    """One event subscription of one app.

    `on_event` gets the JSON text of each event, as the body of Zoom's webhook would be, one after the other; it may raise
    JournalError, anything else ends `run`. Zoom delivers nothing twice and nothing that happened while nobody was
    connected: `on_gap` is called, without waiting, when events may have been missed and the connection is there again.
    The access token is part of the address that is connected to, and stands nowhere else.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        events_url: str,
        subscription_id: str,
        tokens: Tokens,
        on_event: Callable[[bytes], Awaitable[None]],
        clock: Clock,
        chance: random.Random,
        tls: ssl.SSLContext | None = None,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self._session = session
        self._url = URL(events_url).update_query(subscriptionId=subscription_id)
        self._tokens = tokens
        self._on_event = on_event
        self._clock = clock
        self._chance = chance
        self._tls = tls
        self._on_gap = on_gap
        self._missed = False
        self._delays = backoff(chance, DELAYS_SECS)
        self._told = ""
        self._warned = False
        self._log = structlog.get_logger("rtmsd.zoom").bind(subscription=subscription_id)
        self.state = EventSocketState()

    async def run(self) -> NoReturn:
        """Be connected, again and again, until cancelled, which closes the socket within a second."""
        # The caller's connections, and nothing else of its session: whatever traces requests there would see the token.
        async with aiohttp.ClientSession(
            connector=self._session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._session.trust_env,
            timeout=aiohttp.ClientTimeout(total=None),
            middlewares=[_nowhere_else],
        ) as session:
            while True:
                self._tell(await self._until_lost(session))
                self._missed = True
                await asyncio.sleep(next(self._delays))

    async def _until_lost(self, session: aiohttp.ClientSession) -> str:
        """Connect, once more with a new token if the first is refused; say in the end why there is no connection."""
        for last in (False, True):
            try:
                token = await self._tokens.token()
            except RtmsdError as error:
                return f"No access token for Zoom's event WebSocket: {error}"
            try:
                async with self._opened(session, token) as websocket:
                    await self._live(websocket)
            except Lost as lost:
                if last or not lost.refused:
                    return str(lost)
                self._tokens.refused(token)
        raise AssertionError("the second try returns")

    @asynccontextmanager
    async def _opened(
        self, session: aiohttp.ClientSession, token: Token
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        try:
            async with asyncio.timeout(CONNECT_SECS):
                websocket = await session.ws_connect(
                    self._url.update_query(access_token=token.secret.reveal()),
                    max_msg_size=MOST_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECS),
                    ssl=self._tls if self._tls is not None else True,
                )
        except aiohttp.WSServerHandshakeError as error:
            # Never chained: the text of aiohttp's errors holds the address, and so the token.
            raise not_upgraded(error.status) from None
        except TimeoutError:
            raise unreachable(f"no answer within {CONNECT_SECS:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(f"no connection ({type(error).__name__})") from None
        try:
            yield websocket
        finally:
            await websocket.close()

    async def _live(self, websocket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        """Take events for as long as the connection lives."""
        try:
            greeting: aiohttp.WSMessage | None = await websocket.receive(GREETING_SECS)
        except TimeoutError:
            greeting = None
        if greeting is not None and (lost := end_of(greeting)):
            raise lost
        since = self._clock.monotonic()
        self._connected()
        try:
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(_beat(websocket), name="event-heartbeat")
                lost = await self._listen(websocket, greeting)
                beating.cancel()
        finally:
            self.state.connected_since_ms = None
            if self._clock.monotonic() - since >= LASTED_SECS:
                self._delays = backoff(self._chance, DELAYS_SECS)
        raise lost

    async def _listen(
        self, websocket: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage | None
    ) -> Lost:
        while True:
            if message is not None:
                if lost := end_of(message):
                    return lost
                await self._take(message.data)
            try:
                message = await websocket.receive(SILENCE_SECS)
            except TimeoutError:
                return Lost(
                    f"Zoom's event WebSocket was silent for {SILENCE_SECS:.0f} s, though it has to answer heartbeats. {AGAIN}"
                )

    async def _take(self, data: str | bytes) -> None:
        message = read_message(data)
        if message.kind is Kind.MALFORMED:
            self.state.malformed += 1
            if not self._warned:  # once for a connection
                self._warned = True
                self._log.warning("an event could not be read: it is no JSON of Zoom's form", bytes=len(data))
        elif message.kind is Kind.UNKNOWN:
            self.state.unknown += 1
        elif message.kind is Kind.EVENT:
            self.state.events += 1
            self.state.last_event_ms = self._clock.wall_ms()
            try:
                await self._on_event(message.event)
            except JournalError as error:
                self.state.not_kept += 1
                self._log.error(
                    "an event is lost, since Zoom sends none twice: the journal could not keep it",
                    error=str(error),
                )
                self._gap()

    def _connected(self) -> None:
        self.state.connected_since_ms = self._clock.wall_ms()
        self.state.connections += 1
        self._told = ""
        self._warned = False
        self._log.info("event WebSocket connected")
        if self._missed:
            self._gap()

    def _gap(self) -> None:
        if self._on_gap is not None:
            self._on_gap()

    def _tell(self, sentence: str) -> None:
        """Log a problem once, however often it is met before the next connection."""
        self.state.problem = sentence
        self.state.problem_ms = self._clock.wall_ms()
        if sentence != self._told:
            self._told = sentence
            self._log.warning(sentence)


async def _beat(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Send heartbeats. On a connection that breaks it stops: whoever reads learns of it."""
    try:
        while True:
            await asyncio.sleep(HEARTBEAT_SECS)
            await websocket.send_str(HEARTBEAT)
    except (aiohttp.ClientError, OSError):
        return


async def _nowhere_else(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Follow no redirect: nobody is to learn the token but the address that was configured."""
    response = await handler(request)
    if response.status in REDIRECTS:
        response.close()
        raise not_upgraded(response.status)
    return response
