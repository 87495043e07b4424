"""Add transcripts to a complete recording, and seal it anew.

What it was is noted first, in ADDING: until the new SHA256SUMS is there, everything can be taken back, by whoever comes
next. So whatever is interrupted when, nothing is signed but what had been signed before and what this call has made.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from rtmsd.errors import RecordingError
from rtmsd.frames import TranscriptFrame
from rtmsd.recording import captions
from rtmsd.recording.files import (
    ADDING,
    LEDGER,
    MANIFEST,
    NEW,
    SIGNATURE,
    SUMS,
    TOMBSTONE,
    publish,
    sync_directory,
)
from rtmsd.recording.layout import safe_name
from rtmsd.recording.manifest import FileEntry, Manifest, digest, read_manifest, sums
from rtmsd.recording.signature import Signer, is_signed
from rtmsd.recording.verify import verify


class _Before(msgspec.Struct, frozen=True):
    """What ADDING says: the files that were changed, as they were; `names` of those that are new; when SUMS was written."""

    names: list[str]
    manifest: bytes
    signature: bytes | None
    completed_ns: int


def ready_to_add(directory: Path, *, signer: Signer | None = None) -> Manifest:
    """Prove that something can be added to a recording, and return its manifest. Reads all of it.

    What an interrupted addition left is taken back before. Raises RecordingError with what is wrong: it is not whole,
    was signed and there is no `signer`, or by another key; OSError when a file cannot be used.
    """
    if (directory / LEDGER).exists():
        raise RecordingError(
            f"the recording in {directory} is unfinished: either it is still being written, or it was interrupted; then "
            f"`rtmsd recover {directory}` comes first"
        )
    with _alone(directory):
        _mend(directory)
        report = verify(directory)
    if report.manifest is None or not report.ok:
        more = len(report.problems) - 1
        rest = f" (and {more} more, which rtmsd verify tells)" if more else ""
        raise RecordingError(f"{directory} should hold a complete recording: {report.problems[0]}{rest}")
    _check_signer(directory, report.manifest, signer)
    if not os.access(directory, os.W_OK):
        raise RecordingError(f"nothing can be written to {directory}: run this as the user who owns it")
    return report.manifest


def add_transcripts(
    directory: Path, frames: Iterable[TranscriptFrame], *, signer: Signer | None = None
) -> list[str]:
    """Write transcripts beside those that are there, one for each `source`, and seal the recording; return their names.

    Where a source has a transcript already, the new one is called `source-2` and so on. The recording is as old as before:
    `retention_days` counts from its own end. Raises RecordingError and OSError; then nothing is changed. The caller
    has proved the recording with `ready_to_add`.
    """
    with _alone(directory):
        _mend(directory)
        manifest = _sealed(directory)
        _check_signer(directory, manifest, signer)
        files = _files(manifest, frames)
        if files:
            with _undone(directory, files):
                _add(directory, manifest, files, signer)
        return [*files]


def take_back(directory: Path) -> None:
    """Undo what an interrupted addition left, or finish it when it was sealed; harmless when there is nothing.

    Waits for somebody who is just adding something. Raises RecordingError when what was noted cannot be read, OSError.
    """
    with _alone(directory):
        _mend(directory)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Be the only one who adds something; wait for who else does."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _undone(directory: Path, names: Iterable[str]) -> Iterator[None]:
    """Take back what was done when it is not sealed in the end, or when the recording was deleted meanwhile."""
    deleted = False
    try:
        try:
            yield
        finally:
            # Who deletes leaves the tombstone first, and then looks what there is: one of both sees the other.
            deleted = (directory / TOMBSTONE).exists()
            if deleted:
                _remove(directory, [*names, MANIFEST, SIGNATURE, SUMS, ADDING])
            else:
                _mend(directory)
    except OSError:
        if not deleted:
            raise
    if deleted:
        raise RecordingError(f"the recording in {directory} was deleted meanwhile: nothing is added")


def _sealed(directory: Path) -> Manifest:
    """Read the manifest that SHA256SUMS seals, and its signature, where there is one."""
    try:
        manifest = read_manifest(directory)
        sealed = (directory / SUMS).read_bytes()
        good = sealed == sums(manifest.files | {MANIFEST: digest(directory / MANIFEST)})
        if good and manifest.signer:
            good = is_signed(sealed, (directory / SIGNATURE).read_bytes(), manifest.signer)
        if good:
            return manifest
    except (OSError, ValueError):
        pass  # the same to whoever has to look after it
    raise RecordingError(f"the recording in {directory} was changed: rtmsd verify tells how")


def _check_signer(directory: Path, manifest: Manifest, signer: Signer | None) -> None:
    if not manifest.signer or (signer is not None and signer.public_key == manifest.signer):
        return
    why = "no key was given" if signer is None else f"this one is {signer.public_key}"
    raise RecordingError(
        f"the recording in {directory} is signed by the key {manifest.signer}, and has to be again when something is "
        f"added; {why}: give the private key with --signing-key FILE. Nothing is changed"
    )


def _files(manifest: Manifest, frames: Iterable[TranscriptFrame]) -> dict[str, bytes]:
    """Write the transcripts, each under a name that is free."""
    files: dict[str, bytes] = {}
    for source, its in captions.by_source(frames).items():
        if its:
            name = _free(source, manifest.files.keys() | files.keys())
            renamed = [msgspec.structs.replace(frame, source=name) for frame in its]
            files |= captions.written(
                name, renamed, zero_ms=manifest.zero_ms, duration_ms=manifest.duration_ms
            )
    return files


def _free(source: str, taken: Iterable[str]) -> str:
    name, number = source, 1
    while not set(taken).isdisjoint(captions.transcript_files(name)):
        number += 1
        name = safe_name(f"{source}-{number}")
    return name


def _add(directory: Path, manifest: Manifest, files: Mapping[str, bytes], signer: Signer | None) -> None:
    """Go through the steps; whatever stops it, `_mend` takes back what is done, or keeps it once SHA256SUMS is there."""
    before = _Before(
        [*files],
        (directory / MANIFEST).read_bytes(),
        (directory / SIGNATURE).read_bytes() if manifest.signer else None,
        (directory / SUMS).stat().st_mtime_ns,
    )
    publish(directory / ADDING, msgspec.json.encode(before))
    sync_directory(directory)
    for name, data in files.items():
        publish(directory / name, data)
    entries: dict[str, FileEntry] = manifest.files | {name: digest(directory / name) for name in files}
    signed_by = signer.public_key if signer else ""
    after = msgspec.structs.replace(manifest, files=dict(sorted(entries.items())), signer=signed_by)
    publish(directory / MANIFEST, after.encode())
    sealed = sums(entries | {MANIFEST: digest(directory / MANIFEST)})
    if signer is not None:
        publish(directory / SIGNATURE, signer.sign(sealed))
    sync_directory(directory)
    publish(directory / SUMS, sealed)


def _mend(directory: Path) -> None:
    """End an addition: keep it when it is sealed, else take it back. Each step can be repeated, and the note goes last."""
    try:
        before = msgspec.json.decode((directory / ADDING).read_bytes(), type=_Before)
    except FileNotFoundError:
        (directory / (ADDING + NEW)).unlink(missing_ok=True)
        return
    except ValueError:
        raise RecordingError(
            f"{directory / ADDING} should say what the recording was before something was added, and cannot be read: "
            "restore the recording from a copy"
        ) from None
    if not _lists(directory, before.names):
        _restore(directory, before)
    os.utime(directory / SUMS, ns=(before.completed_ns, before.completed_ns))
    sync_directory(directory)
    (directory / ADDING).unlink()
    sync_directory(directory)


def _lists(directory: Path, names: Iterable[str]) -> bool:
    listed = {
        line.partition("  ")[2] for line in (directory / SUMS).read_text("utf-8", "replace").splitlines()
    }
    return listed.issuperset(names)


def _restore(directory: Path, before: _Before) -> None:
    # First what takes room: perhaps there is none left.
    _remove(directory, [name for name in before.names if "/" not in name])
    for name, data in ((MANIFEST, before.manifest), (SIGNATURE, before.signature)):
        (directory / (name + NEW)).unlink(missing_ok=True)
        if data is None:
            (directory / name).unlink(missing_ok=True)
        elif (directory / name).read_bytes() != data:
            publish(directory / name, data)
    (directory / (SUMS + NEW)).unlink(missing_ok=True)


def _remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        (directory / name).unlink(missing_ok=True)
        (directory / (name + NEW)).unlink(missing_ok=True)
