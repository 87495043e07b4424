"""The transcript as JSON lines, WebVTT and SRT, with true times relative to the recording's zero."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from rtmsd.frames import SpokenWord, TranscriptFrame
from rtmsd.recording.files import CAPTIONS, SUBTITLES, TRANSCRIPT
from rtmsd.recording.layout import safe_name
from rtmsd.recording.lines import line

ZOOM = "zoom"

# A player shows nothing of a cue that ends when it starts; half a second is long enough to be seen.
SHORTEST_CUE_MS = 500

_LOOKALIKES = str.maketrans("<>{}", "\u2039\u203a()")


class Phrase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `transcript.jsonl`: seconds from the recording's zero, and what Zoom sent as it came.

    `start` and `end` lie within the recording; `start_ms` and `end_ms` are Unix milliseconds, untouched, and so is
    `timestamp_ms`, which is left out where it is `start_ms`. `operation` is left out where it is "new". `words` with their
    times (Unix milliseconds) are there where who transcribed told them.
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
    operation: str = "new"
    timestamp_ms: int | None = None
    words: tuple[SpokenWord, ...] = ()
    confidence: float | None = None

    @property
    def key(self) -> tuple[str, int, int]:
        """What an update or a deletion finds its phrase by (protocol.md §5.6)."""
        return self.source, self.user_id, self.start_ms if self.timestamp_ms is None else self.timestamp_ms


def phrases(frames: Iterable[TranscriptFrame], *, zero_ms: int, duration_ms: int) -> list[Phrase]:
    """Place the frames on the recording's time, ordered by start; what changes a phrase follows it, as it came.

    What begins before zero starts at zero, nothing starts or ends after the recording's end, and a cue lasts half a
    second at least (only this may reach beyond the end).
    """
    frames = list(frames)
    begun: dict[tuple[str, int, int], tuple[int, int]] = {}
    for frame in frames:
        begun.setdefault(_key(frame), (frame.start_ms, frame.end_ms))
    placed = []
    for frame in sorted(frames, key=lambda frame: _place(frame, begun)):
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
                operation=frame.operation,
                timestamp_ms=None if frame.timestamp_ms == frame.start_ms else frame.timestamp_ms,
                words=frame.words,
                confidence=frame.confidence,
            )
        )
    return placed


def by_source(frames: Iterable[TranscriptFrame]) -> dict[str, list[TranscriptFrame]]:
    """Tell apart who transcribed: the keys name the files of each, as `transcript_files` does. Zoom is always there."""
    found: dict[str, list[TranscriptFrame]] = {ZOOM: []}
    for frame in frames:
        found.setdefault(ZOOM if frame.source == ZOOM else safe_name(frame.source or "unknown"), []).append(
            frame
        )
    return found


def transcript_files(source: str) -> tuple[str, str, str]:
    """Name a transcript as JSON lines, WebVTT and SRT. `source` is a key of `by_source`."""
    if source == ZOOM:
        return TRANSCRIPT, CAPTIONS, SUBTITLES
    return f"transcript.{source}.jsonl", f"transcript.{source}.vtt", f"transcript.{source}.srt"


def written(
    source: str, frames: Iterable[TranscriptFrame], *, zero_ms: int, duration_ms: int
) -> dict[str, bytes]:
    """Write a transcript in each of its forms: the files by their names."""
    spoken = phrases(frames, zero_ms=zero_ms, duration_ms=duration_ms)
    forms = zip(transcript_files(source), (jsonl, webvtt, srt), strict=True)
    return {name: form(spoken) for name, form in forms}


def transcripts(names: Iterable[str]) -> list[str]:
    """Pick from the names of a recording's files those of the transcripts as JSON lines, Zoom's first."""
    others = [name for name in names if name.startswith("transcript.") and name.endswith(".jsonl")]
    return sorted(others, key=lambda name: (name != TRANSCRIPT, name))


def final(spoken: Iterable[Phrase]) -> list[Phrase]:
    """Return the phrases as they stand after all updates and deletions; an update of an unknown phrase is a new one."""
    standing: dict[tuple[str, int, int], list[Phrase]] = {}
    updated: set[tuple[str, int, int]] = set()
    for phrase in spoken:
        same = standing.setdefault(phrase.key, [])
        if phrase.operation == "new":
            if phrase.key in updated:
                continue  # it came again, or late: the update of it stands
        elif same:
            same.pop()
        if phrase.operation == "update":
            updated.add(phrase.key)
        elif phrase.operation == "delete":
            updated.discard(phrase.key)
        if phrase.operation != "delete":
            same.append(phrase)
    kept = [phrase for same in standing.values() for phrase in same]
    return sorted(kept, key=lambda phrase: (phrase.start_ms, phrase.end_ms))


def jsonl(spoken: Iterable[Phrase]) -> bytes:
    return b"".join(map(line, spoken))


class Cue(NamedTuple):
    """What is shown at a time, in seconds: a speaker's name and words, each in one line."""

    start: float
    end: float
    name: str
    text: str


def webvtt(spoken: Iterable[Phrase]) -> bytes:
    """Write the cues with voice tags."""
    blocks = [f"{_times(cue, '.')}\n<v {_escape(cue.name)}>{_escape(cue.text)}\n" for cue in cues(spoken)]
    return "\n".join(["WEBVTT\n", *blocks]).encode("utf-8", "replace")


def srt(spoken: Iterable[Phrase]) -> bytes:
    """Write the same cues as `Name: text`, for players and editors that know no voices.

    The format has no escapes: what a player would take for markup is written with signs that look like it.
    """
    blocks = []
    for number, cue in enumerate(cues(spoken), 1):
        line = f"{cue.name}: {cue.text}".replace("-->", "\u2192").translate(_LOOKALIKES)
        blocks.append(f"{number}\n{_times(cue, ',')}\n{line}\n")
    return "\n".join(blocks).encode("utf-8", "replace")


def cues(spoken: Iterable[Phrase]) -> list[Cue]:
    """Make a cue of each phrase that has any text, ordered by start. Nobody has two at once.

    A cue ends when the same speaker's next one begins; phrases of one speaker that begin together are one cue.
    """
    made: list[Cue] = []
    latest: dict[int, int] = {}
    for phrase in final(spoken):
        if not (text := _one_line(phrase.text)):
            continue
        at = latest.get(phrase.user_id)
        if at is not None and phrase.start <= made[at].start:
            both = f"{made[at].text} {text}"
            made[at] = made[at]._replace(end=max(made[at].end, phrase.end), text=both)
            continue
        if at is not None and phrase.start < made[at].end:
            made[at] = made[at]._replace(end=phrase.start)
        latest[phrase.user_id] = len(made)
        name = _one_line(phrase.user_name) or f"User {phrase.user_id}"
        made.append(Cue(phrase.start, phrase.end, name, text))
    return made


def _key(frame: TranscriptFrame) -> tuple[str, int, int]:
    return frame.source, frame.user_id, frame.timestamp_ms


def _place(frame: TranscriptFrame, begun: dict[tuple[str, int, int], tuple[int, int]]) -> tuple[int, int]:
    own = frame.start_ms, frame.end_ms
    return own if frame.operation == "new" else begun[_key(frame)]


def _times(cue: Cue, point: str) -> str:
    return f"{_time(cue.start, point)} --> {_time(cue.end, point)}"


def _time(seconds: float, point: str) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{point}{ms % 1000:03}"


def _one_line(text: str) -> str:
    """Fold all white space to single blanks and drop other control characters: a blank line would end the cue."""
    return " ".join("".join(c if c >= " " and c != "\x7f" else " " for c in text).split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
