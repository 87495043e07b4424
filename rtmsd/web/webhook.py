"""Zoom's webhooks over HTTP: verify the bytes, keep them on disk, answer, then act (protocol.md §2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
import structlog
from aiohttp import web

from rtmsd.errors import JournalError
from rtmsd.protocol.webhook import (
    BadWebhook,
    Credentials,
    Rejected,
    Verified,
    WebhookEvent,
    parse,
    validation_reply,
    verify,
)
from rtmsd.runtime.clock import Clock
from rtmsd.web.counters import REFUSALS, WebhookCounters
from rtmsd.web.middleware import errors_told, sign_as_rtmsd
from rtmsd.web.taking import Taking

MAX_BODY_BYTES = 64 * 1024
_BODY_SECS = 10.0

# Unsigned URL validations: Zoom sends one on save and one every 72 h (protocol.md §2.3), and disables an endpoint
# that fails six. Strangers must not be able to use the limit up; one answer costs next to nothing.
_VALIDATION_BURST = 200
_VALIDATIONS_PER_SEC = 50.0

_REPORT_EVERY_SECS = 10.0


def webhook_routes(
    *,
    path: str,
    credentials: Sequence[Credentials],
    taking: Taking,
    clock: Clock,
    counters: WebhookCounters,
) -> list[web.RouteDef]:
    """Build the routes of the webhook listener: POST `path` and `path`/{app}, and GET for load balancers' probes.

    A webhook that is verified and new is in the journal before it is answered; when the answer is on its way, it is
    acted upon. Duplicates are answered and counted only. When several secrets rotate, an unsigned URL validation is
    answered with the app's first.
    """
    endpoint = _Endpoint(path, credentials, taking, clock, counters)
    return [
        web.post(path, endpoint.receive),
        web.post(path + "/{app}", endpoint.receive),
        web.get(path, _probe),
        web.get(path + "/{app}", _probe),
        web.route("*", "/{elsewhere:.*}", endpoint.elsewhere),
    ]


def webhook_app(routes: list[web.RouteDef]) -> web.Application:
    """Build the application of the webhook listener."""
    app = web.Application(middlewares=[errors_told])
    app.on_response_prepare.append(sign_as_rtmsd)
    app.add_routes(routes)
    return app


async def _probe(request: web.Request) -> web.Response:
    return web.Response(text="rtmsd webhook endpoint\n")


class _Endpoint:
    def __init__(
        self,
        path: str,
        credentials: Sequence[Credentials],
        taking: Taking,
        clock: Clock,
        counters: WebhookCounters,
    ) -> None:
        self._path = path
        self._credentials = {one.app: one for one in credentials}
        self._taking = taking
        self._clock = clock
        self._counters = counters
        self._validations = _Bucket(clock, _VALIDATION_BURST, _VALIDATIONS_PER_SEC)
        self._reported: dict[str, float] = {}
        self._log = structlog.get_logger("rtmsd.webhook")

    async def receive(self, request: web.Request) -> web.StreamResponse:
        own = request.match_info.get("app")
        if own is not None and own not in self._credentials:
            return await self.elsewhere(request)
        body = await _read(request)
        if body is None:
            self._refused("unknown", "too_large")
            return _closing(413)
        came = self._clock.monotonic()
        try:
            return await self._judged(request, body, own)
        finally:
            self._counters.ack_secs.add(self._clock.monotonic() - came)

    async def _judged(self, request: web.Request, body: bytes, own: str | None) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        verdict = verify(
            body=body,
            headers=headers,
            credentials=list(self._credentials.values()),
            now_s=self._clock.wall(),
        )
        if isinstance(verdict, Verified):
            self._counters.skew_secs = verdict.skew_secs
            return await self._verified(request, body, headers, verdict)
        if verdict.cause == "no_signature":
            event = parse(body)
            if isinstance(event, WebhookEvent) and event.kind == "validation":
                return self._unsigned_validation(event, own)
        self._refused("unknown", verdict.cause, skew_secs=_whole(verdict))
        return web.Response(status=401)

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """The likeliest mistake of all is a path that is not quite right: say so, where it can be found."""
        if request.method == "POST":
            self._refused(
                "unknown",
                "wrong_path",
                # Decoded, it could write to the terminal that shows the log.
                path=request.rel_url.raw_path[:100],
                paths=" ".join([self._path, *(f"{self._path}/{app}" for app in self._credentials)]),
            )
        raise web.HTTPNotFound(headers={"Connection": "close"})

    async def _verified(
        self, request: web.Request, body: bytes, headers: dict[str, str], verdict: Verified
    ) -> web.StreamResponse:
        event = parse(body)
        if isinstance(event, BadWebhook):
            self._refused("unknown", "malformed", app=verdict.app, found=event.sentence)
            return web.Response(status=400)
        if event.kind == "validation":
            return self._signed_validation(event, body, headers, verdict.app)
        if event.kind == "other":
            return self._other(event, verdict.app)
        return await self._take(request, event, body, verdict.app)

    async def _take(
        self, request: web.Request, event: WebhookEvent, body: bytes, app: str
    ) -> web.StreamResponse:
        try:
            kept = await self._taking.take(event, body, app)
        except JournalError as error:
            self._refused(event.event, "journal_failed", app=app, error=str(error))
            return web.Response(status=503)
        response = web.StreamResponse(status=200, headers={"Content-Length": "0"})
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            self._log.warning("webhook taken, but Zoom did not wait for the answer", app=app)
        finally:
            # It is on disk, so it is acted upon even when the answer could not be sent.
            self._taking.act(kept, app, event)
        return response

    def _other(self, event: WebhookEvent, app: str) -> web.Response:
        self._counters.count("other", "ignored")
        self._log.info("webhook ignored: rtmsd has no use for this event", app=app, webhook=event.event)
        return web.Response(status=200)

    def _signed_validation(
        self, event: WebhookEvent, body: bytes, headers: dict[str, str], app: str
    ) -> web.Response:
        """Answer with the one of the app's secrets that signed the question."""
        now_s = self._clock.wall()
        for secret in self._credentials[app].secrets:
            one = [Credentials(app=app, secrets=(secret,))]
            if isinstance(verify(body=body, headers=headers, credentials=one, now_s=now_s), Verified):
                return self._validate(event, app, secret)
        # The clock may just have passed the age limit.
        self._refused(event.event, "stale")
        return web.Response(status=401)

    def _unsigned_validation(self, event: WebhookEvent, own: str | None) -> web.Response:
        if own is None and len(self._credentials) == 1:
            [own] = self._credentials
        if own is None:
            self._refused(
                event.event,
                "validation_refused",
                remedy="several apps share this path, so that it is not known whose secret is asked for: give Zoom "
                "the app's own path, which ends with its name in the configuration",
            )
            return web.Response(status=400)
        if not self._validations.take():
            self._refused(event.event, "rate_limited")
            return web.Response(status=429)
        return self._validate(event, own, self._credentials[own].secrets[0])

    def _validate(self, event: WebhookEvent, app: str, secret: str) -> web.Response:
        reply = validation_reply(plain_token=event.plain_token, secret=secret)
        if reply is None:
            self._refused(
                event.event, "validation_refused", app=app, remedy="the plainToken is none of Zoom's"
            )
            return web.Response(status=400)
        self._counters.count(event.event, "validated")
        self._log.info("URL validation answered", app=app)
        return web.Response(body=orjson.dumps(reply), content_type="application/json")

    def _refused(self, event: str, cause: str, **details: object) -> None:
        """Count; and log, but not more often than strangers on the Internet should be able to make us."""
        self._counters.count(event, cause)
        self._counters.last_refused_ms = self._clock.wall_ms()
        self._counters.last_refusal = cause
        now = self._clock.monotonic()
        last = self._reported.get(cause)
        if last is None or now - last >= _REPORT_EVERY_SECS:
            self._reported[cause] = now
            total = self._counters.by_result()[cause]
            self._log.warning(
                f"webhook refused: {REFUSALS.get(cause, cause)}", cause=cause, total=total, **details
            )


class _Bucket:
    """A token bucket."""

    def __init__(self, clock: Clock, burst: float, per_sec: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_sec = per_sec
        self._left = burst
        self._at = clock.monotonic()

    def take(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_sec)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def _read(request: web.Request) -> bytes | None:
    """Read the raw body; None when it is too large, whatever Content-Length says."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return None
    except TimeoutError:
        raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest(headers={"Connection": "close"}) from None
    return bytes(body)


def _closing(status: int) -> web.Response:
    response = web.Response(status=status)
    response.force_close()
    return response


def _whole(verdict: Rejected) -> int | None:
    return None if verdict.skew_secs is None else round(verdict.skew_secs)
