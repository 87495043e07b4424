"""A token endpoint and an API on a real HTTP server, and what asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from rtmsd.config import Secret
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.limits import Budget
from rtmsd.zoom.meetings import ZoomMeetings
from rtmsd.zoom.oauth import TokenSource, account_grant


class FakeClock(Clock):
    """Time stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.monotonic = lambda: self.now


class Zoom:
    """A token endpoint and an API that answer what they are told to, and remember what was asked."""

    def __init__(self) -> None:
        self.token_answers: list[web.Response] = []
        self.api_answers: list[web.Response] = []
        self.token_requests: list[dict[str, str]] = []
        self.api_requests: list[tuple[str, str, str, object]] = []
        self.base = ""
        self.busy: Callable[[], dict[str, str] | None] = lambda: None
        """Gives the headers of a 429, while that is all that the API has to say."""

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.token_requests.append(form | {"authorization": request.headers.get("Authorization", "")})
        await asyncio.sleep(0.01)
        if self.token_answers:
            return self.token_answers.pop(0)
        number = len(self.token_requests)
        return web.json_response(
            {
                "access_token": f"token-{number}",
                "expires_in": 3599,
                "scope": "a b",
                "api_url": self.base + "/region",
            }
        )

    async def api(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.api_requests.append((request.method, request.raw_path, request.headers["Authorization"], body))
        headers = self.busy()
        if headers is not None:
            return web.Response(status=429, headers=headers, text='{"code":429}')
        return self.api_answers.pop(0) if self.api_answers else web.Response(status=204)


@asynccontextmanager
async def serving(
    *,
    token_path: str,
    token: Callable[[web.Request], Awaitable[web.StreamResponse]],
    api_path: str,
    api: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve a token endpoint, and an API at every path below another; give the address of both."""
    application = web.Application()
    application.router.add_post(token_path, token)
    application.router.add_route("*", api_path + "/{rest:.*}", api)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def zoom() -> AsyncIterator[tuple[Zoom, aiohttp.ClientSession]]:
    server = Zoom()
    async with (
        serving(token_path="/oauth/token", token=server.token, api_path="", api=server.api) as server.base,
        aiohttp.ClientSession() as session,
        asyncio.timeout(200),
    ):
        yield server, session


def source(server: Zoom, session: aiohttp.ClientSession, clock: Clock) -> TokenSource:
    return TokenSource(
        session=session,
        oauth_url=server.base + "/oauth/token",
        client_id="controller",
        client_secret=Secret("sesame"),
        grant=account_grant("AAAAAABBBB"),
        clock=clock,
    )


def meetings(
    server: Zoom,
    session: aiohttp.ClientSession,
    clock: Clock,
    *,
    regional: bool = False,
    allowed_hosts: tuple[str, ...] = (),
) -> ZoomMeetings:
    return ZoomMeetings(
        session=session,
        api_url=server.base + "/v2",
        tokens=source(server, session, clock),
        budget=Budget(clock=clock, per_sec=1000),
        clock=clock,
        regional=regional,
        allowed_hosts=allowed_hosts,
    )
