"""How the sound of a recording is divided into files, and what these are.

Without a period each track is one file. With one, `audio/user=ID.0001.wav` has the first so many minutes of that track,
`.0002` the next, all counted from the recording's zero; where somebody was not heard for a whole period there is no file.
OPUS is never divided: its packets cannot be cut where a period ends.
"""

from __future__ import annotations

import re

import msgspec

from rtmsd.recording.files import AUDIO
from rtmsd.recording.track_format import TrackFormat

# Zoom replays up to 60 s to who comes back within 60 s (protocol.md §7.1): only then a period's file is closed.
LATE_MS = 120_000

_NUMBER = re.compile(r"\.(\d{4,})\.[a-z]+$")


class FilePlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """`audio_format`: "wav", or "flac" for plain samples. `minutes_per_file`: 0, or how much sound is in one file."""

    audio_format: str = "wav"
    minutes_per_file: int = 0

    def period_ms(self, form: TrackFormat) -> int:
        """How long a file is; 0 when there is only one."""
        return self.minutes_per_file * 60_000 if form.unit_bytes else 0

    def growing(self, user_id: int, period: int, *, mixed: bool, form: TrackFormat) -> str:
        """Name the file that a track grows in: the one mixed track of a stream without participants, or somebody's own."""
        number = f".{period + 1:04}" if self.period_ms(form) else ""
        return f"{AUDIO}/{'mixed' if mixed else f'user={user_id}'}{number}{form.suffix}"

    def final(self, name: str, form: TrackFormat) -> str:
        """Name what a growing file becomes."""
        if self.audio_format == "flac" and form.codec == "L16":
            return name.removesuffix(".wav") + ".flac"
        return name


def period_of(name: str) -> int:
    """Tell by the name of a file which period it has; 0 is the first, also where there is only one."""
    number = _NUMBER.search(name)
    return int(number[1]) - 1 if number else 0
