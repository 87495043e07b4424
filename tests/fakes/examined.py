"""What a doctor examines: a configuration, and servers of Zoom's and our own that a test makes as they should (not) be."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from rtmsd.config import (
    AdminConfig,
    AppConfig,
    Config,
    Listen,
    ManualConfig,
    Secret,
    WebhookConfig,
    ZoomConfig,
)
from rtmsd.diagnosis.finding import Case
from rtmsd.protocol.webhook import Credentials
from rtmsd.runtime.clock import Clock
from rtmsd.streams.transport import client_tls
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.server import serving
from rtmsd.web.taking import Taking
from rtmsd.web.webhook import webhook_app, webhook_routes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MANUAL = ManualConfig(
    account_id="AAAAAABBBB", client_id="controller", client_secret=Secret("controller-secret")
)


def app(name: str = "notes", **changes: Any) -> AppConfig:
    """An app whose ids and secrets are its own."""
    values: dict[str, Any] = {
        "client_id": f"{name}-client",
        "client_secret": Secret(f"{name}-client-secret"),
        "webhook_secrets": (Secret(f"{name}-webhook-secret"),),
        "sinks": (),
    }
    return AppConfig(name=name, **(values | changes))


def config(
    zoom: str = "http://127.0.0.1:9",
    *,
    apps: tuple[AppConfig, ...] | None = None,
    public_url: str | None = None,
    ca_file: Path | None = None,
    state_dir: Path = Path("/nonexistent"),
) -> Config:
    """A configuration whose Zoom is at `zoom`."""
    return Config(
        state_dir=state_dir,
        webhook=WebhookConfig(listen=Listen("127.0.0.1", 8080), public_url=public_url),
        admin=AdminConfig(),
        zoom=ZoomConfig(oauth_url=f"{zoom}/oauth/token", api_url=f"{zoom}/v2", ca_file=ca_file),
        apps=apps if apps is not None else (app(),),
        sinks=(),
    )


@asynccontextmanager
async def case(config: Config, *, clock: Clock | None = None) -> AsyncIterator[Case]:
    """A case for a single step."""
    async with aiohttp.ClientSession() as session:
        yield Case(
            config=config, session=session, tls=client_tls(config.zoom.ca_file), clock=clock or Clock()
        )


@asynccontextmanager
async def served(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Serve every request with `handler`; yield the URL."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def rtmsd(*credentials: Credentials) -> AsyncIterator[str]:
    """The webhook endpoint of a running rtmsd, which is asked for validations only."""
    clock, counters = Clock(), WebhookCounters()
    taking = Taking(
        journal=_Nothing(), on_event=_on_event, schedule=_unscheduled, clock=clock, counters=counters
    )
    routes = webhook_routes(
        path="/webhook",
        credentials=credentials or [Credentials("notes", ("notes-webhook-secret",))],
        taking=taking,
        clock=clock,
        counters=counters,
    )
    async with serving(webhook_app(routes), Listen("127.0.0.1", 0)) as bound:
        yield f"http://{bound}"


class _Nothing:
    async def take_webhook(self, **webhook: Any) -> Any:
        raise AssertionError("a validation is not kept")


def _unscheduled(coroutine: Coroutine[Any, Any, None]) -> None:
    raise AssertionError("a validation is not acted upon")


async def _on_event(*event: Any) -> None:
    raise AssertionError("a validation is not acted upon")


@asynccontextmanager
async def behind(
    upstream: str, *, rewrite: bool = False, delay: float = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A proxy in front of rtmsd that may rewrite JSON, be slow, and speak TLS."""

    async def pass_on(request: web.Request) -> web.Response:
        body = await request.read()
        if rewrite:
            body = json.dumps(json.loads(body), indent=1).encode()
        await asyncio.sleep(delay)
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith("x-zm")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, upstream + request.path, data=body, headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    async with served(pass_on, tls=tls) as url:
        yield url
