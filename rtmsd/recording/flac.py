"""FLAC of plain samples, by libsndfile. It cannot be appended to: tracks grow as WAV, and are encoded when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rtmsd.errors import RecordingError
from rtmsd.recording.files import sync_all
from rtmsd.recording.spans import Span
from rtmsd.recording.track_format import TrackFormat
from rtmsd.recording.wav import header_bytes

if TYPE_CHECKING:
    from types import ModuleType

_FRAMES = 1 << 16


def library() -> ModuleType:
    """Load libsndfile; raises RecordingError when it is not installed."""
    try:
        import soundfile
    except (ImportError, OSError):
        raise RecordingError(
            'FLAC needs the library soundfile: install rtmsd with it, pip install "rtmsd[flac]"'
        ) from None
    found: ModuleType = soundfile
    return found


def encode(source: Path, out: Path, form: TrackFormat) -> None:
    """Encode a finished WAV file of ours, durably. Raises OSError when the disk refuses."""
    with source.open("rb") as file:
        file.seek(header_bytes(form))
        with _open(out, "w", form) as target:
            while data := file.read(_FRAMES * form.unit_bytes):
                target.write(np.frombuffer(data, "<i2").reshape(-1, form.channels))
    sync_all([out])


def check(path: Path, form: TrackFormat) -> int:
    """Decode all of a file and return how many samples it has; RecordingError when it is not what is expected."""
    count = 0
    try:
        with _open(path, "r", form) as source:
            if (source.format, source.subtype) != ("FLAC", "PCM_16") or (
                source.samplerate,
                source.channels,
            ) != (form.rate, form.channels):
                raise RecordingError(
                    f"{path.name} should be FLAC of 16 bits, {form.rate} Hz and {form.channels} channels, and is not"
                )
            while len(data := source.read(_FRAMES, dtype="int16")):
                count += len(data)
            if count != source.frames:
                raise RecordingError(
                    f"{path.name} should have {source.frames} samples, and ends after {count}"
                )
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be decoded as FLAC: {error}") from None
    return count


def read(path: Path, form: TrackFormat) -> Iterator[npt.NDArray[np.int16]]:
    """Decode a file piece by piece, a row for each channel's samples of one moment. Raises OSError when it cannot be."""
    with _open(path, "r", form) as source:
        while len(data := source.read(_FRAMES, dtype="int16", always_2d=True)):
            yield data


def silent(path: Path, form: TrackFormat, quiet: list[Span]) -> bool:
    """Say whether spans of samples are zero. Raises OSError when it cannot be decoded."""
    with _open(path, "r", form) as source:
        return not any(data.any() for data in _spans(source, quiet))


def _spans(source: Any, quiet: list[Span]) -> Iterator[npt.NDArray[np.int16]]:
    for start, end in quiet:
        source.seek(start)
        for at in range(start, end, _FRAMES):
            yield source.read(min(_FRAMES, end - at), dtype="int16")


@contextmanager
def _open(path: Path, mode: str, form: TrackFormat) -> Iterator[Any]:
    """Open a file; what goes wrong in libsndfile, which does not tell why, comes as OSError."""
    soundfile = library()
    written = {"samplerate": form.rate, "channels": form.channels, "subtype": "PCM_16"} if mode == "w" else {}
    try:
        with soundfile.SoundFile(path, mode, format="FLAC" if mode == "w" else None, **written) as file:
            yield file
    except (soundfile.SoundFileError, AssertionError) as error:  # a short write is asserted against
        raise OSError(f"{path}: {error or 'it could not be written'}") from error
