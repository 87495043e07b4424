"""What Zoom's REST API answers to a start, as explanations: the same sentences as the start coordinator's (protocol.md §4.2)."""

from __future__ import annotations

from dataclasses import replace

from rtmsd.diagnosis.codes import Explanation
from rtmsd.diagnosis.sources import API_ERRORS, OAUTH_ERRORS, RATE_LIMITS, TROUBLESHOOTING, thread
from rtmsd.zoom.replies import BY_CODE, BY_STATUS

_NAMES = {
    124: ("token not good", API_ERRORS),
    300: ("request not understood", API_ERRORS),
    401: ("token not good", API_ERRORS),
    403: ("forbidden", thread(144109)),
    404: ("no such meeting", API_ERRORS),
    429: ("too many calls", RATE_LIMITS),
    2308: ("not allowed to start the app", TROUBLESHOOTING),
    2310: ("the app could not be started", f"{TROUBLESHOOTING}, {thread(144213)}"),
    3000: ("meeting has not started", "reported by two independent developers"),
    3001: ("no such meeting", API_ERRORS),
    4700: ("scope missing", OAUTH_ERRORS),
    4711: ("scope missing", OAUTH_ERRORS),
    13262: ("app may not read meeting content", thread(142847)),
}

_SILENT = Explanation(
    None,
    "accepted",
    "Zoom took the request (any 2xx). That is no proof that a stream starts: only `rtms_started` is. Nothing follows when nobody who "
    "may approve the app is in the meeting, when the user for whom it is started has not joined, or when the app is not allowed "
    "for that host.",
    'Wait for `rtms_started` for 15 s, then ask again when the host joins: rtmsd does both with start = "manual". See also: '
    "rtmsd explain silent-start.",
    thread(140368),
)
_ALREADY = Explanation(
    None,
    "already-started",
    "The app is already started in this meeting.",
    "Nothing needs to be done: Zoom announces the stream by a webhook, or has done so.",
    "reported by a developer, with HTTP 400 and without a code",
)
_FAULT = Explanation(
    None,
    "fault",
    "Zoom's API has a fault of its own (any 5xx).",
    "It is asked again by itself; if it lasts, look at https://status.zoom.us.",
    API_ERRORS,
)
WORDS = {one.name: one for one in (_SILENT, _ALREADY, _FAULT)}
"""Answers of the API that have no code of their own."""

API_NUMBERS = tuple(sorted({*BY_CODE, *BY_STATUS} - {0}))


def api_code(number: int) -> Explanation | None:
    """Explain a code of the API's, or an HTTP status of it; None when it is not known here."""
    if 200 <= number < 300:
        return replace(_SILENT, number=number)
    if 500 <= number < 600:
        return replace(_FAULT, number=number)
    if number not in API_NUMBERS:
        return None
    found = BY_STATUS.get(number) or BY_CODE[number]
    name, source = _NAMES[number]
    return Explanation(number, name, found.cause, found.remedy, source)
