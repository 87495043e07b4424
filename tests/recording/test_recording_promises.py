"""Whatever happens to a meeting on its way, its recording keeps what is promised of recordings."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import INFO, RATE, ZERO, end, packet, tone, verified

from rtmsd.frames import AudioFrame, Event, Gap, MediaKind
from rtmsd.recording import FilePlan, Recording
from rtmsd.recording.manifest import Manifest

STEP = 200  # ms in a packet
LENGTH_MS = 150_000


@dataclass
class Meeting:
    """What was sent, by user and time, what of it came, and the items in the order in which they came."""

    sent: dict[tuple[int, int], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    came: list[tuple[int, int]] = field(default_factory=list)
    came_after: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    items: list = field(default_factory=list)

    def deliver(self, frame: AudioFrame) -> None:
        self.items.append(frame)
        place = frame.user_id, frame.timestamp_ms - ZERO
        self.came.append(place)
        for seen in self.came_after.values():
            seen.add(place)

    def report(self, gap: Gap) -> None:
        self.came_after[len(self.items)] = set()
        self.items.append(gap)


def meeting_of(seed: int) -> Meeting:
    """Speech and mute; drops, doubles, disorder, bursts, pauses, lost connections with and without a replay, a clock that is set."""
    chance, meeting = random.Random(seed), Meeting()
    meeting.deliver(_say(meeting, 1, 0, seed))
    clock, held, down_since, kept = 0, [], None, []
    speaking = {1: True, 2: False, 3: True}
    paused = False
    for at in range(STEP, LENGTH_MS, STEP):
        for user_id in speaking:
            if chance.random() < 0.05:
                speaking[user_id] = not speaking[user_id]
        if chance.random() < 0.004:
            clock = chance.choice([0, 20 * STEP, -10 * STEP, -3 * STEP])
        if chance.random() < 0.01:
            paused = not paused
            name = "session_paused" if paused else "session_resumed"
            meeting.items.append(Event(name, ZERO + max(0, at + clock)))
        frames = [_say(meeting, user, at + clock, seed) for user, on in speaking.items() if on and not paused]
        if down_since is None and chance.random() < 0.01:
            down_since, replayed, kept = at + clock, chance.random() < 0.6, []
        if down_since is not None:
            kept += frames
            if chance.random() < 0.2 and at + clock > down_since:
                meeting.report(Gap("socket_down", ZERO + down_since, ZERO + at + clock))
                meeting.items.append(Event("socket_reopened", ZERO + at + clock))
                for frame in kept if replayed else []:
                    meeting.deliver(frame)
                down_since = None
            continue
        for frame in frames:
            fate = chance.random()
            if fate < 0.02:
                continue  # lost, and nobody knows
            if fate < 0.04:
                start = frame.timestamp_ms
                meeting.report(Gap("lane_full", start, start + STEP, MediaKind.AUDIO, frame.user_id))
                continue
            if fate < 0.08:
                held.append(frame)  # it comes with the next ones, or in a burst
                continue
            meeting.deliver(frame)
            if fate < 0.11:
                meeting.deliver(frame)
        if held and chance.random() < 0.3:
            for frame in held:
                meeting.deliver(frame)
            held = []
    meeting.items.append(end(LENGTH_MS))
    return meeting


def _say(meeting: Meeting, user_id: int, at_ms: int, seed: int) -> AudioFrame:
    at_ms = max(0, at_ms)
    place = user_id, at_ms
    data = tone(hash((seed, user_id, at_ms, len(meeting.sent[place]))) % 2**32, STEP)
    meeting.sent[place].append(data)
    return packet(user_id, at_ms, data)


def record(directory: Path, items: list, plan: FilePlan, chance: random.Random) -> Manifest:
    recording = Recording.open(directory, INFO, version="0.1.0", plan=plan)
    while items:
        size = chance.randint(1, 400)
        recording.write(items[:size])
        items = items[size:]
        if chance.random() < 0.2:
            recording.suspend()
            recording = Recording.open(directory, INFO, version="0.1.0")
        elif chance.random() < 0.5:
            recording.flush()
    recording.close()
    return verified(directory)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([FilePlan(), FilePlan("wav", 1), FilePlan("flac", 1)]),
)
def test_what_is_promised(seed, plan):
    """The four shares add up, every sample is true or silent, what came is present, no gap stands where something came, verify passes."""
    meeting = meeting_of(seed)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        manifest = record(directory, meeting.items, plan, random.Random(seed))
        late = manifest.counts.get("too_late", 0)
        slots = defaultdict(set)
        for user_id, at_ms in meeting.came:
            slots[user_id].add(at_ms)
        assert {track.user_id for track in manifest.tracks} == set(slots)
        for track in manifest.tracks:
            account = track.account
            parts = account.present, account.silent, account.missing, account.paused
            assert min(parts) >= 0 and sum(parts) == track.samples == manifest.duration_ms * RATE // 1000
            present = _assert_true(directory, manifest, track, meeting)
            assert account.present == len(present) * STEP * RATE // 1000
            assert present <= slots[track.user_id]
            assert len(slots[track.user_id] - present) <= late
        _assert_gaps(meeting, manifest)


def _assert_true(directory: Path, manifest: Manifest, track, meeting: Meeting) -> set[int]:
    """Hold each packet's place against all that was sent for it, and return where there is sound."""
    assert manifest.zero_ms == ZERO
    samples, size = np.zeros(track.samples, dtype=np.int16), STEP * RATE // 1000
    for part in track.files:
        data, _ = soundfile.read(directory / part.file, dtype="int16")
        samples[part.first_sample : part.first_sample + part.samples] = data
    present = set()
    for number in range(0, len(samples), size):
        found = samples[number : number + size]
        at_ms = number * 1000 // RATE
        if found.any():
            assert found.tobytes() in meeting.sent[track.user_id, at_ms]
            present.add(at_ms)
    return present


def _assert_gaps(meeting: Meeting, manifest: Manifest) -> None:
    """Nothing that came after a gap had been reported lies in one, nor anything of the participant whom it names."""
    for gap in manifest.gaps:
        if gap.cause == "too_late":
            continue
        start, stop = gap.from_ms - ZERO, gap.to_ms - ZERO
        if gap.user_id is not None:
            inside = {place for place in meeting.came if place[0] == gap.user_id}
        else:
            reported = [
                seen
                for number, seen in meeting.came_after.items()
                if (whole := meeting.items[number]).user_id is None
                and whole.from_ms < gap.to_ms
                and whole.to_ms > gap.from_ms
            ]
            inside = set.intersection(*reported) if reported else set()
        assert not [at for _, at in inside if at < stop and at + STEP > start]
