"""The page as it changes: server-sent events for those who look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson
from aiohttp import web

from rtmsd.web.page import RENDER_SECS, Page, Rendered

MAX_VIEWERS = 50
"""One more is told to come back later; the page works without."""

WRITE_SECS = 10.0
"""A viewer who takes no bytes for so long is let go of."""


class Live:
    """Sends every viewer the sections that have changed since they were last sent to it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._closing = asyncio.Event()
        self.viewers = 0

    async def close(self, _: web.Application) -> None:
        """Let go of all viewers; their browsers come back to the next daemon."""
        self._closing.set()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Answer until the viewer goes. There is no task besides the request's own; cancelling is safe."""
        if self.viewers >= MAX_VIEWERS:
            return web.Response(status=503, headers={"Retry-After": "60"}, text="Too many look already.\n")
        response = web.StreamResponse(
            # The last is for nginx, which would hold events back.
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        self.viewers += 1
        try:
            await response.prepare(request)
            await self._send(response)
        except ConnectionError:
            pass
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        finally:
            self.viewers -= 1
        return response

    async def _send(self, response: web.StreamResponse) -> None:
        sent: Mapping[str, str] = {}
        while not self._closing.is_set():
            now = self._page.rendered()
            async with asyncio.timeout(WRITE_SECS):
                await response.write(_event(now, sent))
            sent = now.sections
            try:
                async with asyncio.timeout(RENDER_SECS):
                    await self._closing.wait()
            except TimeoutError:
                pass


def _event(now: Rendered, sent: Mapping[str, str]) -> bytes:
    """Write what differs. Nothing, too, is written: only so is a viewer that has gone noticed."""
    changed = {name: html for name, html in now.sections.items() if sent.get(name) != html}
    return b"data: " + orjson.dumps({"title": now.title, "sections": changed}) + b"\n\n"
