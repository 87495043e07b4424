"""Transcripts as JSON lines, WebVTT and SRT."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_samples import ZERO, phrase

from rtmsd.frames import TranscriptFrame
from rtmsd.recording.captions import final, jsonl, phrases, srt, webvtt


def vtt(*frames, duration_ms=100_000):
    return webvtt(phrases(frames, zero_ms=ZERO, duration_ms=duration_ms)).decode()


def spoken(name, text):
    return TranscriptFrame(7, name, ZERO, ZERO, ZERO + 1000, text)


def test_cues_have_true_times_and_voices():
    """Cues are ordered by start, with the times that Zoom gave and the speaker in a voice tag."""
    assert vtt(
        phrase(2, 3_661_234, 3_662_000, "Later"), phrase(1, 1500, 2250, "First"), duration_ms=10_000_000
    ) == (
        "WEBVTT\n\n00:00:01.500 --> 00:00:02.250\n<v Name 1>First\n\n01:01:01.234 --> 01:01:02.000\n<v Name 2>Later\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("Ann <b>", "1 < 2 & 3 --> 4", "<v Ann &lt;b&gt;>1 &lt; 2 &amp; 3 --&gt; 4"),
        ("A\n\nB", "one\r\n\r\ntwo\u2028three", "<v A B>one two three"),
        ("", "anonymous", "<v User 7>anonymous"),
        ("Ann", "\x00bell\x07", "<v Ann>bell"),
    ],
)
def test_cues_are_escaped(name, text, line):
    """Nothing in a name or a text can end a tag, a cue or the file."""
    assert vtt(spoken(name, text)).split("\n")[3:] == [line, ""]


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        (-5000, 1000, "00:00:00.000 --> 00:00:01.000"),
        (-5000, -4000, "00:00:00.000 --> 00:00:00.500"),
        (1000, 1000, "00:00:01.000 --> 00:00:01.500"),
        (1000, 500, "00:00:01.000 --> 00:00:01.500"),
        (1000, 10**15, "00:00:01.000 --> 00:00:10.000"),
        (10**15, 10**15, "00:00:10.000 --> 00:00:10.500"),
    ],
)
def test_cues_lie_inside(start, end, times):
    """Before zero is zero, after the end is the end, and no cue is shorter than half a second."""
    assert vtt(phrase(1, start, end), duration_ms=10_000).split("\n")[2] == times


def test_a_phrase_without_text_has_no_cue():
    """An empty cue helps nobody; the JSON line stays."""
    frames = [phrase(1, 0, 1000, " \n ")]
    assert vtt(*frames) == "WEBVTT\n"
    assert jsonl(phrases(frames, zero_ms=ZERO, duration_ms=5000)).count(b"\n") == 1


def test_json_lines_have_both_times():
    """Each line has seconds from zero and Unix milliseconds, who, what, and who transcribed it."""
    frame = TranscriptFrame(7, "Ann", ZERO, ZERO + 250, ZERO + 1000, "Hé\n", 9, "own")
    assert orjson.loads(jsonl(phrases([frame], zero_ms=ZERO, duration_ms=5000))) == {
        "start": 0.25,
        "end": 1.0,
        "start_ms": ZERO + 250,
        "end_ms": ZERO + 1000,
        "user_id": 7,
        "user_name": "Ann",
        "text": "Hé\n",
        "source": "own",
        "language": 9,
        "timestamp_ms": ZERO,
    }


def changed(operation, user_id, at_ms, text, to_ms=None):
    """What was done to the phrase of that person and moment."""
    end_ms = ZERO + (at_ms + 1000 if to_ms is None else to_ms)
    return TranscriptFrame(user_id, "Ann", ZERO + at_ms, ZERO + at_ms, end_ms, text, operation=operation)


@pytest.mark.parametrize(
    ("frames", "texts"),
    [
        ([changed("new", 1, 0, "Helo"), changed("update", 1, 0, "Hello")], ["Hello"]),
        ([changed("new", 1, 0, "a"), changed("update", 1, 0, "b", 500), changed("update", 1, 0, "c")], ["c"]),
        ([changed("new", 1, 0, "a"), changed("delete", 1, 0, "")], []),
        ([changed("new", 1, 0, "a"), changed("delete", 1, 0, ""), changed("new", 1, 0, "b")], ["b"]),
        ([changed("delete", 1, 0, ""), changed("new", 1, 0, "a")], ["a"]),
        ([changed("update", 1, 0, "never seen before")], ["never seen before"]),
        ([changed("update", 1, 0, "b"), changed("new", 1, 0, "a")], ["b"]),
        ([changed("new", 1, 0, "a"), changed("update", 1, 0, "b"), changed("new", 1, 0, "a")], ["b"]),
        ([changed("new", 1, 0, "a"), changed("update", 2, 0, "b"), changed("delete", 1, 1, "")], ["a", "b"]),
        ([changed("new", 1, 0, "a"), changed("new", 1, 0, "b"), changed("delete", 1, 0, "")], ["a"]),
        (
            [changed("new", 1, 5000, "late"), changed("new", 1, 0, "a"), changed("update", 1, 5000, "z")],
            ["a", "z"],
        ),
    ],
)
def test_captions_show_how_phrases_stand_in_the_end(frames, texts):
    """Updates and deletions concern the same person and moment; the JSON lines keep all, the captions the outcome."""
    cues = [cue.split("\n")[1] for cue in vtt(*frames).split("\n\n")[1:]]
    assert cues == [f"<v Ann>{text}" for text in texts]
    lines = jsonl(phrases(frames, zero_ms=ZERO, duration_ms=100_000)).splitlines()
    kept = [(line.get("operation", "new"), line["text"]) for line in map(orjson.loads, lines)]
    assert sorted(kept) == sorted((frame.operation, frame.text) for frame in frames)


def test_an_update_that_begins_elsewhere_follows_its_phrase():
    """The lines are ordered by start, but what changes a phrase never stands before it."""
    earlier = TranscriptFrame(1, "Ann", ZERO + 900, ZERO + 100, ZERO + 800, "Now", operation="update")
    frames = [changed("new", 1, 900, "Then"), changed("new", 2, 400, "Between"), earlier]
    spoken = phrases(frames, zero_ms=ZERO, duration_ms=5000)
    assert [phrase.text for phrase in spoken] == ["Between", "Then", "Now"]
    assert [phrase.text for phrase in final(spoken)] == ["Now", "Between"]


def subtitles(*frames, duration_ms=100_000):
    return srt(phrases(frames, zero_ms=ZERO, duration_ms=duration_ms)).decode()


def parse_srt(text):
    """Read SRT as strictly as the pickiest editor: number from 1, times, lines, and one blank line in between."""
    cues = []
    for number, block in enumerate(text.removesuffix("\n").split("\n\n") if text else [], 1):
        index, times, *lines = block.split("\n")
        assert index == str(number)
        assert re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", times)
        assert lines and all(line.strip() and "-->" not in line for line in lines)
        cues.append((times, "\n".join(lines)))
    return cues


def test_subtitles_are_numbered_and_named():
    """The cues of the WebVTT file, numbered from 1, with a comma in their times and the name in front."""
    frames = [phrase(2, 3_661_234, 3_662_000, "Later"), phrase(1, 1500, 2250, "First"), phrase(1, 0, 9, " ")]
    assert subtitles(*frames, duration_ms=10_000_000) == (
        "1\n00:00:01,500 --> 00:00:02,250\nName 1: First\n\n2\n01:01:01,234 --> 01:01:02,000\nName 2: Later\n"
    )
    assert subtitles() == ""


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("Ann <b>", "1 < 2 --> 4 ---> {\\an8}", "Ann ‹b›: 1 ‹ 2 → 4 -→ (\\an8)"),
        ("A\n\nB", "one\r\n\r\ntwo\u2028three", "A B: one two three"),
        ("", "3\n00:00:00,000 --> 00:00:09,000\nfake", "User 7: 3 00:00:00,000 → 00:00:09,000 fake"),
    ],
)
def test_subtitles_have_no_markup(name, text, line):
    """Nothing in a name or a text begins another cue, ends one, or formats it."""
    assert parse_srt(subtitles(spoken(name, text))) == [("00:00:00,000 --> 00:00:01,000", line)]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_any_text_makes_readable_subtitles(said):
    """Whatever is said, the file parses and has as many cues as the WebVTT file."""
    frames = [spoken(name, text) for name, text in said]
    assert len(parse_srt(subtitles(*frames))) == vtt(*frames).count(" --> ")
