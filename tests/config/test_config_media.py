"""`[apps.media]`: what goes together, and what the defaults of a codec are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_config_load import ENVIRON, GOOD, SINK_TYPES

from rtmsd.config import MediaConfig, load_config
from rtmsd.errors import ConfigError
from rtmsd.streams.manager import _request


def media(tmp_path: Path, lines: str) -> MediaConfig:
    path = tmp_path / "rtmsd.toml"
    path.write_text(GOOD.replace("[[sinks]]", f"[apps.media]\n{lines}\n[[sinks]]"))
    return load_config(path, sink_types=SINK_TYPES, environ=ENVIRON).apps[0].media


def problems(tmp_path: Path, lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        media(tmp_path, lines)
    return caught.value.problems


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "",
            {
                "audio_codec": "L16",
                "sample_rate": 16000,
                "send_rate_ms": 100,
                "video_fps": 25,
                "share_fps": 1,
            },
        ),
        ('audio_codec = "OPUS"', {"sample_rate": 48000, "send_rate_ms": 20, "audio_channels": 1}),
        ('audio_codec = "OPUS"\naudio_channels = 2', {"sample_rate": 48000, "audio_channels": 2}),
        ('audio_codec = "G711"', {"sample_rate": 8000, "send_rate_ms": 20}),
        ('audio_codec = "G722"\nsample_rate = 16000', {"sample_rate": 16000, "send_rate_ms": 20}),
        ("audio_channels = 2\nsample_rate = 48000", {"audio_codec": "L16", "audio_channels": 2}),
        ('video_codec = "JPG"', {"video_fps": 5}),
        ('video_codec = "PNG"\nvideo_fps = 1', {"video_fps": 1}),
        ('share_codec = "H264"', {"share_fps": 10}),
        (
            'video = "individual"\nvideo_participant = "first"',
            {"video": "individual", "video_participant": "first"},
        ),
    ],
)
def test_a_codec_has_its_own_defaults(tmp_path: Path, lines: str, expected: dict[str, Any]) -> None:
    """What is not said is what the codec fixes, or the common default."""
    found = media(tmp_path, lines)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("lines", "path", "part"),
    [
        (
            'audio_codec = "OPUS"\nsample_rate = 16000',
            "sample_rate",
            "OPUS has 48000 samples per second, not 16000",
        ),
        ('audio_codec = "OPUS"\nsend_rate_ms = 40', "send_rate_ms", "OPUS has 20 ms"),
        ('audio_codec = "G711"\naudio_channels = 2', "audio_channels", "G711 has 1 channel, not 2"),
        ('audio_codec = "G711"\nsample_rate = 16000', "sample_rate", "G711 has 8000"),
        ('audio_codec = "G722"\nsample_rate = 8000', "sample_rate", "G722 has 16000"),
        ('audio_codec = "MP3"', "audio_codec", 'expected one of "L16", "OPUS", "G711", "G722", got "MP3"'),
        ("audio_channels = 3", "audio_channels", "expected one of 1, 2, got 3"),
        ("send_rate_ms = 1020", "send_rate_ms", "at most 1000"),
        ('video_codec = "JPG"\nvideo_fps = 25', "video_fps", "JPG takes at most 5 per second, got 25"),
        ("video_fps = 5", "video_fps", "H264 needs more than 5 pictures per second, got 5"),
        ("video_fps = 31", "video_fps", "at most 30"),
        ("share_fps = 2", "share_fps", "JPG takes at most 1 per second, got 2"),
        ('share_codec = "H264"\nshare_fps = 5', "share_fps", "H264 needs more than 5"),
        ('video_resolution = "4K"', "video_resolution", 'expected one of "SD", "HD", "FHD", "QHD"'),
        ('video_participant = "first"', "video_participant", 'only with video = "individual"'),
        ('language = "klingon"', "language", "Zoom transcribes no language"),
        ("fps = 25", "fps", "unknown key"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, lines: str, path: str, part: str) -> None:
    """One clear sentence at the option that does not fit."""
    [problem] = problems(tmp_path, lines)
    assert problem.startswith(f"apps[0].media.{path}: ") and part in problem


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Sound, video and shared screen each have their own."""
    assert (
        len(problems(tmp_path, 'audio_codec = "G711"\nsample_rate = 48000\nvideo_fps = 3\nshare_fps = 9'))
        == 3
    )


def test_what_is_configured_is_asked_for(tmp_path: Path) -> None:
    """Every option of the table reaches the request, under its own name or as `per_participant`."""
    path = tmp_path / "rtmsd.toml"
    lines = 'audio = "mixed"\naudio_codec = "OPUS"\naudio_channels = 2\nvideo = "individual"\nvideo_participant = "first"\n'
    lines += 'video_codec = "PNG"\nvideo_resolution = "SD"\nvideo_fps = 4\nshare_codec = "H264"\nshare_resolution = "QHD"\n'
    lines += 'share_fps = 30\nlanguage = "de"\ndetect_language = false'
    path.write_text(GOOD.replace("[[sinks]]", f"[apps.media]\n{lines}\n[[sinks]]"))
    [app] = load_config(path, sink_types=SINK_TYPES, environ=ENVIRON).apps
    request = _request(app, frozenset())
    assert not request.per_participant
    for name in MediaConfig.__dataclass_fields__:
        if name != "audio":
            assert getattr(request, name) == getattr(app.media, name) != getattr(MediaConfig(), name), name
