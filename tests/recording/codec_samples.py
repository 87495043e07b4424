"""Tones in every codec, as ffmpeg encodes them."""

from __future__ import annotations

import io

from ffmpeg_judge import sound
from recording_samples import ZERO

from rtmsd.frames import AudioFormat, AudioFrame
from rtmsd.recording.ogg import read_pages

ENCODERS = {"L16": "pcm_s16le", "G711": "pcm_alaw", "G722": "g722", "OPUS": "libopus"}
FORMATS = [
    *(
        AudioFormat("L16", rate, channels, True)
        for rate in (8000, 16_000, 32_000, 48_000)
        for channels in (1, 2)
    ),
    AudioFormat("G711", 8000, 1, True),
    AudioFormat("G722", 16_000, 1, True),
    AudioFormat("OPUS", 48_000, 1, True),
    AudioFormat("OPUS", 48_000, 2, True),
]


def packets(form: AudioFormat, hertz: int, secs: float = 2) -> tuple[bytes, list[bytes]]:
    """A tone as ffmpeg encodes it, whole and in packets of 20 ms."""
    whole = sound(ENCODERS[form.codec], rate=form.rate, channels=form.channels, secs=secs, hertz=hertz)
    if form.codec == "OPUS":
        found = [
            packet for page in read_pages(io.BytesIO(whole)) if page.number > 1 for packet in page.packets
        ]
        return whole, found[: int(secs * 50)]
    size = next(size for size in range(1, 10_000) if form.duration_ms(bytes(size)) == 20)
    return whole, [whole[at : at + size] for at in range(0, len(whole), size)]


def frames(user_id: int, at_ms: int, form: AudioFormat, data: list[bytes]) -> list[AudioFrame]:
    return [
        AudioFrame(user_id, "Ann", ZERO + at_ms + 20 * number, one, form) for number, one in enumerate(data)
    ]
