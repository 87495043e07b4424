"""What one stream's items tell of it, and what all streams come to."""

from __future__ import annotations

import itertools
import random

import pytest

from rtmsd.frames import AudioFormat, AudioFrame, Event, Gap, MediaKind, TranscriptFrame
from rtmsd.streams.activity import CELL_MS, MAX_SPANS, MAX_SPEAKERS, Activity
from rtmsd.streams.totals import Totals

ZERO = 1_738_392_000_000
SOUND = AudioFormat("L16", 16_000, 1, True)


def frame(at_ms: int, *, user_id: int = 1, step_ms: int = 20) -> AudioFrame:
    return AudioFrame(user_id, "Mira Tal", ZERO + at_ms, bytes(32 * step_ms), SOUND)


def say(activity: Activity, from_ms: int, to_ms: int, *, user_id: int = 1, step_ms: int = 20) -> None:
    for at_ms in range(from_ms, to_ms, step_ms):
        activity.observe(frame(at_ms, user_id=user_id, step_ms=step_ms))


def seen(activity: Activity, user_id: int = 1) -> list[tuple[int, int]]:
    return [(start - ZERO, end - ZERO) for start, end in activity.speech[user_id].seen()]


@pytest.mark.parametrize("step_ms", [20, 100, 1000])
def test_speech_is_seen_where_it_was(step_ms: int) -> None:
    """Each stretch begins where it began and ends within a cell of where it ended, whatever the frames' length."""
    activity = Activity()
    for from_ms, to_ms in ((0, 3000), (7000, 12_000)):
        say(activity, from_ms, to_ms, step_ms=step_ms)
    (begin, end), (begin_2, end_2) = seen(activity)
    assert (begin, begin_2) == (0, 7000)
    assert 0 <= end - 3000 <= CELL_MS and 0 <= end_2 - 12_000 <= CELL_MS
    assert 0 <= activity.speech[1].total_ms - 8000 <= 2 * CELL_MS


def test_speakers_are_kept_apart() -> None:
    """Who is first heard comes first, and each has their own stretches."""
    activity = Activity()
    for at_ms in range(0, 2000, 20):
        activity.observe(frame(at_ms, user_id=2))
        activity.observe(frame(at_ms + 1000, user_id=1))
    assert list(activity.speech) == [2, 1]
    assert seen(activity, 2)[0][0] == 0 and seen(activity, 1)[0][0] == 1000


def test_a_replay_fills_its_place() -> None:
    """What comes late is put where it was said, and the stretches stay in order."""
    activity = Activity()
    say(activity, 10_000, 11_000)
    say(activity, 2000, 3000)
    say(activity, 11_000, 12_000)
    assert [start for start, _ in seen(activity)] == [2000, 10_000]


def test_memory_is_bounded_whatever_comes() -> None:
    """Wild timestamps and any number of speakers leave a bounded number of stretches, in order."""
    activity = Activity()
    chance = random.Random(5)
    for _ in range(20_000):
        activity.observe(frame(chance.randrange(86_400_000), user_id=chance.randrange(2000)))
        activity.observe(frame(chance.randrange(86_400_000)))
    assert len(activity.speech) <= MAX_SPEAKERS
    assert all(len(spans) <= MAX_SPANS for spans in activity.speech.values())
    for spans in activity.speech.values():
        stretches = spans.seen()
        assert stretches == sorted(stretches)
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(stretches))


def test_only_the_older_half_grows_coarser() -> None:
    """In a long meeting the last minutes are as exact as ever, and no speech is lost."""
    activity = Activity()
    for number in range(1000):
        say(activity, number * 10_000, number * 10_000 + 1000)
    stretches = seen(activity)
    assert stretches[-50:] == [
        (number * 10_000, stretches[-1][1] % 10_000 + number * 10_000) for number in range(950, 1000)
    ]
    for number in range(1000):
        assert any(start <= number * 10_000 and end >= number * 10_000 + 1000 for start, end in stretches)


def test_a_clock_that_jumped_does_not_silence_a_speaker() -> None:
    """After a timestamp far in the future, what is said at the right time is seen as before."""
    activity = Activity()
    say(activity, 0, 1000)
    activity.observe(frame(50_000_000))
    say(activity, 5000, 6000)
    assert [start for start, _ in seen(activity)] == [0, 5000, 50_000_000]


def test_gaps_are_counted_by_cause_and_drawn_when_nobody_was_heard() -> None:
    """Every gap counts; only those of everybody's audio are missing in the drawing."""
    activity = Activity()
    activity.observe(Gap("socket_down", ZERO, ZERO + 2000, MediaKind.AUDIO))
    activity.observe(Gap("socket_down", ZERO, ZERO + 9000, MediaKind.TRANSCRIPT))
    activity.observe(Gap("daemon_restart", ZERO + 5000, ZERO + 6000))
    assert activity.gaps == {"socket_down": 2, "daemon_restart": 1}
    assert activity.gap_ms == {"socket_down": 11_000, "daemon_restart": 1000}
    assert activity.missing.seen() == [(ZERO, ZERO + 2000), (ZERO + 5000, ZERO + 6000)]


def test_pauses_and_outages() -> None:
    """A pause lasts until it is resumed, an outage until a socket that carries sound is there again."""
    activity = Activity()
    activity.observe(Event("session_paused", ZERO))
    assert activity.paused_ms == ZERO
    activity.observe(Event("session_resumed", ZERO + 4000))
    assert activity.paused_ms is None and activity.pauses.seen() == [(ZERO, ZERO + 4000)]
    activity.observe(Event("socket_lost", ZERO + 5000, details={"socket": "transcript"}))
    assert activity.away_ms is None
    activity.observe(Event("socket_lost", ZERO + 6000, details={"socket": "audio"}))
    activity.observe(Event("socket_lost", ZERO + 7000, details={"socket": "signaling"}))
    assert activity.away_ms == ZERO + 6000
    activity.observe(Event("socket_reopened", ZERO + 8000, details={"socket": "signaling"}))
    assert activity.away_ms is None and activity.reconnects == {"signaling": 1}
    activity.observe(TranscriptFrame(1, "Mira Tal", ZERO, ZERO, ZERO, "of no concern here"))


def test_totals() -> None:
    """Sums of streams that are forgotten; ends by reason, of which there are not more than Zoom's and ours."""
    totals = Totals()
    activity = Activity()
    activity.observe(Gap("socket_down", ZERO, ZERO + 2000, MediaKind.AUDIO))
    activity.observe(Event("socket_reopened", ZERO, details={"socket": "audio"}))
    for _ in range(2):
        totals.add({"audio": 5, "bytes": 100}, activity)
    assert totals.counters == {"audio": 10, "bytes": 200}
    assert totals.gaps == {"socket_down": 2} and totals.gap_ms == {"socket_down": 4000}
    assert totals.reconnects == {"audio": 2}
    for reason in (6, 4711, 4712, None):
        totals.ended(reason, "lost")
    assert totals.stops == {"meeting_ended": 1, "unknown": 2, "lost": 1}
