"""Make the files of an unfinished recording what its ledger says they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rtmsd.recording.files import (
    AUDIO,
    CHAT,
    DERIVED,
    EVENTS,
    GROWING,
    NEW,
    PART,
    TRANSCRIPT,
    track_file,
)
from rtmsd.recording.progress import Progress
from rtmsd.recording.spans import Span, subtract
from rtmsd.recording.wav import HEADER_BYTES, patch

_READ_BYTES = 1 << 20


def reconcile(
    directory: Path, progress: Progress, sizes: dict[str, int], *, suspended: bool
) -> dict[int, int]:
    """Cut what lies beyond the ledger, silence what it does not know, and undo a close that was begun.

    Sound or lines that the ledger promises and the disk lost (a power failure) leave `progress` and `sizes`, and
    are ledgered as "unflushed"; returned is where such tracks end now.
    """
    _reopen_closed(directory, progress)
    known = {track_file(user_id, mixed=progress.tracks.mixed) + PART for user_id in progress.tracks.by_user}
    for path in (directory / AUDIO).glob("*" + PART):
        if f"{AUDIO}/{path.name}" not in known:
            path.unlink()
    cuts = {}
    for user_id in list(progress.tracks.by_user):
        path = directory / (track_file(user_id, mixed=progress.tracks.mixed) + PART)
        ledgered = progress.tracks.by_user[user_id].end
        end = _reconcile_track(path, progress, user_id, suspended=suspended)
        if end < ledgered:
            cuts[user_id] = end
    for name in GROWING:
        sizes[name] = _reconcile_lines(directory / (name + PART), sizes.get(name, 0))
    paths = [directory / (name + PART) for name in (TRANSCRIPT, CHAT)]
    progress.had_lines = frozenset(
        line for path in paths if path.exists() for line in path.read_bytes().splitlines(keepends=True)
    )
    return cuts


def _reopen_closed(directory: Path, progress: Progress) -> None:
    tracks = [track_file(user_id, mixed=progress.tracks.mixed) for user_id in progress.tracks.by_user]
    for name in [EVENTS, CHAT, *tracks]:
        final, part = directory / name, directory / (name + PART)
        if final.exists() and not part.exists():
            final.rename(part)
    for name in DERIVED:
        (directory / name).unlink(missing_ok=True)
    for path in directory.glob("*" + NEW):
        path.unlink()


def _reconcile_track(path: Path, progress: Progress, user_id: int, *, suspended: bool) -> int:
    form, track = progress.tracks.form, progress.tracks.by_user[user_id]
    size = path.stat().st_size if path.exists() else 0
    on_disk = max(0, size - HEADER_BYTES) // form.block
    if on_disk < track.end:
        assert progress.zero_ms is not None
        progress.tracks.lose(user_id, on_disk, progress.zero_ms)
        track = progress.tracks.by_user[user_id]
    if not track.end:
        path.unlink(missing_ok=True)
        return 0
    os.truncate(path, HEADER_BYTES + track.end * form.block)
    patch(path, form, track.end)
    if not suspended:
        holes = subtract([(0, track.end)], track.runs)
        _silence(path, [(HEADER_BYTES + a * form.block, HEADER_BYTES + b * form.block) for a, b in holes])
    return track.end


def _silence(path: Path, holes: Sequence[Span]) -> None:
    """Zero spans of bytes, leaving those alone (and sparse) that are zero."""
    handle = os.open(path, os.O_RDWR)
    try:
        for start, end in holes:
            for at in range(start, end, _READ_BYTES):
                data = os.pread(handle, min(_READ_BYTES, end - at), at)
                if data != bytes(len(data)):
                    os.pwrite(handle, bytes(len(data)), at)
    finally:
        os.close(handle)


def _reconcile_lines(path: Path, size: int) -> int:
    if not path.exists():
        return 0
    if path.stat().st_size < size:
        size = path.read_bytes().rfind(b"\n") + 1
    if size:
        os.truncate(path, size)
    else:
        path.unlink()
    return size
