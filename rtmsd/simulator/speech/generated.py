"""Sound that nobody has spoken: tones, and noise that comes from a seed and is therefore known to a test."""

from __future__ import annotations

import numpy as np

from rtmsd.simulator.speech import STEP_MS

_PEAK = 9000
_SAMPLES_PER_MS = 16


def tone(hz: float, ms: int) -> bytes:
    """Make `ms`, a multiple of 20, of a sine as 16 kHz mono L16."""
    assert ms % STEP_MS == 0
    samples = np.sin(np.arange(ms * _SAMPLES_PER_MS) * (2 * np.pi * hz / 16_000)) * _PEAK
    return bytes(np.rint(samples).astype("<i2").tobytes())


def noise(seeds: tuple[int, ...], ms: int) -> bytes:
    """Make `ms`, a multiple of 20, of white noise as 16 kHz mono L16; the same for the same seeds."""
    assert ms % STEP_MS == 0
    return np.random.default_rng(seeds).integers(-_PEAK, _PEAK, ms * _SAMPLES_PER_MS, "<i2").tobytes()
