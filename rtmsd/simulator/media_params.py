"""Which media a socket may have, and with which parameters (protocol.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

from rtmsd.protocol.codes import LANGUAGES, MediaContentType, MediaDataType, StatusCode
from rtmsd.simulator.audio_codecs import AudioParams
from rtmsd.simulator.audio_params import audio_params, confirmed_audio
from rtmsd.simulator.messages import Message
from rtmsd.simulator.picture_params import PictureParams, share_params, video_params
from rtmsd.simulator.refusal import Refused, Strictness, check_text, chosen, table

__all__ = ["MediaParams", "Refused", "TranscriptParams", "media_kinds", "media_params"]

_ENGLISH = 9

_NOT_GRANTED = {
    MediaDataType.AUDIO: StatusCode.MEDIA_TYPE_AUDIO_NOT_SUPPORT,
    MediaDataType.VIDEO: StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT,
    MediaDataType.DESKSHARE: StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT,
    MediaDataType.TRANSCRIPT: StatusCode.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT,
    MediaDataType.CHAT: StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT,
}


@dataclass(frozen=True)
class TranscriptParams:
    src_language: int = _ENGLISH
    enable_lid: bool = True


@dataclass(frozen=True)
class MediaParams:
    """What was confirmed for one socket; None for what it does not carry."""

    audio: AudioParams | None = None
    video: PictureParams | None = None
    share: PictureParams | None = None
    transcript: TranscriptParams | None = None
    chat: bool = False

    def confirmed(self) -> Message:
        """Write them as `media_params` of the response, with every default that was filled in."""
        params: Message = {}
        if self.audio:
            params["audio"] = confirmed_audio(self.audio)
        if self.video:
            params["video"] = self.video.confirmed()
        if self.share:
            params["deskshare"] = self.share.confirmed()
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


def media_params(asked: object, kinds: MediaDataType, strictness: Strictness = "zoom") -> MediaParams:
    """Fill in the defaults; null and missing mean defaults at every level. Raises Refused."""
    given = table(asked, StatusCode.INVALID_MEDIA_PARAMS)
    return MediaParams(
        audio=audio_params(given.get("audio"), strictness) if MediaDataType.AUDIO in kinds else None,
        video=video_params(given.get("video")) if MediaDataType.VIDEO in kinds else None,
        share=share_params(given.get("deskshare"), strictness) if MediaDataType.DESKSHARE in kinds else None,
        transcript=_transcript(given.get("transcript")) if MediaDataType.TRANSCRIPT in kinds else None,
        chat=MediaDataType.CHAT in kinds and _chat(given.get("chat")),
    )


def _transcript(asked: object) -> TranscriptParams:
    given = table(asked, StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS)
    check_text(given, StatusCode.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE)
    key = (
        "src_language" if "src_language" in given else "language"
    )  # the older name is still in Zoom's samples
    language = chosen(given, key, _ENGLISH, LANGUAGES, StatusCode.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE)
    identify = given.get("enable_lid")
    if identify is not None and not isinstance(identify, bool):
        raise Refused(StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS)
    return TranscriptParams(language, identify is not False)


def _chat(asked: object) -> bool:
    """Judge the parameters of chat: there is nothing to choose."""
    check_text(table(asked, StatusCode.INVALID_MEDIA_CHAT_PARAMS), StatusCode.INVALID_MEDIA_CHAT_CONTENT_TYPE)
    return True
