"""The transcript as JSON lines and WebVTT, with true times relative to the recording's zero."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rtmsd.frames import TranscriptFrame
from rtmsd.recording.lines import encode

# A player shows nothing of a cue that ends when it starts; half a second is long enough to be seen.
SHORTEST_CUE_MS = 500


class Phrase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `transcript.jsonl`: seconds from the recording's zero, and what Zoom sent as it came.

    `start` and `end` lie within the recording; `start_ms` and `end_ms` are Unix milliseconds, untouched.
    """

    start: float
    end: float
    start_ms: int
    end_ms: int
    user_id: int
    user_name: str
    text: str
    source: str
    language: int | None = None


def raw_line(frame: TranscriptFrame) -> bytes:
    """Encode a frame for the unfinished file, whose zero may not be known yet."""
    return encode(msgspec.to_builtins(frame))


def phrases(frames: Iterable[TranscriptFrame], *, zero_ms: int, duration_ms: int) -> list[Phrase]:
    """Place the frames on the recording's time, ordered by start.

    What begins before zero starts at zero, nothing starts or ends after the recording's end, and a cue lasts half a
    second at least (only this may reach beyond the end).
    """
    placed = []
    for frame in sorted(frames, key=lambda frame: (frame.start_ms, frame.end_ms)):
        start = min(max(frame.start_ms - zero_ms, 0), duration_ms)
        end = max(min(frame.end_ms - zero_ms, duration_ms), start + SHORTEST_CUE_MS)
        placed.append(
            Phrase(
                start=start / 1000,
                end=end / 1000,
                start_ms=frame.start_ms,
                end_ms=frame.end_ms,
                user_id=frame.user_id,
                user_name=frame.user_name,
                text=frame.text,
                source=frame.source,
                language=frame.language,
            )
        )
    return placed


def jsonl(spoken: Iterable[Phrase]) -> bytes:
    return b"".join(encode(msgspec.to_builtins(phrase)) for phrase in spoken)


def webvtt(spoken: Iterable[Phrase]) -> bytes:
    """Write the cues with voice tags; a phrase without any text has none."""
    blocks = ["WEBVTT\n"]
    for phrase in spoken:
        text = _one_line(phrase.text)
        if text:
            name = _one_line(phrase.user_name) or f"User {phrase.user_id}"
            blocks.append(
                f"{_time(phrase.start)} --> {_time(phrase.end)}\n<v {_escape(name)}>{_escape(text)}\n"
            )
    return "\n".join(blocks).encode("utf-8", "replace")


def _time(seconds: float) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}.{ms % 1000:03}"


def _one_line(text: str) -> str:
    """Fold all white space to single blanks and drop other control characters: a blank line would end the cue."""
    return " ".join("".join(c if c >= " " and c != "\x7f" else " " for c in text).split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
