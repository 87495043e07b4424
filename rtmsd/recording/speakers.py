"""`speakers.rttm`: who was heard when, in the format of NIST's Rich Transcription evaluations.

Zoom sends each participant's sound apart, so this is known and not estimated: a turn is where samples were received.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rtmsd.recording.account import Sound
from rtmsd.recording.layout import safe_name
from rtmsd.recording.spans import clip, union

# What is nearer is one turn.
PAUSE_MS = 300

_LINE = re.compile(
    rb"SPEAKER (\S{1,200}) 1 (\d{1,9})\.(\d{3}) (\d{1,9})\.(\d{3}) <NA> <NA> (-?\d{1,20}) <NA> <NA>\n"
)


class Turn(NamedTuple):
    """One line; milliseconds from the recording's zero."""

    start_ms: int
    end_ms: int
    user_id: int
    file: str


def turns(sounds: Mapping[int, Sound], *, stream_id: str, duration_ms: int) -> list[Turn]:
    """Return everybody's turns by their start, rounded outward to whole milliseconds."""
    file = safe_name(stream_id)
    spoken = []
    for user_id, sound in sounds.items():
        # Runs less than the pause apart are joined by making each longer by that much.
        longer = PAUSE_MS * sound.rate // 1000 - 1
        runs = clip(sound.runs, 0, duration_ms * sound.rate // 1000)
        for start, end in union((a, b + longer) for a, b in runs):
            end_ms = -(-(end - longer) * 1000 // sound.rate)
            spoken.append(Turn(start * 1000 // sound.rate, end_ms, user_id, file))
    return sorted(spoken)


def rttm(spoken: Iterable[Turn]) -> bytes:
    """Write the turns: start and length in seconds, the user id as the speaker's name."""
    return b"".join(
        f"SPEAKER {turn.file} 1 {_secs(turn.start_ms)} {_secs(turn.end_ms - turn.start_ms)} "
        f"<NA> <NA> {turn.user_id} <NA> <NA>\n".encode()
        for turn in spoken
    )


def parse_rttm(data: bytes) -> list[Turn]:
    """Read what `rttm` writes; raises ValueError at the first other line."""
    found = []
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is not a line of RTTM as rtmsd writes it")
        file, start, start_ms, secs, ms, user_id = match.groups()
        begin = int(start) * 1000 + int(start_ms)
        end = begin + int(secs) * 1000 + int(ms)
        found.append(Turn(begin, end, int(user_id), file.decode("utf-8", "replace")))
    return found


def _secs(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03}"
