"""Webhooks: who signed them, and what they say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.protocol.signature import webhook_signature
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

NOW = 1_738_392_034.0
APPS = [Credentials("notes", ("new", "old")), Credentials("archive", ("other",))]
BODY = b'{"event":"meeting.rtms_started","event_ts":1,"payload":{}}'


def headers(secret: str, *, body: bytes = BODY, at: float = NOW) -> dict[str, str]:
    timestamp = str(int(at))
    return {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": webhook_signature(secret=secret, timestamp=timestamp, body=body),
    }


@pytest.mark.parametrize(("secret", "app"), [("new", "notes"), ("old", "notes"), ("other", "archive")])
def test_the_secret_that_fits_names_the_app(secret: str, app: str) -> None:
    """Every configured secret is tried, and its app is the event's."""
    assert verify(body=BODY, headers=headers(secret), credentials=APPS, now_s=NOW) == Verified(app, 0.0)


@pytest.mark.parametrize(
    ("given_headers", "cause"),
    [
        ({}, "no_signature"),
        ({"x-zm-signature": "v0=00"}, "no_signature"),
        ({"x-zm-request-timestamp": "soon", "x-zm-signature": "v0=00"}, "malformed_timestamp"),
        ({"x-zm-request-timestamp": "-5", "x-zm-signature": "v0=00"}, "malformed_timestamp"),
        ({"x-zm-request-timestamp": "1738392034", "x-zm-signature": "v0=ü"}, "bad_signature"),
        (headers("wrong"), "bad_signature"),
        (headers("new", at=NOW - 301), "stale_retry"),
        (headers("new", at=NOW - 5100), "stale_retry"),
        (headers("new", at=NOW - 8000), "stale"),
        (headers("new", at=NOW + 301), "stale"),
        (headers("wrong", at=NOW - 301), "bad_signature"),
    ],
)
def test_rejections_name_their_cause(given_headers: dict[str, str], cause: str) -> None:
    """What is not believed says why, for the log."""
    verdict = verify(body=BODY, headers=given_headers, credentials=APPS, now_s=NOW)
    assert isinstance(verdict, Rejected) and verdict.cause == cause


def test_an_altered_body_is_named() -> None:
    """A body that some proxy formatted anew is told from a wrong secret, and still rejected."""
    pretty = json.dumps(json.loads(BODY), indent=2).encode()
    verdict = verify(body=pretty, headers=headers("new"), credentials=APPS, now_s=NOW)
    assert isinstance(verdict, Rejected) and verdict.cause == "body_altered"


@given(
    st.binary(max_size=300),
    st.dictionaries(st.sampled_from(["x-zm-request-timestamp", "x-zm-signature"]), st.text()),
)
def test_no_bytes_are_believed_or_raise(body: bytes, given_headers: dict[str, str]) -> None:
    """Whatever comes without a signature is rejected, not raised."""
    assert isinstance(verify(body=body, headers=given_headers, credentials=APPS, now_s=NOW), Rejected)


@given(st.binary(max_size=500))
def test_no_bytes_make_the_parser_raise(body: bytes) -> None:
    """Any body is an event or a bad webhook."""
    assert isinstance(parse(body), WebhookEvent | BadWebhook)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_fields = [
    "object",
    "rtms_stream_id",
    "meeting_uuid",
    "meeting_id",
    "server_urls",
    "stop_reason",
    "plainToken",
]


@given(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["meeting.rtms_started", "meeting.rtms_stopped", "x"]) | _json},
        optional={
            "event_ts": _json,
            "payload": _json | st.dictionaries(st.sampled_from(_fields), _json, max_size=7),
        },
    )
)
def test_no_json_makes_the_parser_raise(document: Any) -> None:
    """Wrong types anywhere are evened out or refused."""
    assert isinstance(parse(json.dumps(document).encode()), WebhookEvent | BadWebhook)


def test_deep_nesting_is_refused() -> None:
    """A body made to exhaust the stack is a bad webhook."""
    assert isinstance(parse(b"[" * 60_000), BadWebhook)


def payload(**fields: Any) -> dict[str, Any]:
    return {
        "account_id": "AAAAAABBBB",
        "operator_id": "op",
        "meeting_id": "85746065432",
        "meeting_uuid": "4444AAAiAAAAAiAiAiiAii==",
        "rtms_stream_id": "609340fb2a7946909659956c8aa9250c",
        "is_original_host": True,
        "server_urls": "wss://one.zoom.us:443",
    } | fields


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"payload": payload()}, {}),
        ({"payload": {"object": payload()}}, {}),  # §10 C1
        ({"payload": payload(meeting_id=85746065432)}, {}),
        ({"payload": payload(meeting_id="857 4606 5432")}, {}),
        (
            {"payload": payload(server_urls="wss://a.zoom.us, wss://b.zoom.us")},
            {"server_urls": ("wss://a.zoom.us", "wss://b.zoom.us")},
        ),
        ({"payload": payload(server_urls=["wss://a.zoom.us"])}, {"server_urls": ("wss://a.zoom.us",)}),
        ({"payload": payload(server_urls={"all": "wss://a.zoom.us"})}, {"server_urls": ("wss://a.zoom.us",)}),
        ({"payload": payload(server_urls=7)}, {"server_urls": ()}),
        ({"payload": payload(is_original_host=None)}, {"is_original_host": None}),
    ],
)
def test_started_in_every_form(document: dict[str, Any], expected: dict[str, Any]) -> None:
    """Flat and nested payloads, ids as text and numbers, URLs in any container read the same."""
    event = parse(json.dumps({"event": "meeting.rtms_started", "event_ts": 5, **document}).encode())
    assert isinstance(event, WebhookEvent)
    assert event.kind == "started" and event.product == "meeting" and event.event_ts == 5
    assert event.uuid == "4444AAAiAAAAAiAiAiiAii==" and event.meeting_id == "85746065432"
    wanted = {"server_urls": ("wss://one.zoom.us:443",), "is_original_host": True} | expected
    assert {key: getattr(event, key) for key in wanted} == wanted


def test_stopped_has_its_reason() -> None:
    """The stop webhook's reason is read as a number."""
    body = b'{"event":"meeting.rtms_stopped","event_ts":9,"payload":{"rtms_stream_id":"s","stop_reason":6}}'
    event = parse(body)
    assert isinstance(event, WebhookEvent) and event.kind == "stopped" and event.stop_reason == 6


def test_unknown_events_are_events() -> None:
    """What Zoom adds tomorrow is counted, not refused."""
    event = parse(b'{"event":"meeting.something_new","payload":{"object":{"id":5}}}')
    assert isinstance(event, WebhookEvent) and event.kind == "other"


def test_validation_is_answered() -> None:
    """A plain token gets its HMAC."""
    assert validation_reply(plain_token="qgg8vlvZRS6UYooatFL8Aw", secret="whsec_demo") == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": "fbc12ad271df1bebdea231fdec1c736fc39ec811f758facafe3d40336d589e45",
    }


@given(st.text(max_size=200))
def test_validation_never_signs_an_event(token: str) -> None:
    """Nothing that could be a webhook's signed message is ever answered."""
    for forged in (token, f"v0:{token}", f"v0:1738392034:{token}", '{"event":"' + token):
        if validation_reply(plain_token=forged, secret="s") is not None:
            assert ":" not in forged and "{" not in forged and '"' not in forged and 8 <= len(forged) <= 128


def test_secrets_do_not_show() -> None:
    """Credentials can be printed without harm."""
    assert "other" not in repr(APPS)
