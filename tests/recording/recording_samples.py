"""Items that the tests of recordings are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtmsd.frames import AudioFormat, AudioFrame, StreamEnd, StreamInfo, TranscriptFrame
from rtmsd.recording import Recording

ZERO = 1_795_000_000_000
RATE = 8000
FORMAT = AudioFormat("L16", RATE, 1, True)
INFO = StreamInfo(
    app="notes",
    product="meeting",
    stream_id="s/tr+eam=1",
    meeting_uuid="4kC/bP+x==",
    meeting_id="123456789",
    started_ms=ZERO - 2000,
)


def tone(seed: int, ms: int = 20, rate: int = RATE) -> bytes:
    """Samples that are never zero, so that silence can be told from sound."""
    samples = np.random.default_rng(seed).integers(1, 5000, ms * rate // 1000)
    return samples.astype("<i2").tobytes()


def packet(user_id: int, at_ms: int, data: bytes | None = None, form: AudioFormat = FORMAT) -> AudioFrame:
    """A packet `at_ms` after ZERO."""
    data = tone(user_id * 1_000_003 + at_ms) if data is None else data
    return AudioFrame(user_id, f"Name {user_id}", ZERO + at_ms, data, form)


def phrase(user_id: int, from_ms: int, to_ms: int, text: str = "Hello") -> TranscriptFrame:
    return TranscriptFrame(user_id, f"Name {user_id}", ZERO + from_ms, ZERO + from_ms, ZERO + to_ms, text)


def end(at_ms: int) -> StreamEnd:
    return StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO + at_ms)


def opened(directory: Path) -> Recording:
    return Recording.open(directory, INFO, version="0.1.0")


def samples(path: Path) -> np.ndarray:
    """The samples of a WAV file, whatever its header says."""
    return np.frombuffer(path.read_bytes()[44:], dtype="<i2")
