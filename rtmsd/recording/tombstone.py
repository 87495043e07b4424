"""Delete a recording and leave a note that it is gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rtmsd.frames import StreamInfo
from rtmsd.recording.files import PART, TOMBSTONE, make_directories, publish, sync_directory
from rtmsd.recording.lines import encode


def purge(directory: Path, info: StreamInfo, *, version: str, why: str = "revoked") -> None:
    """Delete everything in a recording's directory and leave `tombstone.json`, also where nothing had been recorded.

    The note comes first: a process that dies in between leaves a directory in which nothing is recorded again, and
    another call deletes the rest. It names ids, numbers and the time (by the file system's clock), never what was
    said or by whom. Raises OSError when something cannot be deleted.
    """
    make_directories(directory)
    note = directory / TOMBSTONE
    if not note.exists():
        files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
        sizes = [path.stat().st_size for path in files]
        publish(
            note,
            encode(
                {
                    "schema": 1,
                    "rtmsd": version,
                    "app": info.app,
                    "meeting_uuid": info.meeting_uuid,
                    "stream_id": info.stream_id,
                    "why": why,
                    "deleted_ms": now_ms(directory),
                    "files": len(files),
                    "bytes": sum(sizes),
                }
            ),
        )
    # Listed after the note: who adds something looks for the note afterwards.
    for path in [path for path in directory.iterdir() if path != note]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    sync_directory(directory)


def now_ms(directory: Path) -> int:
    """Ask the file system for the time."""
    probe = directory / (TOMBSTONE + PART)
    handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.utime(handle)
        return os.fstat(handle).st_mtime_ns // 1_000_000
    finally:
        os.close(handle)
        probe.unlink()
