"""Answers that no API should give, and every client gets some day: a proxy's page, half a document, nothing at all."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

BadAnswer = Literal["html", "500", "nothing", "json"]
"""A page, with status 200; a fault of its own; a cut connection; half of a JSON document."""

_PAGE = "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"


def bad_answer(kind: BadAnswer, request: web.Request) -> web.Response:
    """Make such an answer; what is returned for `nothing` reaches nobody."""
    match kind:
        case "html":
            return web.Response(text=_PAGE, content_type="text/html")
        case "json":
            return web.Response(text='{"access_token": ', content_type="application/json")
        case "nothing" if request.transport is not None:
            request.transport.abort()
    return web.Response(status=500, text="Internal Server Error")
