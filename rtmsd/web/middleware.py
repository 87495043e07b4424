"""What every request passes: errors that tell strangers nothing, security headers, the admin token."""

from __future__ import annotations

import base64
import binascii
import hmac

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rtmsd.config import Secret

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_OPEN_PATHS = frozenset({"/healthz"})
"""What probes may ask without the token: it says nothing but yes or no."""


@web.middleware
async def errors_told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 500 without details, and log them, whatever a handler raises."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001  # one of the places where it is right: a server goes on
        structlog.get_logger("rtmsd.web").exception("a request could not be answered", route=_route(request))
        return web.Response(status=500, text="Something went wrong; see rtmsd's log.\n")


def _route(request: web.Request) -> str:
    """Name the route, not the path: that one is a stranger's text."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


async def sign_as_rtmsd(request: web.Request, response: web.StreamResponse) -> None:
    """Do not tell strangers which library, of which version, answers them."""
    response.headers["Server"] = "rtmsd"


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set headers on every answer, errors too; a signal, since raised errors pass middlewares by."""
    response.headers.update(_HEADERS)


def token_required(token: Secret) -> Middleware:
    """Refuse who has not the token, as a bearer or as a basic password (so that browsers can ask for it)."""
    expected = token.reveal().encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = _given(request.headers.get("Authorization", ""))
        if request.path in _OPEN_PATHS or hmac.compare_digest(given, expected):
            return await handler(request)
        return web.Response(
            status=401,
            headers={"WWW-Authenticate": 'Basic realm="rtmsd", charset="UTF-8"'},
            text="The admin token is needed: as the password, or as a bearer.\n",
        )

    return check


def _given(header: str) -> bytes:
    kind, _, value = header.partition(" ")
    value = value.strip()
    if kind.lower() == "bearer":
        return value.encode("utf-8", "surrogateescape")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
