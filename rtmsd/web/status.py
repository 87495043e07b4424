"""The admin listener: the status page, the same as JSON, and health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp_jinja2
import jinja2
import orjson
from aiohttp import web

from rtmsd.config import Secret
from rtmsd.runtime.clock import Clock, iso_utc
from rtmsd.web.counters import REFUSALS, WebhookCounters
from rtmsd.web.health import Check, ready
from rtmsd.web.middleware import add_security_headers, errors_told, sign_as_rtmsd, token_required
from rtmsd.web.words import amount, count, duration

_HERE = Path(__file__).parent
_LIVING = ("joining", "live", "paused", "reconnecting")

# What only a wrong set-up causes; without a signature anybody may have sent it.
_OUR_REFUSALS = (
    "bad_signature",
    "body_altered",
    "stale",
    "malformed",
    "journal_failed",
    "validation_refused",
)
_REFUSAL_SHOWN_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class StreamStatus:
    """One stream, living or over. `sentence` says what is the matter; `problem` whether somebody should look.

    `frames` counts by media kind, `details` are further lines (label → text). No names of people.
    """

    stream_id: str
    app: str
    product: str
    meeting_id: str
    meeting_uuid: str
    state: Literal["joining", "live", "paused", "reconnecting", "ended", "failed", "ignored"]
    started_ms: int
    age_secs: float
    speakers: int = 0
    frames: Mapping[str, int] = field(default_factory=dict)
    gaps: int = 0
    gap_secs: float = 0.0
    sentence: str = ""
    problem: bool = False
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SinkStatus:
    """One configured sink, over all its streams."""

    name: str
    type: str
    queue_items: int
    queue_bytes: int
    dropped: int
    errors: int
    writers: int
    last_success_ms: int | None
    sentence: str = ""
    problem: bool = False


class StatusSource(Protocol):
    """What the page shows; asked for at every request."""

    def accepting(self) -> bool:
        """Whether the webhook listener accepts."""

    def checks(self) -> Sequence[Check]: ...

    def streams(self) -> Sequence[StreamStatus]:
        """Return the living and the recent, newest first."""

    def sinks(self) -> Sequence[SinkStatus]: ...

    def webhooks(self) -> WebhookCounters: ...


def admin_app(
    *, source: StatusSource, clock: Clock, version: str, token: Secret | None = None
) -> web.Application:
    """Build the application of the admin listener; with a `token`, everything but /healthz needs it."""
    middlewares = [errors_told] if token is None else [errors_told, token_required(token)]
    app = web.Application(middlewares=middlewares)
    app.on_response_prepare.append(sign_as_rtmsd)
    app.on_response_prepare.append(add_security_headers)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        filters={"duration": duration, "amount": amount, "count": count},
    )
    pages = _Pages(source, clock, version)
    app.add_routes(
        [
            web.get("/", pages.status),
            web.get("/healthz", pages.healthz),
            web.get("/readyz", pages.readyz),
            web.get("/api/v1/streams", pages.streams),
            web.static("/static", _HERE / "static"),
        ]
    )
    return app


class _Pages:
    def __init__(self, source: StatusSource, clock: Clock, version: str) -> None:
        self._source = source
        self._clock = clock
        self._version = version

    async def status(self, request: web.Request) -> web.Response:
        now_ms = self._clock.wall_ms()
        streams = self._source.streams()
        sinks = self._source.sinks()
        webhooks = self._source.webhooks()
        context = {
            "version": self._version,
            "now": iso_utc(now_ms)[:19].replace("T", " "),
            "problems": problems(self._source.checks(), streams, sinks, webhooks, now_ms=now_ms),
            "living": [stream for stream in streams if stream.state in _LIVING],
            "over": [stream for stream in streams if stream.state not in _LIVING],
            "sinks": [(sink, _ago(sink.last_success_ms, now_ms)) for sink in sinks],
            "webhooks": _webhook_rows(webhooks),
            "last_taken": _ago(webhooks.last_taken_ms, now_ms),
            "begun": {
                stream.stream_id: iso_utc(stream.started_ms)[:16].replace("T", " ") for stream in streams
            },
        }
        return aiohttp_jinja2.render_template("status.html", request, context)

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


@dataclass(frozen=True)
class Problem:
    """One thing to fix: where, and in a sentence what and how. `anchor` is where the page says more."""

    where: str
    sentence: str
    anchor: str = ""


def problems(
    checks: Sequence[Check],
    streams: Sequence[StreamStatus],
    sinks: Sequence[SinkStatus],
    webhooks: WebhookCounters,
    *,
    now_ms: int,
) -> list[Problem]:
    """Gather what somebody should look at, the most general first."""
    found = [Problem(check.name, check.sentence) for check in checks if not check.ok]
    refused_ms = webhooks.last_refused_ms
    if (
        refused_ms is not None
        and webhooks.last_refusal in _OUR_REFUSALS
        and now_ms - refused_ms < _REFUSAL_SHOWN_MS
        and (webhooks.last_taken_ms or 0) <= refused_ms
    ):
        sentence = (
            f"The last webhook, {_ago(refused_ms, now_ms)}, was refused: {REFUSALS[webhooks.last_refusal]}."
        )
        found.append(Problem("Webhooks", sentence, "webhooks"))
    found += [Problem(f"Sink {sink.name}", sink.sentence, "sinks") for sink in sinks if sink.problem]
    for stream in streams:
        if stream.problem:
            meeting = f"Meeting {stream.meeting_id}" if stream.meeting_id else "Stream"
            found.append(Problem(f"{meeting} ({stream.app})", stream.sentence, f"stream-{stream.stream_id}"))
    return found


def _webhook_rows(webhooks: WebhookCounters) -> list[tuple[str, int, str]]:
    """Return (result, number, why), the good ones first."""
    rows = [(result, number, REFUSALS.get(result, "")) for result, number in webhooks.by_result().items()]
    return sorted(rows, key=lambda row: (row[0] in REFUSALS, -row[1], row[0]))


def _ago(then_ms: int | None, now_ms: int) -> str:
    return "never" if then_ms is None else f"{duration((now_ms - then_ms) / 1000)} ago"


def _json(content: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
