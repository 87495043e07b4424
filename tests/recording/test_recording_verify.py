"""A recording that was touched in any way does not verify, and no garbage makes the check itself fail."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import ZERO, end, opened, opus_packet, packet, phrase, picture, shared

from rtmsd.frames import AudioFormat, ChatFrame, Event, Gap
from rtmsd.recording import verify
from rtmsd.recording.manifest import digest

FILES = [
    "SHA256SUMS",
    "manifest.json",
    "events.jsonl",
    "gaps.jsonl",
    "transcript.jsonl",
    "transcript.vtt",
    "transcript.srt",
    "speakers.rttm",
    "chat.jsonl",
    "audio/user=1.wav",
    "audio/user=2.wav",
    "audio/mixed.wav",
    "video/user=1.h264",
    "video/user=1.h264.jsonl",
    "share/user=2.mjpeg",
    "share/user=2.mjpeg.jsonl",
]


def make(directory: Path) -> Path:
    recording = opened(directory)
    recording.write([packet(1, at) for at in range(0, 400, 20)])
    recording.write([packet(2, at) for at in range(200, 700, 20)])
    recording.write([Event("first_packet", ZERO), Event("session_paused", ZERO + 700)])
    recording.write([Event("session_resumed", ZERO + 800), Gap("socket_down", ZERO + 800, ZERO + 900)])
    recording.write([ChatFrame(1, "Ann", ZERO + 50, "new", "m1", "Hi", raw={"text": "Hi"})])
    recording.write([picture(1, 0, 60), picture(1, 40, 60), shared(2, 500, 60)])
    recording.write([phrase(1, 0, 400, "Hello"), phrase(2, 200, 700, "World"), end(1000)])
    recording.close()
    return directory


def reseal(directory: Path) -> None:
    """Make the hashes fit again, as somebody who knows the format would."""
    manifest = orjson.loads((directory / "manifest.json").read_bytes())
    for name in manifest["files"]:
        data = (directory / name).read_bytes()
        manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (directory / "manifest.json").write_bytes(orjson.dumps(manifest))
    names = sorted([*manifest["files"], "manifest.json"])
    lines = [f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (directory / "SHA256SUMS").write_text("".join(lines))


def test_a_good_recording_verifies_after_it_was_moved(tmp_path):
    """Nothing in a recording depends on where it is, and the system's own tool agrees with the sums."""
    make(tmp_path / "a")
    moved = shutil.move(tmp_path / "a", tmp_path / "b")
    report = verify(moved)
    assert (report.ok, report.problems) == (True, [])
    assert report.summary.startswith("0:00:01.000 long, 2 tracks, audio 88.8888 % complete, 1 gap. ")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=moved, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout.count("OK")) == (0, 15)
    assert {path.relative_to(moved).as_posix() for path in moved.rglob("*") if path.is_file()} == set(FILES)
    reseal(moved)
    assert verify(moved).ok


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.integers(0, 2**31), st.integers(0, 7))
def test_a_flipped_bit_is_found(name, place, bit):
    """One flipped bit in any file is found, whatever it was."""
    with tempfile.TemporaryDirectory() as root:
        directory = make(Path(root))
        data = bytearray((directory / name).read_bytes())
        data[place % len(data)] ^= 1 << bit
        (directory / name).write_bytes(data)
        assert not verify(directory).ok


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FILES[1:]), st.data())
def test_garbage_never_raises(name, data):
    """Any content that claims to be right, with sums that fit, is read without an exception."""
    with tempfile.TemporaryDirectory() as root:
        directory = make(Path(root))
        old = (directory / name).read_bytes()
        start = data.draw(st.integers(0, len(old)))
        stop = data.draw(st.integers(start, len(old)))
        (directory / name).write_bytes(old[:start] + data.draw(st.binary(max_size=40)) + old[stop:])
        try:
            reseal(directory)
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            pass
        verify(directory)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_garbage_in_opus_never_raises(data):
    """Any bytes in place of pages are answered with sentences."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root)
        recording = opened(directory)
        recording.write([*(opus_packet(1, at) for at in range(0, 900, 20)), end(1500)])
        recording.close()
        old = (directory / "audio/user=1.opus").read_bytes()
        start = data.draw(st.integers(0, len(old)))
        stop = data.draw(st.integers(start, len(old)))
        new = old[:start] + data.draw(st.binary(max_size=40)) + old[stop:]
        (directory / "audio/user=1.opus").write_bytes(new)
        reseal(directory)
        assert verify(directory).ok == (new == old)


@pytest.mark.parametrize("written", [[], [0], [3], [0, 7], [1, 2, 9], [19]])
def test_holes_are_hashed_as_zeros(tmp_path, written):
    """The hash of a sparse file is that of its bytes, wherever its holes are."""
    with (tmp_path / "sparse").open("wb") as file:
        for place in written:
            file.seek(place * 300_000)
            file.write(b"sound" * 20_000)
        file.truncate(6_000_007)
    assert (
        digest(tmp_path / "sparse").sha256 == hashlib.sha256((tmp_path / "sparse").read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(tmp_path, name):
    """Without any one of its files a recording is not complete."""
    (make(tmp_path) / name).unlink()
    assert not verify(tmp_path).ok


@pytest.mark.parametrize("name", ["extra.txt", "audio/user=3.wav", "more/deep.txt"])
def test_an_added_file_is_found(tmp_path, name):
    """A file that the sums do not list is named."""
    make(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    assert any(name in problem for problem in verify(tmp_path).problems)


def test_a_link_is_found(tmp_path):
    """A link in place of a file is not followed."""
    make(tmp_path / "a")
    (tmp_path / "a/events.jsonl").rename(tmp_path / "elsewhere")
    (tmp_path / "a/events.jsonl").symlink_to(tmp_path / "elsewhere")
    assert any("ordinary" in problem for problem in verify(tmp_path / "a").problems)


@pytest.mark.parametrize("name", ["events.jsonl", "gaps.jsonl", "transcript.jsonl", "SHA256SUMS"])
def test_a_dropped_line_is_found(tmp_path, name):
    """A line that is gone is missed."""
    path = make(tmp_path) / name
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    assert not verify(tmp_path).ok


def edited(change):
    def edit(directory):
        path = directory / "manifest.json"
        manifest = orjson.loads(path.read_bytes())
        change(manifest)
        path.write_bytes(orjson.dumps(manifest))

    return edit


def replaced(name, old, new):
    def edit(directory):
        data = (directory / name).read_bytes()
        assert old in data
        (directory / name).write_bytes(data.replace(old, new))

    return edit


def appended(name, line):
    def edit(directory):
        with (directory / name).open("ab") as file:
            file.write(line)

    return edit


TURN = b"SPEAKER s%%2Ftr%%2Beam%%3D1 1 %s %s <NA> <NA> 2 <NA> <NA>\n"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (edited(lambda m: m.update(schema=2)), "schema"),
        (edited(lambda m: m.update(duration_ms=1001)), "as long as"),
        (edited(lambda m: m.update(completeness=1.0)), "completeness"),
        (edited(lambda m: m.update(tracks=[])), "both a file and a track"),
        (edited(lambda m: m.update(gaps=[])), "differ"),
        (edited(lambda m: m["tracks"][0].update(samples=7999)), "as long as"),
        (edited(lambda m: m["tracks"][0].update(present_secs=0.5)), "add up"),
        (edited(lambda m: m["tracks"][0].update(missing_secs=0.3, silent_secs=0.2)), "explain"),
        (edited(lambda m: m["tracks"][0].update(missing_secs=-0.1, silent_secs=0.6)), "negative"),
        (edited(lambda m: m["tracks"][0].update(rate=16_000, samples=16_000)), "does not fit"),
        (edited(lambda m: m["tracks"][0].update(extra=1)), "no manifest"),
        (edited(lambda m: m["tracks"][0].update(rate=0)), "as long as"),
        (edited(lambda m: m.pop("stop")), "no manifest"),
        (replaced("gaps.jsonl", b"socket_down", b"socket_gone"), "differ"),
        (replaced("gaps.jsonl", b"{", b"["), "gaps.jsonl cannot be read"),
        (replaced("events.jsonl", b"timestamp_ms", b"timestamp"), "events.jsonl cannot be read"),
        (replaced("events.jsonl", b"{", b"[" * 100_000), "events.jsonl cannot be read"),
        (replaced("transcript.jsonl", b"World", b"Word"), "does not have the cues"),
        (replaced("transcript.jsonl", b'"start":0.0', b'"start":-1.0'), "outside"),
        (replaced("transcript.vtt", b"00.500", b"00.501"), "does not have the cues"),
        (replaced("transcript.srt", b"00,500", b"00,501"), "transcript.srt does not have the cues"),
        (replaced("chat.jsonl", b"message_id", b"message"), "chat.jsonl cannot be read"),
        (replaced("chat.jsonl", b'"raw":{', b'"raw":['), "chat.jsonl cannot be read"),
        (replaced("speakers.rttm", b"SPEAKER", b"SPEAKERS"), "speakers.rttm cannot be read"),
        (replaced("speakers.rttm", b"s%2Ftr", b"t%2Ftr"), "name the stream"),
        (replaced("speakers.rttm", b"0.000 0.400", b"0.300 0.100"), "ordered by time"),
        (replaced("speakers.rttm", b" 2 <NA>", b" 3 <NA>"), "without a track"),
        (replaced("speakers.rttm", b"0.200 0.500", b"0.200 0.801"), "within the recording"),
        (replaced("speakers.rttm", b"0.200 0.500", b"0.200 0.499"), "has 0.499 s of user 2"),
        (replaced("speakers.rttm", b"0.200 0.500", b"0.201 0.500"), "sound outside the turns"),
        (appended("speakers.rttm", TURN % (b"0.700", b"0.100")), "300 ms apart"),
        (appended("speakers.rttm", TURN % (b"0.500", b"0.400")), "300 ms apart"),
        (replaced("audio/user=1.wav", b"WAVE", b"WAVX"), "does not fit"),
        (replaced("audio/mixed.wav", b"\x40\x1f\x00\x00", b"\x00\x00\x00\x00"), "does not fit"),
        (lambda directory: (directory / "audio/user=1.wav").write_bytes(b"RIFF"), "44 bytes"),
    ],
)
def test_a_resealed_lie_is_found(tmp_path, edit, words):
    """Sums that fit do not help numbers that contradict the files or each other."""
    edit(make(tmp_path))
    reseal(tmp_path)
    assert any(words in problem for problem in verify(tmp_path).problems), verify(tmp_path).problems


def test_turns_of_nobody_are_found(tmp_path):
    """Zoom's own mix cannot say who spoke."""
    recording = opened(tmp_path)
    recording.write([packet(0, 0, None, AudioFormat("L16", 8000, 1, False)), end(1000)])
    recording.close()
    (tmp_path / "speakers.rttm").touch()
    assert any("without a track for each" in problem for problem in verify(tmp_path).problems)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_no_recording(tmp_path, content):
    """A directory without a manifest, or with something else by that name, is answered with a sentence."""
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    report = verify(tmp_path)
    assert not report.ok
    assert report.summary == "no readable manifest"
    assert not verify(tmp_path / "nowhere").ok
    assert msgspec.json.encode(report.problems)


def test_numbers_that_cannot_be_are_problems(tmp_path):
    """A sealed manifest with an enormous number is a wrong recording, not a failure of the check."""
    recording = make(tmp_path / "r")
    manifest = orjson.loads((recording / "manifest.json").read_bytes())
    manifest["tracks"][0]["present_secs"] = 1e308
    (recording / "manifest.json").write_bytes(orjson.dumps(manifest))
    reseal(recording)
    assert any("cannot be" in problem for problem in verify(recording).problems)
