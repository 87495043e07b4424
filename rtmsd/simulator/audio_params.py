"""Which audio a socket may have (protocol.md §5.5, its matrix of combinations, and §10 C21, C22, C24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtmsd.protocol.codes import (
    SAMPLE_RATES_HZ,
    AudioChannel,
    AudioSampleRate,
    MediaContentType,
    MediaDataOption,
    MediaPayloadType,
    StatusCode,
)
from rtmsd.simulator.audio_codecs import AudioParams
from rtmsd.simulator.refusal import Refused, Strictness, chosen, is_number, table
from rtmsd.simulator.speech import STEP_MS

_LONGEST_SEND_RATE_MS = 1000
_CODECS = (MediaPayloadType.L16, MediaPayloadType.G711, MediaPayloadType.G722, MediaPayloadType.OPUS)
_ONLY_RATE = {
    MediaPayloadType.G711: AudioSampleRate.RATE_8K,
    MediaPayloadType.G722: AudioSampleRate.RATE_16K,
    MediaPayloadType.OPUS: AudioSampleRate.RATE_48K,
}


def audio_params(asked: object, strictness: Strictness = "zoom") -> AudioParams:
    """Fill in the defaults; the rate of a codec that has only one is its default. Raises Refused."""
    given = table(asked, StatusCode.INVALID_MEDIA_AUDIO_PARAMS)
    codec = MediaPayloadType(
        chosen(given, "codec", MediaPayloadType.L16, _CODECS, StatusCode.INVALID_MEDIA_AUDIO_CODEC)
    )
    content_type = _content_type(given, codec, strictness)
    only = _ONLY_RATE.get(codec)
    rates = SAMPLE_RATES_HZ if only is None else (only,)
    default_rate = AudioSampleRate.RATE_16K if only is None else only
    return AudioParams(
        sample_rate=chosen(
            given, "sample_rate", default_rate, rates, StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE
        ),
        channel=chosen(
            given,
            "channel",
            AudioChannel.MONO,
            _channels(codec, strictness),
            StatusCode.INVALID_MEDIA_AUDIO_CHANNEL,
        ),
        data_opt=chosen(
            given,
            "data_opt",
            MediaDataOption.AUDIO_MIXED_STREAM,
            (MediaDataOption.AUDIO_MIXED_STREAM, MediaDataOption.AUDIO_MULTI_STREAMS),
            StatusCode.INVALID_MEDIA_AUDIO_DATA_OPT,
        ),
        send_rate=_send_rate(given.get("send_rate"), codec, strictness),
        codec=codec,
        content_type=content_type,
    )


def confirmed_audio(params: AudioParams) -> dict[str, int]:
    return {
        "content_type": params.content_type,
        "sample_rate": params.sample_rate,
        "channel": params.channel,
        "codec": params.codec,
        "data_opt": params.data_opt,
        "send_rate": params.send_rate,
    }


def _content_type(given: Mapping[str, Any], codec: MediaPayloadType, strictness: Strictness) -> int:
    """RTP cannot carry L16 (any more): refused, or from a lenient Zoom mapped to RAW (C22)."""
    raw = MediaContentType.RAW_AUDIO
    value = chosen(
        given,
        "content_type",
        raw,
        (raw, MediaContentType.RTP),
        StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE,
    )
    if value == MediaContentType.RTP and codec is MediaPayloadType.L16:
        if strictness != "lenient":
            raise Refused(StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE)
        return raw
    return value


def _channels(codec: MediaPayloadType, strictness: Strictness) -> tuple[int, ...]:
    """Opus has stereo; L16 has it unless Zoom is strict (C21)."""
    stereo = codec is MediaPayloadType.OPUS or (codec is MediaPayloadType.L16 and strictness != "strict")
    return tuple(AudioChannel) if stereo else (AudioChannel.MONO,)


def _send_rate(asked: object, codec: MediaPayloadType, strictness: Strictness) -> int:
    """More than 1000 ms is clamped, or refused when Zoom is strict (C24); codecs other than L16 know 20 ms only."""
    if asked is None:
        return STEP_MS
    if not isinstance(asked, int) or not is_number(asked) or asked < STEP_MS or asked % STEP_MS:
        raise Refused(StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE)
    longest = _LONGEST_SEND_RATE_MS if codec is MediaPayloadType.L16 else STEP_MS
    if asked > longest and (strictness == "strict" or codec is not MediaPayloadType.L16):
        raise Refused(StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE)
    return min(asked, longest)
