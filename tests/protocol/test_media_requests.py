"""What is asked for on the media sockets, and what the confirmed parameters change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from product_bench import ALL, ProductBench

from rtmsd.frames import AudioFormat, AudioFrame, Event, MediaKind, PictureFormat, VideoFrame
from rtmsd.protocol import media
from rtmsd.protocol.media import MediaRequest
from rtmsd.report import Report
from rtmsd.runtime.clock import Clock
from rtmsd.streams.roster import Stream
from rtmsd.web.counters import WebhookCounters

AUDIO, VIDEO, SHARE = MediaKind.AUDIO, MediaKind.VIDEO, MediaKind.SHARE


def request(**fields: Any) -> MediaRequest:
    return MediaRequest(kinds=ALL, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            AUDIO,
            {},
            {"content_type": 2, "sample_rate": 1, "channel": 1, "codec": 1, "data_opt": 2, "send_rate": 100},
        ),
        (
            AUDIO,
            {"audio_codec": "OPUS", "audio_channels": 2, "sample_rate": 48000, "send_rate_ms": 20},
            {"content_type": 2, "sample_rate": 3, "channel": 2, "codec": 4, "data_opt": 2, "send_rate": 20},
        ),
        (
            AUDIO,
            {"audio_codec": "G711", "sample_rate": 8000, "send_rate_ms": 20, "per_participant": False},
            {"content_type": 2, "sample_rate": 0, "channel": 1, "codec": 2, "data_opt": 1, "send_rate": 20},
        ),
        (VIDEO, {}, {"content_type": 3, "codec": 7, "resolution": 2, "data_opt": 3, "fps": 25}),
        (
            VIDEO,
            {"video": "individual", "video_codec": "PNG", "video_resolution": "QHD", "video_fps": 5},
            {"content_type": 3, "codec": 6, "resolution": 4, "data_opt": 4, "fps": 5},
        ),
        (SHARE, {}, {"content_type": 3, "codec": 5, "resolution": 3, "fps": 1}),
        (
            MediaKind.TRANSCRIPT,
            {"language": "fr-CA"},
            {"content_type": 5, "src_language": 12, "enable_lid": True},
        ),
        (MediaKind.CHAT, {}, {"content_type": 5}),
    ],
)
def test_every_parameter_is_said(kind: MediaKind, fields: dict[str, Any], expected: dict[str, int]) -> None:
    """Nothing is left to Zoom's defaults."""
    assert media.asked(kind, request(**fields)) == expected


def test_a_socket_for_each_medium() -> None:
    """Each medium has a socket at its own URL, and asks for itself alone (§10 C19, C20)."""
    bench = ProductBench()
    asked = {kind: bench.said(3, kind)[0] for kind in ("audio", "video", "share", "transcript", "chat")}
    assert {kind: one["media_type"] for kind, one in asked.items()} == {
        "audio": 1, "video": 2, "share": 4, "transcript": 8, "chat": 16,
    }  # fmt: skip
    assert {kind: list(one["media_params"]) for kind, one in asked.items()} == {
        "audio": ["audio"], "video": ["video"], "share": ["deskshare"], "transcript": ["transcript"], "chat": ["chat"],
    }  # fmt: skip


L16 = AudioFormat("L16", 16_000, 1, True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, L16),
        ({}, L16),
        ({"codec": None, "sample_rate": None}, L16),
        ({"codec": "OPUS", "sample_rate": 3, "channel": 2}, AudioFormat("OPUS", 48_000, 2, True)),
        ({"codec": "2", "sample_rate": "0"}, AudioFormat("G711", 8_000, 1, True)),
        ({"sample_rate": "SR_48K", "channel": "STEREO"}, AudioFormat("L16", 48_000, 2, True)),
        ({"sample_rate": 32_000, "data_opt": "AUDIO_MIXED_STREAM"}, AudioFormat("L16", 32_000, 1, False)),
        ({"codec": 99}, AudioFormat("codec_99", 16_000, 1, True)),
        ({"codec": [], "sample_rate": {}, "channel": True, "data_opt": "?"}, L16),
        ([], L16),
        ("RAW", L16),
    ],
)
def test_confirmed_audio_in_every_form(answer: object, expected: AudioFormat) -> None:
    """Numbers, numbers in text and names are read; null, missing and nonsense are as asked (§10 C12)."""
    parameters = media.confirmed(AUDIO, {"audio": answer}, request())
    assert media.audio_format(parameters, request()) == expected


def test_confirmed_parameters_drive_the_decoders() -> None:
    """Frames have the format that was confirmed, not the one that was asked for."""
    bench = ProductBench(
        answers={"audio": {"codec": "G722"}, "video": {"codec": 5, "resolution": "SD", "fps": 5}}
    )
    [sound] = bench.content("audio", 14, data=b"abc")
    [picture] = bench.content("video", 15, data=b"\xff\xd8")
    assert isinstance(sound, AudioFrame) and sound.format.codec == "G722" and sound.data == b"abc"
    assert isinstance(picture, VideoFrame) and picture.format == PictureFormat("JPG", "SD", 5)


def test_what_is_confirmed_otherwise_is_told_once() -> None:
    """`media_changed` says what was asked and what comes; a reconnect with the same says nothing more."""
    bench = ProductBench(
        kinds=frozenset({AUDIO}), answers={"audio": {"send_rate": 20, "sample_rate": 3, "channel": 1}}
    )
    changed = [item for item in bench.items if isinstance(item, Event) and item.name == "media_changed"]
    assert [one.details for one in changed] == [
        {
            "media": "audio",
            "asked": {"sample_rate": 16_000, "send_rate": 100},
            "confirmed": {"sample_rate": 48_000, "send_rate": 20},
        }
    ]
    bench.closed("audio")
    bench.later(3.0)
    bench.opened("audio")
    bench.receive(
        "audio", {"msg_type": 4, "status_code": 0, "media_params": {"audio": bench.answers["audio"]}}
    )
    assert bench.events().count("media_changed") == 1
    bench.closed("audio")
    bench.later(3.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    [_, back] = [item for item in bench.items if isinstance(item, Event) and item.name == "media_changed"]
    assert back.details["asked"] == back.details["confirmed"] == {"sample_rate": 16_000, "send_rate": 100}


@given(
    st.sampled_from(list(MediaKind)),
    st.dictionaries(
        st.sampled_from(["audio", "video", "deskshare", "transcript", "chat"]),
        st.dictionaries(
            st.sampled_from(
                ["codec", "sample_rate", "channel", "data_opt", "send_rate", "fps", "resolution", "src_language",
                 "enable_lid", "content_type"]
            ),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.none()),
        )
        | st.none()
        | st.text(max_size=3),
    ),
)  # fmt: skip
def test_no_answer_breaks_the_decoders(kind: MediaKind, answer: dict[str, Any]) -> None:
    """Whatever is confirmed gives a format that can be written down."""
    wanted = request()
    parameters = media.confirmed(kind, answer, wanted)
    assert set(parameters) == set(media.asked(kind, wanted))
    if kind is AUDIO:
        sound = media.audio_format(parameters, wanted)
        assert sound.rate in (8_000, 16_000, 32_000, 48_000) and sound.channels in (1, 2)
    elif kind in (VIDEO, SHARE):
        assert media.picture_format(parameters).fps > 0
    media.changes(kind, parameters, wanted)


def test_unknown_fields_of_an_answer_are_kept() -> None:
    """What V2 adds to the answers can be looked at; what may be a secret is not shown."""
    bench = ProductBench(kinds=frozenset({AUDIO}), join=False)
    bench.start()
    bench.opened("signaling")
    server = {"server_urls": {"audio": "wss://a.zoom.us/a"}, "srt_passphrase": "hush", "srt_pbkey_length": 16}
    answer = {"msg_type": 2, "status_code": 0, "media_server": server, "region": "sjc"}
    bench.receive("signaling", answer)
    assert bench.machine.handshake_fields == {
        "signaling": {
            "region": '"sjc"',
            "media_server.srt_passphrase": "***",
            "media_server.srt_pbkey_length": "***",
        }
    }


def test_unknown_fields_stand_with_the_stream_on_the_status_page() -> None:
    """As a line of the stream's details, with the socket that they came on."""
    bench = ProductBench(kinds=frozenset({AUDIO}), join=False)
    bench.start()
    bench.opened("signaling")
    bench.receive(
        "signaling", {"msg_type": 2, "status_code": 0, "region": "sjc", "media_server": {"server_urls": {}}}
    )
    stream = Stream(bench.machine.info, bench.machine, since_ms=1)
    report = Report(
        apps=("notes",),
        streams=cast(Any, SimpleNamespace(streams=[stream])),
        coordinator=cast(Any, SimpleNamespace(ignored=[])),
        starters={},
        event_sockets={},
        router=cast(Any, None),
        counters=WebhookCounters(),
        clock=Clock(),
    )
    [shown] = report.streams()
    assert shown.details["unknown in the answer on signaling: region"] == '"sjc"'


def test_unknown_fields_are_bounded() -> None:
    """However much an answer holds, a little of it is kept."""
    bench = ProductBench(kinds=frozenset({AUDIO}))
    bench.closed("audio")
    bench.later(3.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0} | {f"f{n}": ["x" * 999] for n in range(50)})
    kept = bench.machine.handshake_fields["audio"]
    assert len(kept) == 20 and all(len(value) <= 200 for value in kept.values())
