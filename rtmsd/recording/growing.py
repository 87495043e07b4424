"""The file of one track while it grows: WAV, whose units have fixed places, or Ogg/Opus, which is appended to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rtmsd.recording import opus, wav
from rtmsd.recording.patches import Patch
from rtmsd.recording.spans import Span, clip, subtract
from rtmsd.recording.track_format import TrackFormat
from rtmsd.recording.tracks import Chunk, Tracks

_READ_BYTES = 1 << 20


def by_period(tracks: Tracks, chunks: Sequence[Chunk]) -> dict[int, list[Chunk]]:
    """Divide chunks among the periods whose files they belong to."""
    if not tracks.divided:
        return {0: list(chunks)}
    found: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        data = b"".join(chunk.parts)
        block = tracks.form.unit_bytes
        for period in tracks.periods(chunk.start, chunk.end):
            [(start, end)] = clip([(chunk.start, chunk.end)], *tracks.span(period))
            piece = data[(start - chunk.start) * block : (end - chunk.start) * block]
            found.setdefault(period, []).append(Chunk(start, end, chunk.stamp, piece))
    return found


def wav_patch(path: Path, form: TrackFormat, had: int, chunks: Sequence[Chunk], first: int = 0) -> Patch:
    """Put chunks into a file that begins with the unit `first` and holds `had` of them.

    There is silence up to those that lie beyond its end.
    """
    before = wav.header_bytes(form) + had * form.unit_bytes if had else 0
    pieces = [] if before else [(0, wav.header(form, 0))]
    for chunk in chunks:
        start = chunk.start - first
        pieces += wav.silence(form, had, start)
        pieces.append((wav.header_bytes(form) + start * form.unit_bytes, b"".join(chunk.parts)))
        had = max(had, chunk.end - first)
    return Patch(path, before, pieces, silence=form.silence)


def opus_patch(
    path: Path, form: TrackFormat, had: int, chunks: Sequence[Chunk], *, size: int, pages: int, serial: int
) -> tuple[Patch, int]:
    """Append chunks to a file of `size` bytes and `pages` pages that reaches to `had` units, with silence up to those
    that lie beyond; return how many pages it has then.
    """
    built = []
    if not size:
        built, pages = [opus.headers(form, serial)], opus.HEADER_PAGES
    for chunk in chunks:
        parts = [(had, opus.silence(chunk.start - had)), (chunk.start, iter(chunk.parts))]
        for start, packets in parts if chunk.start > had else parts[1:]:
            new = opus.pages(packets, start, serial=serial, number=pages)
            built += new
            pages += len(new)
        had = max(had, chunk.end)
    return Patch(path, size, [(size, b"".join(built))]), pages


def reconcile_wav(path: Path, form: TrackFormat, end: int, runs: Sequence[Span]) -> None:
    """Cut a file at `end` units, mend its header, and silence what lies outside `runs`."""
    first, block = wav.header_bytes(form), form.unit_bytes
    os.truncate(path, first + end * block)
    wav.patch(path, form, end)
    holes = subtract([(0, end)], runs)
    _silence(path, [(first + a * block, first + b * block) for a, b in holes], form.silence)


def _silence(path: Path, holes: Sequence[Span], silence: int) -> None:
    """Fill spans of bytes with silence, leaving those alone (and sparse) that are."""
    handle = os.open(path, os.O_RDWR)
    try:
        for start, end in holes:
            for at in range(start, end, _READ_BYTES):
                data = os.pread(handle, min(_READ_BYTES, end - at), at)
                if data != (quiet := bytes([silence]) * len(data)):
                    os.pwrite(handle, quiet, at)
    finally:
        os.close(handle)
