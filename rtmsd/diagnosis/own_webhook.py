"""Whether our own webhook, at its public address, answers the way Zoom wants it (protocol.md §2.3)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import aiohttp
import msgspec
from yarl import URL

from rtmsd.config import AppConfig
from rtmsd.diagnosis.finding import Case, Finding
from rtmsd.diagnosis.reach import ANSWER_SECS, NOT_RUNNING, not_running, trouble
from rtmsd.protocol.signature import validation_token, webhook_signature
from rtmsd.protocol.webhook import VALIDATION_EVENT
from rtmsd.zoom.bodies import read_body

ZOOM_WAITS_SECS = 3.0

_MOST_BYTES = 65_536


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    by_rtmsd: bool
    wants_login: bool
    token: str | None
    secs: float


async def own_webhook(case: Case) -> Finding:
    """Ask every app's own path, as Zoom does when *Validate* is pressed, signed with the app's first secret."""
    base = case.config.webhook.public_url
    if base is None and all(app.events is not None for app in case.config.apps):
        return Finding(
            "webhook", "skipped", "All events come by Zoom's event WebSocket: no webhook is needed."
        )
    if base is None:
        return Finding(
            "webhook",
            "skipped",
            "webhook.public_url is not set: give it the address that Zoom calls, without the app's name, such as "
            f'"https://your.name{case.config.webhook.path}".',
        )
    for app in case.config.apps:
        url = f"{base}/{app.name}"
        if problem := await _problem(case, app, url):
            return Finding("webhook", "broken", f"{url}: {problem}")
    number = len(case.config.apps)
    return Finding(
        "webhook", "ok", f"{base}/{{app}} answers the validation of {number} app{'s' * (number != 1)}."
    )


async def _problem(case: Case, app: AppConfig, url: str) -> str:
    plain = secrets.token_urlsafe(16)
    secret = app.webhook_secrets[0].reveal()
    expected = validation_token(secret=secret, plain_token=plain)
    try:
        answer = await _ask(case, url, plain, secret=secret)
    except (aiohttp.ClientError, TimeoutError) as error:
        return NOT_RUNNING if not_running(url, error) else f"{trouble(error)}. {_NOT_THERE}"
    if answer.status == 401 and not answer.wants_login:
        try:
            unsigned = await _ask(case, url, plain, secret=None)
        except (aiohttp.ClientError, TimeoutError):
            return _refused(app, None, expected)
        return _refused(app, unsigned.token, expected)
    if answer.status != 200:
        return _of_status(answer, case)
    if answer.token is None:
        return (
            "it is answered (200), but not with the JSON of a validation: something else than rtmsd answers there. Let the proxy "
            f"pass this path to {case.config.webhook.listen}."
        )
    if not hmac.compare_digest(answer.token, expected):
        return _other_secret(app)
    if answer.secs > ZOOM_WAITS_SECS:
        return (
            f"it answers rightly, but after {answer.secs:.1f} s, and Zoom waits {ZOOM_WAITS_SECS:.0f} s: look at the proxy, the "
            "network, and the load of this machine."
        )
    return ""


async def _ask(case: Case, url: str, plain: str, *, secret: str | None) -> _Answer:
    """Send one validation, signed or not."""
    now_ms = case.clock.wall_ms()
    body = msgspec.json.encode(
        {"event": VALIDATION_EVENT, "event_ts": now_ms, "payload": {"plainToken": plain}}
    )
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret is not None:
        timestamp = str(now_ms // 1000)
        headers["x-zm-request-timestamp"] = timestamp
        headers["x-zm-signature"] = webhook_signature(secret=secret, timestamp=timestamp, body=body)
    began = case.clock.monotonic()
    async with case.session.post(
        url,
        data=body,
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECS),
        allow_redirects=False,
        ssl=case.tls,
    ) as response:
        answered = await read_body(response, most_bytes=_MOST_BYTES)
        return _Answer(
            status=response.status,
            location=_printable(response.headers.get("Location", "")),
            by_rtmsd=response.headers.get("Server") == "rtmsd",
            wants_login="WWW-Authenticate" in response.headers,
            token=_token(answered),
            secs=case.clock.monotonic() - began,
        )


def _token(body: bytes) -> str | None:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    token = document.get("encryptedToken") if isinstance(document, dict) else None
    return token if isinstance(token, str) and token.isascii() else None


def _printable(location: str) -> str:
    """Name where a redirect leads, without its query."""
    try:
        return str(URL(location).with_query(None).with_fragment(None))[:200]
    except ValueError:
        return "an address that is none"


_NOT_THERE = (
    "See that rtmsd runs, that the proxy in front of it passes this path, and that the name leads to this machine. Where a network "
    "cannot reach its own public address, run this on a machine outside."
)


def _refused(app: AppConfig, unsigned_token: str | None, expected: str) -> str:
    """Explain a 401: an unsigned question tells whether the secret is the same."""
    if unsigned_token is None:
        return (
            "the signature was refused (401). Look into rtmsd's log, which says why: another secret, a clock that is off, or a proxy "
            "that rewrites the body."
        )
    if hmac.compare_digest(unsigned_token, expected):
        return (
            "the signature was refused (401), though the secret is the same: something in between rewrites the body or a header. "
            "Let the proxy pass bodies and x-zm-… headers unchanged (no JSON filter, no compression, no firewall that edits)."
        )
    return _other_secret(app)


def _other_secret(app: AppConfig) -> str:
    return (
        f"it answers with another secret than the first of webhook_secrets of app {app.name}. Either rtmsd runs with an older "
        "configuration (start it again), or this address leads to another rtmsd."
    )


def _of_status(answer: _Answer, case: Case) -> str:
    status, path = answer.status, case.config.webhook.path
    if 300 <= status < 400:
        return (
            f"it redirects ({status}) to {answer.location}, and Zoom follows no redirect. Give Zoom, and webhook.public_url, the "
            "address where it leads, or take the redirect out of the proxy."
        )
    if status == 404:
        who = "rtmsd knows" if answer.by_rtmsd else "the proxy, or rtmsd behind it, knows"
        return (
            f"{who} no such path (404). rtmsd serves {path} and {path}/{{app}}: let webhook.public_url end so, or let the proxy "
            "rewrite its path to that; start rtmsd again if the app is new."
        )
    if status in (401, 403, 407):
        return (
            f"something in front of rtmsd asks for a login or forbids it ({status}). Zoom has none: let the proxy or firewall pass "
            "POST requests to this path from everywhere; the signature is what protects it."
        )
    if status in (502, 503, 504):
        why = (
            "its journal cannot be written: see its log" if answer.by_rtmsd else "the proxy does not reach it"
        )
        return f"rtmsd does not answer ({status}): {why}. It should listen on {case.config.webhook.listen}: see that it runs."
    if status == 405:
        return "something else than rtmsd answers, which takes no POST (405). Let the proxy pass this path to rtmsd."
    if status == 429:
        return "there were too many questions (429): wait a minute and run this again."
    return (
        f"it is answered with {status}, where Zoom wants 200. Look into the logs of the proxy and of rtmsd."
    )
