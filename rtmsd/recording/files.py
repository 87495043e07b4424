"""The files of a recording: their names below its directory, and how they become durable."""

from __future__ import annotations

import os
from collections.abc import Iterable
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
EVENTS = "events.jsonl"
CHAT = "chat.jsonl"
TRANSCRIPT = "transcript.jsonl"
CAPTIONS = "transcript.vtt"
SUBTITLES = "transcript.srt"
SPEAKERS = "speakers.rttm"
GAPS = "gaps.jsonl"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
LEDGER = "ledger.jsonl" + PART
TOMBSTONE = "tombstone.json"
# What a complete recording was, while something is added to it.
ADDING = "adding.json" + PART

# Lines are appended to these while the stream runs.
GROWING = (EVENTS, CHAT, TRANSCRIPT)
# These are made of the others when the recording is closed, as is the mix.
DERIVED = (SIGNATURE, TRANSCRIPT, CAPTIONS, SUBTITLES, SPEAKERS, GAPS, MANIFEST)


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
    sync_all([path])


def sync_all(paths: Iterable[Path]) -> None:
    """Make files, or the names in directories, durable; a file that is not there is passed over."""
    for path in paths:
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
