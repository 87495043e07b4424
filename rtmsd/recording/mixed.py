"""The sum of all tracks, saturating."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rtmsd.recording.patches import write_at
from rtmsd.recording.spans import Span, clip
from rtmsd.recording.wav import HEADER_BYTES, WavFormat, finish

_WINDOW = 1 << 18  # samples: 1 MiB of sums for mono, whatever the length of the meeting


def mix(tracks: Sequence[tuple[Path, Sequence[Span]]], out: Path, form: WavFormat, samples: int) -> None:
    """Write the sum of tracks, each given with its runs, as a finished WAV file of that many samples.

    Only runs are read and only windows with sound are written: silence costs neither time nor disk space.
    """
    with ExitStack() as stack:
        target = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        stack.callback(os.close, target)
        sources = []
        for path, runs in tracks:
            source = os.open(path, os.O_RDONLY)
            stack.callback(os.close, source)
            sources.append((source, runs))
        for start in range(0, samples, _WINDOW):
            end = min(start + _WINDOW, samples)
            window = np.zeros((end - start) * form.channels, dtype=np.int32)
            heard = False
            for source, runs in sources:
                for a, b in clip(runs, start, end):
                    data = os.pread(source, (b - a) * form.block, HEADER_BYTES + a * form.block)
                    window[(a - start) * form.channels : (b - start) * form.channels] += np.frombuffer(
                        data, dtype="<i2"
                    )
                    heard = True
            if heard:
                mixed = np.clip(window, -32768, 32767).astype("<i2").tobytes()
                write_at(target, mixed, HEADER_BYTES + start * form.block)
    finish(out, form, samples)
