"""WebVTT and SRT, by parsers that are not ours."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
import webvtt as judge
from ffmpeg_judge import needs_ffmpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import ZERO, phrase

from rtmsd.frames import TranscriptFrame
from rtmsd.recording.captions import cues, phrases, srt, webvtt

TEXTS = st.text(max_size=40)
FRAMES = st.lists(
    st.builds(
        lambda user, start, length, name, text: TranscriptFrame(
            user, name, ZERO + start, ZERO + start, ZERO + start + length, text
        ),
        st.integers(1, 3),
        st.integers(-500, 9000),
        st.integers(-10, 3000),
        TEXTS,
        TEXTS | st.just("Said <b>so</b> --> & that"),
    ),
    max_size=20,
)


def spoken(frames):
    return phrases(frames, zero_ms=ZERO, duration_ms=10_000)


@given(FRAMES)
@settings(deadline=None)
def test_nobody_has_two_cues_at_once(frames):
    """Cues are ordered, each lasts some time, and the same speaker's next begins when it is over."""
    made = cues(spoken(frames))
    assert [cue.start for cue in made] == sorted(cue.start for cue in made)
    assert all(cue.start < cue.end for cue in made)
    for user_id in (1, 2, 3):
        alone = cues(spoken([frame for frame in frames if frame.user_id == user_id]))
        assert all(first.end <= second.start for first, second in pairwise(alone))


def test_what_is_said_is_not_lost():
    """Words that would stand above each other are shortened in time or joined, never dropped."""
    frames = [phrase(1, 0, 3000, "one"), phrase(1, 1000, 4000, "two"), phrase(1, 1000, 2000, "three")]
    frames.append(phrase(2, 500, 2500, "other"))
    assert [tuple(cue) for cue in cues(spoken(frames))] == [
        (0.0, 1.0, "Name 1", "one"),
        (0.5, 2.5, "Name 2", "other"),
        (1.0, 4.0, "Name 1", "three two"),
    ]


@given(FRAMES)
@settings(deadline=None)
def test_a_parser_reads_the_same(frames):
    """webvtt-py finds every cue with its times, its speaker and its words."""
    made = cues(spoken(frames))
    found = list(judge.from_string(webvtt(spoken(frames)).decode()))
    assert len(found) == len(made)
    for cue, theirs in zip(made, found, strict=True):
        assert (theirs.start_in_seconds, theirs.end_in_seconds) == (int(cue.start), int(cue.end)) or (
            abs(theirs.start_in_seconds - cue.start) < 1e-9 and abs(theirs.end_in_seconds - cue.end) < 1e-9
        )
        name, text = re.fullmatch(r"<v ([^>]*)>(.*)", theirs.raw_text, flags=re.DOTALL).groups()
        assert (html.unescape(name), html.unescape(text)) == (
            html.unescape(cue.name.replace("&", "&amp;")),
            html.unescape(cue.text.replace("&", "&amp;")),
        )


@needs_ffmpeg
@pytest.mark.parametrize(("write", "codec"), [(webvtt, "webvtt"), (srt, "subrip")])
@settings(max_examples=5, deadline=None)
@given(frames=FRAMES.filter(lambda frames: any(frame.text.strip().isalnum() for frame in frames)))
def test_ffprobe_reads_as_many(write, codec, frames):
    """ffprobe takes both formats for what they are, and counts as many cues."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / ("a.vtt" if write is webvtt else "a.srt")
        path.write_bytes(write(spoken(frames)))
        command = ["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-of", "json", str(path)]
        done = subprocess.run(command, capture_output=True, check=True)
        (stream,) = json.loads(done.stdout)["streams"]
        found = (stream["codec_name"], int(stream["nb_read_packets"]), done.stderr)
        assert found == (codec, len(cues(spoken(frames))), b"")
