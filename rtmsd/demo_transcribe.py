"""The demo of `--transcribe`: the spoken meeting is also transcribed, live and on this machine, and both are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import orjson

from rtmsd.demo import CLOSING_SECS, judge, play_spoken, workplace
from rtmsd.errors import RtmsdError
from rtmsd.recording.captions import ZOOM, transcript_files
from rtmsd.word_errors import word_errors, words_of

_ENGINE = "pocketsphinx"
_LIBRARIES = ("webrtcvad", "soxr", "pocketsphinx")

_DRAIN_SECS = 45
"""So long after the meeting pocketsphinx may think: it takes a fifth of the time that was spoken, on an idle machine."""

_SINK = f"""
[[sinks]]
name = "transcript"
type = "transcribe"
engines = ["{_ENGINE}"]
drain_secs = {_DRAIN_SECS}
"""

_WAITING = f"The meeting is over. For what is not transcribed yet {_ENGINE} has {_DRAIN_SECS} s."

_NO_JUDGE = (
    f"It is not judged: {_ENGINE} understands little, and is here to show the way without a service or a key.\n"
    "Engines that understand more are configured in its place; docs/transcription.md has them.\n"
)

Line = Mapping[str, Any]
"""One phrase of a transcript, as it stands in its file."""


async def run_transcribing_demo(*, seconds: float, output: Path | None, keep: bool, out: TextIO) -> int:
    """Play a meeting of `seconds`, record and transcribe it; return the exit status.

    It is 0 only when the recording is complete and every speaker was heard, each where they spoke; how many words are
    right does not matter. Where the recording is, see `run_demo`. Raises RtmsdError when a part cannot start.
    """
    _check_installed()
    with workplace(output, keep=keep) as place:
        closing_secs = _DRAIN_SECS + CLOSING_SECS
        await play_spoken(
            place, seconds=seconds, out=out, sinks=_SINK, closing_secs=closing_secs, waiting=_WAITING
        )
        return 0 if judge(place, out, tell=tell_heard) else 1


def _check_installed() -> None:
    missing = [library for library in _LIBRARIES if find_spec(library) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise RtmsdError(
            f"the demo transcribes with {_ENGINE}, and {' and '.join(missing)} {verb} not installed: "
            'pip install "rtmsd[transcribe,pocketsphinx]"'
        )


def tell_heard(directory: Path, out: TextIO) -> bool:
    """List what was said in a recording and what was heard of it; tell whether every speaker was heard where they spoke."""
    missing = [name for name in transcript_files(_ENGINE) if not (directory / name).is_file()]
    if missing:
        out.write(f"{_ENGINE} should have left {' and '.join(missing)}: the demo failed.\n")
        return False
    said, heard = (_lines(directory / transcript_files(source)[0]) for source in (ZOOM, _ENGINE))
    out.write(f"What was said, and what {_ENGINE} heard:\n")
    _list_both(said, heard, out)
    _tell_errors(said, heard, out)
    return _all_heard(said, heard, out)


def _lines(path: Path) -> list[Line]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def sentence_of(phrase: Line, said: Sequence[Line]) -> int | None:
    """Give the index of the sentence of the same speaker that most of the phrase lies in; None when there is none."""

    def shared(index: int) -> float:
        one = said[index]
        return float(min(one["end"], phrase["end"]) - max(one["start"], phrase["start"]))

    own = [index for index, one in enumerate(said) if one["user_id"] == phrase["user_id"]]
    best = max(own, key=shared, default=None)
    return best if best is not None and shared(best) > 0 else None


def _list_both(said: Sequence[Line], heard: Sequence[Line], out: TextIO) -> None:
    places = [sentence_of(phrase, said) for phrase in heard]
    for index, sentence in enumerate(said):
        name = f"{sentence['user_name']}:"
        out.write(f"  {sentence['start']:6.2f} s  {name} {sentence['text']}\n")
        found = [phrase for phrase, place in zip(heard, places, strict=True) if place == index]
        for phrase in found:
            out.write(f"  {phrase['start']:6.2f} s  {'heard:':>{len(name)}} {phrase['text']}\n")
        if not found:
            out.write(f"  {'':8}  {'heard:':>{len(name)}} (nothing)\n")


def _tell_errors(said: Sequence[Line], heard: Sequence[Line], out: TextIO) -> None:
    """Write the word error rate: of each speaker's words as one text, for an engine may cut it otherwise."""
    errors = words = 0
    for speaker in {line["user_id"] for line in said}:
        one, other = (
            " ".join(line["text"] for line in lines if line["user_id"] == speaker) for lines in (said, heard)
        )
        errors += word_errors(one, other)
        words += len(words_of(one))
    if words:
        out.write(
            f"Word error rate: {100 * errors / words:.0f} %, {errors} errors in {words} words.\n{_NO_JUDGE}"
        )


def _all_heard(said: Sequence[Line], heard: Sequence[Line], out: TextIO) -> bool:
    names = {line["user_id"]: line["user_name"] for line in said}
    silent = [names[user] for user in names if all(phrase["user_id"] != user for phrase in heard)]
    for name in silent:
        out.write(f"{_ENGINE} heard nothing of {name}: the demo failed.\n")
    misplaced = [phrase for phrase in heard if sentence_of(phrase, said) is None]
    for phrase in misplaced:
        out.write(
            f"{_ENGINE} heard {phrase['user_name']} at {phrase['start']:.2f} s, and they said nothing then: the demo failed.\n"
        )
    return bool(said) and not silent and not misplaced
