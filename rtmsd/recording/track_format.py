"""How the sound of a track is counted and stored, for each codec that Zoom sends (protocol.md §5.5, §5.6.1).

A track is counted in *units*, the smallest pieces that can be placed: a sample of all channels (L16, G711), a byte of
two samples (G722), 2.5 ms (OPUS, of which every packet is a multiple).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rtmsd.frames import AudioFormat

# RIFF sizes have 32 bits, and the outer one counts what precedes the data of the longest header too. RF64 has no such end.
LARGEST_DATA_BYTES = 2**32 - 1 - 86

# No track is longer.
LONGEST_MS = 36 * 3_600_000

# Opus is always decoded at this rate, whatever was encoded (RFC 7845 §5.1).
OPUS_RATE = 48_000


@dataclass(frozen=True)
class TrackFormat:
    """Format of a track: `rate` samples a second of `channels` channels.

    `unit_bytes` is 0 when units differ in size (OPUS). `silence` is the byte that absences are filled with.
    """

    codec: str
    rate: int
    channels: int
    unit_samples: int = 1
    unit_bytes: int = 2
    silence: int = 0

    @property
    def units_per_sec(self) -> int:
        return self.rate // self.unit_samples

    @cached_property
    def wide(self) -> bool:
        """True when the longest track could not be said in RIFF: the header then has room to become one of RF64."""
        return self.unit_bytes * self.units_per_sec * LONGEST_MS // 1000 > LARGEST_DATA_BYTES

    def is_rf64(self, units: int) -> bool:
        """True when a file of that many units must be RF64."""
        return units * self.unit_bytes > LARGEST_DATA_BYTES

    @property
    def suffix(self) -> str:
        """What the names of the files end in that it grows in."""
        return ".wav" if self.unit_bytes else ".opus"

    @property
    def summed(self) -> bool:
        """True when tracks can be summed sample by sample: `audio/mixed.wav` is made then."""
        return self.codec in ("L16", "G711")


def track_format(audio: AudioFormat) -> TrackFormat | None:
    """Say how the frames of a stream are stored; None when they cannot be."""
    codec, rate, channels = audio.codec, audio.rate, audio.channels
    if not 1 <= channels <= 8 or not 1000 <= rate <= 384_000:
        return None
    if codec == "L16":
        return TrackFormat(codec, rate, channels, unit_bytes=2 * channels)
    if codec == "G711":
        # A-law's smallest positive level, as encoders write silence.
        return TrackFormat(codec, rate, channels, unit_bytes=channels, silence=0xD5)
    if codec == "G722" and channels == 1 and rate % 2 == 0:
        # The code is adaptive and has no silence of its own. Of all 256 bytes, repeated, this one was heard least in
        # ffmpeg's decoder: nothing at the beginning of a track, and after loud tones and noise less than 0.2 % of full
        # scale within 10 ms.
        return TrackFormat(codec, rate, channels, unit_samples=2, unit_bytes=1, silence=0xFC)
    if codec == "OPUS" and channels <= 2:
        return TrackFormat(codec, OPUS_RATE, channels, unit_samples=OPUS_RATE // 400, unit_bytes=0)
    return None
