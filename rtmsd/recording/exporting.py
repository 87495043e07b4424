"""What everything that is made of a complete recording begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.recording.manifest import Manifest, read_manifest


def manifest_for(out: Path, directory: Path) -> Manifest:
    """Return the manifest of the recording in `directory`, of which `out` is made.

    Raises RecordingError when there is none, or when `out` would be in the recording.
    """
    if out.resolve().is_relative_to(directory.resolve()):
        raise RecordingError(f"{out} must not be in the recording: it would be no part of what was sealed")
    with complete(directory):
        return read_manifest(directory)


@contextmanager
def complete(directory: Path) -> Iterator[None]:
    """Turn what cannot be read of a recording into a RecordingError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise RecordingError(f"{directory} should hold a complete recording: {error}") from None
