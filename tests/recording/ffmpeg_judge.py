"""ffmpeg as the judge of files that we write: it has never seen our code, and everybody plays with it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None,
    reason="needs Debian's ffmpeg (apt install ffmpeg), the judge of the files",
)


def ffmpeg(*arguments: str | Path, given: bytes | None = None) -> bytes:
    """Run it quietly; an error that it reports is a failure, also one that it goes on after."""
    command = ["ffmpeg", "-nostdin", "-v", "error", *map(str, arguments)]
    if given is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, ""), command
    return done.stdout


def probe(path: Path, *arguments: str) -> dict[str, Any]:
    """The first stream of a file, as ffprobe sees it."""
    shown = ["-show_entries", "stream", "-of", "json", *arguments]
    done = subprocess.run(["ffprobe", "-v", "error", *shown, str(path)], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, ""), path
    (stream,) = json.loads(done.stdout)["streams"]
    return stream


def sound(codec: str, *, rate: int, channels: int, secs: float, hertz: int = 440) -> bytes:
    """A tone in a codec of ffmpeg's, as the bytes alone; for "libopus" as an Ogg file."""
    container = {"libopus": "ogg", "g722": "g722", "pcm_alaw": "alaw", "pcm_s16le": "s16le"}[codec]
    source = f"sine=frequency={hertz}:sample_rate={rate}:duration={secs},volume=3"
    made = ["-c:a", codec, "-ac", str(channels), "-f", container]
    return ffmpeg("-f", "lavfi", "-i", source, *made, "-bitexact", "-")


def decoded(path: Path, *arguments: str) -> np.ndarray:
    """All samples of a sound file, one row for each channel's."""
    channels = int(probe(path)["channels"])
    data = ffmpeg(*arguments, "-i", path, "-f", "s16le", "-")
    return np.frombuffer(data, "<i2").reshape(-1, channels)
