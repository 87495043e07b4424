"""Names and places of a recording's files.

`{root}/date=2026-11-20/meeting={meeting_id}/stream={stream_id}/…`. Zoom's ids hold `/`, `+` and `=` and become safe here;
names of people never get into a path.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import StreamInfo

PART = ".part"

AUDIO = "audio"
MIXED = "audio/mixed.wav"
EVENTS = "events.jsonl"
TRANSCRIPT = "transcript.jsonl"
CAPTIONS = "transcript.vtt"
GAPS = "gaps.jsonl"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LEDGER = "ledger.jsonl.part"
TOMBSTONE = "tombstone.json"

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_LONGEST = 100


def track_file(user_id: int, *, mixed: bool) -> str:
    """Name a track's file: the one mixed track of a stream without participants, or a participant's own."""
    return MIXED if mixed else f"{AUDIO}/user={user_id}.wav"


def safe_name(text: str) -> str:
    """Make one path component of any id: percent-encoded, at most 100 characters, never two ids alike.

    A longer name keeps its beginning and ends in `~` and a hash; `~` occurs in no other name.
    """
    raw = text.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda found: f"%{found[0][0]:02X}".encode(), raw).decode("ascii")
    if len(name) > _LONGEST:
        name = f"{name[:60]}~{hashlib.sha256(raw).hexdigest()[:32]}"
    return name


def recording_directory(root: Path, info: StreamInfo) -> Path:
    """Return the directory of a stream's recording below `root`; the date is that of `started_ms`, in UTC.

    A failover may name a later start: a recording that was begun under the day before or after is found again.
    Raises RecordingError when the stream has no id or no possible date.
    """
    home, *others = candidate_directories(root, info)
    if home.exists():
        return home
    return next((other for other in others if (other / LEDGER).exists()), home)


def candidate_directories(root: Path, info: StreamInfo) -> list[Path]:
    """List the places where a stream's recording can be, the proper one first."""
    if not info.stream_id:
        raise RecordingError(
            "a recording needs a stream id, and this stream has an empty one: nothing can be recorded"
        )
    try:
        day = datetime.fromtimestamp(info.started_ms / 1000, UTC).date()
        days = [day, day - timedelta(days=1), day + timedelta(days=1)]
    except (OverflowError, ValueError, OSError):
        raise RecordingError(
            f"the start of a stream must be Unix milliseconds of a possible date, and is {info.started_ms}"
        ) from None
    meeting = safe_name(info.meeting_id or info.meeting_uuid or "unknown")
    return [
        root / f"date={day}" / f"meeting={meeting}" / f"stream={safe_name(info.stream_id)}" for day in days
    ]


def make_directories(path: Path) -> None:
    """Create a directory and its missing parents, readable by the owner only whatever the umask says."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(path: Path, data: bytes) -> None:
    """Write a whole file so that it is either there completely and durably, or not at all."""
    part = path.with_name(path.name + ".new" + PART)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    part.replace(path)
