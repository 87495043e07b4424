"""What the manifest counts and states besides the account, and the table of coverage."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from recording_samples import FORMAT, ZERO, end, opened, packet, phrase, picture, spurt, tone, verified

from rtmsd.cli import main
from rtmsd.frames import AudioFormat, Event, Gap, MediaKind, TranscriptFrame


def closed(directory, *items):
    recording = opened(directory)
    recording.write(list(items))
    recording.close()
    return verified(directory)


@pytest.mark.parametrize(("joined", "backlog"), [(700, 0.7), (-50, 0), (99_000, 2.0)])
def test_the_backlog_is_stated(tmp_path, joined, backlog):
    """What was heard from before rtmsd had joined is what Zoom had kept; a restart's joining does not count."""
    recording = opened(tmp_path)
    recording.write([Event("stream_joined", ZERO + joined), *spurt(1, 0, 1000)])
    recording.suspend()
    recording = opened(tmp_path)
    recording.write([Event("stream_joined", ZERO + 1900), end(2000)])
    recording.close()
    assert verified(tmp_path).backlog_secs == backlog


@pytest.mark.parametrize(
    ("items", "counts"),
    [
        ([*spurt(1, 0, 100), *spurt(1, 200, 300)], {}),
        ([packet(1, 0), packet(1, 40), packet(1, 20)], {"regressions": 1}),
        ([packet(1, 0), packet(1, 40), packet(2, 20)], {}),
        ([*spurt(1, 0, 100), *spurt(1, 3000, 3100), *spurt(1, 500, 540)], {"clock_steps": 2}),
        (
            [packet(1, 0, tone(1, 60)), packet(1, 20, tone(2, 60))],
            {"length_mismatches": 1, "overlapping_samples": 320},
        ),
        ([packet(1, 0), packet(1, 20), packet(1, 0)], {"overlapping_samples": 160}),
        ([*spurt(1, 0, 100), Gap("socket_down", ZERO + 100, ZERO + 200), packet(1, 300), packet(1, 100)], {}),
    ],
)
def test_what_the_clock_did_is_counted(tmp_path, items, counts):
    """Packets that go back, clocks that are set and lengths that do not fit are counted; what Zoom replays is none of these."""
    assert closed(tmp_path, *items, end(5000)).counts == counts


def test_the_table(tmp_path):
    """Every speaker and medium has a line: how much there is, how much is silent, missing and paused, what is covered."""
    form = AudioFormat("L16", FORMAT.rate, 1, True)
    closed(
        tmp_path,
        *spurt(1, 0, 1000),
        packet(2, 0, tone(7, 500), form),
        phrase(1, 0, 900),
        picture(1, 0),
        picture(1, 40),
        TranscriptFrame(3, "Cy", ZERO, ZERO, ZERO + 100, "Hm"),
        Gap("socket_down", ZERO + 1000, ZERO + 1500),
        Gap("lane_full", ZERO + 3000, ZERO + 3500, MediaKind.TRANSCRIPT),
        Event("session_paused", ZERO + 2000),
        Event("session_resumed", ZERO + 2500),
        end(4000),
    )
    done = CliRunner().invoke(main, ["verify", "-v", str(tmp_path)])
    assert done.exit_code == 0
    assert done.output.splitlines()[:-1] == [
        "speaker   medium        there is   silent  missing   paused  covered",
        "1 Name 1  audio          1.000 s  2.000 s  0.500 s  0.500 s  85.71 %",
        "1 Name 1  transcript    1 phrase           1.000 s              75 %",
        "1 Name 1  video       2 pictures           0.500 s            87.5 %",
        "2 Name 2  audio          0.500 s  2.500 s  0.500 s  0.500 s  85.71 %",
        "3         transcript    1 phrase           1.000 s              75 %",
    ]
    assert "85.7142 % complete" in done.output.splitlines()[-1]


def test_each_transcript_has_a_line(tmp_path):
    """Who else transcribed is counted apart from Zoom, for each speaker."""
    own = [
        msgspec.structs.replace(phrase(user_id, at, at + 300), source=source)
        for user_id, at, source in ((1, 0, "deepgram"), (1, 500, "deepgram"), (2, 0, "my engine"))
    ]
    closed(tmp_path, *spurt(1, 0, 1000), phrase(1, 0, 900), *own, end(1000))
    done = CliRunner().invoke(main, ["verify", "-v", str(tmp_path)])
    assert done.exit_code == 0
    assert done.output.splitlines()[2:-1] == [
        "1 Name 1  transcript                1 phrase           0.000 s             100 %",
        "1 Name 1  transcript, deepgram     2 phrases           0.000 s             100 %",
        "2         transcript, my%20engine   1 phrase           0.000 s             100 %",
    ]
