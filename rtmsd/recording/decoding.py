"""Sound of any codec as FFmpeg decodes it, by PyAV."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rtmsd.errors import RecordingError


def library(what: str) -> Any:
    """Load PyAV; raises RecordingError when it is not installed. `what` needs it, as a sentence begins."""
    try:
        return importlib.import_module("av")
    except ImportError:
        raise RecordingError(
            f'{what} needs the library PyAV: install rtmsd with it, pip install "rtmsd[mux]"'
        ) from None


def placed_frames(av: Any, files: Iterable[tuple[Path, int]]) -> Iterator[tuple[int, Any]]:
    """Give the decoded frames of files, each with its first sample's number; a file comes with that of its own first.

    What one file has too much moves the next. Raises av.FFmpegError when one cannot be decoded.
    """
    at = 0
    for path, first in files:
        with av.open(str(path)) as source:
            at = max(at, first)
            for frame in source.decode(audio=0):
                yield at, frame
                at += frame.samples
