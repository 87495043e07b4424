"""One participant's samples in a row: each at its place, whatever comes when."""

from __future__ import annotations

import numpy as np
import pytest

from rtmsd.frames import AudioFormat, AudioFrame, Event, Item, StreamEnd
from rtmsd.web.tap_sound import LATE_SECS, BrokenOffError, FormatChangedError, Sound

FORM = AudioFormat("L16", 16_000, 1, True)
ZERO_MS = 1_795_000_000_000
LATE_MS = round(LATE_SECS * 1000)


def samples(ms: int, length_ms: int = 100) -> bytes:
    """Sound that says where it belongs: never zero."""
    start = ms * 16
    return (np.arange(start, start + length_ms * 16) % 30_000 + 1).astype("<i2").tobytes()


def frame(ms: int, length_ms: int = 100, *, user_id: int = 1, off_ms: int = 0) -> AudioFrame:
    """A packet whose samples belong at `ms`, with a timestamp that is `off_ms` from there."""
    return AudioFrame(user_id, "Ann", ZERO_MS + ms + off_ms, samples(ms, length_ms), FORM)


def silence(ms: int) -> bytes:
    return bytes(32 * ms)


def socket(what: str, kind: str = "audio") -> Event:
    return Event(what, ZERO_MS, details={"socket": kind})


def played(*steps: tuple[float, list[Item]]) -> bytes:
    """What comes out when items come at these seconds."""
    sound = Sound(FORM, 1, ZERO_MS)
    return b"".join(sound.of(items, now) for now, items in steps)


def test_packets_follow_each_other() -> None:
    """What comes in order comes out as it is, also when timestamps are some milliseconds off."""
    frames: list[Item] = [frame(100 * n, off_ms=(0, 9, -9, 10)[n % 4]) for n in range(50)]
    assert played((0.0, frames)) == samples(0, 5000)


def test_a_pause_is_silence_of_its_length() -> None:
    """What comes after it stands where its timestamp says, so that no drift can grow."""
    assert played((0.0, [frame(0)]), (1.0, [frame(1000)])) == samples(0) + silence(900) + samples(1000)


def test_silence_is_made_as_time_goes_on() -> None:
    """Who waits for a pause learns of it before the next word, but not before late packets had their time."""
    sound = Sound(FORM, 1, ZERO_MS)
    assert sound.of([frame(0)], 0.0) == samples(0)
    assert sound.of([], LATE_SECS) == b""
    assert sound.of([], LATE_SECS + 0.25) == silence(250)
    assert sound.of([], LATE_SECS + 1.0) == silence(750)
    assert sound.of([frame(3000)], 3.0) == silence(3000 - 1100) + samples(3000)


def test_others_tell_the_time_too() -> None:
    """While others speak, the silence of somebody who does not is as long as their speech."""
    others: list[Item] = [frame(100 * n, user_id=2) for n in range(100)]
    assert played((0.0, others)) == silence(10_000 - LATE_MS)


def test_what_comes_twice_is_cut() -> None:
    """A packet that overlaps gives what is new of it, one that is there already nothing."""
    steps: list[Item] = [frame(0), frame(50), frame(0), frame(150)]
    assert played((0.0, steps)) == samples(0, 250)


def test_what_comes_too_late_is_cut_and_counted() -> None:
    """Where silence was made already there is no room; the row stays as it is."""
    sound = Sound(FORM, 1, ZERO_MS)
    out = sound.of([frame(0)], 0.0) + sound.of([], 5.0) + sound.of([frame(1000)], 5.0)
    assert out == samples(0) + silence(5000 - LATE_MS) and sound.left_out == 1


@pytest.mark.parametrize("kind", ["audio", "signaling"])
def test_what_zoom_replays_after_an_outage_has_its_place(kind: str) -> None:
    """No silence is made while nobody can be heard: what was said meanwhile comes later, and nothing of it is lost."""
    replayed: list[Item] = [frame(100 * n) for n in range(1, 80)]
    out = played(
        (0.0, [frame(0)]),
        (0.1, [socket("socket_lost", kind)]),
        (7.0, []),
        (7.5, [socket("socket_reopened", kind)]),
        (8.0, []),
        (8.1, replayed[:40]),
        (8.2, replayed[40:]),
    )
    assert out == samples(0, 8000)


def test_silence_goes_on_after_an_outage_in_which_nobody_spoke() -> None:
    """When the connection is there again and nothing is replayed, time is silence as before."""
    out = played(
        (0.0, [frame(0)]), (0.1, [socket("socket_lost")]), (9.0, [socket("socket_reopened")]), (20.0, [])
    )
    assert out == samples(0) + silence(20_000 - LATE_MS)


def test_another_socket_means_nothing() -> None:
    """Losing the transcript does not hold the sound back."""
    out = played((0.0, [frame(0)]), (0.1, [socket("socket_lost", "transcript")]), (9.0, []))
    assert out == samples(0) + silence(9000 - LATE_MS)


def test_a_wrong_timestamp_makes_no_hours_of_silence() -> None:
    """Such a packet is left out and counted, and the next one has its place."""
    sound = Sound(FORM, 1, ZERO_MS)
    out = sound.of([frame(0), frame(10**9), frame(-(10**9)), frame(100)], 0.0)
    assert out == samples(0, 200) and sound.left_out == 2


@pytest.mark.parametrize("off_ms", [-(10**7), -100_000, 100_000, 10**7])
def test_a_wrong_first_packet_spoils_nothing(off_ms: int) -> None:
    """Nothing vouched for it, and two others speak against it: the row goes on with theirs, without a hole."""
    sound = Sound(FORM, 1, ZERO_MS + off_ms)
    rest: list[Item] = [frame(100 * n) for n in range(1, 50)]
    assert sound.of([frame(0, off_ms=off_ms), *rest], 0.0) == samples(0, 5000)
    assert sound.left_out == 0


@pytest.mark.parametrize("step_ms", [130_000, -130_000, 10**9])
def test_a_clock_that_steps_spoils_nothing(step_ms: int) -> None:
    """When two packets in a row say so, the meeting's clock was set: the row goes on, silence and the end included."""
    sound = Sound(FORM, 1, ZERO_MS)
    out = b"".join(sound.of([frame(100 * n)], n / 10) for n in range(50))
    out += b"".join(sound.of([frame(100 * n, off_ms=step_ms)], n / 10) for n in range(50, 100))
    assert out == samples(0, 10_000) and sound.left_out == 0
    assert sound.of([], 12.0 - 0.1) == silence(2000 - LATE_MS)
    assert sound.of([StreamEnd(6, "", "", ZERO_MS + step_ms + 13_000)], 12.0) == silence(1000 + LATE_MS)


@pytest.mark.parametrize("user_id", [1, 2])
def test_one_packet_far_ahead_moves_nobody(user_id: int) -> None:
    """A minute and a half is no reason to believe it: neither silence comes of it, nor are the others too late."""
    sound = Sound(FORM, 1, ZERO_MS)
    out = b""
    for n in range(50):
        wrong: list[Item] = [frame(100 * n, user_id=user_id, off_ms=100_000)] if n == 20 else []
        out += sound.of([frame(100 * n), *wrong], n / 10)
    assert out == samples(0, 5000) and sound.left_out == 1


def test_a_replay_may_begin_long_before_its_outage() -> None:
    """What was heard already is cut, what was not has its place, and nothing of it is doubted away."""
    before: list[Item] = [frame(100 * n) for n in range(300)]
    replayed: list[Item] = [frame(100 * n) for n in range(100, 400)]
    out = played(
        (30.0, before),
        (30.1, [socket("socket_lost")]),
        (39.0, [socket("socket_reopened")]),
        (39.5, replayed),
    )
    assert out == samples(0, 40_000)


def test_samples_that_end_before_the_stream_does_say_so() -> None:
    """Samples cannot, so that somebody else has to: only the stream's end is an end."""
    sound = Sound(FORM, 1, ZERO_MS)
    sound.of([frame(0)], 0.0)
    with pytest.raises(BrokenOffError):
        sound.last()
    sound.of([StreamEnd(6, "", "", ZERO_MS + 100)], 0.1)
    assert sound.last() == b""


def test_the_row_ends_where_the_stream_does() -> None:
    """Silence up to the end that Zoom named; none when that cannot be right."""
    end = StreamEnd(6, "", "", ZERO_MS + 2500)
    assert played((0.0, [frame(0), end])) == samples(0) + silence(2400)
    assert played((0.0, [frame(0), StreamEnd(6, "", "", ZERO_MS + 10**9)])) == samples(0)


def test_half_a_sample_is_no_sample() -> None:
    """An odd byte at a packet's end does not shift what follows."""
    odd = AudioFrame(1, "Ann", ZERO_MS, samples(0) + b"\x01", FORM)
    assert played((0.0, [odd, frame(100)])) == samples(0, 200)


def test_another_format_ends_it() -> None:
    """What was promised in the head cannot be changed."""
    other = AudioFrame(1, "Ann", ZERO_MS, samples(0), AudioFormat("L16", 8_000, 1, True))
    with pytest.raises(FormatChangedError):
        played((0.0, [frame(0), other]))
