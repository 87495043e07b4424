"""Answers that the REST API gives because it was told to: each error of protocol.md §4.2, and some that no API should give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import orjson
from aiohttp import web

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud import rules
from rtmsd.simulator.cloud.bad_answers import BadAnswer, bad_answer
from rtmsd.simulator.cloud.rules import Refused

Forced = int | Literal["silent", "already"] | BadAnswer
"""A code of §4.2, or an HTTP status. `silent`: a 204, after which nothing happens. `already`: it was started before."""

Call = Literal["control", "reads", "any"]
"""Which calls: those that start and stop apps, those that look meetings up, or all."""

_TOO_MANY = "Too many concurrent requests. A request to modify this resource is being processed."

_REFUSALS: dict[Forced, Refused] = {
    124: rules.TOKEN_ENDED,
    300: rules.invalid("action"),
    401: rules.TOKEN_ENDED,
    403: rules.NOT_HOST,
    404: rules.NO_MEETING,
    429: Refused(429, 429, _TOO_MANY),
    2308: rules.NOT_ALLOWED,
    2310: rules.FAILED,
    3000: rules.NOT_STARTED,
    3001: rules.NO_MEETING,
    13262: rules.NO_CONTENT,
    "already": rules.ALREADY,
}
_SCOPE_CODES = (4700, 4711)


class Forcing:
    """The answers that wait to be given, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Forced, int, Call]] = []

    def force(self, what: Forced, times: int, *, call: Call) -> None:
        """Have so many calls answered so. Raises SimulatorError when there is no such answer."""
        is_fault = isinstance(what, int) and 500 <= what <= 599
        known = [*_REFUSALS, *_SCOPE_CODES, "silent", *get_args(BadAnswer)]
        if what not in known and not is_fault:
            raise SimulatorError(
                f"there is no answer {what!r} of Zoom's API to be forced; there are "
                f"{', '.join(map(str, known))}, and the statuses from 500 to 599"
            )
        if times > 0:
            self._waiting.append((what, times, call))

    def answer(self, call: Call, request: web.Request, *, scope: str) -> web.Response | None:
        """Give the answer that waits for such a call, if any; `scope` is what a token would need for it."""
        for index, (what, times, meant) in enumerate(self._waiting):
            if meant in (call, "any"):
                self._waiting[index : index + 1] = [(what, times - 1, meant)] if times > 1 else []
                return _answer(what, request, scope)
        return None


def refusal(refused: Refused, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Write an error as the API does. Without a known code there is none in the body."""
    body: dict[str, object] = {"message": refused.message}
    if refused.code is not None:
        body = {"code": refused.code, **body}
    if refused.wrong is not None:
        field, why = refused.wrong
        body["errors"] = [{"field": field, "message": why}]
    return web.Response(
        body=orjson.dumps(body), status=refused.status, content_type="application/json", headers=headers
    )


def lacks_scope(code: int, scope: str) -> Refused:
    """Zoom names the scope that a token would need (§4.2)."""
    return Refused(400, code, f"Invalid access token, does not contain scopes:[{scope}].")


def _answer(what: Forced, request: web.Request, scope: str) -> web.Response:
    if what == "silent":
        return web.Response(status=204)
    if what in _REFUSALS:
        return refusal(_REFUSALS[what])
    if isinstance(what, int):
        return refusal(
            lacks_scope(what, scope) if what in _SCOPE_CODES else Refused(what, None, "Internal error.")
        )
    assert what != "already"  # is among the refusals
    return bad_answer(what, request)
