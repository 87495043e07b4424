"""What is asked for on the media sockets, and what the server confirms (protocol.md §5.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Literal

import msgspec

from rtmsd.frames import AudioFormat, MediaKind, PictureFormat
from rtmsd.protocol.codes import (
    LANGUAGE_NUMBERS,
    SAMPLE_RATES_HZ,
    AudioChannel,
    AudioSampleRate,
    MediaContentType,
    MediaDataOption,
    MediaDataType,
    MediaPayloadType,
    MediaResolution,
    MessageType,
    StatusCode,
    name_of,
    number_of,
)
from rtmsd.protocol.messages import PROTOCOL_VERSION, encode
from rtmsd.protocol.transcripts import language_number

MEDIA_TYPES = {
    MediaKind.AUDIO: MediaDataType.AUDIO,
    MediaKind.VIDEO: MediaDataType.VIDEO,
    MediaKind.SHARE: MediaDataType.DESKSHARE,
    MediaKind.TRANSCRIPT: MediaDataType.TRANSCRIPT,
    MediaKind.CHAT: MediaDataType.CHAT,
}
"""The media that this version can carry, and the number to ask for each with."""

URL_KEYS = {
    MediaKind.AUDIO: "audio",
    MediaKind.VIDEO: "video",
    MediaKind.SHARE: "deskshare",
    MediaKind.TRANSCRIPT: "transcript",
    MediaKind.CHAT: "chat",
}
"""How a medium is called in the answer to the handshake, and in media parameters."""

RETRY_STATUSES = frozenset(
    {
        StatusCode.DUPLICATE_SIGNAL_REQUEST,
        StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST,
        StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION,
        StatusCode.INTERNAL_EXCEPTION,
    }
)
"""An old socket still closing, or Zoom's own fault: worth waiting for. Every other status is final (§6.4)."""

_RATE_NUMBERS = {hertz: number for number, hertz in SAMPLE_RATES_HZ.items()}
_TABLES: dict[str, type[IntEnum]] = {
    "content_type": MediaContentType,
    "codec": MediaPayloadType,
    "data_opt": MediaDataOption,
    "resolution": MediaResolution,
    "channel": AudioChannel,
    "sample_rate": AudioSampleRate,
}


class _NoNames(IntEnum):
    """The table of numbers that are just numbers."""


Parameters = dict[str, int | bool]
"""Of one medium, by Zoom's names and in its numbers."""


class MediaRequest(msgspec.Struct, frozen=True):
    """What to ask Zoom for. `send_rate_ms` is a multiple of 20, up to 1000.

    What goes together stands in the matrix of §5.5; the configuration checks it. `video_participant` says whom to
    follow when `video` is "individual".
    """

    kinds: frozenset[MediaKind]
    per_participant: bool = True
    audio_codec: str = "L16"
    audio_channels: int = 1
    sample_rate: int = 16_000
    send_rate_ms: int = 100
    video: Literal["active_speaker", "individual"] = "active_speaker"
    video_participant: Literal["active_speaker", "first"] = "active_speaker"
    video_codec: str = "H264"
    video_resolution: str = "HD"
    video_fps: int = 25
    share_codec: str = "JPG"
    share_resolution: str = "FHD"
    share_fps: int = 1
    language: str = "en"
    detect_language: bool = True

    @property
    def chooses_video(self) -> bool:
        """Whether one participant's camera has to be chosen (§5.8)."""
        return MediaKind.VIDEO in self.kinds and self.video == "individual"


def handshake(
    kind: MediaKind,
    request: MediaRequest,
    *,
    ids: Mapping[str, str],
    stream_id: str,
    signature: str,
    sequence: int,
) -> bytes:
    """Message 3, with every parameter said rather than left to Zoom's defaults."""
    return encode(
        {
            "msg_type": int(MessageType.DATA_HAND_SHAKE_REQ),
            "protocol_version": PROTOCOL_VERSION,
            "sequence": sequence,
            **ids,
            "rtms_stream_id": stream_id,
            "signature": signature,
            "media_type": int(MEDIA_TYPES[kind]),
            "payload_encryption": False,
            "media_params": {URL_KEYS[kind]: asked(kind, request)},
        }
    )


def asked(kind: MediaKind, request: MediaRequest) -> Parameters:
    """Return the parameters that a medium is asked for with."""
    if kind is MediaKind.CHAT:
        return {"content_type": int(MediaContentType.TEXT)}
    if kind is MediaKind.TRANSCRIPT:
        return {
            "content_type": int(MediaContentType.TEXT),
            "src_language": LANGUAGE_NUMBERS[request.language],
            "enable_lid": request.detect_language,
        }
    if kind is MediaKind.AUDIO:
        mixed, each = MediaDataOption.AUDIO_MIXED_STREAM, MediaDataOption.AUDIO_MULTI_STREAMS
        return {
            "content_type": int(MediaContentType.RAW_AUDIO),
            "sample_rate": _RATE_NUMBERS[request.sample_rate],
            "channel": request.audio_channels,
            "codec": int(MediaPayloadType[request.audio_codec]),
            "data_opt": int(each if request.per_participant else mixed),
            "send_rate": request.send_rate_ms,
        }
    if kind is MediaKind.VIDEO:
        individual = MediaDataOption.VIDEO_SINGLE_INDIVIDUAL_STREAM
        active = MediaDataOption.VIDEO_SINGLE_ACTIVE_STREAM
        return {
            "content_type": int(MediaContentType.RAW_VIDEO),
            "codec": int(MediaPayloadType[request.video_codec]),
            "resolution": int(MediaResolution[request.video_resolution]),
            "data_opt": int(individual if request.video == "individual" else active),
            "fps": request.video_fps,
        }
    return {
        "content_type": int(MediaContentType.RAW_VIDEO),
        "codec": int(MediaPayloadType[request.share_codec]),
        "resolution": int(MediaResolution[request.share_resolution]),
        "fps": request.share_fps,
    }


def confirmed(kind: MediaKind, answer: Mapping[str, Any] | None, request: MediaRequest) -> Parameters:
    """Read the `media_params` of message 4: they, and not what was asked for, say what comes.

    Numbers may be text or names (§10 C12); what is null, missing or not to be understood is as it was asked for.
    """
    parameters = asked(kind, request)
    given = (answer or {}).get(URL_KEYS[kind])
    if isinstance(given, dict):
        for name in parameters:
            value = _read(name, given.get(name))
            if value is not None:
                parameters[name] = value
    return parameters


def changes(kind: MediaKind, parameters: Parameters, request: MediaRequest) -> dict[str, Any]:
    """Return the details of the event `media_changed`: what was asked for and what comes instead; empty when nothing
    differs."""
    wanted = asked(kind, request)
    other = [name for name in wanted if wanted[name] != parameters[name]]
    if not other:
        return {}
    return {
        "media": kind.value,
        "asked": {name: _said(name, wanted[name]) for name in other},
        "confirmed": {name: _said(name, parameters[name]) for name in other},
    }


def audio_format(parameters: Parameters, request: MediaRequest) -> AudioFormat:
    """Return how audio comes that has these parameters."""
    return AudioFormat(
        codec=_codec(parameters),
        rate=SAMPLE_RATES_HZ.get(parameters["sample_rate"], request.sample_rate),
        channels=2 if parameters["channel"] == AudioChannel.STEREO else 1,
        per_participant=parameters["data_opt"] != MediaDataOption.AUDIO_MIXED_STREAM,
    )


def picture_format(parameters: Parameters) -> PictureFormat:
    """Return how video or a shared screen comes that has these parameters."""
    return PictureFormat(
        codec=_codec(parameters),
        resolution=name_of(MediaResolution, parameters["resolution"]),
        fps=parameters["fps"],
    )


def _codec(parameters: Parameters) -> str:
    number = int(parameters["codec"])
    return MediaPayloadType(number).name if number in list(MediaPayloadType) else f"codec_{number}"


def _read(name: str, value: object) -> int | bool | None:
    if name == "enable_lid":
        return value if isinstance(value, bool) else None
    if name == "src_language":
        return (
            language_number(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
        )
    if name == "sample_rate":
        return _rate(value)
    if name in _TABLES:
        return number_of(_TABLES[name], value)
    number = number_of(_NoNames, value)
    return number if number is not None and number > 0 else None


def _rate(value: object) -> int | None:
    """Read a number of the table, a rate in Hz, or a name that holds the rate in kHz."""
    number = number_of(AudioSampleRate, value)
    if number is None and isinstance(value, str) and (found := re.search(r"\d{1,5}", value)):
        number = int(found[0]) * (1000 if int(found[0]) < 1000 else 1)
    return _RATE_NUMBERS.get(number, number) if number is not None else None


def _said(name: str, value: int | bool) -> object:
    """Say a parameter in words, where it has some."""
    if name == "sample_rate":
        return SAMPLE_RATES_HZ.get(value, value)
    return name_of(_TABLES[name], value) if name in _TABLES else value
