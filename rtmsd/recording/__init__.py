"""The files of one recording: places frames by media time, accounts for every second, and seals the result."""

from rtmsd.recording.adding import add_transcripts, ready_to_add
from rtmsd.recording.coverage import coverage_table
from rtmsd.recording.file_plan import FilePlan
from rtmsd.recording.files import make_directories
from rtmsd.recording.flac import library as flac_library
from rtmsd.recording.hearing import hear
from rtmsd.recording.layout import DEFAULT_LAYOUT, Layout, candidate_directories, recording_directory
from rtmsd.recording.manifest import FileEntry, Manifest, TrackEntry
from rtmsd.recording.recording import Recording
from rtmsd.recording.recover import Recovered, recover, unfinished
from rtmsd.recording.retention import expired
from rtmsd.recording.signature import Signer, read_public_key
from rtmsd.recording.tombstone import purge
from rtmsd.recording.verify import Report, verify

__all__ = [
    "DEFAULT_LAYOUT",
    "FileEntry",
    "FilePlan",
    "Layout",
    "Manifest",
    "Recording",
    "Recovered",
    "Report",
    "Signer",
    "TrackEntry",
    "add_transcripts",
    "candidate_directories",
    "coverage_table",
    "expired",
    "flac_library",
    "hear",
    "make_directories",
    "purge",
    "read_public_key",
    "ready_to_add",
    "recording_directory",
    "recover",
    "unfinished",
    "verify",
]
