"""The files of a recording: their names below its directory, and how they become durable."""

from __future__ import annotations

import os
from pathlib import Path

# What a file that is not complete ends in; a whole file that is just being written ends in both.
PART = ".part"
NEW = ".new" + PART

AUDIO = "audio"
VIDEO = "video"
SHARE = "share"
PICTURES = (VIDEO, SHARE)
# The index of a file with pictures is called like that file, and this.
INDEX = ".jsonl"
MIXED = "audio/mixed.wav"
EVENTS = "events.jsonl"
CHAT = "chat.jsonl"
TRANSCRIPT = "transcript.jsonl"
CAPTIONS = "transcript.vtt"
SUBTITLES = "transcript.srt"
SPEAKERS = "speakers.rttm"
GAPS = "gaps.jsonl"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LEDGER = "ledger.jsonl" + PART
TOMBSTONE = "tombstone.json"

# Lines are appended to these while the stream runs.
GROWING = (EVENTS, CHAT, TRANSCRIPT)
# These are made of the others when the recording is closed.
DERIVED = (MIXED, TRANSCRIPT, CAPTIONS, SUBTITLES, SPEAKERS, GAPS, MANIFEST)


def track_file(user_id: int, *, mixed: bool, suffix: str) -> str:
    """Name a track's file: the one mixed track of a stream without participants, or a participant's own."""
    return f"{AUDIO}/{'mixed' if mixed else f'user={user_id}'}{suffix}"


def make_directories(path: Path) -> None:
    """Create a directory and its missing parents, readable by the owner only whatever the umask says."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)


def publish(path: Path, data: bytes) -> None:
    """Write a whole file so that it is either there completely and durably, or not at all."""
    part = path.with_name(path.name + NEW)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    part.replace(path)


def complete(path: Path) -> None:
    """Make a file that grew durable and give it its name; one that nothing was written to is empty."""
    part = path.with_name(path.name + PART)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(path)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
