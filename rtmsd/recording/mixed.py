"""The sum of all tracks, saturating."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtmsd.recording.patches import write_at
from rtmsd.recording.spans import Span, clip
from rtmsd.recording.track_format import TrackFormat
from rtmsd.recording.wav import finish, header_bytes

_WINDOW = 1 << 18  # samples: 1 MiB of sums for mono, whatever the length of the meeting


def mix(tracks: Sequence[tuple[Path, Sequence[Span]]], out: Path, form: TrackFormat, samples: int) -> None:
    """Write the sum of tracks, each given with its runs, as a finished file of that many samples of 16-bit PCM.

    Only runs are read and only windows with sound are written: silence costs neither time nor disk space. One track
    is open at a time: more people may speak than a process may open files.
    """
    pcm = mixed_format(form)
    with ExitStack() as stack:
        target = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        stack.callback(os.close, target)
        for start in range(0, samples, _WINDOW):
            end = min(start + _WINDOW, samples)
            window = np.zeros((end - start) * form.channels, dtype=np.int32)
            heard = False
            for path, runs in tracks:
                spans = clip(runs, start, end)
                for (a, b), data in zip(spans, _read(path, spans, form), strict=True):
                    window[(a - start) * form.channels : (b - start) * form.channels] += _decoded(data, form)
                    heard = True
            if heard:
                mixed = np.clip(window, -32768, 32767).astype("<i2").tobytes()
                write_at(target, mixed, header_bytes(pcm) + start * pcm.unit_bytes)
    finish(out, pcm, samples)


def mixed_format(form: TrackFormat) -> TrackFormat:
    """Return the format of the sum of such tracks."""
    return TrackFormat("L16", form.rate, form.channels, unit_bytes=2 * form.channels)


def alaw_table() -> npt.NDArray[np.int16]:
    """Return the 16-bit sample of each of the 256 codes of A-law (ITU-T G.711, table 1a; even bits come inverted)."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent, 1) - 1
    )
    return np.where(code & 0x80, size, -size).astype(np.int16)


def _read(path: Path, spans: Sequence[Span], form: TrackFormat) -> list[bytes]:
    """Read those spans of a track; one without any is not opened."""
    if not spans:
        return []
    source = os.open(path, os.O_RDONLY)
    try:
        return [
            os.pread(source, (b - a) * form.unit_bytes, header_bytes(form) + a * form.unit_bytes)
            for a, b in spans
        ]
    finally:
        os.close(source)


def _decoded(data: bytes, form: TrackFormat) -> npt.NDArray[np.int16]:
    return (
        alaw_table()[np.frombuffer(data, dtype="u1")] if form.codec == "G711" else np.frombuffer(data, "<i2")
    )
