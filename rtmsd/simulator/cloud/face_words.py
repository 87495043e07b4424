"""How faults of REST and OAuth are written, for the control URL (docs/scenarios.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.bad_answers import BadAnswer
from rtmsd.simulator.cloud.face import CloudFace
from rtmsd.simulator.cloud.forcing import Forced
from rtmsd.simulator.cloud.limits import Style
from rtmsd.simulator.reading import Fields

_MOST_TIMES = 10_000
_DAY_SECS = 86_400.0
_ANSWERS = ("silent", "already", *get_args(BadAnswer))


def _rest_error(fields: Fields, face: CloudFace) -> Callable[[], None]:
    """Read which answer comes next: `code` is a code of Zoom's or an HTTP status, `answer` a word."""
    what: Forced = 0
    if fields.has("answer"):
        what = cast(Forced, fields.one_of("answer", _ANSWERS))
    else:
        what = fields.whole("code", least=100)
    times = fields.whole("times", 1, least=1, most=_MOST_TIMES)
    return lambda: face.force(what, times)


def _rest_limit(fields: Fields, face: CloudFace) -> Callable[[], None]:
    secs = fields.number("secs", least=0, most=_DAY_SECS)
    style = cast(Style, fields.one_of("style", get_args(Style), "seconds"))
    return lambda: face.limit_for(secs, style)


def _revoke_tokens(fields: Fields, face: CloudFace) -> Callable[[], None]:
    refresh = fields.flag("refresh_tokens", False)
    return lambda: face.revoke_tokens(refresh_tokens=refresh)


FACE_WORDS: dict[str, Callable[[Fields, CloudFace], Callable[[], None]]] = {
    "rest_error": _rest_error,
    "rest_limit": _rest_limit,
    "revoke_tokens": _revoke_tokens,
}


def disturb(fields: Fields, face: CloudFace) -> None:
    """Do what `do` says to REST and OAuth, unless `fields` have problems then."""
    does = FACE_WORDS[fields.one_of("do", FACE_WORDS)](fields, face)
    fields.finish()
    if not fields.problems:
        try:
            does()
        except SimulatorError as error:
            fields.problem("code", str(error))
