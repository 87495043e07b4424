"""Films and tables made of a recording, read by others."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from ffmpeg_judge import ffmpeg, needs_ffmpeg, probe
from recording_samples import INFO, RATE, ZERO, end, opened, packet, phrase, picture, shared

from rtmsd.cli import main
from rtmsd.errors import RecordingError
from rtmsd.recording import FilePlan, Recording, verify
from rtmsd.recording.mux import is_key, mux
from rtmsd.recording.parquet import write_parquet

SECS = 4
FPS = 10


def pictures_of(codec: str) -> list[bytes]:
    """Some seconds of a moving test picture, a piece for each frame."""
    source = f"testsrc=size=160x120:rate={FPS}:duration={SECS}"
    if codec == "H264":
        options = [
            "-c:v",
            "libx264",
            "-bf",
            "0",
            "-g",
            "15",
            "-pix_fmt",
            "yuv420p",
            "-x264-params",
            "aud=1:slices=1",
        ]
        data = ffmpeg("-f", "lavfi", "-i", source, *options, "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-")
        mark = b"\0\0\0\1\x09"  # an access unit begins with its delimiter
    else:
        encoder = {"JPG": "mjpeg", "PNG": "png"}[codec]
        data = ffmpeg("-f", "lavfi", "-i", source, "-c:v", encoder, "-f", "image2pipe", "-")
        mark = {"JPG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n"}[codec]
    found = [mark + part for part in data.split(mark)[1:]]
    assert len(found) == SECS * FPS
    return found


def film_of(directory: Path, codec: str, plan: FilePlan, first: int = 0) -> Path:
    """A recording with a tone and those pictures, each a second later than the sound."""
    make = picture if codec == "H264" else shared
    tone = (8000 * np.sin(np.arange(RATE) * 440 * 2 * np.pi / RATE)).astype("<i2").tobytes()
    recording = Recording.open(directory, INFO, version="0.1.0", plan=plan)
    recording.write([packet(1, at, tone) for at in range(0, SECS * 1000, 1000)])
    for number, data in enumerate(pictures_of(codec)[first:], first):
        frame = make(7, 1000 + number * 1000 // FPS, 10)
        form = msgspec.structs.replace(frame.format, codec=codec)
        recording.write([msgspec.structs.replace(frame, data=data, format=form)])
    recording.write([phrase(1, 0, 900, "Hi"), end(SECS * 1000 + 1000)])
    recording.close()
    assert verify(directory).problems == []
    return directory


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["H264", "JPG", "PNG"])
@pytest.mark.parametrize("plan", [FilePlan(), FilePlan("flac", 1)], ids=["wav", "flac-1"])
def test_a_film(tmp_path, codec, plan):
    """Every picture is there at its time, with the sound, and ffprobe and ffmpeg read it without complaint."""
    film_of(tmp_path / "r", codec, plan)
    out = tmp_path / "film.mp4"
    done = CliRunner().invoke(main, ["mux", str(tmp_path / "r"), "--output", str(out)])
    assert (done.exit_code, "with the mix of all sound" in done.output) == (0, True), done.output
    shown = probe(out, "-select_streams", "v", "-count_frames")
    assert (shown["codec_name"], shown["width"], shown["height"]) == ("h264", 160, 120)
    assert int(shown["nb_read_frames"]) == SECS * FPS
    assert abs(float(shown["start_time"]) - 1) < 0.05
    assert probe(out, "-select_streams", "a")["codec_name"] == "aac"
    heard = np.frombuffer(ffmpeg("-i", out, "-map", "0:a", "-f", "s16le", "-"), "<i2").astype(float)
    assert abs(len(heard) / RATE - SECS - 1) < 0.3
    spectrum = np.abs(np.fft.rfft(heard[RATE : 2 * RATE]))
    assert abs(int(np.argmax(spectrum)) - 440) <= 1
    assert verify(tmp_path / "r").ok


@needs_ffmpeg
def test_a_film_begins_with_a_whole_picture(tmp_path):
    """Pictures that need one from before the recording are left out."""
    film_of(tmp_path / "r", "H264", FilePlan(), first=4)
    assert mux(tmp_path / "r", tmp_path / "film.mp4").pictures == SECS * FPS - 15
    keys = [is_key(data) for data in pictures_of("H264")]
    assert [number for number, key in enumerate(keys) if key] == [0, 15, 30]


def test_films_that_cannot_be(tmp_path):
    """Without such pictures, without a recording, or into the recording itself: a sentence."""
    recording = opened(tmp_path / "r")
    recording.write([packet(1, 0), picture(5, 0), end(1000)])
    recording.close()
    for directory, out, options, words in (
        (tmp_path / "r", tmp_path / "x.mp4", {"media": "share"}, "it has: video of user 5"),
        (tmp_path / "r", tmp_path / "r/x.mp4", {}, "must not be in the recording"),
        (tmp_path, tmp_path / "elsewhere.mp4", {}, "must not be"),
    ):
        with pytest.raises(RecordingError, match=words):
            mux(directory, out, **options)
    (tmp_path / "none").mkdir()
    with pytest.raises(RecordingError, match="complete recording"):
        mux(tmp_path / "none", tmp_path / "x.mp4")
    [index] = (tmp_path / "r" / "video").glob("*.jsonl")
    index.write_bytes(b"damaged" + index.read_bytes())
    with pytest.raises(RecordingError, match="complete recording"):
        mux(tmp_path / "r", tmp_path / "x.mp4")


@pytest.mark.parametrize(("library", "call"), [("av", mux), ("pyarrow", write_parquet)])
def test_without_the_library(tmp_path, monkeypatch, library, call):
    """Where the extra is not installed, the sentence says which one it is."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RecordingError, match="pip install"):
        call(tmp_path / "r", tmp_path / "out")


def test_tables(tmp_path):
    """Segments hold what was said as it stands, words divide it, and both can be read by whoever reads Parquet."""
    recording = opened(tmp_path / "r")
    wrong = phrase(1, 1000, 2000, "Wrod")
    corrected = msgspec.structs.replace(wrong, text="Word", operation="update")
    recording.write([packet(1, 0), phrase(2, 0, 900, "Hello dear friends"), wrong, corrected, end(3000)])
    recording.close()
    done = CliRunner().invoke(main, ["parquet", str(tmp_path / "r"), "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    segments = pyarrow.parquet.read_table(tmp_path / "out/segments.parquet").to_pylist()
    words = pyarrow.parquet.read_table(tmp_path / "out/words.parquet").to_pylist()
    assert [(row["user_id"], row["start"], row["text"]) for row in segments] == [
        (2, 0.0, "Hello dear friends"),
        (1, 1.0, "Word"),
    ]
    assert segments[0]["started_at"].timestamp() == ZERO / 1000
    assert [(row["segment"], row["word"], row["text"], row["estimated"]) for row in words] == [
        (0, 0, "Hello", True),
        (0, 1, "dear", True),
        (0, 2, "friends", True),
        (1, 0, "Word", True),
    ]
    assert [round(row["end"], 4) for row in words[:3]] == [0.2812, 0.5062, 0.9]
    assert {row["stream_id"] for row in words} == {INFO.stream_id}
    with pytest.raises(RecordingError, match="must not be"):
        write_parquet(tmp_path / "r", tmp_path / "r/out")
    assert verify(tmp_path / "r").ok
