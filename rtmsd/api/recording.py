"""The recordings of `rtmsd.recording`, for sinks that keep an archive. All of it blocks: call it in a thread."""

from rtmsd.errors import RecordingError
from rtmsd.recording import (
    DEFAULT_LAYOUT,
    Layout,
    Manifest,
    Recording,
    Report,
    candidate_directories,
    make_directories,
    purge,
    recording_directory,
    verify,
)

__all__ = [
    "DEFAULT_LAYOUT",
    "Layout",
    "Manifest",
    "Recording",
    "RecordingError",
    "Report",
    "candidate_directories",
    "make_directories",
    "purge",
    "recording_directory",
    "verify",
]
