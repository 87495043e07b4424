"""Finish what a crash or a full disk left: unfinished recordings that nobody will continue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rtmsd.errors import RecordingError
from rtmsd.frames import Gap, StreamEnd, StreamInfo
from rtmsd.recording.adding import take_back
from rtmsd.recording.files import ADDING, AUDIO, LEDGER, PART, SUMS, TOMBSTONE
from rtmsd.recording.manifest import Manifest
from rtmsd.recording.persistence import Entry, first_entry
from rtmsd.recording.recording import Recording
from rtmsd.recording.signature import Signer
from rtmsd.recording.tombstone import purge

NAME = "RECOVERED"
SENTENCE = (
    "rtmsd stopped in the middle of this stream and did not go on with it. What came until then is here; how long the "
    "stream went on is not known."
)


class Recovered(NamedTuple):
    """What became of one directory: its manifest, or a sentence that says what else was done, or what is wrong."""

    directory: Path
    manifest: Manifest | None = None
    note: str = ""
    problem: str = ""


def unfinished(root: Path) -> Iterator[Path]:
    """Find the directories at and below `root` that hold an unfinished recording, or one with something half added."""
    for left in sorted([*root.rglob(LEDGER), *root.rglob(ADDING)]):
        yield left.parent


def recover(
    directory: Path, *, version: str, cause: str = "daemon_restart", signer: Signer | None = None
) -> Recovered:
    """Finish one unfinished recording: whole files, the gap at its end with its cause, manifest and SHA256SUMS.

    The gap begins with what was last flushed, and ends with the last sign that something had come. What is being
    written by somebody is left alone, and told as a problem, as is whatever the disk refuses. Done again, or broken off
    and done again, it comes to the same.
    """
    try:
        return _recover(directory, version, cause, signer)
    except RecordingError as error:
        return Recovered(directory, problem=str(error))
    except OSError as error:
        return Recovered(
            directory, problem=f"{error.filename or directory} cannot be used: {error.strerror or error}"
        )


def _recover(directory: Path, version: str, cause: str, signer: Signer | None) -> Recovered:
    if (directory / ADDING).exists():
        take_back(directory)
        return Recovered(directory, note="what had been half added to it is taken back")
    if not (directory / LEDGER).exists():
        return Recovered(directory, note="there is no unfinished recording")
    first = first_entry(directory / LEDGER)
    if (directory / TOMBSTONE).exists():
        purge(directory, _info(first), version=version)
        return Recovered(directory, note="it had been deleted on request, and now nothing is left of it")
    if first is None:
        return _without_ledger(directory)
    if (directory / SUMS).exists():
        try:
            Recording.open(directory, _info(first), version=version).abandon()
        except RecordingError:
            pass  # it is complete, and what was left beside it is gone
        return Recovered(directory, note="it was complete")
    recording = Recording.open(directory, _info(first), version=version)
    try:
        if not recording.ended:
            _end(recording, cause)
        return Recovered(directory, recording.close(signer))
    finally:
        recording.abandon()


def _end(recording: Recording, cause: str) -> None:
    known_ms = recording.newest_ms or recording.last_sign_ms
    end_ms = max(known_ms, recording.last_sign_ms)
    recording.write([Gap(cause, known_ms, end_ms), StreamEnd(None, NAME, SENTENCE, end_ms)])


def _info(first: Entry | None) -> StreamInfo:
    """Tell whose recording it is; a ledger of an earlier version has only the stream's id."""
    if first is not None and first.info is not None:
        return first.info
    stream_id = first.stream_id if first is not None else ""
    return StreamInfo(app="unknown", product="unknown", stream_id=stream_id, meeting_uuid="")


def _without_ledger(directory: Path) -> Recovered:
    """An empty ledger: the process died before it had written anything, or the disk lost it."""
    others = [path for path in directory.rglob("*") if path.is_file() and path.name != LEDGER]
    if others:
        return Recovered(
            directory,
            problem=f"its {LEDGER} is empty or cannot be read: what the {len(others)} other files hold cannot be told. "
            f"Those that end in {PART} can be played as they are; delete or keep them",
        )
    (directory / LEDGER).unlink()
    for path in (directory / AUDIO, directory):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return Recovered(directory, note="nothing had been recorded")
