"""Which media a socket may have, and with which parameters (protocol.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtmsd.protocol.codes import (
    LANGUAGES,
    SAMPLE_RATES_HZ,
    AudioChannel,
    MediaContentType,
    MediaDataOption,
    MediaDataType,
    MediaPayloadType,
    StatusCode,
)
from rtmsd.simulator.messages import Message
from rtmsd.simulator.sound import AudioParams

_ENGLISH = 9
_LONGEST_SEND_RATE_MS = 1000

_NOT_GRANTED = {
    MediaDataType.AUDIO: StatusCode.MEDIA_TYPE_AUDIO_NOT_SUPPORT,
    MediaDataType.VIDEO: StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT,
    MediaDataType.DESKSHARE: StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT,
    MediaDataType.TRANSCRIPT: StatusCode.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT,
    MediaDataType.CHAT: StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT,
}


class Refused(Exception):
    """A handshake that Zoom answers with this status."""

    def __init__(self, status: StatusCode) -> None:
        self.status = status
        super().__init__(status.name)


@dataclass(frozen=True)
class TranscriptParams:
    src_language: int = _ENGLISH
    enable_lid: bool = True


@dataclass(frozen=True)
class MediaParams:
    """What was confirmed for one socket; None for what it does not carry."""

    audio: AudioParams | None
    transcript: TranscriptParams | None
    chat: bool = False

    def confirmed(self) -> Message:
        """Write them as `media_params` of the response, with every default that was filled in."""
        params: Message = {}
        if self.audio:
            params["audio"] = {
                "content_type": MediaContentType.RAW_AUDIO,
                "sample_rate": self.audio.sample_rate,
                "channel": self.audio.channel,
                "codec": MediaPayloadType.L16,
                "data_opt": self.audio.data_opt,
                "send_rate": self.audio.send_rate,
            }
        if self.transcript:
            params["transcript"] = {
                "content_type": MediaContentType.TEXT,
                "src_language": self.transcript.src_language,
                "enable_lid": self.transcript.enable_lid,
            }
        if self.chat:
            params["chat"] = {"content_type": MediaContentType.TEXT}
        return params


def media_kinds(asked: object, granted: MediaDataType) -> MediaDataType:
    """Read `media_type`: one kind, a sum of kinds, or 32 for all that is granted. Raises Refused."""
    if asked == MediaDataType.ALL:
        return granted
    if not isinstance(asked, int) or isinstance(asked, bool) or not 0 < asked < MediaDataType.ALL:
        raise Refused(StatusCode.MEDIA_TYPE_INVALID_VALUE)
    kinds = MediaDataType(asked)
    for kind in kinds & ~granted:
        raise Refused(_NOT_GRANTED[kind])
    return kinds


def media_params(asked: object, kinds: MediaDataType) -> MediaParams:
    """Fill in the defaults; null and missing mean defaults at every level. Raises Refused."""
    if asked is None:
        asked = {}
    if not isinstance(asked, dict):
        raise Refused(StatusCode.INVALID_MEDIA_PARAMS)
    return MediaParams(
        audio=_audio(asked.get("audio")) if MediaDataType.AUDIO in kinds else None,
        transcript=_transcript(asked.get("transcript")) if MediaDataType.TRANSCRIPT in kinds else None,
        chat=MediaDataType.CHAT in kinds and _chat(asked.get("chat")),
    )


def _audio(asked: object) -> AudioParams:
    """Only raw L16 is spoken here; what Zoom could but this simulator cannot is refused with the same statuses."""
    if asked is None:
        return AudioParams()
    if not isinstance(asked, dict):
        raise Refused(StatusCode.INVALID_MEDIA_AUDIO_PARAMS)
    for key, allowed, status in (
        ("content_type", (MediaContentType.RAW_AUDIO,), StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE),
        ("codec", (MediaPayloadType.L16,), StatusCode.INVALID_MEDIA_AUDIO_CODEC),
        ("sample_rate", tuple(SAMPLE_RATES_HZ), StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE),
        ("channel", tuple(AudioChannel), StatusCode.INVALID_MEDIA_AUDIO_CHANNEL),
        (
            "data_opt",
            (MediaDataOption.AUDIO_MIXED_STREAM, MediaDataOption.AUDIO_MULTI_STREAMS),
            StatusCode.INVALID_MEDIA_AUDIO_DATA_OPT,
        ),
    ):
        value = asked.get(key)
        if value is not None and (not _is_number(value) or value not in allowed):
            raise Refused(status)
    given = {key: asked[key] for key in ("sample_rate", "channel", "data_opt") if asked.get(key) is not None}
    return replace(AudioParams(**given), send_rate=_send_rate(asked.get("send_rate")))


def _send_rate(asked: object) -> int:
    """More than 1000 ms is clamped (protocol.md §5.5)."""
    if asked is None:
        return AudioParams().send_rate
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 20 or asked % 20:
        raise Refused(StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE)
    return min(asked, _LONGEST_SEND_RATE_MS)


def _transcript(asked: object) -> TranscriptParams:
    if asked is None:
        return TranscriptParams()
    if not isinstance(asked, dict):
        raise Refused(StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS)
    if asked.get("content_type") not in (None, MediaContentType.TEXT):
        raise Refused(StatusCode.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE)
    language = asked.get("src_language", asked.get("language"))  # the older name is still in Zoom's samples
    if language is None:
        language = _ENGLISH
    if not _is_number(language) or language not in LANGUAGES:
        raise Refused(StatusCode.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE)
    identify = asked.get("enable_lid")
    if identify is None:
        identify = True
    if not isinstance(identify, bool):
        raise Refused(StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS)
    return TranscriptParams(language, identify)


def _chat(asked: object) -> bool:
    """Judge the parameters of chat: there is nothing to choose."""
    if asked is not None and not isinstance(asked, dict):
        raise Refused(StatusCode.INVALID_MEDIA_CHAT_PARAMS)
    if asked is not None and asked.get("content_type") not in (None, MediaContentType.TEXT):
        raise Refused(StatusCode.INVALID_MEDIA_CHAT_CONTENT_TYPE)
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
