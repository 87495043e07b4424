"""Items that the tests of recordings are made of."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from rtmsd.frames import (
    AudioFormat,
    AudioFrame,
    PictureFormat,
    ShareFrame,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
    opus_duration_ms,
)
from rtmsd.recording import Manifest, Recording, verify
from rtmsd.recording.ogg import read_pages

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


def spurt(user_id: int, start: int, stop: int) -> list[AudioFrame]:
    """What somebody says without a pause."""
    return [packet(user_id, at) for at in range(start, stop, 20)]


def phrase(user_id: int, from_ms: int, to_ms: int, text: str = "Hello") -> TranscriptFrame:
    return TranscriptFrame(user_id, f"Name {user_id}", ZERO + from_ms, ZERO + from_ms, ZERO + to_ms, text)


def end(at_ms: int) -> StreamEnd:
    return StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO + at_ms)


def opened(directory: Path) -> Recording:
    return Recording.open(directory, INFO, version="0.1.0")


def verified(directory: Path) -> Manifest:
    """The manifest of a recording with which nothing is wrong."""
    report = verify(directory)
    assert report.problems == [], report.problems
    assert report.manifest is not None
    return report.manifest


class Died(BaseException):
    """Stands for the process's death."""


def die_after(renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break off with `Died` after so many files were given their names: every one gets its name through Path.replace."""
    left, real = renames, Path.replace

    def dying(source: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        return real(source, target)

    monkeypatch.setattr(Path, "replace", dying)


def samples(path: Path) -> np.ndarray:
    """The samples of a WAV file, whatever its header says."""
    return np.frombuffer(path.read_bytes()[44:], dtype="<i2")


OPUS = AudioFormat("OPUS", 48_000, 1, True)
PICTURE = PictureFormat("H264", "HD", 25)


def opus_packet(user_id: int, at_ms: int, ms: int = 20) -> AudioFrame:
    """A packet of that many milliseconds (10, 20, 40 or 60) that is like no other; no decoder would like it."""
    first = {10: 0x00, 20: 0x08, 40: 0x10, 60: 0x18}[ms]
    data = np.random.default_rng(user_id * 1_000_003 + at_ms).bytes(30 + at_ms % 7)
    return AudioFrame(user_id, f"Name {user_id}", ZERO + at_ms, bytes([first]) + data, OPUS)


def picture(user_id: int, at_ms: int, size: int = 500, codec: str = "H264") -> VideoFrame:
    data = np.random.default_rng(user_id * 1_000_003 + at_ms).bytes(size)
    form = msgspec.structs.replace(PICTURE, codec=codec)
    return VideoFrame(user_id, f"Name {user_id}", ZERO + at_ms, data, form)


def shared(user_id: int, at_ms: int, size: int = 500) -> ShareFrame:
    frame = picture(user_id, at_ms, size, "JPG")
    return ShareFrame(user_id, frame.user_name, frame.timestamp_ms, frame.data, frame.format)


def opus_packets(path: Path) -> list[tuple[int, bytes]]:
    """The packets of a track that do not fill an absence, each with the millisecond from zero at which it begins."""
    found, at = [], 0.0
    with path.open("rb") as file:
        for page in read_pages(file):
            for packet in page.packets if page.number > 1 else ():
                if packet[1:3] not in (b"\x41\x00", b"\x46\x00"):
                    found.append((at, packet))
                at += opus_duration_ms(packet)
    return found
