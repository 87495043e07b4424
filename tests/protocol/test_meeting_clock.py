"""What time it is in the meeting, told by the timestamps of what comes (protocol.md §5.6.2, §7.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_bench import WALL_MS, Bench

from rtmsd.frames import Gap, MediaKind
from rtmsd.protocol.meeting_clock import BELIEVED_SECS, WINDOW_SECS, MeetingClock

AUDIO = frozenset({MediaKind.AUDIO})
ZERO_MS = 1_000_000_000_000


class Clocked:
    """A clock that hears packets of a server whose own clock is `behind` ours."""

    def __init__(self) -> None:
        self.clock = MeetingClock(wall_offset=ZERO_MS / 1000)
        self.now = 100.0

    def hear(self, secs: float, *, behind: int, every: float = 1.0, told: bool = False) -> None:
        learn = self.clock.told if told else self.clock.arrived
        end = self.now + secs
        while self.now < end:
            learn(self.wall_ms - behind, self.now)
            self.now += every

    @property
    def wall_ms(self) -> int:
        return int(ZERO_MS + self.now * 1000)

    @property
    def behind(self) -> int:
        return self.wall_ms - self.clock.media_ms(self.now)


def test_the_quickest_packet_of_two_minutes_counts() -> None:
    """What travels slowly says nothing; a clock that is set back is followed when the last two minutes are past."""
    one = Clocked()
    assert one.behind == 0
    one.hear(3.0, behind=300)
    one.hear(3.0, behind=150)
    one.hear(3.0, behind=900)
    assert one.behind == 150
    one.hear(2 * WINDOW_SECS + 5, behind=2000)
    assert one.behind == 2000


@pytest.mark.parametrize("behind", [0, 90_000, -90_000])
def test_a_few_packets_from_the_future_change_nothing(behind: int) -> None:
    """Whatever our own clock is: what does not go on is not believed."""
    one = Clocked()
    one.hear(10.0, behind=behind)
    one.hear(BELIEVED_SECS / 2, behind=behind - 590_000, every=0.1)
    one.hear(1.0, behind=behind)
    one.clock.told(one.wall_ms + 590_000, one.now)
    one.hear(1.0, behind=behind)
    assert one.behind == behind


def test_a_server_whose_clock_is_ahead_is_believed_in_the_end() -> None:
    """After a move all packets are from the future: soon that is what time it is."""
    one = Clocked()
    one.hear(10.0, behind=0)
    one.hear(BELIEVED_SECS + 1, behind=-20_000, every=0.5)
    assert one.behind == -20_000


def test_what_is_told_at_once_counts_while_it_is_new() -> None:
    """A burst of kept audio is late; but a message of an hour ago does not tell what time it is now."""
    one = Clocked()
    one.hear(1.0, behind=200, told=True)
    one.hear(5.0, behind=30_000)
    assert one.behind == 200
    one.hear(3 * WINDOW_SECS, behind=5_000)
    assert one.behind == 5_000


@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), st.floats(0, 200), st.booleans()), max_size=60))
def test_the_time_is_always_some_packets_time(packets: list[tuple[int, float, bool]]) -> None:
    """Nothing but what was heard, or our own clock, is ever said; and nothing from ten minutes ahead."""
    one = Clocked()
    for behind, pause, told in packets:
        one.hear(0.001, behind=behind, told=told)
        one.now += pause
        assert one.behind in {0, *(lag + error for lag, _, _ in packets for error in (-1, 0, 1))}
        assert one.behind > -600_001


@pytest.mark.parametrize("behind", [0, 500, 1400, 2000, 4000])
def test_an_outage_is_ledgered_whatever_the_new_servers_clock(behind: int) -> None:
    """Five minutes after a move to a server whose clock is behind, five seconds without a replay are missing."""
    bench = Bench(kinds=AUDIO)
    bench.join()
    for _ in range(50):
        bench.audio(bench.wall_ms)
        bench.later(0.1)
    bench.do(bench.machine.started_again(["wss://other.zoom.us:443"], bench.now))
    bench.later(1.2)
    bench.greet()
    alive = {"msg_type": 12, "sequence": 1, "timestamp": 1}
    for tenth in range(3000):
        if tenth % 100 == 0:
            bench.receive("signaling", alive)
        bench.audio(bench.wall_ms - behind)
        bench.later(0.1)
    gaps = len(bench.gaps())
    last = bench.wall_ms - behind
    bench.closed("audio")
    bench.now += 5.0
    bench.later(0.01)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.receive("signaling", alive)
    for _ in range(20):
        bench.audio(bench.wall_ms - behind)
        bench.later(0.1)
    [gap] = bench.gaps()[gaps:]
    assert abs(gap.from_ms - last) <= 100 and abs(gap.to_ms - last - 5000) <= 300


@pytest.mark.parametrize("said", [10 * 365 * 86_400_000, 3_600_000, -3_600_000, -WALL_MS + 5])
def test_an_impossible_end_is_not_believed(said: int) -> None:
    """A stream ends between its start and now: a gap of ten years is none."""
    bench = Bench()
    bench.join()
    bench.audio(bench.wall_ms)
    bench.later(10.0)
    bench.closed("transcript")
    bench.receive("signaling", {"msg_type": 8, "state": 4, "reason": 6, "timestamp": bench.wall_ms + said})
    ended_ms = bench.wall_ms
    bench.later(2.0)
    assert bench.finished is not None and abs(bench.finished.end_ms - ended_ms) <= 1
    assert all(isinstance(gap, Gap) and gap.to_ms <= ended_ms for gap in bench.gaps())
