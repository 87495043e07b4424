"""Bad input at the level of messages: nothing breaks, nothing is misfiled, everything is counted by its kind."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from product_bench import ALL_URLS, ProductBench
from stream_bench import WALL_MS

from rtmsd.frames import AudioFrame, ChatFrame, MediaKind, ShareFrame, TranscriptFrame, VideoFrame
from rtmsd.protocol.messages import Message, decode
from rtmsd.protocol.signaling import status_of

DATA = base64.b64encode(b"\x01\x00\x02\x00").decode()
SOUND = {"user_id": 16778240, "user_name": "Ann", "timestamp": WALL_MS, "data": DATA}


def content(kind: str, number: int | str, /, **fields: Any) -> tuple[str, dict[str, Any]]:
    given = {key: value for key, value in (SOUND | fields).items() if value is not ...}
    return kind, {"msg_type": number, "content": given}


# What comes, on which socket; what is counted of it, and how many frames come of it.
TABLE: list[tuple[tuple[str, Any], dict[str, int], int]] = [
    # Strings, names and fractions where numbers belong
    (content("audio", "14"), {"audio": 1}, 1),
    (content("audio", "MEDIA_DATA_AUDIO"), {"audio": 1, "salvaged_message_14": 1}, 1),
    (content("audio", 14, user_id="16778240", timestamp=str(WALL_MS)), {"audio": 1}, 1),
    (content("audio", 14, timestamp=WALL_MS + 0.25), {"audio": 1, "salvaged_message_14": 1}, 1),
    (content("audio", 14, length="four"), {"audio": 1, "salvaged_message_14": 1}, 1),
    (content("audio", 14, user_name=7), {"audio": 1, "salvaged_message_14": 1}, 1),
    (content("video", 15, length=None, user_name=["Ann"]), {"video": 1, "salvaged_message_15": 1}, 1),
    (content("transcript", 17, language={}, data="Hi"), {"transcript": 1, "salvaged_message_17": 1}, 1),
    # Missing fields
    (content("audio", 14, user_id=...), {"malformed_audio_without_user_or_time": 1}, 0),
    (content("audio", 14, timestamp=...), {"malformed_audio_without_user_or_time": 1}, 0),
    (content("audio", 14, data=...), {"malformed_audio_partial_sample": 1}, 0),
    (content("audio", 14, user_name=...), {"audio": 1}, 1),
    (content("video", 15, data=...), {"malformed_video_without_data": 1}, 0),
    (content("share", 16, user_id=...), {"malformed_share_without_user_or_time": 1}, 0),
    (content("transcript", 17, data=...), {"malformed_transcript_without_text": 1}, 0),
    (content("chat", 18, timestamp=...), {"malformed_chat_without_time": 1}, 0),
    (("audio", {"msg_type": 14}), {"malformed_audio_without_content": 1}, 0),
    (("video", {"msg_type": 15, "content": None}), {"malformed_video_without_content": 1}, 0),
    (
        ("transcript", {"msg_type": 17, "content": "Hi"}),
        {"malformed_transcript_without_content": 1, "salvaged_message_17": 1},
        0,
    ),
    # Values out of all range
    (content("audio", 14, user_id=-7), {"malformed_audio_without_user_or_time": 1}, 0),
    (content("audio", 14, timestamp=-1), {"malformed_audio_without_user_or_time": 1}, 0),
    (content("audio", 14, timestamp=10**25), {"malformed_audio_without_user_or_time": 1}, 0),
    (content("video", 15, timestamp=10**25), {"malformed_video_without_user_or_time": 1}, 0),
    # Data
    (content("audio", 14, data="%%%"), {"malformed_audio_not_base64": 1}, 0),
    (content("audio", 14, data="AAAAA"), {"malformed_audio_not_base64": 1}, 0),
    (content("audio", 14, data={"a": 1}), {"malformed_audio_not_base64": 1, "salvaged_message_14": 1}, 0),
    (content("audio", 14, data=DATA.rstrip("=")), {"audio": 1, "base64_repaired": 1}, 1),
    (content("audio", 14, length=99), {"audio": 1, "length_mismatch": 1}, 1),
    (content("share", 16, data="é"), {"malformed_share_not_base64": 1}, 0),
    # Not what it should be at all
    (("audio", b"\x00\x01\x02binary"), {"malformed_not_json": 1}, 0),
    (("audio", b""), {"malformed_not_json": 1}, 0),
    (("signaling", b"[]"), {"malformed_no_msg_type": 1}, 0),
    (("signaling", b'{"msg_type":null}'), {"malformed_no_msg_type": 1}, 0),
    (("signaling", {"msg_type": 77}), {"unhandled_message": 1}, 0),
    (("signaling", {"msg_type": 40}), {"unhandled_message_40": 1}, 0),
    (("signaling", {"msg_type": 20, "state": "ACTIVE"}), {"unhandled_message_20": 1}, 0),
    (("signaling", {"msg_type": 23}), {"ignored_meta_data_audio": 1}, 0),
    (("signaling", {"msg_type": 6, "event": "x"}), {"unhandled_events": 1, "salvaged_message_6": 1}, 0),
    (("signaling", {"msg_type": 6, "event": {"event_type": "x"}}), {"unhandled_events": 1}, 0),
    (("signaling", {"msg_type": 8, "state": []}), {"malformed_message_8": 1, "salvaged_message_8": 1}, 0),
    (("signaling", {"msg_type": 9, "state": "x"}), {"unhandled_session_states": 1}, 0),
]


@pytest.mark.parametrize(("message", "counted", "frames"), TABLE)
def test_what_is_wrong_is_counted(message: tuple[str, Any], counted: dict[str, int], frames: int) -> None:
    """Each kind of bad message has its counter, what can be taken is taken, and the stream goes on."""
    bench = ProductBench()
    sockets, before = dict(bench.live), len(bench.items)
    bench.receive(*message)
    counters = {name: number for name, number in bench.counters.items() if "bytes" not in name and number}
    assert counters == counted
    assert len(bench.items) - before == frames
    assert bench.live == sockets and bench.finished is None


def test_everything_answered_twice() -> None:
    """A second answer to a handshake changes nothing, and nothing is delivered twice."""
    bench = ProductBench(join=False)
    receive = bench.receive

    def twice(kind: str, message: Any) -> None:
        receive(kind, message)
        receive(kind, message)

    bench.receive = twice  # type: ignore[method-assign]
    bench.join()
    bench.content("audio", 14, data=b"abcd")
    bench.content("video", 15, data=b"x")
    bench.content("transcript", 17, data="Hi")
    assert bench.sent_types() == [1, 7, 5]
    frames = [item for item in bench.items if isinstance(item, AudioFrame | VideoFrame | TranscriptFrame)]
    assert len(frames) == 3 and bench.counters["duplicates"] == 3


def test_frames_in_any_order_come_once() -> None:
    """Reordered and repeated, every frame is delivered once, under its own user and time."""
    bench = ProductBench()
    sent = [(user, WALL_MS + 20 * n) for n in (0, 5, 3, 3, 1, 5, 0, 4, 2) for user in (1, 2)]
    for user, at in sent:
        bench.content("audio", 14, user_id=user, timestamp=at, data=bytes([user, at % 251]) * 2)
    got = [item for item in bench.items if isinstance(item, AudioFrame)]
    assert sorted((one.user_id, one.timestamp_ms) for one in got) == sorted(set(sent))
    assert all(one.data == bytes([one.user_id, one.timestamp_ms % 251]) * 2 for one in got)


@pytest.mark.parametrize("status", ["STATUS_OK", "0", 0, None])
def test_an_answer_in_every_form(status: object) -> None:
    """A status as a name, in text or missing beside URLs; a URL that is none is left out."""
    bench = ProductBench(kinds=frozenset({MediaKind.AUDIO, MediaKind.CHAT}), join=False)
    bench.start()
    bench.opened("signaling")
    urls = {"audio": ALL_URLS["audio"], "chat": None, "video": 7}
    bench.receive(
        "signaling", {"msg_type": "2", "status_code": status, "media_server": {"server_urls": urls}}
    )
    assert set(bench.live) == {"signaling", "audio"} and set(bench.machine.refused) == {MediaKind.CHAT}


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (15, "INVALID_SIGNATURE", 3),
        (17, "Duplicate signal request", 8),
        (17, "error: duplicate signal request!", 8),
        ("INVALID_SIGNATURE", None, 3),
        (3, "anything else", 3),
        (0, "INVALID_SIGNATURE", 0),
        ("nonsense", None, -1),
        ([], None, None),
    ],
)
def test_the_text_decides_between_the_tables(status: object, reason: object, outcome: int | None) -> None:
    """Numbers of 2025 mean other things: what the reason names, counts (§10 C14)."""
    message = decode(json.dumps({"msg_type": 2, "status_code": status, "reason": reason}).encode())
    assert isinstance(message, Message) and status_of(message) == outcome


_any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from([DATA, WALL_MS, str(WALL_MS), "sip-1", 16778240]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_names = [
    "user_id", "user_name", "data", "length", "timestamp", "channel_id", "start_time", "end_time", "language", "attribute",
]  # fmt: skip
_messages = st.fixed_dictionaries(
    {"msg_type": st.integers(-1, 32) | st.sampled_from([14, 15, 16, 17, 18, "MEDIA_DATA_VIDEO"]) | _any},
    optional={
        "content": st.dictionaries(st.sampled_from(_names), _any, max_size=8) | _any,
        "event": _any,
        "user_id": _any,
        "status_code": _any,
        "reason": _any,
        "media_params": _any,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["meeting", "contact_center", "phone", "video_sdk"]),
    st.lists(
        st.tuples(st.sampled_from(["audio", "video", "share", "transcript", "chat"]), _messages), max_size=12
    ),
)
def test_no_message_breaks_a_stream(product: str, messages: list[tuple[str, Any]]) -> None:
    """Whatever comes on a media socket, frames are whole and belong to somebody, and the stream lives."""
    bench = ProductBench(product, video="individual")
    for kind, message in messages:
        if kind in bench.live:
            bench.receive(kind, json.dumps(message).encode())
    for item in bench.items:
        if isinstance(item, AudioFrame | VideoFrame | ShareFrame):
            assert item.user_id >= 0 and item.timestamp_ms > 0 and type(item.data) is bytes and item.data
            assert type(item.user_name) is str
        elif isinstance(item, TranscriptFrame):
            assert item.user_id >= 0 and 0 < item.start_ms <= item.end_ms and type(item.text) is str
        elif isinstance(item, ChatFrame):
            assert item.timestamp_ms > 0 and type(item.text) is str
    assert bench.finished is None
    bench.content("audio", 14, data=b"abcd", timestamp=WALL_MS + 77_777, user_id=4242)
    assert any(isinstance(item, AudioFrame) and item.user_id == 4242 for item in bench.items)


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**70, -(2**70)])
def test_ids_that_nobody_could_write_down_are_nobodys(number: int) -> None:
    """Every item that comes of them can be encoded, and no frame is anybody's."""
    bench = ProductBench(kinds=frozenset(MediaKind))

    said = json.dumps({"sender": {"user_id": number}, "text": "Hello", "files": [number]})
    for kind, message in (
        content("audio", 14, user_id=number),
        content("video", 15, user_id=number),
        content("transcript", 17, user_id=number, data="Hello"),
        content("chat", 18, user_id=number, data=said),
        ("signaling", {"msg_type": 6, "event": {"event_type": 2, "timestamp": WALL_MS, "user_id": number}}),
        (
            "signaling",
            {"msg_type": 6, "event": {"event_type": 3, "participants": [number, {"user_id": number}]}},
        ),
    ):
        bench.receive(kind, message)
    bench.later(1.0)
    assert all(msgspec.json.encode(item) for item in bench.items)
    assert number not in {getattr(item, "user_id", None) for item in bench.items}
