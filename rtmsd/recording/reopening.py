"""Make the files of an unfinished recording what its ledger says they are."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from rtmsd.frames import MediaKind, TranscriptFrame
from rtmsd.recording import opus, pictures
from rtmsd.recording.files import (
    AUDIO,
    CHAT,
    DERIVED,
    EVENTS,
    GROWING,
    NEW,
    PART,
    PICTURES,
    TRANSCRIPT,
)
from rtmsd.recording.growing import reconcile_wav
from rtmsd.recording.ledger import unflushed
from rtmsd.recording.lines import whole_lines
from rtmsd.recording.progress import Progress
from rtmsd.recording.spans import Span, subtract
from rtmsd.recording.timeline import Track
from rtmsd.recording.wav import header_bytes

# Lines whose loss is a gap: events are no medium.
_MEDIA = {TRANSCRIPT: MediaKind.TRANSCRIPT, CHAT: MediaKind.CHAT}


class _Timed(msgspec.Struct, gc=False):
    """What is needed of a line of chat or events."""

    timestamp_ms: int


def reconcile(
    directory: Path, progress: Progress, sizes: dict[str, int], *, suspended: bool
) -> dict[int, int]:
    """Cut what lies beyond the ledger, silence what it does not know, and undo a close that was begun.

    What the ledger promises and the disk lost (a power failure) leaves `progress` and `sizes`, and is ledgered as
    "unflushed", but for events; returned is where such tracks end now.
    """
    _reopen_closed(directory, progress, sizes)
    known = {progress.tracks.file(user_id) + PART for user_id in progress.tracks.by_user}
    for path in (directory / AUDIO).glob("*" + PART):
        if f"{AUDIO}/{path.name}" not in known:
            path.unlink()
    cuts = {}
    for user_id in list(progress.tracks.by_user):
        ledgered = progress.tracks.by_user[user_id].end
        reconcile_track = _reconcile_wav if progress.tracks.form.unit_bytes else _reconcile_opus
        end = reconcile_track(directory, progress, user_id, sizes, suspended=suspended)
        if end < ledgered:
            cuts[user_id] = end
    progress.pictures.files, lost = pictures.reconcile(directory, sizes, _known(progress))
    for gap in lost:
        progress.ledger.report(gap)
    for name in GROWING:
        _reconcile_lines(directory, name, progress, sizes)
    paths = [directory / (name + PART) for name in (TRANSCRIPT, CHAT)]
    progress.had_lines = frozenset(
        line for path in paths if path.exists() for line in path.read_bytes().splitlines(keepends=True)
    )
    return cuts


def _reopen_closed(directory: Path, progress: Progress, sizes: dict[str, int]) -> None:
    tracks = [progress.tracks.file(user_id) for user_id in progress.tracks.by_user]
    shown = [name for name in sizes if name.startswith(PICTURES)]
    for name in [EVENTS, CHAT, *tracks, *shown]:
        final, part = directory / name, directory / (name + PART)
        if final.exists() and part.exists():
            final.unlink()  # it was made of the other, which stays until the end
        elif final.exists():
            final.rename(part)
    for name in DERIVED:
        (directory / name).unlink(missing_ok=True)
    for path in directory.glob("*" + NEW):
        path.unlink()


def _reconcile_wav(
    directory: Path, progress: Progress, user_id: int, sizes: dict[str, int], *, suspended: bool
) -> int:
    path = directory / (progress.tracks.file(user_id) + PART)
    form, track = progress.tracks.form, progress.tracks.by_user[user_id]
    size = path.stat().st_size if path.exists() else 0
    on_disk = max(0, size - header_bytes(form)) // form.unit_bytes
    if on_disk < track.end:
        track = _lose(progress, user_id, on_disk)
    if not track.end:
        path.unlink(missing_ok=True)
        return 0
    # What was suspended is as the ledger says, and need not be read.
    reconcile_wav(path, form, track.end, [(0, track.end)] if suspended else track.runs)
    return track.end


def _reconcile_opus(
    directory: Path, progress: Progress, user_id: int, sizes: dict[str, int], *, suspended: bool
) -> int:
    """Read all pages, suspended or not: a damaged one would keep the recording from being closed."""
    name = progress.tracks.file(user_id)
    path, track = directory / (name + PART), progress.tracks.by_user[user_id]
    size, held = opus.mend(path, sizes.get(name, 0)) if path.exists() else (0, [])
    lost = subtract(track.runs, held)
    if lost:
        track = _lose(progress, user_id, lost[0][0])
    if not track.end:
        path.unlink(missing_ok=True)
        size = 0
    sizes[name] = size
    return track.end


def _lose(progress: Progress, user_id: int, units: int) -> Track:
    assert progress.zero_ms is not None
    progress.tracks.lose(user_id, units, progress.zero_ms)
    return progress.tracks.by_user[user_id]


def _reconcile_lines(directory: Path, name: str, progress: Progress, sizes: dict[str, int]) -> None:
    """Keep the lines that the ledger knows, up to the first that is torn or damaged."""
    path, promised = directory / (name + PART), sizes.get(name, 0)
    data = path.read_bytes()[:promised] if path.exists() else b""
    kind: type[TranscriptFrame | _Timed] = TranscriptFrame if name == TRANSCRIPT else _Timed
    kept, size = whole_lines(data, kind)
    if size:
        os.truncate(path, size)
    else:
        path.unlink(missing_ok=True)
    sizes[name] = size
    if size < promised and name in _MEDIA:
        stamps = (one.start_ms if isinstance(one, TranscriptFrame) else one.timestamp_ms for one in kept)
        progress.ledger.report(unflushed(stamps, _known(progress), _MEDIA[name]))


def _known(progress: Progress) -> Span:
    """Return the times of the first item and of the newest, in Unix milliseconds."""
    newest = progress.newest_ms or 0
    return min(progress.first_ms or progress.zero_ms or newest, newest), newest
