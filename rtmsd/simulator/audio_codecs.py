"""Sound as the codecs of protocol.md §5.5 put it on the wire."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtmsd.protocol.codes import (
    SAMPLE_RATES_HZ,
    AudioChannel,
    AudioSampleRate,
    MediaContentType,
    MediaDataOption,
    MediaPayloadType,
)
from rtmsd.simulator.speech import STEP_MS
from rtmsd.simulator.speech.encoded import Encoding, encoded_step

_RTP_TYPES = {MediaPayloadType.G711: 8, MediaPayloadType.G722: 9, MediaPayloadType.OPUS: 111}
_RTP_TICKS_PER_MS = {MediaPayloadType.G711: 8, MediaPayloadType.G722: 8, MediaPayloadType.OPUS: 48}


@dataclass(frozen=True)
class AudioParams:
    """Confirmed parameters of an audio socket, in Zoom's numbers (protocol.md §5.5)."""

    sample_rate: int = AudioSampleRate.RATE_16K
    channel: int = AudioChannel.MONO
    data_opt: int = MediaDataOption.AUDIO_MIXED_STREAM
    send_rate: int = STEP_MS
    codec: int = MediaPayloadType.L16
    content_type: int = MediaContentType.RAW_AUDIO


@dataclass(frozen=True)
class Step:
    """The `number`th 20 ms of one of the encoded sentences or hums."""

    name: str
    number: int


def payload(pcm: bytes, step: Step, params: AudioParams, *, user_id: int, timestamp_ms: int) -> bytes:
    """Encode one packet: `pcm` is its sound as 16 kHz mono L16, `step` where that begins.

    Opus and G.722 were encoded beforehand, which is why they need `step`. As RTP it has the header of RFC 3550, a
    guess: how Zoom fills it is not published.
    """
    data = _raw(pcm, step, params)
    if params.content_type != MediaContentType.RTP:
        return data
    codec = MediaPayloadType(params.codec)
    ticks = timestamp_ms * _RTP_TICKS_PER_MS[codec] % 2**32
    return struct.pack(
        ">BBHII", 0x80, _RTP_TYPES[codec], timestamp_ms // STEP_MS % 2**16, ticks, user_id % 2**32
    ) + data  # fmt: skip


def _raw(pcm: bytes, step: Step, params: AudioParams) -> bytes:
    match params.codec:
        case MediaPayloadType.G711:
            return alaw(np.frombuffer(_resampled(pcm, 8_000, 1), "<i2"))
        case MediaPayloadType.G722:
            return encoded_step(step.name, step.number, "g722")
        case MediaPayloadType.OPUS:
            encoding: Encoding = "stereo.opus" if params.channel == AudioChannel.STEREO else "opus"
            return encoded_step(step.name, step.number, encoding)
    return _resampled(pcm, SAMPLE_RATES_HZ[params.sample_rate], params.channel)


def _resampled(pcm: bytes, rate: int, channels: int) -> bytes:
    """Bring 16 kHz mono to the rate and channels asked for, by plain linear interpolation."""
    if rate == 16_000 and channels == AudioChannel.MONO:
        return pcm
    samples = np.frombuffer(pcm, "<i2")
    wanted = np.arange(len(samples) * rate // 16_000) * (16_000 / rate)
    resampled = np.rint(np.interp(wanted, np.arange(len(samples)), samples)).astype("<i2")
    return np.repeat(resampled, channels).tobytes()


def alaw(samples: NDArray[np.int16]) -> bytes:
    """Encode 16-bit samples as G.711 A-law, one byte each (ITU-T G.711 table 1a, even bits inverted)."""
    wide = samples.astype(np.int32)
    magnitude = np.where(wide >= 0, wide, -wide - 1) >> 4  # 0…2047: A-law knows 12 bits and a sign
    exponent = np.maximum(np.frexp(magnitude.astype(np.float64))[1] - 4, 0)
    mantissa = magnitude >> np.maximum(exponent - 1, 0) & 0x0F
    code = (exponent << 4) | mantissa | np.where(wide >= 0, 0x80, 0)
    return bytes((code ^ 0x55).astype(np.uint8))
