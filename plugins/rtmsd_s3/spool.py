"""The spool: recordings on disk, as the file sink writes them, until the bucket has them.

All of it blocks: call it in a thread. What is to be done is read from the files themselves, so that a restart, also after
kill -9, goes on where the last process was:

* a directory with SHA256SUMS or a tombstone, and without `uploaded.json`, has yet to be brought to the bucket;
* one with `uploaded.json` is there: only its manifest and SHA256SUMS, or its tombstone, are kept for some days, so that
  the stream is not begun again, and so that the file sink's `retention_days` finds it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtmsd.api import SinkError
from rtmsd.api.recording import Layout, RecordingError, make_directories

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
TOMBSTONE = "tombstone.json"
UPLOADED = "uploaded.json"

_OWNER = ".rtmsd-spool"
_SIGNATURE = "SHA256SUMS.sig"
_LEDGER = "ledger.jsonl.part"
_UNFINISHED = ".part"
_MEDIA = ("audio", "video", "share")
_BLOCK_BYTES = 512  # of st_blocks, always
_DAY_SECS = 86_400
_KEEP_DAYS = 7


@dataclass(frozen=True)
class Spooled:
    """One directory of the spool; `key` is its place below the spool, and the same below the bucket's."""

    directory: Path
    key: str

    @property
    def revoked(self) -> bool:
        return (self.directory / TOMBSTONE).exists()

    @property
    def sealed(self) -> bool:
        # The ledger goes after the seal comes: while both are there the recording is just being closed.
        return (self.directory / SUMS).exists() and not (self.directory / _LEDGER).exists()

    @property
    def waits(self) -> bool:
        if (self.directory / UPLOADED).exists():
            return False
        return self.revoked or self.sealed or bool(closed_pieces(self.directory))


class Spool:
    """The directories below `root`, as deep as `layout` makes them; `retention_days` as the file sink has it."""

    def __init__(self, root: Path, layout: Layout, *, retention_days: float = 0) -> None:
        self.root = root
        self._keep_secs = (retention_days + _KEEP_DAYS) * _DAY_SECS
        self._pattern = "/".join("*" for _ in layout.template.split("/"))

    def claim(self, owner: str) -> None:
        """Make the directory the spool of this sink; raises SinkError when it is something else already.

        What stands in a spool is removed once it is uploaded: so recordings of a file sink must not be taken for it.
        """
        make_directories(self.root)
        mark = self.root / _OWNER
        if mark.exists():
            if (other := mark.read_text().strip()) != owner:
                raise SinkError(
                    f"directory {self.root} of sink {owner} is the spool of a sink called {other[:100]!r}: give each its "
                    f"own. If it is the same one under a new name, delete {mark}"
                )
        elif any(self.root.iterdir()):
            raise SinkError(
                f"directory {self.root} of sink {owner} must be empty at first, since what stands in a spool is removed "
                "once it is uploaded, and it is not: name a directory that nothing else uses"
            )
        else:
            mark.write_text(owner + "\n")

    def at(self, directory: Path) -> Spooled:
        return Spooled(directory, directory.relative_to(self.root).as_posix())

    def unfinished_business(self) -> list[Spooled]:
        """Find what has something for the bucket: finished recordings, tombstones, and running recordings with closed
        files.
        """
        return [one for one in self._all() if one.waits]

    def used_bytes(self) -> int:
        """Count what the spool takes on the disk: of a quiet track, which is mostly hole, that is little."""
        total = 0
        for parent, _, names in os.walk(self.root):
            for name in names:
                try:
                    total += os.lstat(os.path.join(parent, name)).st_blocks * _BLOCK_BYTES
                except FileNotFoundError:  # just now uploaded
                    continue
        return total

    def forget(self) -> None:
        """Remove the marks of recordings and tombstones that were uploaded long ago: no stream goes on after days."""
        marked = [one for one in self._all() if (one.directory / UPLOADED).exists()]
        before = _now_secs(self.root) - self._keep_secs if marked else 0.0
        for one in marked:
            if (one.directory / UPLOADED).stat().st_mtime < before:
                shutil.rmtree(one.directory)
                _remove_empty(one.directory.parent, self.root)

    def _all(self) -> Iterator[Spooled]:
        return (self.at(path) for path in sorted(self.root.glob(self._pattern)) if path.is_dir())


def sealed_files(directory: Path) -> dict[str, str | None]:
    """Give the files of a finished recording in the order of their upload, each with the hash that SHA256SUMS has for it.

    The manifest and then SHA256SUMS are the last; these and the signature have none. Raises RecordingError when
    SHA256SUMS cannot be read.
    """
    listed = dict[str, str | None]()
    for line in (directory / SUMS).read_text("utf-8", "surrogateescape").splitlines():
        value, separator, name = line.partition("  ")
        if not separator or len(value) != 64:
            raise RecordingError(
                f"{directory / SUMS} should have a hash and a name in each line, and has not"
            )
        listed[name] = value
    if (directory / _SIGNATURE).exists():
        listed[_SIGNATURE] = None
    if MANIFEST in listed:
        listed[MANIFEST] = listed.pop(MANIFEST)  # which puts it last
    listed[SUMS] = None
    return listed


def closed_pieces(directory: Path) -> list[str]:
    """List the media files of a running recording that are whole: of one in periods, all but those of the present."""
    paths = [path for medium in _MEDIA for path in (directory / medium).glob("*")]
    return sorted(
        path.relative_to(directory).as_posix()
        for path in paths
        if path.suffix != _UNFINISHED and path.is_file()
    )


def mark_uploaded(directory: Path, note: dict[str, object], *, revoked: bool) -> None:
    """Note that the bucket has it all, durably, and then remove what need not be kept here.

    `revoked` is what it was when the upload began: a recording that has become a tombstone since is still to be deleted
    from the bucket.
    """
    if (directory / TOMBSTONE).exists() != revoked:
        return
    new = directory / (UPLOADED + _UNFINISHED)
    with new.open("wb") as file:
        file.write(json.dumps(note, indent=2).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(directory / UPLOADED)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    release(directory)


def release(directory: Path) -> None:
    """Remove the files of a recording that the bucket has."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (MANIFEST, SUMS, TOMBSTONE, UPLOADED):
            path.unlink()


def _now_secs(directory: Path) -> float:
    """Ask the file system for the time: it dated the marks."""
    probe = directory / (UPLOADED + ".now" + _UNFINISHED)
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _remove_empty(directory: Path, root: Path) -> None:
    while directory != root:
        try:
            directory.rmdir()
        except OSError:  # not empty
            return
        directory = directory.parent
