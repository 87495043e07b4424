"""Random meetings against an oracle that knows no spans: one array element per sample, one per millisecond."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import FORMAT, RATE, ZERO, end, opened, packet, samples, verified

from rtmsd.frames import AudioFrame, Event, Gap, MediaKind
from rtmsd.recording.manifest import Manifest

LENGTH_MS = 4000
PER_MS = RATE // 1000


@dataclass
class Meeting:
    batches: list[list] = field(default_factory=list)
    jitter: bool = False


def meeting_of(chance: random.Random) -> Meeting:
    """Spurts with jitter, drops (told or not, recovered or not), repetitions, swaps, a pause."""
    jitter = chance.random() < 0.5
    timed: list[tuple[float, object]] = [(0, packet(1, 0))]
    for user in range(1, chance.randint(1, 3) + 1):
        at = 20
        while at < LENGTH_MS - 200:
            at += chance.randint(0, 30) * 20  # never nearer than the tolerance, but for none at all
            count = chance.randint(1, 25)
            dropped = chance.choice(["", "", "told", "told", "all", "untold"])
            first = chance.randint(0, count - 1)
            last = chance.randint(first, count - 1)
            for number in range(count):
                ts = at + number * 20
                frame = packet(user, ts + (chance.randint(-9, 9) if jitter else 0))
                arrives = ts + (25 if chance.random() < 0.15 else 0)
                if dropped and first <= number <= last:
                    if chance.random() < 0.25:
                        timed.append((ts + 900, frame))
                    continue
                timed.append((arrives, frame))
                if chance.random() < 0.06:
                    timed.append((arrives + chance.choice([1, 300]), frame))
            if dropped in ("told", "all"):
                span = ZERO + at + first * 20, ZERO + at + last * 20 + 20
                gap = (
                    Gap("lane_full", *span, MediaKind.AUDIO, user)
                    if dropped == "told"
                    else Gap("socket_down", *span)
                )
                timed.append((at + last * 20 + 30, gap))
            at += count * 20
    if chance.random() < 0.5:
        start = chance.randint(500, 3000)
        timed.append((start, Event("session_paused", ZERO + start)))
        if chance.random() < 0.5:
            stop = start + chance.randint(1, 2500)
            timed.append((stop, Event("session_resumed", ZERO + stop)))
    items = [item for _, item in sorted(timed, key=lambda pair: pair[0])] + [end(LENGTH_MS)]
    meeting = Meeting(jitter=jitter)
    while items:
        size = chance.randint(1, 80)
        meeting.batches.append(items[:size])
        items = items[size:]
    return meeting


class Oracle:
    """Plays the items again, naively."""

    def __init__(self, items: list) -> None:
        size = LENGTH_MS * 2 * PER_MS
        self.data: dict[int, np.ndarray] = {}
        self.stamp: dict[int, np.ndarray] = {}
        self.gaps: list[tuple[Gap, np.ndarray]] = []
        self.paused = np.zeros(size, dtype=bool)
        self.length_ms = LENGTH_MS
        paused_at = None
        for item in items:
            if isinstance(item, AudioFrame):
                self.place(item, size)
            elif isinstance(item, Gap):
                self.report(item, size)
            elif isinstance(item, Event) and item.name == "session_paused":
                paused_at = item.timestamp_ms - ZERO
            elif isinstance(item, Event):
                self.paused[paused_at * PER_MS : (item.timestamp_ms - ZERO) * PER_MS] = True
                paused_at = None
        last = max(np.flatnonzero(stamp)[-1] + 1 for stamp in self.stamp.values())
        self.length_ms = max(LENGTH_MS, -(-last // PER_MS))
        if paused_at is not None:
            self.paused[paused_at * PER_MS :] = True
        self.samples = self.length_ms * PER_MS

    def place(self, frame: AudioFrame, size: int) -> None:
        data = self.data.setdefault(frame.user_id, np.zeros(size, dtype=np.int16))
        stamp = self.stamp.setdefault(frame.user_id, np.zeros(size, dtype=np.int64))
        at = (frame.timestamp_ms - ZERO) * PER_MS
        for place in range(at + 10 * PER_MS, at - 10 * PER_MS - 1, -1):
            if 0 < place and stamp[place - 1] and not stamp[place]:
                at = place if frame.timestamp_ms > stamp[place - 1] else at
                break
        new = np.frombuffer(frame.data, dtype="<i2")
        free = stamp[at : at + len(new)] == 0
        data[at : at + len(new)][free] = new[free]
        stamp[at : at + len(new)][free] = frame.timestamp_ms
        for gap, recovered in self.gaps:
            if gap.user_id is None:
                from_ms, to_ms = frame.timestamp_ms - ZERO, frame.timestamp_ms - ZERO + len(new) // PER_MS
                recovered[max(from_ms, gap.from_ms - ZERO) : max(0, min(to_ms, gap.to_ms - ZERO))] = True

    def report(self, gap: Gap, size: int) -> None:
        if self.gaps and not self.gaps[-1][1].any():
            last = self.gaps[-1][0]
            if (last.cause, last.user_id) == (
                gap.cause,
                gap.user_id,
            ) and last.from_ms <= gap.from_ms <= last.to_ms:
                gap = msgspec.structs.replace(last, to_ms=max(last.to_ms, gap.to_ms))
                self.gaps.pop()
        self.gaps.append((gap, np.zeros(size // PER_MS, dtype=bool)))

    def account(self, user: int) -> tuple[int, int, int, int]:
        present = self.stamp[user][: self.samples] != 0
        whole_ms = present.reshape(-1, PER_MS).all(axis=1)
        missing = np.zeros(self.samples, dtype=bool)
        for gap, recovered in self.gaps:
            if gap.user_id not in (None, user):
                continue
            left = np.zeros(self.length_ms, dtype=bool)
            left[gap.from_ms - ZERO : gap.to_ms - ZERO] = True
            reported = left.sum()
            left &= ~whole_ms & ~recovered[: self.length_ms]
            edges = np.flatnonzero(np.diff(np.concatenate([[0], left.astype(np.int8), [0]])))
            for a, b in zip(edges[::2], edges[1::2], strict=True):
                if b - a > 10 or b - a == reported:
                    missing[a * PER_MS : b * PER_MS] = True
        paused = self.paused[: self.samples] & ~present
        missing &= ~present & ~paused
        silent = ~(present | paused | missing)
        return present.sum(), silent.sum(), missing.sum(), paused.sum()


def record(directory: Path, batches: list[list], suspend_at: set[int]) -> Manifest:
    recording = opened(directory)
    for number, batch in enumerate(batches):
        recording.write(batch)
        if number in suspend_at:
            recording.suspend()
            recording = opened(directory)
        elif number % 3 == 0:
            recording.flush()
    recording.close()
    return verified(directory)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sets(st.integers(0, 20), max_size=4))
def test_recording_equals_the_oracle(seed: int, suspend_at: set[int]):
    """Every sample of every track, every number of every account, and the same with suspensions in between."""
    meeting = meeting_of(random.Random(seed))
    oracle = Oracle([item for batch in meeting.batches for item in batch])
    with tempfile.TemporaryDirectory() as name:
        manifest = record(Path(name) / "a", meeting.batches, set())
        assert (manifest.zero_ms, manifest.duration_ms) == (ZERO, oracle.length_ms)
        assert {track.user_id for track in manifest.tracks} == set(oracle.data)
        total = np.zeros(oracle.samples, dtype=np.int32)
        for track in manifest.tracks:
            expected = oracle.data[track.user_id][: oracle.samples]
            np.testing.assert_array_equal(samples(Path(name) / "a" / track.file), expected)
            total += expected
            account = track.account
            numbers = account.present, account.silent, account.missing, account.paused
            assert numbers == oracle.account(track.user_id)
            assert sum(numbers) == oracle.samples
            if not meeting.jitter:
                assert_truth(meeting, track.user_id, expected)
        mixed = samples(Path(name) / "a/audio/mixed.wav")
        np.testing.assert_array_equal(mixed, np.clip(total, -32768, 32767))

        again = record(Path(name) / "b", meeting.batches, suspend_at)
        assert again == manifest


def assert_truth(meeting: Meeting, user: int, expected: np.ndarray) -> None:
    """Without jitter a track is simply each packet at its own time: the oracle itself must say so."""
    truth = np.zeros(len(expected), dtype=np.int16)
    for item in (item for batch in meeting.batches for item in batch):
        if isinstance(item, AudioFrame) and item.user_id == user:
            at = (item.timestamp_ms - ZERO) * PER_MS
            truth[at : at + 20 * PER_MS] = np.frombuffer(item.data, dtype="<i2")
    np.testing.assert_array_equal(expected, truth)
    assert FORMAT.rate == RATE
