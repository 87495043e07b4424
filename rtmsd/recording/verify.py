"""Check a complete recording against itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

import msgspec

from rtmsd.frames import Gap
from rtmsd.recording import pictures
from rtmsd.recording.account import completeness
from rtmsd.recording.captions import SHORTEST_CUE_MS, Phrase, srt, transcripts, webvtt
from rtmsd.recording.files import (
    ADDING,
    CHAT,
    EVENTS,
    GAPS,
    LEDGER,
    MANIFEST,
    PICTURES,
    SIGNATURE,
    SUMS,
    TOMBSTONE,
    TRANSCRIPT,
)
from rtmsd.recording.ledger import concerns_audio
from rtmsd.recording.lines import decode_all
from rtmsd.recording.manifest import SCHEMA, FileEntry, Manifest, TrackEntry, digest, read_manifest, sums
from rtmsd.recording.signature import is_signed
from rtmsd.recording.spans import clip, total, union
from rtmsd.recording.verify_tracks import check_speakers, check_tracks


@dataclass(frozen=True)
class Report:
    """What `verify` found: `problems` are plain sentences; `manifest` is None when it cannot be read."""

    problems: list[str]
    manifest: Manifest | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def summary(self) -> str:
        """One line for people: duration, tracks, completeness and gaps."""
        if self.manifest is None:
            return "no readable manifest"
        seconds, ms = divmod(self.manifest.duration_ms, 1000)
        length = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
        tracks, gaps = len(self.manifest.tracks), len(self.manifest.gaps)
        share = f"{self.manifest.completeness * 100:.4f}".rstrip("0").rstrip(".")
        return (
            f"{length} long, {tracks} {'track' if tracks == 1 else 'tracks'}, audio {share} % complete, "
            f"{gaps} {'gap' if gaps == 1 else 'gaps'}. {self.manifest.stop.sentence}"
        )


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    timestamp_ms: int
    name: str
    user_id: int | None = None
    user_name: str | None = None
    details: dict[str, Any] = {}  # whatever the event says


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    """A line of `chat.jsonl`: the fields of a ChatFrame, all of them."""

    timestamp_ms: int
    user_id: int | None
    user_name: str
    operation: str
    message_id: str
    text: str
    audience: str
    receiver_id: int | None
    parent_id: str
    raw: dict[str, Any]  # whatever Zoom sent


def verify(directory: Path, *, public_key: str = "") -> Report:
    """Read every file of a recording, wherever it has been moved, and say what is wrong with it.

    `public_key`: the key, as `read_public_key` gives it, that must have signed it; without one a signature that is there
    must be that of the key in the manifest.
    Never raises on what it finds. Without problems: no file is missing, altered or unlisted, all tracks have the same
    length, and the numbers of the manifest agree with the files and with each other.
    """
    if not directory.is_dir():
        return Report([f"a recording is a directory, and {directory} is none"])
    if (directory / TOMBSTONE).exists():
        return Report([f"this recording was deleted ({_why(directory)}); only its tombstone is left"])
    if (directory / LEDGER).exists():
        return Report(
            [
                f"this recording is unfinished ({LEDGER} is there): either it is still being written, or it was interrupted; "
                "the .part files hold what came and can be played as they are"
            ]
        )
    if (directory / ADDING).exists():
        return Report(
            [
                f"something was being added to this recording ({ADDING} is there): either somebody still does, or it was "
                "interrupted; then rtmsd recover takes back what was half done"
            ]
        )
    problems: list[str] = []
    try:
        found = _digests(directory, problems)
        problems += _check_sums(directory, found)
        manifest = read_manifest(directory)
    except OSError as error:
        return Report([*problems, f"{error.filename or directory} cannot be read: {error.strerror}"])
    except ValueError as error:
        return Report([*problems, f"{MANIFEST} is no manifest that this version knows: {error}"])
    problems += _check_signature(directory, manifest.signer, public_key)
    for check in (lambda _, told: _check_manifest(told, found), *_CHECKS):
        try:
            problems += check(directory, manifest)
        except OSError as error:
            problems.append(f"{error.filename or directory} cannot be read: {error.strerror}")
        except (ValueError, OverflowError) as error:
            problems.append(f"{MANIFEST} says what cannot be: {error}")
    return Report(problems, manifest)


def _why(directory: Path) -> str:
    try:
        note = msgspec.json.decode((directory / TOMBSTONE).read_bytes(), type=dict[str, Any])
    except (OSError, ValueError):
        return "its tombstone cannot be read"
    return {"revoked": "on request", "retention": "it was old enough"}.get(note.get("why", ""), "on request")


def _digests(directory: Path, problems: list[str]) -> dict[str, FileEntry]:
    found = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            path = Path(parent, name)
            relative = path.relative_to(directory).as_posix()
            if not S_ISREG(path.lstat().st_mode):
                problems.append(f"{relative} should be an ordinary file")
            elif relative not in (SUMS, SIGNATURE):
                found[relative] = digest(path)
    return found


def _check_sums(directory: Path, found: dict[str, FileEntry]) -> Iterator[str]:
    if not (directory / SUMS).is_file():
        yield f"{SUMS} is missing: the recording is not complete"
        return
    sealed = (directory / SUMS).read_bytes()
    if sealed == sums(found):
        return
    listed = {}
    for line in sealed.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("  ")
        listed[name] = value
    wrong = [
        *(f"{name} is not listed in {SUMS}" for name in sorted(found.keys() - listed.keys())),
        *(f"{name} is listed in {SUMS} and missing" for name in sorted(listed.keys() - found.keys())),
        *(
            f"{name} was altered: its SHA-256 is not the one in {SUMS}"
            for name in sorted(found.keys() & listed.keys())
            if listed[name] != found[name].sha256
        ),
    ]
    yield from wrong or [f"{SUMS} is not written as rtmsd writes it (one sorted line for each file)"]


def _check_signature(directory: Path, signer: str, expected: str) -> Iterator[str]:
    path = directory / SIGNATURE
    if not signer:
        if path.exists():
            yield f"{SIGNATURE} should not be there: the manifest names no signer"
        if expected:
            yield "the recording should be signed, and is not"
        return
    if expected and signer != expected:
        yield f"the recording should be signed by the key {expected}, and is by {signer}"
    elif not path.is_file():
        yield f"{SIGNATURE} is missing"
    elif not (directory / SUMS).is_file() or not is_signed(
        (directory / SUMS).read_bytes(), path.read_bytes(), signer
    ):
        yield f"{SIGNATURE} is not the signature of {SUMS} by the key {signer}"


def _check_manifest(manifest: Manifest, found: dict[str, FileEntry]) -> Iterator[str]:
    if manifest.schema != SCHEMA:
        yield f"{MANIFEST} should have schema {SCHEMA}, and has {manifest.schema}"
    expected = {name: entry for name, entry in found.items() if name != MANIFEST}
    for name in sorted(expected.keys() | manifest.files.keys()):
        if manifest.files.get(name) != expected.get(name):
            yield f"the size or hash of {name} in {MANIFEST} is not that of the file"
    for track in manifest.tracks:
        yield from _check_account(track, manifest)
    due = completeness((track.account, track.rate) for track in manifest.tracks if track.rate > 0)
    if manifest.tracks and manifest.completeness != due:
        yield f"the completeness should be {due} by its tracks, and is given as {manifest.completeness}"
    if not 0 <= manifest.backlog_secs * 1000 <= manifest.duration_ms:
        yield f"the backlog should be a part of the recording, and is {manifest.backlog_secs} s"
    if not 0 <= manifest.completeness <= 1:
        yield f"the completeness should lie between 0 and 1, and is {manifest.completeness}"


def _check_account(track: TrackEntry, manifest: Manifest) -> Iterator[str]:
    if track.rate <= 0 or track.samples != manifest.duration_ms * track.rate // 1000:
        yield f"{track.label} should be as long as the recording, {manifest.duration_ms} ms, and has {track.samples} samples"
        return
    parts = track.account
    if min(parts.present, parts.silent, parts.missing, parts.paused) < 0:
        yield f"{track.label} should have no negative seconds"
    if parts.present + parts.silent + parts.missing + parts.paused != track.samples:
        yield f"present, silent, missing and paused seconds of {track.label} do not add up to its {track.samples} samples"
    gaps = [gap for gap in manifest.gaps if concerns_audio(gap, track.user_id)]
    spans = union((gap.from_ms - manifest.zero_ms, gap.to_ms - manifest.zero_ms) for gap in gaps)
    ledgered = total(clip(spans, 0, manifest.duration_ms))
    if parts.missing > (ledgered + 1) * track.rate // 1000:
        yield f"{track.label} misses more than the gaps of the manifest explain"


def _check_gaps(directory: Path, manifest: Manifest) -> Iterator[str]:
    try:
        gaps = decode_all((directory / GAPS).read_bytes(), Gap)
    except ValueError as error:
        yield f"{GAPS} cannot be read: {error}"
        return
    if tuple(gaps) != manifest.gaps:
        yield f"{GAPS} and the gaps of {MANIFEST} differ"


def _check_lines(directory: Path, manifest: Manifest) -> Iterator[str]:
    kinds: dict[str, type[msgspec.Struct]] = {EVENTS: _Event}
    if CHAT in manifest.files:
        kinds[CHAT] = _Said
    for name, kind in kinds.items():
        try:
            decode_all((directory / name).read_bytes(), kind)
        except ValueError as error:
            yield f"{name} cannot be read: {error}"


def _check_transcripts(directory: Path, manifest: Manifest) -> Iterator[str]:
    for name in {TRANSCRIPT: None} | dict.fromkeys(transcripts(manifest.files)):
        yield from _check_transcript(directory, manifest, name)


def _check_transcript(directory: Path, manifest: Manifest, name: str) -> Iterator[str]:
    try:
        spoken = decode_all((directory / name).read_bytes(), Phrase)
    except ValueError as error:
        yield f"{name} cannot be read: {error}"
        return
    last = (manifest.duration_ms + SHORTEST_CUE_MS) / 1000
    if not all(0 <= phrase.start < phrase.end <= last for phrase in spoken):
        yield f"{name} has phrases outside the recording"
        return
    bare = name.removesuffix(".jsonl")
    for shown, write in ((f"{bare}.vtt", webvtt), (f"{bare}.srt", srt)):
        if (directory / shown).read_bytes() != write(spoken):
            yield f"{shown} does not have the cues of {name}"


def _check_pictures(directory: Path, manifest: Manifest) -> Iterator[str]:
    listed = {name: entry for entry in manifest.pictures for name in (entry.file, entry.index)}
    there = {name for name in manifest.files if name.startswith(PICTURES)}
    for name in sorted(there ^ listed.keys()):
        yield f"{name} should be both a file and one of the pictures of the manifest"
    for entry in manifest.pictures:
        if {entry.file, entry.index} <= there:
            yield from pictures.check(directory, entry)


_CHECKS = (check_tracks, _check_gaps, _check_lines, _check_transcripts, check_speakers, _check_pictures)
