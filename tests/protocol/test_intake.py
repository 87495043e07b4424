"""What comes on the media sockets becomes frames, each once, whatever the form."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable

import pytest
from product_bench import ProductBench
from stream_bench import WALL_MS

from rtmsd.frames import AudioFrame, ChatFrame, Event, MediaKind, ShareFrame, TranscriptFrame, VideoFrame
from rtmsd.protocol.people import MAX_PEOPLE, People, channel_number

ANN = 16778240


@pytest.mark.parametrize(("kind", "number", "frame"), [("video", 15, VideoFrame), ("share", 16, ShareFrame)])
def test_pictures_come_once(kind: str, number: int, frame: type[VideoFrame | ShareFrame]) -> None:
    """A picture is delivered as Zoom sent it; the same again is a duplicate, another of the same time is not."""
    bench = ProductBench()
    [first] = bench.content(kind, number, data=b"\x00\x00\x01one", length=6)
    assert isinstance(first, frame) and (first.user_id, first.user_name, first.timestamp_ms) == (
        ANN,
        "Ann",
        WALL_MS,
    )
    assert first.data == b"\x00\x00\x01one"
    assert bench.content(kind, number, data=b"\x00\x00\x01one") == []
    assert len(bench.content(kind, number, data=b"\x00\x00\x01two")) == 1
    assert len(bench.content(kind, number, data=b"\x00\x00\x01one", user_id=7)) == 1
    assert (bench.counters[kind], bench.counters["duplicates"], bench.counters[f"{kind}_bytes"]) == (3, 1, 18)


def test_a_picture_of_16_mib() -> None:
    """The largest picture is taken whole."""
    bench = ProductBench()
    data = bytes(range(256)) * (16 * 4096)
    [frame] = bench.content("video", 15, data=data, length=len(data))
    assert isinstance(frame, VideoFrame) and frame.data == data


@pytest.mark.parametrize(
    ("content", "counter"),
    [
        ({"user_id": ..., "data": b"x"}, "malformed_video_without_user_or_time"),
        ({"timestamp": 0, "data": b"x"}, "malformed_video_without_user_or_time"),
        ({"data": "%%"}, "malformed_video_not_base64"),
        ({"data": ""}, "malformed_video_without_data"),
        ({"data": {}}, "malformed_video_not_base64"),
        ({"data": b"x", "length": 999}, "length_mismatch"),
    ],
)
def test_bad_pictures_are_counted(content: dict[str, object], counter: str) -> None:
    """Each kind of bad picture has its counter."""
    bench = ProductBench()
    bench.content("video", 15, **content)
    assert bench.counters[counter] == 1


def test_what_was_not_asked_for_is_not_taken() -> None:
    """Video on the socket of a stream without video is counted, not filed."""
    bench = ProductBench(kinds=frozenset({MediaKind.AUDIO}))
    assert bench.content("audio", 15, data=b"x") == [] and bench.counters["unasked_video"] == 1


@pytest.mark.parametrize("codec", ["G711", "G722", "OPUS"])
def test_compressed_audio_may_be_of_any_length(codec: str) -> None:
    """Only plain samples come in pairs of bytes."""
    bench = ProductBench(answers={"audio": {"codec": codec}})
    [frame] = bench.content("audio", 14, data=b"abc", length=3)
    assert isinstance(frame, AudioFrame) and (frame.format.codec, frame.data) == (codec, b"abc")


def test_half_a_stereo_sample_is_malformed() -> None:
    """Samples of stereo are four bytes."""
    bench = ProductBench(answers={"audio": {"channel": 2}})
    assert bench.content("audio", 14, data=b"abcdef") == []
    assert len(bench.content("audio", 14, data=b"abcdefgh")) == 1


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.rstrip("=").replace("+", "-").replace("/", "_"),
        lambda text: text[:10] + "\n" + text[10:],
    ],
)
@pytest.mark.parametrize(("kind", "number"), [("audio", 14), ("video", 15)])
def test_base64_in_every_form(form: Callable[[str], str], kind: str, number: int) -> None:
    """Without padding, of the other alphabet, with line breaks: it is the same, and counted."""
    data = b"\xfb\xff\xfe\x00" * 5
    bench = ProductBench()
    [frame] = bench.content(kind, number, data=form(base64.b64encode(data).decode()))
    assert frame.data == data and bench.counters["base64_repaired"] == 1


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_length_that_lies_is_counted(kind: str) -> None:
    """The data count; what Zoom says of their length does not."""
    bench = ProductBench()
    [frame] = bench.content(kind, 14 if kind == "audio" else 15, data=b"abcd", length=7)
    assert frame.data == b"abcd" and bench.counters["length_mismatch"] == 1


@pytest.mark.parametrize("factor", [0.001, 1, 1000, 1_000_000])
@pytest.mark.parametrize(("kind", "number"), [("audio", 14), ("video", 15), ("transcript", 17), ("chat", 18)])
def test_timestamps_of_every_unit(kind: str, number: int, factor: float) -> None:
    """Seconds, milli-, micro- and nanoseconds are told apart by their size (§10 C27)."""
    bench = ProductBench()
    at = 1_738_392_033_000
    [frame] = bench.content(
        kind, number, data="QUJD" if number < 17 else "Hi", timestamp=int(at * factor)
    ) or [None]
    if kind == "audio":
        assert frame is None  # three bytes are no samples
        [frame] = bench.content(kind, number, data="QUJDRA==", timestamp=int(at * factor))
    assert frame.timestamp_ms == at


def phrase(bench: ProductBench, **content: object) -> list[object]:
    return bench.content(
        "transcript", 17, **{"start_time": WALL_MS, "end_time": WALL_MS + 900, "data": "Hi"} | content
    )


@pytest.mark.parametrize(
    ("attribute", "operation"),
    [
        (..., "new"), (None, "new"), (0, "new"), (1, "new"), (2, "update"), (3, "delete"), ("2", "update"),
        ("UPDATE", "update"), ("delete", "delete"), (9, "new"), ("?", "new"),
    ],
)  # fmt: skip
def test_phrases_are_new_changed_or_deleted(attribute: object, operation: str) -> None:
    """Numbers and names; what is not known is new."""
    [frame] = phrase(ProductBench(), attribute=attribute)
    assert isinstance(frame, TranscriptFrame) and frame.operation == operation


def test_a_change_of_a_phrase_is_no_duplicate() -> None:
    """An update and a delete get through, once each; a delete needs no text."""
    bench = ProductBench()
    for attribute, data in ((1, "Hi"), (1, "Hi"), (2, "Hi"), (2, "Hi"), (3, ""), (3, "")):
        phrase(bench, attribute=attribute, data=data)
    said = [item.operation for item in bench.items if isinstance(item, TranscriptFrame)]
    assert said == ["new", "update", "delete"] and bench.counters["duplicates"] == 3


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (9, 9),
        ("14", 14),
        ("de", 14),
        ("German", 14),
        ("fr-ca", 12),
        (99, 99),
        (-1, -1),
        ("Klingon", None),
        (None, None),
    ],
)
def test_languages_of_every_form(language: object, expected: int | None) -> None:
    """Numbers are passed on, names and tags become numbers; what is not known is none, and counted."""
    bench = ProductBench()
    [frame] = phrase(bench, language=language)
    assert isinstance(frame, TranscriptFrame) and frame.language == expected
    assert bench.counters["unknown_language"] == (language == "Klingon")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (1, "new"),
        (2, "delete"),
        (3, "update"),
        (4, "add_emoji"),
        (5, "remove_emoji"),
        ("UPDATE", "update"),
        ("4", "add_emoji"),
    ],
)
@pytest.mark.parametrize("form", ["object", "text"])
def test_everything_that_is_done_in_a_chat(operation: object, expected: str, form: str) -> None:
    """Each operation, as a number or a name, in an object or in its text (§6.8)."""
    said = {
        "operation_type": operation,
        "message_id": "m",
        "text": "Hi",
        "chat_session": {"type": 3},
        "sender": {"user_id": 7},
    }
    data = said if form == "object" else json.dumps(said)
    [frame] = ProductBench().content("chat", 18, data=data)
    assert isinstance(frame, ChatFrame)
    assert (frame.operation, frame.user_id, frame.audience, frame.text) == (expected, 7, "chat_group", "Hi")


@pytest.mark.parametrize("number", [23, 24, 25, 26, 27])
def test_metadata_are_counted_by_name(number: int) -> None:
    """They are reserved, or of an unpublished shape."""
    bench = ProductBench()
    bench.content("audio", number, data="x")
    assert sum(count for name, count in bench.counters.items() if name.startswith("ignored_meta_data_")) == 1


# Channels


def call(bench: ProductBench, at: int = 0, **content: object) -> list[object]:
    return bench.content("audio", 14, data=b"abcd", timestamp=WALL_MS + at, user_name=..., **content)


@pytest.mark.parametrize(
    "who",
    [{"user_id": ..., "channel_id": "sip-1"}, {"user_id": "sip-1"}, {"user_id": 5, "channel_id": "sip-1"}],
)
def test_a_channel_of_a_contact_centre_has_a_number(who: dict[str, object]) -> None:
    """Beside, without or instead of a user id: the channel is told once, and its frames carry its number."""
    bench = ProductBench("contact_center", kinds=frozenset({MediaKind.AUDIO}))
    appeared, frame = call(bench, **who)
    assert appeared == Event(
        "channel_appeared", WALL_MS, channel_number("sip-1"), details={"channel_id": "sip-1"}
    )
    assert isinstance(frame, AudioFrame) and frame.user_id == channel_number("sip-1") > 0
    [again] = call(bench, 100, **who)
    assert isinstance(again, AudioFrame) and again.user_id == frame.user_id
    other, sound = call(bench, 100, user_id=..., channel_id="sip-2")
    assert isinstance(other, Event) and isinstance(sound, AudioFrame) and sound.user_id != frame.user_id


def test_a_channel_that_is_a_number_is_its_text() -> None:
    """`7` and `"7"` are one channel."""
    bench = ProductBench("contact_center", kinds=frozenset({MediaKind.AUDIO}))
    for at, channel in enumerate((7, "7")):
        call(bench, at, user_id=..., channel_id=channel)
    assert bench.events().count("channel_appeared") == 1


def test_a_transcript_of_a_channel_is_its_channels() -> None:
    """Sound and words of one party have one number; the channel is told only once."""
    bench = ProductBench("contact_center", kinds=frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT}))
    call(bench, user_id=..., channel_id="sip-1")
    [said] = phrase(bench, user_id=..., channel_id="sip-1")
    assert isinstance(said, TranscriptFrame) and said.user_id == channel_number("sip-1")


def test_a_channel_means_nothing_in_a_meeting() -> None:
    """A user id that is no number is not made one where there are no channels."""
    bench = ProductBench()
    assert call(bench, user_id="sip-1") == [] and bench.counters["malformed_audio_without_user_or_time"] == 1


def test_the_number_of_a_channel_stays() -> None:
    """A recording that goes on after a restart finds the same number; a hash of the text is the same everywhere."""
    assert channel_number("sip-1") == 0x7FFFFFFF & int(hashlib.sha256(b"sip-1").hexdigest()[:8], 16)


def test_the_mix_needs_no_user() -> None:
    """Mixed audio may come without a user id: it is user 0."""
    bench = ProductBench(per_participant=False, kinds=frozenset({MediaKind.AUDIO}))
    [frame] = bench.content("audio", 14, data=b"abcd", user_id=..., user_name=...)
    assert isinstance(frame, AudioFrame) and (frame.user_id, frame.user_name) == (0, "")


# Names


def test_a_user_that_returns_as_another_is_told() -> None:
    """Once for each change, before the first frame under the new name; a missing name is no change."""
    bench = ProductBench()
    got = []
    for at, name in enumerate(["Ann", "Ann", ..., "Bob", "", "Bob", "Ann"]):
        got += bench.content("audio", 14, data=b"abcd", timestamp=WALL_MS + at, user_name=name)
    told = [item for item in got if isinstance(item, Event)]
    assert [(one.name, one.user_id, one.details) for one in told] == [
        ("participant_renamed", ANN, {"old": "Ann", "new": "Bob"}),
        ("participant_renamed", ANN, {"old": "Bob", "new": "Ann"}),
    ]
    assert len(got) == 9 and isinstance(got[3], Event)


def test_a_replay_under_the_old_name_changes_nothing() -> None:
    """What is older than the new name says nothing of it."""
    bench = ProductBench()
    for at, name in ((0, "Ann"), (200, "Bob"), (100, "Ann"), (300, "Bob")):
        bench.content("audio", 14, data=b"abcd", timestamp=WALL_MS + at, user_name=name)
    bench.content("video", 15, data=b"x", timestamp=WALL_MS + 50, user_name="Ann")
    assert bench.events().count("participant_renamed") == 1


def test_who_joins_under_a_known_id_is_told() -> None:
    """Before a word is said: the id came back with another name."""
    bench = ProductBench()
    bench.event(event_type=3, participants=[{"user_id": ANN, "user_name": "Ann"}])
    told = bench.event(
        event_type=3, timestamp=WALL_MS + 9, participants=[{"user_id": ANN, "user_name": "Bob"}]
    )
    assert [one.name for one in told] == ["participant_renamed", "participant_joined"]


def test_renames_are_bounded() -> None:
    """A name that changes with every packet is not told for ever, and users are not kept for ever."""
    people = People()
    for at in range(1000):
        people.named(1, f"name {at}", at)
    assert len(people.taken()) == People.MAX_RENAMES and people.hidden == 999 - People.MAX_RENAMES
    for user in range(2, MAX_PEOPLE + 500):
        people.named(user, "Ann", 1)
        people.channel(f"c{user}", 1)
    assert len(people._names) <= MAX_PEOPLE and len(people._channels) <= MAX_PEOPLE
