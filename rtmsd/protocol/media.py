"""What is asked for on the media sockets, and what the server confirms (protocol.md §5.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from rtmsd.frames import AudioFormat, MediaKind
from rtmsd.protocol.codes import (
    LANGUAGE_NUMBERS,
    SAMPLE_RATES_HZ,
    MediaContentType,
    MediaDataOption,
    MediaDataType,
    MediaPayloadType,
    MessageType,
    StatusCode,
)
from rtmsd.protocol.messages import (
    encode,
)

MEDIA_TYPES = {
    MediaKind.AUDIO: MediaDataType.AUDIO,
    MediaKind.TRANSCRIPT: MediaDataType.TRANSCRIPT,
    MediaKind.CHAT: MediaDataType.CHAT,
}
"""The media that this version can carry, and the number to ask for each with."""

URL_KEYS = {MediaKind.AUDIO: "audio", MediaKind.TRANSCRIPT: "transcript", MediaKind.CHAT: "chat"}

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


class MediaRequest(msgspec.Struct, frozen=True):
    """What to ask Zoom for. `send_rate_ms` is a multiple of 20, up to 1000."""

    kinds: frozenset[MediaKind]
    per_participant: bool = True
    sample_rate: int = 16_000
    send_rate_ms: int = 100
    language: str = "en"
    detect_language: bool = True


def handshake(
    kind: MediaKind, request: MediaRequest, *, uuid: str, stream_id: str, signature: str, sequence: int
) -> bytes:
    """Message 3, with every parameter said rather than left to Zoom's defaults."""
    return encode(
        {
            "msg_type": int(MessageType.DATA_HAND_SHAKE_REQ),
            "protocol_version": 1,
            "sequence": sequence,
            "meeting_uuid": uuid,
            "rtms_stream_id": stream_id,
            "signature": signature,
            "media_type": int(MEDIA_TYPES[kind]),
            "payload_encryption": False,
            "media_params": _parameters(kind, request),
        }
    )


def _parameters(kind: MediaKind, request: MediaRequest) -> dict[str, Any]:
    if kind is MediaKind.CHAT:
        return {"chat": {"content_type": int(MediaContentType.TEXT)}}
    if kind is MediaKind.TRANSCRIPT:
        return {
            "transcript": {
                "content_type": int(MediaContentType.TEXT),
                "src_language": LANGUAGE_NUMBERS[request.language],
                "enable_lid": request.detect_language,
            }
        }
    return {
        "audio": {
            "content_type": int(MediaContentType.RAW_AUDIO),
            "sample_rate": _RATE_NUMBERS[request.sample_rate],
            "channel": 1,
            "codec": int(MediaPayloadType.L16),
            "data_opt": _data_option(request),
            "send_rate": request.send_rate_ms,
        }
    }


def _data_option(request: MediaRequest) -> int:
    if request.per_participant:
        return int(MediaDataOption.AUDIO_MULTI_STREAMS)
    return int(MediaDataOption.AUDIO_MIXED_STREAM)


def confirmed_format(parameters: dict[str, Any] | None, request: MediaRequest) -> AudioFormat:
    """Read the parameters that the server confirmed; what it leaves out is as it was asked for."""
    audio = (parameters or {}).get("audio")
    given: dict[str, Any] = audio if isinstance(audio, dict) else {}

    def number(key: str, otherwise: int) -> int:
        value = given.get(key)
        return value if isinstance(value, int) else otherwise

    codec = number("codec", MediaPayloadType.L16)
    return AudioFormat(
        codec=MediaPayloadType(codec).name if codec in list(MediaPayloadType) else f"codec_{codec}",
        rate=SAMPLE_RATES_HZ.get(
            number("sample_rate", _RATE_NUMBERS[request.sample_rate]), request.sample_rate
        ),
        channels=2 if number("channel", 1) == 2 else 1,
        per_participant=number("data_opt", _data_option(request)) != MediaDataOption.AUDIO_MIXED_STREAM,
    )
