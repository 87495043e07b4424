"""What Zoom's REST API answers, and what that means for whoever asked (protocol.md §4.2)."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec


class Verdict(Enum):
    """What to do after a reply."""

    ACCEPTED = "accepted"
    """Zoom took the request. It does not mean that a stream has started: only `rtms_started` proves that (§4.1)."""

    ALREADY = "already"
    """What was asked for is so already."""

    LATER = "later"
    """It may succeed by itself, after a while."""

    CHANGED = "changed"
    """It may succeed when the meeting changes: when the host comes, for example."""

    PERSON = "person"
    """Somebody has to change a setting."""

    TOKEN = "token"  # noqa: S105  # a verdict, not a secret
    """The token is not good any more: a new one may be."""

    NEVER = "never"
    """The same request will be refused for ever."""


class Reply(msgspec.Struct, frozen=True):
    """One answer of the API. `status` 0: none came, and `message` says why. `tracking_id` is what Zoom's support asks for."""

    status: int
    code: int | None = None
    message: str = ""
    tracking_id: str = ""
    retry_after_secs: float | None = None
    document: dict[str, Any] = {}

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class Meaning(msgspec.Struct, frozen=True):
    """What a reply means: what to do by program, and its cause and remedy in sentences."""

    verdict: Verdict
    cause: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.cause} {self.remedy}".strip()


_AGAIN = "It is asked again by itself."
_SCOPE = "Add `meeting:update:participant_rtms_app_status:admin` to the controller app, and let the account authorise it again."
_NO_MEETING = (
    "The meeting is over, or the number is another account's: nothing needs to be done if it was recorded."
)

SCOPE_CODES = frozenset({4700, 4711})
"""The token lacks a scope."""

BY_CODE = {
    124: Meaning(
        Verdict.TOKEN, "The access token has expired or was revoked (124).", "A new one is fetched."
    ),
    300: Meaning(Verdict.NEVER, "Zoom did not understand the request (300).", "Please report this."),
    2308: Meaning(
        Verdict.CHANGED,
        "Zoom does not allow this user to start the app (2308): only the host, an alternative host, or a participant who is on "
        "the invitation list and has joined may.",
        "It is asked again when such a person joins. With the host's own authorisation nobody needs to be there.",
    ),
    2310: Meaning(
        Verdict.LATER,
        "Zoom could not start the app (2310): usually the account that owns the app has no Developer Pack credits, or bought "
        "them less than two minutes ago.",
        "If it stays so, look at the credits, then ask Zoom's support with the app's id.",
    ),
    3000: Meaning(
        Verdict.LATER,
        "The meeting has not started yet, or Zoom does not know it yet (3000).",
        "It is asked again in a moment.",
    ),
    3001: Meaning(Verdict.NEVER, "Zoom knows no such meeting (3001).", _NO_MEETING),
    4700: Meaning(Verdict.PERSON, "The token lacks a scope (4700).", _SCOPE),
    4711: Meaning(Verdict.PERSON, "The token lacks a scope (4711).", _SCOPE),
    13262: Meaning(
        Verdict.PERSON,
        "The app may not read meeting content (13262).",
        'An administrator has to add it in Zoom\'s web portal: Settings, Zoom Apps, "Allow apps to access meeting content"; '
        "or `client_id` is not the app's.",
    ),
}

BY_STATUS = {
    0: Meaning(Verdict.LATER, "Zoom's API could not be reached.", _AGAIN),
    401: Meaning(Verdict.TOKEN, "Zoom did not accept the access token (401).", "A new one is fetched."),
    403: Meaning(
        Verdict.CHANGED,
        "Zoom forbids it (403): only the host or an alternative host may do this.",
        "It is asked again when one joins.",
    ),
    404: Meaning(Verdict.NEVER, "Zoom knows no such meeting (404).", _NO_MEETING),
    429: Meaning(
        Verdict.LATER,
        "The account has used up its calls to Zoom's API for now (429); all its apps share them.",
        "It is asked again when Zoom says.",
    ),
}

_ALREADY_TEXT = "already started"


def meaning(reply: Reply) -> Meaning:
    """Judge a reply: by its code, then by its text, then by its HTTP status (protocol.md §4.2)."""
    if reply.good:
        return Meaning(Verdict.ACCEPTED, "Zoom took the request; the stream's start is awaited.")
    if reply.code in BY_CODE:
        return BY_CODE[reply.code]
    if _ALREADY_TEXT in reply.message.lower():
        return Meaning(Verdict.ALREADY, "The app is already started in this meeting.")
    if reply.status in BY_STATUS:
        return BY_STATUS[reply.status]
    if reply.status >= 500:
        return Meaning(Verdict.LATER, f"Zoom's API has a fault of its own (HTTP {reply.status}).", _AGAIN)
    code = f", code {reply.code}" if reply.code is not None else ""
    return Meaning(
        Verdict.NEVER,
        f"Zoom refused the request (HTTP {reply.status}{code}), for a reason that is not documented.",
    )


def read_reply(
    status: int, body: bytes, *, tracking_id: str = "", retry_after_secs: float | None = None
) -> Reply:
    """Read an answer, whatever it is: an empty body, JSON in Zoom's or OAuth's form, a proxy's HTML."""
    document: dict[str, Any] = {}
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
        document = found if isinstance(found, dict) else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    code, message = document.get("code"), document.get("message")
    return Reply(
        status,
        code=code if isinstance(code, int) and not isinstance(code, bool) else _number(code),
        message=message[:300] if isinstance(message, str) else "",
        tracking_id=tracking_id[:100],
        retry_after_secs=retry_after_secs,
        document=document,
    )


def _number(value: object) -> int | None:
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else None
    )
