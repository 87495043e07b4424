"""How much there is of every speaker and medium, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rtmsd.frames import Gap, MediaKind
from rtmsd.recording.captions import Phrase, final, transcripts
from rtmsd.recording.lines import decode_all
from rtmsd.recording.manifest import Manifest
from rtmsd.recording.spans import clip, total, union


class Coverage(NamedTuple):
    """One speaker and medium; `has` is sound in seconds, or phrases and pictures by their number.

    `silent_secs` and `paused_secs` are known of sound only. `covered` is the share of the time in which something was due
    and nothing is missing.
    """

    speaker: str
    medium: str
    has: str
    silent_secs: float | None
    missing_secs: float
    paused_secs: float | None
    covered: float


def coverage(directory: Path, manifest: Manifest) -> list[Coverage]:
    """Add up a complete recording. A transcript that cannot be read counts as one without phrases.

    Zoom's is called "transcript"; others are called as their files are: "transcript, NAME".
    """
    return sorted(
        [*_sound(manifest), *_phrases(directory, manifest), *_pictures(manifest)],
        key=lambda one: (one.speaker, one.medium),
    )


def coverage_table(directory: Path, manifest: Manifest) -> str:
    """Write it as lines of text."""
    lines = [("speaker", "medium", "there is", "silent", "missing", "paused", "covered")]
    lines += [
        (
            one.speaker,
            one.medium,
            one.has,
            _secs(one.silent_secs),
            _secs(one.missing_secs),
            _secs(one.paused_secs),
            # Rounded down: only what misses nothing is whole.
            f"{int(one.covered * 10_000) / 100:g} %",
        )
        for one in coverage(directory, manifest)
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(7)]
    return "".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def _secs(value: float | None) -> str:
    return "" if value is None else f"{value:.3f} s"


def _sound(manifest: Manifest) -> Iterator[Coverage]:
    for track in manifest.tracks:
        due = track.samples / track.rate - track.paused_secs
        yield Coverage(
            _name(manifest, track.user_id),
            MediaKind.AUDIO,
            f"{track.present_secs:.3f} s",
            track.silent_secs,
            track.missing_secs,
            track.paused_secs,
            1 - track.missing_secs / due if due > 0 else 1.0,
        )


def _phrases(directory: Path, manifest: Manifest) -> Iterator[Coverage]:
    for name in transcripts(manifest.files):
        try:
            spoken = final(decode_all((directory / name).read_bytes(), Phrase))
        except (OSError, ValueError):
            spoken = []
        medium = name.removesuffix(".jsonl").replace("transcript.", "transcript, ")
        for user_id, count in Counter(phrase.user_id for phrase in spoken).items():
            has = f"{count} phrase{'s' * (count != 1)}"
            yield _other(manifest, user_id, MediaKind.TRANSCRIPT, has)._replace(medium=medium)


def _pictures(manifest: Manifest) -> Iterator[Coverage]:
    for entry in manifest.pictures:
        has = f"{entry.frames} picture{'s' * (entry.frames != 1)}"
        yield _other(manifest, entry.user_id, MediaKind(entry.media), has)


def _other(manifest: Manifest, user_id: int, medium: MediaKind, has: str) -> Coverage:
    gaps = [gap for gap in manifest.gaps if _concerns(gap, medium, user_id)]
    spans = union((gap.from_ms - manifest.zero_ms, gap.to_ms - manifest.zero_ms) for gap in gaps)
    missing_ms = total(clip(spans, 0, manifest.duration_ms))
    covered = 1 - missing_ms / manifest.duration_ms if manifest.duration_ms else 1.0
    return Coverage(_name(manifest, user_id), medium, has, None, missing_ms / 1000, None, covered)


def _concerns(gap: Gap, medium: MediaKind, user_id: int) -> bool:
    return gap.media in (None, medium) and gap.user_id in (None, user_id)


def _name(manifest: Manifest, user_id: int) -> str:
    names = next((track.names for track in manifest.tracks if track.user_id == user_id), ())
    name = "".join(c if c.isprintable() else " " for c in names[-1]) if names else ""
    return f"{user_id} {name}".strip()
