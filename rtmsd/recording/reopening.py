"""Make the files of an unfinished recording what its ledger says they are."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from rtmsd.frames import MediaKind, TranscriptFrame
from rtmsd.recording import opus, pictures
from rtmsd.recording.file_plan import period_of
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
from rtmsd.recording.spans import Span, clip, subtract
from rtmsd.recording.timeline import Track
from rtmsd.recording.wav import header_bytes

# What is written lies at most so far behind what is heard: as long as Zoom keeps it for us (protocol.md §7.1).
_NEAR_MS = 60_000

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
    known = {name + PART for name in _unsealed(progress)}
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


def last_sign(directory: Path, progress: Progress) -> int:
    """Return the latest moment of which something was written, whether the ledger knows it or not, in Unix milliseconds.

    The length of the tracks tells it, and when a file was last written, if that is near: files may have been copied.
    Call it before `reconcile`, which cuts.
    """
    latest = progress.newest_ms or 0
    if progress.zero_ms is not None and progress.tracks.by_user and progress.tracks.form.unit_bytes:
        form = progress.tracks.form
        for path in (directory / AUDIO).glob("*" + form.suffix + PART):
            units = max(0, path.stat().st_size - header_bytes(form)) // form.unit_bytes
            units += progress.tracks.span(period_of(path.name.removesuffix(PART)))[0]
            latest = max(latest, progress.zero_ms + units * 1000 // form.units_per_sec)
    for path in directory.rglob("*" + PART):
        written_ms = path.stat().st_mtime_ns // 1_000_000
        if latest < written_ms <= (progress.newest_ms or 0) + _NEAR_MS:
            latest = written_ms
    return latest


def _unsealed(progress: Progress) -> list[str]:
    """Name the files that tracks grow in, without those that are complete."""
    tracks = progress.tracks
    return [
        tracks.file(user_id, period)
        for user_id, track in tracks.by_user.items()
        for period in tracks.periods(0, track.end)
        if period >= tracks.sealed
    ]


def _reopen_closed(directory: Path, progress: Progress, sizes: dict[str, int]) -> None:
    tracks = _unsealed(progress)
    shown = [name for name in sizes if name.startswith(PICTURES)]
    for name in [EVENTS, CHAT, *tracks, *shown]:
        final, part = directory / name, directory / (name + PART)
        if final.exists() and part.exists():
            final.unlink()  # it was made of the other, which stays until the end
        elif final.exists():
            final.rename(part)
    made = [path for form in ("mixed*", "*.flac") for path in (directory / AUDIO).glob(form)]
    spoken = [path.name for path in directory.glob("transcript.*") if path.suffix != PART]
    for name in [*DERIVED, *spoken, *(f"{AUDIO}/{path.name}" for path in made if path.suffix != PART)]:
        if name not in progress.sealed:
            (directory / name).unlink(missing_ok=True)
    for path in directory.glob("*" + NEW):
        path.unlink()


def _reconcile_wav(
    directory: Path, progress: Progress, user_id: int, sizes: dict[str, int], *, suspended: bool
) -> int:
    tracks, form = progress.tracks, progress.tracks.form
    track = tracks.by_user[user_id]
    for period in tracks.periods(0, track.end):
        start, stop = tracks.span(period)
        if period < tracks.sealed:
            continue
        path = directory / (tracks.file(user_id, period) + PART)
        size = path.stat().st_size if path.exists() else 0
        on_disk = start + max(0, size - header_bytes(form)) // form.unit_bytes
        if on_disk < track.reach(start, stop):
            track = _lose(progress, user_id, on_disk)
        end = track.reach(start, stop)
        if end == start:
            path.unlink(missing_ok=True)
            continue
        # What was suspended is as the ledger says, and need not be read.
        runs = [(start, end)] if suspended else clip(track.runs, start, end)
        reconcile_wav(path, form, end - start, [(a - start, b - start) for a, b in runs])
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
