"""Samples as Zoom sends them, made what engines want: 16 kHz, mono."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from rtmsd.api import AudioFormat
from rtmsd_transcribe.engine import RATE


class Conversion:
    """One unbroken run of sound in one format. A sample keeps its time: what comes out is late, not shifted."""

    def __init__(self, form: AudioFormat) -> None:
        self.form = form
        self._resampler = (
            soxr.ResampleStream(form.rate, RATE, 1, dtype="int16") if form.rate != RATE else None
        )

    def take(self, data: bytes) -> bytes:
        """Convert what came; the last milliseconds may stay in here until more comes."""
        if self._resampler is None and self.form.channels == 1:
            return data if len(data) % 2 == 0 else data[:-1]
        return self._resampled(self._mono(data), last=False)

    def rest(self) -> bytes:
        """Give what stayed in here; nothing follows."""
        return self._resampled(np.zeros(0, dtype=np.int16), last=True)

    def _resampled(self, samples: NDArray[np.int16], *, last: bool) -> bytes:
        if self._resampler is None:
            return samples.tobytes()
        converted: NDArray[np.int16] = self._resampler.resample_chunk(samples, last=last)
        return converted.tobytes()

    def _mono(self, data: bytes) -> NDArray[np.int16]:
        channels = self.form.channels
        whole = len(data) // (2 * channels) * 2 * channels
        samples = np.frombuffer(data[:whole], dtype="<i2")
        if channels == 1:
            return samples
        mixed: NDArray[np.int16] = samples.reshape(-1, channels).mean(axis=1).round().astype(np.int16)
        return mixed
