"""The files of one recording: places frames by media time, accounts for every second, and seals the result."""

from rtmsd.recording.files import make_directories
from rtmsd.recording.layout import DEFAULT_LAYOUT, Layout, candidate_directories, recording_directory
from rtmsd.recording.manifest import Manifest
from rtmsd.recording.recording import Recording
from rtmsd.recording.tombstone import purge
from rtmsd.recording.verify import Report, verify

__all__ = [
    "DEFAULT_LAYOUT",
    "Layout",
    "Manifest",
    "Recording",
    "Report",
    "candidate_directories",
    "make_directories",
    "purge",
    "recording_directory",
    "verify",
]
