"""`ledger.jsonl.part`: what an unfinished recording knows, one appended line for each flush.

Samples and lines beyond what the ledger knows do not exist: a recording that is continued cuts or zeroes them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat, StreamEnd, StreamInfo
from rtmsd.recording.file_plan import FilePlan
from rtmsd.recording.ledger import OpenGap
from rtmsd.recording.manifest import FileEntry
from rtmsd.recording.progress import Progress
from rtmsd.recording.timeline import Track
from rtmsd.recording.tracks import Chunk

SCHEMA = 1

# First sample, the one after the last, and the timestamp of the last packet.
_Run = tuple[int, int, int]


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What changed since the last line. `cuts` came before `runs`; `suspended` says that nothing was lost after it.

    The first line is written before anything else is, and alone has `schema`, `stream_id`, `info` and `plan`.
    `sealed` came after everything else, and made so many `periods` complete.
    """

    schema: int = 0
    stream_id: str = ""
    info: StreamInfo | None = None
    plan: FilePlan = FilePlan()
    zero_ms: int | None = None
    first_ms: int | None = None
    newest_ms: int | None = None
    torn_ms: int | None = None
    audio: AudioFormat | None = None
    cuts: dict[int, int] = {}
    runs: dict[int, list[_Run]] = {}
    names: dict[int, tuple[str, ...]] = {}
    gaps: dict[int, OpenGap] = {}
    pauses: list[tuple[int, int | None]] | None = None
    counts: dict[str, int] | None = None
    reconnects: int = 0
    joined_ms: int | None = None
    end: StreamEnd | None = None
    sizes: dict[str, int] = {}
    periods: int = 0
    sealed: dict[str, FileEntry] = {}
    suspended: bool = False


def difference(old: Progress, new: Progress, chunks: dict[int, list[Chunk]], sizes: dict[str, int]) -> Entry:
    """Describe what turned `old` into `new`; `chunks` is all that was written in between."""
    known = list(old.ledger)
    return Entry(
        zero_ms=new.zero_ms,
        first_ms=new.first_ms,
        newest_ms=new.newest_ms,
        torn_ms=new.torn_ms,
        audio=new.tracks.audio if new.tracks.audio != old.tracks.audio else None,
        runs={
            user: [(chunk.start, chunk.end, chunk.stamp) for chunk in runs] for user, runs in chunks.items()
        },
        names={
            user: names for user, names in new.tracks.names.items() if old.tracks.names.get(user) is not names
        },
        gaps={i: gap for i, gap in enumerate(new.ledger) if i >= len(known) or known[i] is not gap},
        pauses=new.pauses if new.pauses != old.pauses else None,
        counts=new.ledger.counts if new.ledger.counts != old.ledger.counts else None,
        reconnects=new.reconnects,
        joined_ms=new.joined_ms,
        end=new.end,
        periods=new.tracks.sealed,
        sizes=sizes,
    )


def replay(entries: Iterable[Entry], *, started_ms: int) -> tuple[Progress, dict[str, int]]:
    """Rebuild what a recording knew, and the sizes of its line files."""
    progress, sizes = Progress(started_ms=started_ms), dict[str, int]()
    for number, entry in enumerate(entries):
        if number == 0:
            progress.tracks.plan = entry.plan
        progress.zero_ms, progress.first_ms, progress.newest_ms = (
            entry.zero_ms,
            entry.first_ms,
            entry.newest_ms,
        )
        progress.reconnects, progress.end, progress.torn_ms = entry.reconnects, entry.end, entry.torn_ms
        if entry.audio is not None:
            progress.tracks.restore_format(entry.audio)
        for user_id, samples in entry.cuts.items():
            progress.tracks.by_user[user_id].cut(samples)
        for user_id, runs in entry.runs.items():
            track = progress.tracks.by_user.setdefault(user_id, Track())
            for start, end, stamp in runs:
                track.fill(stamp, start, end)
        for index, gap in entry.gaps.items():
            progress.ledger.put(index, gap)
        progress.tracks.names |= entry.names
        progress.pauses = entry.pauses if entry.pauses is not None else progress.pauses
        progress.ledger.counts = entry.counts if entry.counts is not None else progress.ledger.counts
        progress.joined_ms = entry.joined_ms
        progress.sealed |= entry.sealed
        progress.tracks.seal(entry.periods)
        sizes |= entry.sizes
    return progress, sizes


def first_entry(path: Path) -> Entry | None:
    """Read how a ledger begins; None when it is empty or not to be read."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return msgspec.json.decode(line, type=Entry) if line.endswith(b"\n") else None
    except msgspec.DecodeError:
        return None


class LedgerFile:
    """The ledger on disk, open and locked: a recording has one writer."""

    def __init__(self, path: Path) -> None:
        """Open or create it; raises BlockingIOError when somebody else has it."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._handle)
            raise
        self._path = path
        self._size = 0

    def read(self) -> list[Entry]:
        """Read all entries and cut off a torn end; raises RecordingError when a line before the end is damaged."""
        size = os.fstat(self._handle).st_size
        data = os.pread(self._handle, size, 0)
        decoder = msgspec.json.Decoder(Entry)
        entries: list[Entry] = []
        torn = False
        for line in data.splitlines(keepends=True):
            try:
                entry = decoder.decode(line)
            except msgspec.DecodeError:
                torn = True
                continue
            if not line.endswith(b"\n"):
                break
            if torn:
                raise RecordingError(
                    f"line {len(entries) + 1} of {self._path} is damaged: restore it from a copy, or move the directory away"
                )
            entries.append(entry)
            self._size += len(line)
        os.ftruncate(self._handle, self._size)
        return entries

    def append(self, entry: Entry) -> None:
        """Add a line; when that fails (OSError) none was added."""
        data = msgspec.json.encode(entry) + b"\n"
        try:
            written = os.pwrite(self._handle, data, self._size)
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} bytes could be written to {self._path}")
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Make it durable."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Let go of the lock, and of the number that the file had: it is soon another file's."""
        handle, self._handle = self._handle, -1
        os.close(handle)
