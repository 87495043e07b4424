"""Every product: what its webhooks say, and which ids its handshakes carry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from product_bench import ProductBench
from stream_bench import INFO, WALL_MS

from rtmsd.frames import MediaKind
from rtmsd.protocol.products import PRODUCTS
from rtmsd.protocol.signature import handshake_signature
from rtmsd.protocol.webhook import WebhookEvent, parse

UUID = "4444AAAiAAAAAiAiAiiAii=="
STREAM = "609340fb2a7946909659956c8aa9250c"
URL = "wss://zoomsjc1.sjc.zoom.us:443"


def read(event: str, payload: dict[str, Any], *, nested: bool = False) -> WebhookEvent:
    body = {"event": event, "event_ts": WALL_MS, "payload": {"object": payload} if nested else payload}
    found = parse(json.dumps(body).encode())
    assert isinstance(found, WebhookEvent)
    return found


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("event", "payload", "product", "uuid", "meeting_id"),
    [
        ("meeting", {"meeting_uuid": UUID, "meeting_id": "857 4606 5432"}, "meeting", UUID, "85746065432"),
        ("webinar", {"webinar_uuid": UUID, "webinar_id": 85746065432}, "webinar", UUID, "85746065432"),
        ("webinar", {"meeting_uuid": UUID, "webinar_id": "1"}, "webinar", UUID, "1"),
        ("webinar", {"webinar_uuid": UUID, "meeting_id": "2", "webinar_id": "1"}, "webinar", UUID, "2"),
        ("session", {"session_id": UUID, "session_key": "room 42"}, "video_sdk", UUID, "room 42"),
        ("contact_center", {"engagement_id": "Xa1b"}, "contact_center", "Xa1b", ""),
        ("phone", {"call_id": "c-1"}, "phone", "c-1", ""),
    ],
)
def test_each_product_is_started_interrupted_and_stopped(
    event: str, payload: dict[str, Any], product: str, uuid: str, meeting_id: str, nested: bool
) -> None:
    """The three webhooks of each product, flat and nested, give the same event."""
    middle = "voice_" if product == "contact_center" else ""
    for kind in ("started", "interrupted", "stopped"):
        said = {**payload, "rtms_stream_id": STREAM, "server_urls": URL, "stop_reason": 21}
        found = read(f"{event}.{middle}rtms_{kind}", said, nested=nested)
        assert (found.kind, found.product, found.stream_id) == (kind, product, STREAM)
        assert (found.uuid, found.meeting_id, found.stop_reason) == (uuid, meeting_id, 21)
        assert found.server_urls == (URL,)


@pytest.mark.parametrize("reason", [6, "6", "STOP_BC_MEETING_ENDED", "MEETING_ENDED"])
def test_a_stop_reason_is_a_number_or_a_name(reason: object) -> None:
    """Names and numbers mean the same reason (§10 C12)."""
    assert read("meeting.rtms_stopped", {"rtms_stream_id": "s", "stop_reason": reason}).stop_reason == 6


@pytest.mark.parametrize(
    "event",
    ["meeting.started", "session.ended", "meeting.rtms_paused", "zoom.rtms_started", "voice_rtms_started"],
)
def test_other_events_start_nothing(event: str) -> None:
    """What only looks like a start is of kind "other"."""
    assert read(event, {"rtms_stream_id": "s"}).kind == "other"


@pytest.mark.parametrize(
    ("event", "payload", "uuid", "said"),
    [
        (
            "rtms.concurrency_near_limit",
            {"concurrency_limit": 2000, "concurrency_number": 1601, "percentage": 80},
            "",
            {"concurrency_limit": 2000, "concurrency_number": 1601, "percentage": 80},
        ),
        (
            "rtms.concurrency_limited",
            {"concurrency_number": 5, "id_field": {"webinar_uuid": UUID}},
            UUID,
            {"concurrency_number": 5, "webinar_uuid": UUID},
        ),
        ("rtms.concurrency_limited", {"id_field": "none"}, "", {"id_field": "none"}),
        ("rtms.start_failed", {"reason": "x" * 999, "host_email": "a@b"}, "", {"reason": "x" * 300}),
        ("rtms.something_new", {"deep": {"a": 1}}, "", {}),
    ],
)
def test_notices_are_read(event: str, payload: dict[str, Any], uuid: str, said: dict[str, Any]) -> None:
    """`rtms.*` events say a few short values, none of them personal, and which meeting it is about."""
    found = read(event, payload)
    assert (found.kind, found.uuid, found.said) == ("notice", uuid, said)


@pytest.mark.parametrize(
    ("product", "ids"),
    [
        ("meeting", {"meeting_uuid": UUID}),
        ("webinar", {"meeting_uuid": UUID}),
        ("video_sdk", {"session_id": UUID, "meeting_uuid": UUID}),
        ("contact_center", {"engagement_id": UUID, "meeting_uuid": UUID}),
        ("phone", {"call_id": UUID, "meeting_uuid": UUID}),
    ],
)
def test_both_handshakes_carry_the_products_id(product: str, ids: dict[str, str]) -> None:
    """The documented key and `meeting_uuid` hold the id over which the signature goes (§10 C4)."""
    bench = ProductBench(product, kinds=frozenset({MediaKind.AUDIO}))
    signature = handshake_signature(
        client_id="demo_client_id", client_secret="demo_client_secret", uuid=UUID, stream_id=INFO.stream_id
    )
    keys = {"meeting_uuid", "session_id", "engagement_id", "call_id"}
    for hello in (*bench.said(1), *bench.said(3, "audio")):
        assert {key: hello[key] for key in keys & hello.keys()} == ids
        assert hello["signature"] == signature and hello["protocol_version"] == 1


def test_the_table_names_every_product() -> None:
    """The table has the products that `StreamInfo` names, each with at least sound."""
    assert set(PRODUCTS) == {"meeting", "webinar", "video_sdk", "contact_center", "phone"}
    assert all(MediaKind.AUDIO in one.media for one in PRODUCTS.values())
