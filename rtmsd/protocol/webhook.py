"""Zoom's webhooks: is it Zoom's, which app's, and what does it say (protocol.md §2)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from rtmsd.protocol.codes import StopReason, number_of
from rtmsd.protocol.lifecycle import Lifecycle, kept, lifecycle
from rtmsd.protocol.messages import id_text, part_of
from rtmsd.protocol.products import BY_PREFIX
from rtmsd.protocol.signature import validation_token, webhook_signature

MAX_AGE_SECS = 300.0
"""Zoom's own sample rejects older ones (protocol.md §2.2)."""

RETRY_HORIZON_SECS = 2 * 3600.0
"""Zoom repeats after 5, 25 and 85 minutes (protocol.md §2.4) and may keep the first timestamp."""

VALIDATION_EVENT = "endpoint.url_validation"

# Such a token cannot be a webhook's signed message, which begins "v0:" and holds a JSON body (protocol.md §2.3).
_SAFE_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_\-+/=]{8,128}")

_KINDS: dict[str, Literal["started", "stopped", "interrupted"]] = {
    "rtms_started": "started",
    "rtms_stopped": "stopped",
    "rtms_interrupted": "interrupted",
}
NOTICE_PREFIX = "rtms."
"""Events about what Zoom can or cannot do, of no one stream (§2.5.5)."""

_MEETING_KEYS = ("meeting_id", "webinar_id", "session_key")
# What people are called, and how they are reached, is nobody's business here.
_PERSONAL = re.compile(r"name|mail|phone|token|secret", re.IGNORECASE)
MAX_SAID = 300
"""Characters of one value of a notice."""

_UUID_KEYS = ("meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id")


class Credentials(msgspec.Struct, frozen=True):
    """The webhook secrets of one app; several while rotating."""

    app: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Credentials(app={self.app!r}, secrets=***)"


class Verified(msgspec.Struct, frozen=True):
    """The secret that fits names the app. `skew_secs` is our clock less Zoom's."""

    app: str
    skew_secs: float


class Rejected(msgspec.Struct, frozen=True):
    """Why a webhook is not believed; for log and counter, never for the caller.

    Causes: no_signature, malformed_timestamp, bad_signature, body_altered (the body's compact form would fit: some
    proxy rewrote it), stale_retry (rightly signed, as old as a repeat of Zoom's may be), stale.
    """

    cause: str
    skew_secs: float | None = None


class WebhookEvent(msgspec.Struct, frozen=True):
    """One event, with the differences between Zoom's sources evened out (protocol.md §2.5, §10 C1–C3)."""

    event: str
    event_ts: int
    kind: Literal["started", "stopped", "interrupted", "validation", "notice", "lifecycle", "other"]
    product: str
    stream_id: str
    uuid: str
    meeting_id: str
    account_id: str
    operator_id: str
    is_original_host: bool | None
    server_urls: tuple[str, ...]
    stop_reason: int | None
    plain_token: str
    said: dict[str, str | int | float | bool] = {}
    """What a notice says: a few short values, nothing personal."""
    life: Lifecycle | None = None
    """What an event of kind "lifecycle" tells of a meeting."""


class BadWebhook(msgspec.Struct, frozen=True):
    """The body is not a webhook; `sentence` holds nothing of it."""

    sentence: str


def verify(
    *, body: bytes, headers: Mapping[str, str], credentials: Sequence[Credentials], now_s: float
) -> Verified | Rejected:
    """Find the app whose secret signed `body`. `headers` has lower-case names; `now_s` is Unix seconds."""
    timestamp = headers.get("x-zm-request-timestamp", "")
    signature = headers.get("x-zm-signature", "")
    if not timestamp or not signature:
        return Rejected("no_signature")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return Rejected("malformed_timestamp")
    skew = now_s - int(timestamp)
    app = _signer(body, timestamp, signature, credentials)
    if app is None:
        altered = any(_signer(form, timestamp, signature, credentials) for form in _compact_forms(body))
        return Rejected("body_altered" if altered else "bad_signature", skew)
    if abs(skew) > MAX_AGE_SECS:
        return Rejected("stale_retry" if 0 < skew <= RETRY_HORIZON_SECS else "stale", skew)
    return Verified(app, skew)


def _signer(body: bytes, timestamp: str, signature: str, credentials: Sequence[Credentials]) -> str | None:
    found = None
    given = signature.encode("utf-8", "surrogateescape")
    for one in credentials:
        for secret in one.secrets:
            expected = webhook_signature(secret=secret, timestamp=timestamp, body=body).encode()
            if hmac.compare_digest(expected, given):
                found = found or one.app
    return found


def _compact_forms(body: bytes) -> Iterator[bytes]:
    """Yield the form that Zoom signs, were the body only reformatted (protocol.md §2.2)."""
    try:
        yield msgspec.json.encode(msgspec.json.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return


def parse(body: bytes) -> WebhookEvent | BadWebhook:
    """Read a verified body. Unknown events are events of kind "other"; only what is no event at all is bad."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return BadWebhook("expected a JSON object, got something that is not JSON")
    if not isinstance(document, dict):
        return BadWebhook(f"expected a JSON object, got a JSON {_json_kind(document)}")
    event = document.get("event")
    if not isinstance(event, str) or not event or len(event) > 100:
        return BadWebhook("expected a string `event` of at most 100 characters")
    payload = part_of(document, "payload")
    nested = payload.get("object")
    fields = {**nested, **payload} if isinstance(nested, dict) else payload
    event_ts = document.get("event_ts")
    at_ms = event_ts if isinstance(event_ts, int) and not isinstance(event_ts, bool) else 0
    if (life := lifecycle(event, at_ms, payload)) is not None:
        return _of_a_meeting(event, life)
    return _event(event, at_ms, fields)


def kept_body(event: WebhookEvent, body: bytes) -> bytes:
    """What of a webhook is kept: it says the same when it is read again, and names nobody."""
    if event.life is not None:
        return kept(event.event, event.life)
    if event.kind == "notice":
        payload = {**event.said, "meeting_uuid": event.uuid}
        return msgspec.json.encode({"event": event.event, "event_ts": event.event_ts, "payload": payload})
    return body


def _of_a_meeting(event: str, life: Lifecycle) -> WebhookEvent:
    return WebhookEvent(
        event=event,
        event_ts=life.at_ms,
        kind="lifecycle",
        product=event.partition(".")[0],
        stream_id="",
        uuid=life.meeting_uuid,
        meeting_id=life.meeting_id,
        account_id=life.account_id,
        operator_id="",
        is_original_host=None,
        server_urls=(),
        stop_reason=None,
        plain_token="",
        life=life,
    )


def _event(event: str, event_ts: int, fields: dict[str, Any]) -> WebhookEvent:
    prefix, _, suffix = event.rpartition(".")
    product = BY_PREFIX.get(prefix, "")
    kind: Literal["started", "stopped", "interrupted", "validation", "notice", "other"] = "other"
    if event == VALIDATION_EVENT:
        kind = "validation"
    elif event.startswith(NOTICE_PREFIX):
        kind = "notice"
        fields |= _ids_of(fields.get("id_field"))
    elif product:
        kind = _KINDS.get(suffix.removeprefix("voice_"), "other")  # of contact centres: voice_rtms_started
    reason = number_of(StopReason, fields.get("stop_reason"))
    host = fields.get("is_original_host")
    return WebhookEvent(
        event=event,
        event_ts=event_ts,
        kind=kind,
        product=product,
        stream_id=id_text(fields.get("rtms_stream_id")),
        uuid=next(filter(None, (id_text(fields.get(key)) for key in _UUID_KEYS)), ""),
        meeting_id=_meeting_id(fields),
        account_id=id_text(fields.get("account_id")),
        operator_id=id_text(fields.get("operator_id")),
        is_original_host=host if isinstance(host, bool) else None,
        server_urls=tuple(_urls(fields.get("server_urls"))),
        stop_reason=reason,
        plain_token=id_text(fields.get("plainToken")),
        said=_said(fields) if kind == "notice" else {},
    )


def _meeting_id(fields: dict[str, Any]) -> str:
    """Read the number, or else the key, that people know a meeting by. Numbers are written with spaces at times."""
    known = next(filter(None, (id_text(fields.get(key)) for key in _MEETING_KEYS)), "")
    number = known.replace(" ", "")
    return number if number.isdigit() else known


def _ids_of(id_field: object) -> dict[str, Any]:
    return id_field if isinstance(id_field, dict) else {}


def _said(fields: dict[str, Any]) -> dict[str, str | int | float | bool]:
    """Keep what a notice says: a few short values, none of them personal."""
    short = {
        key: value[:MAX_SAID] if isinstance(value, str) else value
        for key, value in fields.items()
        if isinstance(value, str | int | float) and len(key) <= 100 and not _PERSONAL.search(key)
    }
    return dict(list(short.items())[:20])


def _urls(value: object) -> Iterator[str]:
    """Docs say a string, comma-separated when there are several; lists and objects are taken too (§2.5.1)."""
    if isinstance(value, str):
        yield from (url for part in value[:4096].split(",") if (url := part.strip()))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _urls(part) if isinstance(part, str) else ()
    elif isinstance(value, list):
        for part in value:
            yield from _urls(part) if isinstance(part, str) else ()


def validation_reply(*, plain_token: str, secret: str) -> dict[str, str] | None:
    """Answer a URL validation, or refuse with None.

    The answer is an HMAC with the key that signs events, over text of the caller's choosing: only text that cannot
    be a signed event is taken (protocol.md §2.3). The caller checks the signature when there is one, and limits the
    rate.
    """
    if not _SAFE_PLAIN_TOKEN.fullmatch(plain_token):
        return None
    return {
        "plainToken": plain_token,
        "encryptedToken": validation_token(secret=secret, plain_token=plain_token),
    }


def _json_kind(value: object) -> str:
    kinds = {list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return kinds.get(type(value), "null")
