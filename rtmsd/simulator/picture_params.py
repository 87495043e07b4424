"""Which pictures a socket may have: of cameras, and of the shared screen (protocol.md §5.5, §10 C23)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtmsd.protocol.codes import (
    MediaContentType,
    MediaDataOption,
    MediaPayloadType,
    MediaResolution,
    StatusCode,
)
from rtmsd.simulator.refusal import Refused, Strictness, chosen, table

_CODECS = (MediaPayloadType.JPG, MediaPayloadType.PNG, MediaPayloadType.H264)
_MOST_FPS = 30
_MOST_STILLS_FPS = 5
_DATA_OPTIONS = (
    MediaDataOption.VIDEO_SINGLE_ACTIVE_STREAM,
    MediaDataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM,
)


@dataclass(frozen=True)
class PictureParams:
    """Confirmed parameters of video or of the share, in Zoom's numbers; the share has no `data_opt`."""

    codec: int
    resolution: int
    fps: int
    data_opt: int | None = None

    def confirmed(self) -> dict[str, int]:
        params = {
            "content_type": int(MediaContentType.RAW_VIDEO),
            "codec": self.codec,
            "resolution": self.resolution,
            "fps": self.fps,
        }
        return params if self.data_opt is None else params | {"data_opt": self.data_opt}


def video_params(asked: object) -> PictureParams:
    """Read the parameters of video. Raises Refused.

    JPG and PNG have at most 5 pictures a second, H.264 has more; many pictures without a codec are cut to JPG and 5.
    """
    given = table(asked, StatusCode.INVALID_MEDIA_VIDEO_PARAMS)
    raw = MediaContentType.RAW_VIDEO
    chosen(given, "content_type", raw, (raw,), StatusCode.INVALID_MEDIA_VIDEO_CONTENT_TYPE)
    codec, fps = _codec_and_fps(
        given,
        _MOST_STILLS_FPS,
        stills=_MOST_STILLS_FPS,
        moving=_MOST_STILLS_FPS + 1,
        bad_codec=StatusCode.INVALID_MEDIA_VIDEO_CODEC,
        bad_fps=StatusCode.INVALID_MEDIA_VIDEO_FPS,
    )
    return PictureParams(
        codec,
        _resolution(given, MediaResolution.HD, StatusCode.INVALID_MEDIA_VIDEO_RESOLUTION),
        fps,
        chosen(
            given,
            "data_opt",
            MediaDataOption.VIDEO_SINGLE_ACTIVE_STREAM,
            _DATA_OPTIONS,
            StatusCode.INVALID_MEDIA_VIDEO_DATA_OPT,
        ),
    )


def share_params(asked: object, strictness: Strictness = "zoom") -> PictureParams:
    """Read the parameters of the shared screen. Raises Refused.

    How many pictures a second JPG and PNG may have is contested (C23): 5 as in the enum's comment and the samples, or
    from a strict Zoom 1 as in the table. H.264 has more than 1.
    """
    given = table(asked, StatusCode.INVALID_MEDIA_DESKSHARE_PARAMS)
    raw = MediaContentType.RAW_VIDEO
    chosen(given, "content_type", raw, (raw,), StatusCode.INVALID_MEDIA_DESKSHARE_CONTENT_TYPE)
    codec, fps = _codec_and_fps(
        given,
        1,
        stills=1 if strictness == "strict" else _MOST_STILLS_FPS,
        moving=2,
        bad_codec=StatusCode.INVALID_MEDIA_DESKSHARE_CODEC,
        bad_fps=StatusCode.INVALID_MEDIA_DESKSHARE_FPS,
    )
    resolution = _resolution(given, MediaResolution.FHD, StatusCode.INVALID_MEDIA_DESKSHARE_RESOLUTION)
    return PictureParams(codec, resolution, fps)


def _codec_and_fps(
    given: Mapping[str, Any],
    default_fps: int,
    *,
    stills: int,
    moving: int,
    bad_codec: StatusCode,
    bad_fps: StatusCode,
) -> tuple[int, int]:
    """`stills` is the most pictures a second of JPG and PNG, `moving` the fewest of H.264."""
    codec = chosen(given, "codec", MediaPayloadType.JPG, _CODECS, bad_codec)
    fps = chosen(given, "fps", default_fps, range(1, _MOST_FPS + 1), bad_fps)
    if codec == MediaPayloadType.H264:
        if fps < moving:
            raise Refused(bad_fps)
    elif fps > stills:
        if given.get("codec") is not None:
            raise Refused(bad_fps)
        fps = stills
    return codec, fps


def _resolution(given: Mapping[str, Any], default: MediaResolution, status: StatusCode) -> int:
    return chosen(given, "resolution", default, tuple(MediaResolution), status)
