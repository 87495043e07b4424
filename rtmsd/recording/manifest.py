"""`manifest.json`, which explains a recording, and `SHA256SUMS`, which seals it."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import orjson

from rtmsd.frames import Gap
from rtmsd.recording.account import Account
from rtmsd.recording.files import MANIFEST

SCHEMA = 1

_READ_BYTES = 1 << 20
_ZEROS = bytes(_READ_BYTES)


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the stream ended: Zoom's number or null, its name, and a sentence."""

    reason: int | None
    name: str
    sentence: str


class TrackPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the files of a track, and which of its samples it has."""

    file: str
    first_sample: int
    samples: int


class TrackEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One track. Each `_secs` is a whole number of samples divided by the rate; the four add up to `samples`.

    `file` has all of it; it is empty where the track is divided into `parts`, one for each period of `minutes_per_file` in
    which this participant was heard.
    """

    user_id: int
    names: tuple[str, ...]
    file: str
    codec: str
    rate: int
    channels: int
    samples: int
    present_secs: float
    silent_secs: float
    missing_secs: float
    paused_secs: float
    parts: tuple[TrackPart, ...] = ()

    @property
    def label(self) -> str:
        """What sentences call it."""
        return self.file or f"the track of user {self.user_id}"

    @property
    def files(self) -> tuple[TrackPart, ...]:
        """The files that it is in."""
        return self.parts or ((TrackPart(self.file, 0, self.samples),) if self.file else ())

    @property
    def account(self) -> Account:
        secs = self.present_secs, self.silent_secs, self.missing_secs, self.paused_secs
        return Account(*(round(value * self.rate) for value in secs))


class PictureEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The frames of one person and codec. `media` is "video" or "share"; the times are Unix milliseconds."""

    media: str
    user_id: int
    file: str
    index: str
    codec: str
    frames: int
    bytes: int
    first_ms: int
    last_ms: int


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `manifest.json`.

    `mix` says in a sentence what `audio/mixed` is, or why there is none. `counts` has what was refused or doubled, by
    its name in the ledger. `minutes_per_file`: where tracks are divided into files, how much sound each has; else 0.
    `backlog_secs`: how much of the beginning was heard before rtmsd had joined, since Zoom had kept it. `signer`: the public
    key of SHA256SUMS.sig, in hexadecimal digits; empty without one.
    """

    schema: int
    rtmsd: str
    app: str
    product: str
    meeting_id: str
    meeting_uuid: str
    stream_id: str
    zero_ms: int
    duration_ms: int
    stop: Stop
    completeness: float
    tracks: tuple[TrackEntry, ...]
    minutes_per_file: int = 0
    mix: str = ""
    pictures: tuple[PictureEntry, ...] = ()
    gaps: tuple[Gap, ...]
    reconnects: int
    backlog_secs: float = 0.0
    signer: str = ""
    counts: dict[str, int]
    files: dict[str, FileEntry]

    def encode(self) -> bytes:
        return orjson.dumps(msgspec.to_builtins(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a recording; raises OSError when it is not there, ValueError when it is none."""
    return msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)


def digest(path: Path) -> FileEntry:
    """Read a file and return its size and hash. Its holes are known to be zero: a quiet track is mostly hole."""
    sha = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY)
    try:
        size, at = os.fstat(handle).st_size, 0
        while at < size:
            start = _next_data(handle, at, size)
            for place in range(at, start, _READ_BYTES):
                sha.update(memoryview(_ZEROS)[: min(_READ_BYTES, start - place)])
            at = start
            end = os.lseek(handle, start, os.SEEK_HOLE) if start < size else size
            while at < end and (data := os.pread(handle, min(_READ_BYTES, end - at), at)):
                sha.update(data)
                at += len(data)
            if at < end:  # it shrank meanwhile: the hash will tell
                break
    finally:
        os.close(handle)
    return FileEntry(size, sha.hexdigest())


def _next_data(handle: int, at: int, size: int) -> int:
    try:
        return min(os.lseek(handle, at, os.SEEK_DATA), size)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole up to the end
            return size
        raise


def sums(files: Mapping[str, FileEntry]) -> bytes:
    """Write what `sha256sum -c` reads, ordered by path."""
    return "".join(f"{entry.sha256}  {name}\n" for name, entry in sorted(files.items())).encode(
        "utf-8", "surrogateescape"
    )
