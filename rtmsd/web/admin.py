"""The admin listener: the status page, the same as JSON, metrics and health."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
import orjson
from aiohttp import web

from rtmsd.config import Secret
from rtmsd.runtime.clock import Clock
from rtmsd.web.health import ready
from rtmsd.web.live import Live
from rtmsd.web.metrics import Metrics
from rtmsd.web.middleware import add_security_headers, errors_told, sign_as_rtmsd, token_required
from rtmsd.web.page import Page
from rtmsd.web.status import StatusSource
from rtmsd.web.tap import Tapping, Taps

_HERE = Path(__file__).parent


def admin_app(
    *,
    source: StatusSource,
    clock: Clock,
    version: str,
    token: Secret | None = None,
    taps: Taps | None = None,
) -> web.Application:
    """Build the application of the admin listener; with a `token`, everything but /healthz needs it. `taps`: for /tap."""
    middlewares = [errors_told] if token is None else [errors_told, token_required(token)]
    app = web.Application(middlewares=middlewares)
    app.on_response_prepare.append(sign_as_rtmsd)
    app.on_response_prepare.append(add_security_headers)
    templates = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = Page(source, clock, version, templates)
    live = Live(page)
    app.on_shutdown.append(live.close)
    answers = _Answers(source, clock, page)
    app.add_routes(
        [
            web.get("/", answers.page),
            web.get("/events", live.events),
            web.get("/healthz", answers.healthz),
            web.get("/readyz", answers.readyz),
            web.get("/metrics", Metrics(source, version).answer),
            web.get("/api/v1/streams", answers.streams),
            web.get("/api/v1/meetings", answers.meetings),
            web.static("/static", _HERE / "static"),
        ]
    )
    if taps is not None:
        tapping = Tapping(taps, heard=partial(_heard, source), clock=clock, local_only=token is None)
        app.on_shutdown.append(tapping.close)
        app.add_routes([web.get("/tap", tapping.answer, allow_head=False)])
    return app


def _heard(source: StatusSource, stream_id: str) -> Sequence[int]:
    timeline = source.timeline(stream_id)
    return [] if timeline is None else [speaker.user_id for speaker in timeline.speakers]


class _Answers:
    def __init__(self, source: StatusSource, clock: Clock, page: Page) -> None:
        self._source = source
        self._clock = clock
        self._page = page

    async def page(self, request: web.Request) -> web.Response:
        now = self._page.rendered()
        return aiohttp_jinja2.render_template(
            "page.html", request, {"title": now.title, "sections": now.sections}
        )

    async def healthz(self, request: web.Request) -> web.Response:
        if self._source.accepting():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="not accepting webhooks\n")

    async def readyz(self, request: web.Request) -> web.Response:
        checks = self._source.checks()
        is_ready = ready(checks)
        return _json({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)

    async def streams(self, request: web.Request) -> web.Response:
        return _json({"now_ms": self._clock.wall_ms(), "streams": self._source.streams()})

    async def meetings(self, request: web.Request) -> web.Response:
        return _json({"now_ms": self._clock.wall_ms(), "meetings": self._source.meetings()})


def _json(content: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
