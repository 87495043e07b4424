"""`speakers.rttm`: who was heard when."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import ZERO, end, opened, packet, spurt, verified

from rtmsd.frames import AudioFormat, Gap
from rtmsd.recording.account import Sound
from rtmsd.recording.spans import clip, union
from rtmsd.recording.speakers import parse_rttm, rttm, turns


def closed(directory, *items, until=5000):
    recording = opened(directory)
    recording.write([*items, end(until)])
    recording.close()
    return verified(directory)


def test_the_lines(tmp_path):
    """Ten fields, the stream's safe id as file, seconds with three decimals, by start; near spans are one turn."""
    closed(
        tmp_path,
        *spurt(1, 0, 500),
        *spurt(1, 780, 1000),
        *spurt(1, 1300, 1400),
        *spurt(16778240, 460, 1860),
        Gap("socket_down", ZERO + 1860, ZERO + 4000),
    )
    assert (tmp_path / "speakers.rttm").read_text() == (
        "SPEAKER s%2Ftr%2Beam%3D1 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>\n"
        "SPEAKER s%2Ftr%2Beam%3D1 1 0.460 1.400 <NA> <NA> 16778240 <NA> <NA>\n"
        "SPEAKER s%2Ftr%2Beam%3D1 1 1.300 0.100 <NA> <NA> 1 <NA> <NA>\n"
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([8000, 11_025, 48_000]),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 3000)), max_size=12),
    st.integers(1000, 12_000),
)
def test_turns_equal_the_samples(rate, spans, duration_ms):
    """Against an array of samples: what was received lies in turns, what a turn adds are holes of less than 300 ms."""
    length = duration_ms * rate // 1000
    runs = union((a * rate // 1000, a * rate // 1000 + b * rate // 8000 + 1) for a, b in spans)
    found = turns({7: Sound(runs, rate)}, stream_id="x", duration_ms=duration_ms)
    heard, told = np.zeros(length, dtype=bool), np.zeros(length, dtype=bool)
    for a, b in clip(runs, 0, length):
        heard[a:b] = True
    for turn in found:
        assert 0 <= turn.start_ms < turn.end_ms <= duration_ms
        told[turn.start_ms * rate // 1000 : turn.end_ms * rate // 1000] = True
    assert not (heard & ~told).any()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~heard).astype(np.int8), [0]])))
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        within = 0 < a and b < length
        if within and (b - a) * 1000 < 300 * rate:
            assert told[a:b].all()
        else:
            assert told[a:b].sum() <= 2 * (rate // 1000 + 1)


def test_a_meeting_in_one_track_has_none(tmp_path):
    """Zoom's own mix says nobody's name, and no sound says nothing: there is no file then."""
    form = AudioFormat("L16", 8000, 1, False)
    manifest = closed(tmp_path / "mixed", *[packet(0, at, None, form) for at in (0, 20)])
    assert "speakers.rttm" not in manifest.files
    assert "speakers.rttm" not in closed(tmp_path / "nothing").files


def test_what_is_written_can_be_read():
    """Reading gives the turns that were written."""
    sounds = {1: Sound([(0, 8001)], 8000), 2: Sound([(80_000, 90_000)], 8000)}
    spoken = turns(sounds, stream_id="a/b", duration_ms=60_000)
    assert parse_rttm(rttm(spoken)) == spoken
    assert [turn[:3] for turn in spoken] == [(0, 1001, 1), (10_000, 11_250, 2)]


@pytest.mark.parametrize(
    "line",
    [
        b"SPEAKER a 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>",
        b"SPEAKER a b 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>\n",
        b"SPEAKER a 1 0.00 1.000 <NA> <NA> 1 <NA> <NA>\n",
        b"SPEAKER a 1 -1.000 1.000 <NA> <NA> 1 <NA> <NA>\n",
        b"SPEAKER a 1 0.000 1.000 <NA> <NA> Ann <NA> <NA>\n",
        b"LEXEME a 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>\n",
        b"\n",
    ],
)
def test_other_lines_are_refused(line):
    """Whatever is no line of ours is named by its number."""
    good = b"SPEAKER a 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>\n"
    with pytest.raises(ValueError, match="line 2"):
        parse_rttm(good + line)


def test_a_continued_recording_has_all_turns(tmp_path):
    """Turns come from what the recording holds at its end, whatever was interrupted or replayed in between."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.suspend()
    closed(tmp_path, *spurt(1, 2000, 3000), *spurt(2, 980, 2020), *spurt(1, 1000, 1500))
    times = re.findall(r" 1 (\S+) (\S+) <NA> <NA> (\d)", (tmp_path / "speakers.rttm").read_text())
    assert times == [("0.000", "1.500", "1"), ("0.980", "1.040", "2"), ("2.000", "1.000", "1")]
