"""What every server here does: listen for as long as a context lasts, and turn a request into a WebSocket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(
    app: web.Application,
    address: tuple[str, int],
    *,
    tls: ssl.SSLContext | None = None,
    shutdown_secs: float = 1.0,
) -> AsyncIterator[int]:
    """Listen; gives the port. Keeps no access log. Raises OSError when the address cannot be listened on."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_secs)
    await runner.setup()
    try:
        await web.TCPSite(runner, *address, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def upgraded(websocket: web.WebSocketResponse, request: web.Request) -> asyncio.Transport | None:
    """Upgrade a request; gives what the WebSocket goes over, or None when the client has gone."""
    transport = request.transport
    if transport is None:  # gone already
        return None
    try:
        await websocket.prepare(request)
    except ConnectionError:  # went meanwhile
        return None
    return transport
