"""Zoom's event WebSocket: events for whoever connects, instead of webhooks (protocol.md §2.4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, NamedTuple

import orjson
from aiohttp import WSMsgType, web

from rtmsd.simulator.serving import upgraded

_BIGGEST_MESSAGE = 64 * 1024
_CLOSE_SECS = 1.0

HEARTBEAT_WITHIN_SECS = 60.0
"""A client that sends no heartbeat for so long is closed. Zoom says 30 s; how much it bears is a guess."""

Refusal = Literal["status", "message"]


class _Connection(NamedTuple):
    websocket: web.WebSocketResponse
    transport: asyncio.Transport


class EventSockets:
    """The event WebSockets of all subscriptions, one connection each: a second one closes the first.

    `handle` serves a GET of the address with `subscriptionId` and `access_token`, which `may_connect` judges; so an access
    log of the server that uses it would hold tokens. Nothing is delivered twice, nor to nobody. `refusal`: how a wrong token
    is answered, with HTTP 401 (a guess) or with a message after the upgrade (Zoom's forum, thread 69974).

    `connections` and `heartbeats` count by subscription; `refused` counts tokens that were not taken.
    """

    def __init__(self, *, may_connect: Callable[[str, str], bool]) -> None:
        self.refusal: Refusal = "status"
        self.connections: Counter[str] = Counter()
        self.heartbeats: Counter[str] = Counter()
        self.refused = 0
        self._may_connect = may_connect
        self._open: dict[str, _Connection] = {}
        self._silent_until = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection for as long as it lives."""
        subscription = request.query.get("subscriptionId", "")
        allowed = self._may_connect(subscription, request.query.get("access_token", ""))
        if not allowed:
            self.refused += 1
            if self.refusal == "status":
                return web.Response(status=401)
        websocket = web.WebSocketResponse(compress=False, max_msg_size=_BIGGEST_MESSAGE, timeout=_CLOSE_SECS)
        transport = await upgraded(websocket, request)
        if transport is None:
            return websocket
        if not allowed:
            await _say(websocket, module="build_connection", success=False, content="Invalid Token")
            await websocket.close()
            return websocket
        await self._serve(subscription, _Connection(websocket, transport))
        return websocket

    async def send(self, subscription_id: str, body: bytes) -> bool:
        """Deliver an event, given as JSON; False when nobody is connected, and then it is lost."""
        connection = self._open.get(subscription_id)
        if connection is None or self._silent:
            return False
        return await _say(connection.websocket, module="message", content=body.decode(), header={})

    # What tests make Zoom do. All of it to every connection.

    def drop(self) -> None:
        """Cut the connections, without a word."""
        for connection in self._open.values():
            connection.transport.abort()

    def silent(self, secs: float) -> None:
        """Say nothing for a while, as if the network had died: no events, no answers to heartbeats, no greeting."""
        self._silent_until = asyncio.get_running_loop().time() + secs

    async def send_raw(self, text: str) -> None:
        """Send a message that need not be one of Zoom's."""
        for connection in list(self._open.values()):
            with suppress(ConnectionError):
                await connection.websocket.send_str(text)

    @property
    def _silent(self) -> bool:
        return asyncio.get_running_loop().time() < self._silent_until

    async def _serve(self, subscription: str, connection: _Connection) -> None:
        self.connections[subscription] += 1
        before = self._open.get(subscription)
        self._open[subscription] = connection
        try:
            if before is not None:
                await before.websocket.close()
            await self._answer(connection.websocket, "build_connection", "ok")
            await self._listen(subscription, connection.websocket)
        finally:
            if self._open.get(subscription) is connection:
                del self._open[subscription]

    async def _listen(self, subscription: str, websocket: web.WebSocketResponse) -> None:
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(HEARTBEAT_WITHIN_SECS) as patience:
                async for message in websocket:
                    if message.type is WSMsgType.TEXT and _is_heartbeat(message.data):
                        self.heartbeats[subscription] += 1
                        patience.reschedule(now() + HEARTBEAT_WITHIN_SECS)
                        await self._answer(websocket, "heartbeat", "live")
        except TimeoutError:
            await websocket.close()

    async def _answer(self, websocket: web.WebSocketResponse, module: str, content: str) -> None:
        if not self._silent:
            await _say(websocket, module=module, success=True, content=content, header={})


async def _say(websocket: web.WebSocketResponse, **message: object) -> bool:
    try:
        await websocket.send_str(orjson.dumps(message).decode())
    except ConnectionError:
        return False
    return True


def _is_heartbeat(text: str) -> bool:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("module") == "heartbeat"
