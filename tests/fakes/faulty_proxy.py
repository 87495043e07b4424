"""A proxy for HTTP that passes everything on as it is, and breaks things when it is told to."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
INTERNAL = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>"

Fault = Callable[[web.Request], str | None]
"""Names what happens to a request: "drop", "drop after", "500", "503", "delay", "flip" (a bit of its body), or None."""

_HOP = {
    "transfer-encoding",
    "connection",
    "keep-alive",
    "content-encoding",
    "content-length",
    "date",
    "server",
}


def no_fault(request: web.Request) -> str | None:
    return None


@dataclass
class FaultyProxy:
    """`fault` decides on each request; `seen` has the method, the path, the query and what was done."""

    upstream: int
    fault: Fault = no_fault
    port: int = 0
    delay_secs: float = 0.2
    seen: list[tuple[str, str, str, str | None]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.fault(request)
        self.seen.append((request.method, request.path, request.query_string, fault))
        if fault == "drop":
            return self._drop(request)
        if fault in ("500", "503"):
            return web.Response(
                status=int(fault),
                body=INTERNAL if fault == "500" else SLOW_DOWN,
                content_type="application/xml",
            )
        if fault == "delay":
            await asyncio.sleep(self.delay_secs)
        answer = await self._pass_on(request, flip=fault == "flip")
        return self._drop(request) if fault == "drop after" else answer

    async def _pass_on(self, request: web.Request, *, flip: bool) -> web.StreamResponse:
        url = URL(f"http://127.0.0.1:{self.upstream}{request.raw_path}", encoded=True)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in ("connection",)
        }
        data = bytearray(await request.read())
        if flip and data:
            data[len(data) // 2] ^= 1
        body = io.BytesIO(data)
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                came = await answer.read()
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                if request.method == "HEAD":
                    kept["Content-Length"] = answer.headers.get("Content-Length", "0")
                return web.Response(status=answer.status, headers=kept, body=came)
        except (ClientError, OSError):
            return self._drop(request)

    def _drop(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FaultyProxy]:
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=0.1)
        async with ClientSession(
            connector=TCPConnector(force_close=True),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=60),
            auto_decompress=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        ) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", self.port)
            await site.start()
            assert runner.addresses
            self.port = runner.addresses[0][1]
            try:
                yield self
            finally:
                await runner.cleanup()
