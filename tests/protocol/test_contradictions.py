"""The register of contradictions (protocol.md §10), row by row, from the client's side: what is sent, what is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from product_bench import ALL_URLS, ProductBench
from stream_bench import HOST, INFO, WALL_MS, Bench

from rtmsd.frames import AudioFrame, Event, MediaKind, TranscriptFrame
from rtmsd.protocol.link import LINGER_SECS, SILENCE_SECS
from rtmsd.protocol.signature import validation_token, webhook_signature
from rtmsd.protocol.webhook import (
    Credentials,
    Rejected,
    Verified,
    WebhookEvent,
    parse,
    validation_reply,
    verify,
)

AUDIO = frozenset({MediaKind.AUDIO})
MOVED = "wss://zoomiad2.iad.zoom.us"

NOT_HERE = {
    "C30": "of REST: tests/zoom takes every 2xx",
    "C31": "of starting: each era is played in tests/simulator and tests/app/test_meetings_started.py",
    "C32": "an account's plan is not known to the client; `start_failed` and the entitlement sentence tell of it",
    "C40": "whether the owner must be present for an automatic start is Zoom's; nothing assumes it",
    "C45": "about Zoom's own SDK: compared in tests/interop",
}
"""Rows that have nothing to check on this side of the protocol, and why."""

CASES: dict[str, Callable[[], None]] = {}


def row(check: Callable[[], None]) -> Callable[[], None]:
    CASES[check.__name__.upper()] = check
    return check


def webhook(event: str, payload: dict[str, Any]) -> WebhookEvent:
    found = parse(json.dumps({"event": event, "event_ts": WALL_MS, "payload": payload}).encode())
    assert isinstance(found, WebhookEvent)
    return found


def joining(**request: Any) -> ProductBench:
    """A stream whose signaling socket is open and not yet answered."""
    bench = ProductBench(join=False, **({"kinds": AUDIO} | request))
    bench.start()
    bench.opened("signaling")
    return bench


def answer(bench: Bench, **fields: Any) -> None:
    urls = {"media_server": {"server_urls": ALL_URLS}}
    bench.receive("signaling", {"msg_type": 2, "status_code": 0} | urls | fields)


def greeted(**fields: Any) -> ProductBench:
    """A stream whose audio is answered with these fields."""
    bench = joining()
    answer(bench)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0} | fields)
    return bench


@row
def c1() -> None:
    """Flat and nested payloads."""
    fields = {"meeting_uuid": "u", "rtms_stream_id": "s", "server_urls": HOST}
    assert webhook("meeting.rtms_started", fields) == webhook("meeting.rtms_started", {"object": fields})


@row
def c2() -> None:
    """An interruption with URLs leads to them, one without to the stored ones."""
    for urls, expected in (([MOVED], MOVED), ([], HOST)):
        bench = ProductBench(kinds=AUDIO)
        bench.later(20.0)
        bench.do(bench.machine.interrupted(urls, bench.now))
        bench.later(LINGER_SECS)
        assert bench.urls[bench.live["signaling"]] == expected


@row
def c3() -> None:
    """A webinar's id under either key."""
    for key in ("webinar_uuid", "meeting_uuid"):
        assert webhook("webinar.rtms_started", {key: "u"}).uuid == "u"


@row
def c4() -> None:
    """The documented key and `meeting_uuid`, both."""
    for product, key in (("video_sdk", "session_id"), ("contact_center", "engagement_id")):
        for hello in (lambda bench: bench.said(1)[0], lambda bench: bench.said(3, "audio")[0]):
            said = hello(ProductBench(product, kinds=AUDIO))
            assert said[key] == said["meeting_uuid"] == INFO.meeting_uuid


@row
def c5() -> None:
    """We begin with 1; any sequence, or none, is taken."""
    assert ProductBench(kinds=AUDIO).said(1)[0]["sequence"] == 1
    for sequence in (0, 123_456, None, "7"):
        assert greeted(sequence=sequence).machine.state == "streaming"


@row
def c6() -> None:
    """The machine gets bytes, whichever frame they came in; our own are UTF-8 text."""
    bench = ProductBench(kinds=AUDIO)
    bench.receive(
        "audio", json.dumps({"msg_type": 12, "sequence": 1, "timestamp": 2}, ensure_ascii=False).encode()
    )
    assert bench.sent[-1][1]["msg_type"] == 13


@row
def c7() -> None:
    """A keep-alive with either field is answered with what it had."""
    for fields in ({"timestamp": 5}, {"timestamp": 5, "sequence": 6}, {"sequence": 6}):
        bench = ProductBench(kinds=AUDIO)
        bench.receive("signaling", {"msg_type": 12} | fields)
        assert bench.sent[-1][1] == {"msg_type": 13} | fields


@row
def c8() -> None:
    """Keep-alives may come every 5 s, every 30 s, or not at all while data flow."""
    for every in (5.0, 30.0):
        bench = ProductBench(kinds=AUDIO)
        sockets = dict(bench.live)
        for _ in range(5):
            bench.later(every)
            bench.receive("signaling", {"msg_type": 12, "sequence": 1, "timestamp": 1})
            bench.audio(bench.wall_ms)
        assert bench.live == sockets


@row
def c9() -> None:
    """A lost medium is tried for at once, and is still welcome after 30 s."""
    bench = ProductBench(kinds=AUDIO)
    bench.closed("audio")
    bench.later(0.6)
    assert "audio" in bench.live
    for _ in range(5):
        bench.open_failed("audio")
        bench.later(9.0)
        bench.receive("signaling", {"msg_type": 12, "sequence": 1, "timestamp": 1})
    assert "audio" in bench.live and bench.finished is None


@row
def c10() -> None:
    """Only after 65 s without any traffic is a socket taken for dead."""
    bench = ProductBench(kinds=AUDIO)
    sockets = dict(bench.live)
    bench.later(SILENCE_SECS - 1)
    assert bench.live == sockets and SILENCE_SECS == 65
    bench.later(2.0)
    assert bench.live != sockets


@row
def c11() -> None:
    """The reason of a session's end under either key."""
    for key in ("reason", "stop_reason"):
        bench = ProductBench(kinds=AUDIO)
        bench.receive(
            "signaling", {"msg_type": 9, "rtms_session_id": "a", "state": 5, key: 6, "timestamp": WALL_MS}
        )
        bench.receive("signaling", {"msg_type": 8, "state": 4, key: 6, "timestamp": WALL_MS})
        bench.later(LINGER_SECS)
        assert bench.finished is not None and bench.finished.reason == 6


@row
def c12() -> None:
    """States, reasons and parameters as numbers, numbers in text, and names."""
    for state, reason in (
        (4, 6),
        ("4", "6"),
        ("TERMINATED", "STOP_BC_MEETING_ENDED"),
        ("terminated", "meeting_ended"),
    ):
        bench = greeted(media_params={"audio": {"codec": "OPUS"}})
        bench.content("audio", 14, data=b"abc")
        assert isinstance(frame := bench.items[-1], AudioFrame) and frame.format.codec == "OPUS"
        bench.receive("signaling", {"msg_type": 8, "state": state, "reason": reason, "timestamp": WALL_MS})
        bench.later(LINGER_SECS)
        assert bench.finished is not None and bench.finished.reason == 6


@row
def c13() -> None:
    """Either name and either value: over TLS the data are plain."""
    for fields in ({"payload_encrypted": True}, {"payload_encryption": False}, {}):
        bench = greeted(**fields)
        assert len(bench.content("audio", 14, data=b"abcd")) == 1
    assert ProductBench(kinds=AUDIO).said(3, "audio")[0]["payload_encryption"] is False


@row
def c14() -> None:
    """Status 17 is wrong parameters today and was a duplicate: the text decides, and then it is tried again."""
    for reason, again in (("Duplicate signal request", True), ("INVALID_MEDIA_PARAMS", False)):
        bench = joining()
        bench.receive("signaling", {"msg_type": 2, "status_code": 17, "reason": reason})
        bench.later(2.0)
        assert ("signaling" in bench.live) is again


@row
def c15() -> None:
    """There is never a second signaling connection beside a living one (the bench checks it); a refusal is waited out."""
    bench = joining()
    bench.receive("signaling", {"msg_type": 2, "status_code": 8, "reason": "Duplicate signal request"})
    assert "signaling" not in bench.live
    bench.later(2.0)
    assert "signaling" in bench.live and bench.finished is None


@row
def c16() -> None:
    """Message 5, with objects."""
    [asked] = ProductBench(kinds=AUDIO).said(5)
    assert asked == {
        "msg_type": 5,
        "events": [{"event_type": number, "subscribe": True} for number in (2, 3, 4)],
    }


@row
def c17() -> None:
    """The acknowledgement goes out on signaling."""
    bench = ProductBench(kinds=AUDIO)
    assert len(bench.said(7)) == 1 and not bench.said(7, "audio")


@row
def c18() -> None:
    """One acknowledgement for all media, and another after one came back."""
    bench = ProductBench()
    assert len(bench.said(7)) == 1
    bench.closed("audio")
    bench.later(1.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    assert len(bench.said(7)) == 2


@row
def c19() -> None:
    """One type for each socket, on its own URL."""
    bench = ProductBench()
    for kind, number in (("audio", 1), ("video", 2), ("share", 4), ("transcript", 8), ("chat", 16)):
        assert bench.said(3, kind)[0]["media_type"] == number
    assert len({bench.urls[socket] for socket in bench.live.values()}) == 6


@row
def c20() -> None:
    """Transcript is 8 and chat 16."""
    bench = ProductBench()
    assert [bench.said(3, kind)[0]["media_type"] for kind in ("transcript", "chat")] == [8, 16]


@row
def c21() -> None:
    """Mono unless it is configured otherwise; stereo samples are taken when they are confirmed."""
    assert ProductBench(kinds=AUDIO).said(3, "audio")[0]["media_params"]["audio"]["channel"] == 1
    bench = greeted(media_params={"audio": {"channel": 2}})
    [frame] = bench.content("audio", 14, data=b"abcd")
    assert isinstance(frame, AudioFrame) and frame.format.channels == 2


@row
def c22() -> None:
    """Always raw, never RTP."""
    for codec, rate in (("L16", 16_000), ("OPUS", 48_000), ("G711", 8_000), ("G722", 16_000)):
        asked = ProductBench(kinds=AUDIO, audio_codec=codec, sample_rate=rate).said(3, "audio")[0]
        assert asked["media_params"]["audio"]["content_type"] == 2


@row
def c23() -> None:
    """A shared screen as JPG, one a second; what is between 1 and 5 is not configured (tests/config)."""
    asked = ProductBench(kinds=frozenset({MediaKind.SHARE})).said(3, "share")[0]["media_params"]["deskshare"]
    assert (asked["codec"], asked["fps"]) == (5, 1)


@row
def c24() -> None:
    """What the server clamps is told."""
    bench = greeted(media_params={"audio": {"send_rate": 1000}})
    [changed] = [item for item in bench.items if isinstance(item, Event) and item.name == "media_changed"]
    assert changed.details["confirmed"] == {"send_rate": 1000}


@row
def c25() -> None:
    """Ids as numbers and as text."""
    bench = ProductBench(kinds=AUDIO)
    users = [
        bench.content("audio", 14, data=b"abcd", user_id=user, timestamp=WALL_MS + at)
        for at, user in enumerate((5, "5"))
    ]
    assert [[frame.user_id for frame in one] for one in users] == [[5], [5]]


@row
def c26() -> None:
    """Mixed audio with an empty name, with none, and without the key."""
    bench = greeted(media_params={"audio": {"data_opt": 1}})
    for at, name in enumerate(("", None, ...)):
        [frame] = bench.content("audio", 14, data=b"abcd", user_id=0, user_name=name, timestamp=WALL_MS + at)
        assert isinstance(frame, AudioFrame) and (frame.user_id, frame.user_name) == (0, "")


@row
def c27() -> None:
    """Seconds, milliseconds and microseconds; we send milliseconds."""
    bench = ProductBench(kinds=frozenset({MediaKind.TRANSCRIPT}))
    for at in (1_727_384_100, 1_727_384_100_000, 1_727_384_100_000_000):
        bench.content("transcript", 17, timestamp=at, start_time=at, end_time=at, data=str(at))
    phrases = [item for item in bench.items if isinstance(item, TranscriptFrame)]
    assert {(one.timestamp_ms, one.start_ms, one.end_ms) for one in phrases} == {(1_727_384_100_000,) * 3}


@row
def c28() -> None:
    """Who leaves, as an object and as a bare id."""
    bench = ProductBench(kinds=AUDIO)
    for participants in ([{"user_id": 5}], [5]):
        assert [one.user_id for one in bench.event(event_type=4, participants=participants)] == [5]


@row
def c29() -> None:
    """The new names of the language's parameters."""
    asked = ProductBench().said(3, "transcript")[0]["media_params"]["transcript"]
    assert asked == {"content_type": 5, "src_language": 9, "enable_lid": True}


@row
def c33() -> None:
    """No limit is built in: the event says what it is."""
    said = webhook("rtms.concurrency_near_limit", {"concurrency_limit": 5, "concurrency_number": 4})
    assert said.kind == "notice" and said.said["concurrency_limit"] == 5


@row
def c34() -> None:
    """A move with the same id and another URL; with another id, everything after goes under that."""
    bench = ProductBench(kinds=AUDIO)
    bench.do(bench.machine.started_again([MOVED], bench.now))
    bench.later(LINGER_SECS)
    assert bench.urls[bench.live["signaling"]] == MOVED
    bench.do(bench.machine.continued("another-stream", "its-signature", [HOST], bench.now))
    bench.later(LINGER_SECS)
    bench.opened("signaling")
    assert bench.said(1)[-1]["rtms_stream_id"] == "another-stream"


@row
def c35() -> None:
    """We do not wait for Zoom's word: a socket that is lost is made anew."""
    bench = ProductBench(kinds=AUDIO)
    bench.closed("signaling")
    bench.later(LINGER_SECS + 0.6)
    assert "signaling" in bench.live


@row
def c36() -> None:
    """Stop reason 18 ends the stream; it is not joined again with the same credentials."""
    bench = joining()
    bench.closed("signaling", 1000)
    bench.do(bench.machine.stopped(18, WALL_MS, bench.now))
    bench.later(120.0)
    assert bench.finished is not None and bench.finished.reason == 18 and len(bench.urls) == 1


SECRETS = [Credentials("notes", ("secret",))]


@row
def c37() -> None:
    """A signed validation is Zoom's; an unsigned one is answered only for text that cannot be a signed event."""
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'
    signature = webhook_signature(secret="secret", timestamp="1738392034", body=body)
    headers = {"x-zm-request-timestamp": "1738392034", "x-zm-signature": signature}
    signed = verify(body=body, headers=headers, credentials=SECRETS, now_s=1_738_392_034.0)
    assert isinstance(signed, Verified)
    unsigned = verify(body=body, headers={}, credentials=SECRETS, now_s=1_738_392_034.0)
    assert isinstance(unsigned, Rejected) and unsigned.cause == "no_signature"
    token = "qgg8vlvZRS6UYooatFL8Aw"
    expected = {"plainToken": token, "encryptedToken": validation_token(secret="secret", plain_token=token)}
    assert validation_reply(plain_token=token, secret="secret") == expected
    assert validation_reply(plain_token='v0:1738392034:{"event":"x"}', secret="secret") is None


@row
def c38() -> None:
    """The raw body is what is signed; a body that was formatted anew is told from a wrong secret."""
    body = b'{"event":"x"}'
    signature = webhook_signature(secret="secret", timestamp="1738392034", body=body)
    headers = {"x-zm-request-timestamp": "1738392034", "x-zm-signature": signature}
    for sent, cause in ((b'{"event": "x"}', "body_altered"), (b'{"event":"y"}', "bad_signature")):
        found = verify(body=sent, headers=headers, credentials=SECRETS, now_s=1_738_392_034.0)
        assert isinstance(found, Rejected) and found.cause == cause


@row
def c39() -> None:
    """The party of a contact centre's event, in both spellings, with `event_ts`."""
    for key in ("paticipant_info", "participant_info"):
        bench = ProductBench("contact_center", kinds=AUDIO)
        found = bench.event(event_type=11, timestamp=None, event_ts=WALL_MS + 5, **{key: {"channel_id": "c"}})
        assert [one.name for one in found] == ["channel_appeared", "user_end"]
        assert {one.timestamp_ms for one in found} == {WALL_MS + 5} and found[0].user_id == found[1].user_id


@row
def c41() -> None:
    """The same number is another event in another product."""
    names = {
        product: ProductBench(product, kinds=AUDIO).event(event_type=8)[0].name
        for product in ("meeting", "contact_center")
    }
    assert names == {"meeting": "participant_video_on", "contact_center": "consumer_answered"}


@row
def c42() -> None:
    """A bad signature is a Close frame or a status: neither is tried for long, and both are an end."""
    closing = joining()
    for _ in range(2):
        closing.closed("signaling", 1000)
        closing.later(3.0)
        if "signaling" in closing.live:
            closing.opened("signaling")
    closing.later(70.0)
    telling = joining()
    telling.receive("signaling", {"msg_type": 2, "status_code": 15, "reason": "INVALID_SIGNATURE"})
    telling.later(70.0)
    assert closing.finished is not None and closing.finished.outcome == "refused" and len(closing.urls) == 2
    assert telling.finished is not None and telling.finished.status == 3 and len(telling.urls) == 1


@row
def c43() -> None:
    """Event 7 names no medium: what is not there is made anew, what is heard stays."""
    bench = ProductBench(kinds=frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT}))
    audio, transcript = bench.live["audio"], bench.live["transcript"]
    bench.later(20.0)
    bench.receive("transcript", {"msg_type": 12, "sequence": 1, "timestamp": 1})
    bench.event(event_type=7)
    bench.later(0.1)
    assert bench.live["audio"] != audio and bench.live["transcript"] == transcript


@row
def c44() -> None:
    """A webhook that was rightly signed and is a repeat is known as one, however old, up to two hours."""
    body = b'{"event":"meeting.rtms_started"}'
    signature = webhook_signature(secret="secret", timestamp="1738392034", body=body)
    headers = {"x-zm-request-timestamp": "1738392034", "x-zm-signature": signature}
    found = verify(body=body, headers=headers, credentials=SECRETS, now_s=1_738_392_034.0 + 3600)
    assert isinstance(found, Rejected) and found.cause == "stale_retry"


@pytest.mark.parametrize("number", [f"C{one}" for one in range(1, 46)])
def test_every_row_of_the_register(number: str) -> None:
    """Each row has its case, or a reason why there is none on this side."""
    if number in NOT_HERE:
        assert number not in CASES
        pytest.skip(NOT_HERE[number])
    CASES[number]()
