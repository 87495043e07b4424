"""Where packets land on a track (in samples; tolerance 10, packets of 20)."""

import pytest

from rtmsd.recording.timeline import Track


def build(packets):
    track, landed = Track(), []
    for stamp, position, count in packets:
        start = track.append(stamp, position, count, 10)
        landed.append(
            [(start, start + count)] if start is not None else track.place(stamp, position, count, 10)[1]
        )
    return track, landed


@pytest.mark.parametrize(
    ("packets", "landed"),
    [
        pytest.param([(0, 0, 20), (20, 20, 20)], [[(0, 20)], [(20, 40)]], id="in order"),
        pytest.param([(0, 0, 20), (29, 29, 20)], [[(0, 20)], [(20, 40)]], id="late by jitter: appended"),
        pytest.param([(0, 0, 20), (11, 11, 20)], [[(0, 20)], [(20, 40)]], id="early by jitter: appended"),
        pytest.param(
            [(0, 0, 20), (30, 30, 20)], [[(0, 20)], [(20, 40)]], id="exactly the tolerance: appended"
        ),
        pytest.param([(0, 0, 20), (31, 31, 20)], [[(0, 20)], [(31, 51)]], id="beyond the tolerance: placed"),
        pytest.param(
            [(0, 0, 20), (40, 40, 20), (20, 20, 20)], [[(0, 20)], [(40, 60)], [(20, 40)]], id="swapped"
        ),
        pytest.param(
            [(0, 0, 20), (35, 35, 20), (20, 20, 20)], [[(0, 20)], [(35, 55)], [(20, 35)]], id="first wins"
        ),
        pytest.param(
            [(30, 30, 20), (0, 0, 80)], [[(30, 50)], [(0, 30), (50, 80)]], id="around what is there"
        ),
        pytest.param([(0, 0, 20), (0, 0, 20)], [[(0, 20)], []], id="repeated"),
        pytest.param([(0, 0, 8), (0, 0, 8)], [[(0, 8)], []], id="repeated and shorter than the tolerance"),
    ],
)
def test_packets_land(packets, landed):
    """Within 10 ms of a run's end: appended; else by timestamp; samples that are there stay."""
    assert build(packets)[1] == landed


def test_runs_merge():
    """A filled hole leaves one run, whose end is that of the later packet."""
    track, _ = build([(0, 0, 20), (40, 40, 20), (20, 20, 20)])
    assert (track.runs, track.stamps) == ([(0, 60)], [40])


def test_cut():
    """Cutting forgets what lies behind and says what that was."""
    track, _ = build([(0, 0, 20), (40, 40, 20), (80, 80, 20)])
    assert track.cut(50) == [(50, 60), (80, 100)]
    assert track.runs == [(0, 20), (40, 50)]
