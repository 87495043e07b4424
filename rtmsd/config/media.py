"""`[apps.media]`: what goes together, by the matrix of protocol.md §5.5 and §10 C21–C24."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from rtmsd.config.model import MediaConfig
from rtmsd.config.walk import BAD, Table, did_you_mean
from rtmsd.protocol.codes import LANGUAGE_NUMBERS

# What an audio codec fixes; L16 takes every rate, and both one channel and two.
_FIXED: dict[str, dict[str, int]] = {
    "OPUS": {"sample_rate": 48_000, "send_rate_ms": 20},
    "G711": {"sample_rate": 8_000, "audio_channels": 1, "send_rate_ms": 20},
    "G722": {"sample_rate": 16_000, "audio_channels": 1, "send_rate_ms": 20},
}

_STILL_VIDEO_FPS, _STILL_SHARE_FPS = 5, 1
"""Up to these a picture is a file of its own (JPG, PNG); above 5, H264. For a share, 2 to 5 is contested (§10 C23)."""

_VIDEO_FPS = {"H264": 25, "JPG": _STILL_VIDEO_FPS, "PNG": _STILL_VIDEO_FPS}
_SHARE_FPS = {"H264": 10, "JPG": _STILL_SHARE_FPS, "PNG": _STILL_SHARE_FPS}


def read_media(app: Table) -> Any:
    """Read the table `media` of an app; return a MediaConfig, or BAD. What a codec fixes is the default beside it."""
    table = app.table("media")
    hints = typing.get_type_hints(MediaConfig, include_extras=True)
    codecs = {
        name: table.take(name, hints[name], getattr(MediaConfig, name))
        for name in ("audio_codec", "video_codec", "share_codec")
    }
    defaults = dict(_FIXED.get(codecs["audio_codec"], {}))
    if codecs["video_codec"] is not BAD:
        defaults["video_fps"] = _VIDEO_FPS[codecs["video_codec"]]
    if codecs["share_codec"] is not BAD:
        defaults["share_fps"] = _SHARE_FPS[codecs["share_codec"]]
    given = {name: table.take(name, hints[name], default) for name, default in defaults.items()}
    media = table.fill(MediaConfig, **codecs, **given)
    table.finish()
    if media is not BAD:
        for key, sentence in _contradictions(media, followed=table.has("video_participant")):
            table.problem(key, sentence)
    return media


def _contradictions(media: MediaConfig, *, followed: bool) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, as an option and a sentence."""
    units = {
        "sample_rate": "samples per second",
        "audio_channels": "channel",
        "send_rate_ms": "ms in a packet",
    }
    for key, value in _FIXED.get(media.audio_codec, {}).items():
        if getattr(media, key) != value:
            yield (
                key,
                f"{media.audio_codec} has {value} {units[key]}, not {getattr(media, key)}; leave this line out, "
                'or use audio_codec = "L16"',
            )
    yield from _fps("video", media.video_codec, media.video_fps, still=_STILL_VIDEO_FPS)
    yield from _fps("share", media.share_codec, media.share_fps, still=_STILL_SHARE_FPS)
    if followed and media.video != "individual":
        yield "video_participant", 'has a meaning only with video = "individual"; leave this line out'
    if media.language not in LANGUAGE_NUMBERS:
        near = did_you_mean(media.language, LANGUAGE_NUMBERS)
        known = ", ".join(LANGUAGE_NUMBERS)
        yield "language", f'Zoom transcribes no language "{media.language}"{near}; known are {known}'


def _fps(what: str, codec: str, fps: int, *, still: int) -> Iterator[tuple[str, str]]:
    if codec == "H264" and fps <= _STILL_VIDEO_FPS:
        yield (
            f"{what}_fps",
            f"H264 needs more than {_STILL_VIDEO_FPS} pictures per second, got {fps}; for fewer use "
            f'{what}_codec = "JPG"',
        )
    elif codec != "H264" and fps > still:
        yield (
            f"{what}_fps",
            f'{codec} takes at most {still} per second, got {fps}; for more use {what}_codec = "H264"',
        )
