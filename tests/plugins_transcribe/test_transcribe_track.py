"""From frames to speeches: nothing of what is said is missing, and every sample has the meeting's time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transcribe_bench import ANN, SAID, ZERO_MS, frames

from rtmsd.api import AudioFormat, AudioFrame
from rtmsd_transcribe.engine import RATE
from rtmsd_transcribe.speech import Speech
from rtmsd_transcribe.track import PRE_ROLL_MS, Track

SAMPLES_PER_MS = RATE // 1000


def speeches(items: Sequence[AudioFrame], *, silence_ms: float = 3000.0) -> list[Speech]:
    found: list[Speech] = []
    track = Track(silence_ms=silence_ms, begin=found.append)
    for item in items:
        track.take(item)
    track.end()
    return found


def whole(speech: Speech) -> bytes:
    return speech.sound(0, speech.end)


def place_ms(speech: Speech, pcm: bytes) -> float:
    """Where in the meeting's time (ms from zero) a sound stands in a speech; it must be there."""
    at = whole(speech).find(pcm)
    assert at >= 0, "a sample is missing"
    return speech.media_ms(at // 2) - ZERO_MS


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("ms", [20, 100, 260])
def test_no_first_or_last_sample_is_lost(name: str, ms: int) -> None:
    """Out of silence, and out of nothing: the whole sentence is in the speech, at its time, with little before it."""
    pcm = SAID[name].pcm
    quiet = bytes(32 * 2000)
    [from_nothing] = speeches(frames(ANN, 1000, pcm, ms=ms))
    assert place_ms(from_nothing, pcm) == 1000
    [from_silence] = speeches(frames(ANN, 0, quiet + pcm + quiet, ms=ms))
    assert place_ms(from_silence, pcm) == 2000
    assert from_silence.media_ms(0) - ZERO_MS >= 2000 - PRE_ROLL_MS


def test_a_gap_within_becomes_silence_of_its_length() -> None:
    """What did not come for two seconds is two seconds of silence: the times behind it stay right."""
    one, two = SAID["begin"].pcm, SAID["open"].pcm
    later = 1000 + len(one) // 32 + 2000
    [speech] = speeches([*frames(ANN, 1000, one), *frames(ANN, later, two)])
    assert place_ms(speech, one) == 1000 and place_ms(speech, two) == later
    assert speech.end == (later - 1000) * SAMPLES_PER_MS + len(two) // 2


def test_a_longer_gap_begins_another_speech() -> None:
    """The first is over, whether the silence came or not."""
    one, two = SAID["begin"].pcm, SAID["open"].pcm
    for quiet in ([], frames(ANN, 1000 + len(one) // 32, bytes(32 * 5000))):
        first, second = speeches([*frames(ANN, 1000, one), *quiet, *frames(ANN, 10_000, two)])
        assert first.ended and place_ms(first, one) == 1000 and place_ms(second, two) == 10_000


def test_what_comes_late_stands_at_its_own_time() -> None:
    """Frames that are older than the last one, as after a reconnect, are heard, and keep their times."""
    early, late = SAID["begin"].pcm, SAID["open"].pcm
    [speech] = speeches([*frames(ANN, 60_000, early), *frames(ANN, 20_000, late)])
    assert place_ms(speech, early) == 60_000 and place_ms(speech, late) == 20_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=10, max_size=40))
def test_jitter_neither_clicks_nor_drifts(jitter: list[int]) -> None:
    """Timestamps that are some milliseconds off leave the sound in one piece, where it began."""
    pcm = (SAID["begin"].pcm + SAID["names"].pcm)[: 3200 * len(jitter)]
    items = [
        AudioFrame(ANN, "Ann", frame.timestamp_ms + (off if number else 0), frame.data, frame.format)
        for number, (frame, off) in enumerate(zip(frames(ANN, 500, pcm), jitter, strict=False))
    ]
    [speech] = speeches(items)
    assert place_ms(speech, pcm[: 3200 * len(items)]) == 500


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 2), (32_000, 1), (48_000, 2)])
def test_other_formats_keep_their_times(rate: int, channels: int) -> None:
    """Whatever rate and channels come in: 16 kHz mono goes out, and a sound stands where it stood, within a millisecond."""
    form = AudioFormat("L16", rate, channels, True)
    seconds = np.arange(rate * 3) / rate
    burst = (seconds > 1.0) & (seconds < 2.5)
    voice = 8000 * np.sin(2 * np.pi * 150 * seconds) * (1 + np.sin(2 * np.pi * 4 * seconds)) * burst
    samples = np.repeat(voice.astype("<i2"), channels).tobytes()
    size = rate // 10 * 2 * channels
    items = [
        AudioFrame(ANN, "Ann", ZERO_MS + start * 100 // size, samples[start : start + size], form)
        for start in range(0, len(samples), size)
    ]
    [speech] = speeches(items)
    heard = np.frombuffer(whole(speech), "<i2")
    loud = np.flatnonzero(np.abs(heard.astype(int)) > 1500)
    assert speech.media_ms(int(loud[0])) - ZERO_MS == pytest.approx(1000, abs=4)
    assert speech.media_ms(int(loud[-1])) - ZERO_MS == pytest.approx(2500, abs=4)


def test_a_change_of_format_is_no_end() -> None:
    """From 16 to 32 kHz within a sentence: one speech."""
    pcm = SAID["begin"].pcm
    half = len(pcm) // 6400 * 3200
    wide = np.repeat(np.frombuffer(pcm[half:], "<i2"), 2).tobytes()
    form = AudioFormat("L16", 32_000, 1, True)
    second = AudioFrame(ANN, "Ann", ZERO_MS + 500 + half // 32, wide, form)
    [speech] = speeches([*frames(ANN, 500, pcm[:half]), second])
    assert place_ms(speech, pcm[:half]) == 500
    assert speech.end == pytest.approx(len(pcm) // 2, abs=400)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(-5000, 90_000)), min_size=1, max_size=20))
def test_every_position_has_its_time(parts: list[tuple[int, int]]) -> None:
    """Parts of any length at any times, also overlapping: a position's time is that of its own part, at both of its ends."""
    speech = Speech(1, "")
    placed = []
    for samples, at_ms in parts:
        placed.append((speech.end, samples, at_ms))
        speech.add(at_ms, b"\x01\x00" * samples)
    for at, samples, at_ms in placed:
        assert speech.media_ms(at) == pytest.approx(at_ms, abs=0.2)
        assert speech.media_ms(at + samples, ends=True) == pytest.approx(at_ms + samples / 16, abs=0.2)


def test_too_much_is_forgotten_from_the_beginning() -> None:
    """What is kept is bounded, and what is kept is right."""
    speech = Speech(1, "", kept_secs=1.0)
    for second in range(5):
        speech.add(second * 1000, bytes([second, 0]) * RATE)
    assert (speech.first, speech.end) == (4 * RATE, 5 * RATE)
    assert speech.sound(speech.first, RATE) == bytes([4, 0]) * RATE
    assert speech.media_ms(speech.first) == 4000
