"""Listen to a track of a complete recording, whatever its codec and its files: second by second, as plain samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat, AudioFrame
from rtmsd.recording import decoding, flac
from rtmsd.recording.manifest import Manifest, TrackEntry
from rtmsd.recording.mixed import alaw_table
from rtmsd.recording.track_format import TrackFormat, track_format
from rtmsd.recording.wav import header_bytes

Samples = npt.NDArray[np.int16]
"""A row for each channel's samples of one moment."""


def hear(directory: Path, manifest: Manifest, track: TrackEntry) -> Iterator[AudioFrame]:
    """Give a track as frames of L16, a second long each and the last one shorter, at the meeting's times.

    For a period without a file there are none. Never more than some seconds are in memory. Blocks for some milliseconds a
    frame. Raises RecordingError when a file is damaged, or the library for its codec is not installed; OSError when one
    cannot be read.
    """
    form = track_format(AudioFormat(track.codec, track.rate, track.channels, True))
    if form is None:
        raise RecordingError(f"{track.label} should be of a codec, rate and channels that rtmsd records")
    plain = AudioFormat("L16", track.rate, track.channels, track.user_id != 0)
    name = track.names[-1] if track.names else ""
    for part in track.files:
        start = part.first_sample
        for second in _seconds(_decoded(directory / part.file, form), track.rate, part.samples):
            at_ms = manifest.zero_ms + start * 1000 // track.rate
            yield AudioFrame(track.user_id, name, at_ms, second.tobytes(), plain)
            start += len(second)


def _seconds(pieces: Iterator[Samples], rate: int, most: int) -> Iterator[Samples]:
    """Cut samples anew, and at the end."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece[: most - count])
        count += len(held[-1])
        if sum(map(len, held)) >= rate:
            joined = np.concatenate(held)
            whole = len(joined) // rate * rate
            yield from joined[:whole].reshape(-1, rate, joined.shape[1])
            held = [joined[whole:]]
    rest = np.concatenate(held) if held else np.zeros((0, 1), np.int16)
    if len(rest):
        yield rest


def _decoded(path: Path, form: TrackFormat) -> Iterator[Samples]:
    if path.suffix == ".flac":
        return flac.read(path, form)
    return _read_wav(path, form) if form.summed else _by_ffmpeg(path, form)


def _read_wav(path: Path, form: TrackFormat) -> Iterator[Samples]:
    table = alaw_table()
    with path.open("rb") as file:
        file.seek(header_bytes(form))
        while data := file.read(form.rate * form.unit_bytes):
            samples = table[np.frombuffer(data, "u1")] if form.codec == "G711" else np.frombuffer(data, "<i2")
            yield samples.reshape(-1, form.channels)


def _by_ffmpeg(path: Path, form: TrackFormat) -> Iterator[Samples]:
    av = decoding.library(f"Sound of the codec {form.codec}")
    layout = "mono" if form.channels == 1 else "stereo"
    resampler = av.AudioResampler(format="s16", layout=layout, rate=form.rate)
    try:
        for _, frame in decoding.placed_frames(av, [(path, 0)]):
            yield from _rows(resampler.resample(frame), form)
        yield from _rows(resampler.resample(None), form)
    except av.FFmpegError as error:
        raise RecordingError(f"{path.name} cannot be decoded: {error}") from error


def _rows(frames: list[Any], form: TrackFormat) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1, form.channels)
