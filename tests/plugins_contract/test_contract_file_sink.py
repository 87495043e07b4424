"""Our own file sink keeps the contract that others' sinks are held to."""

from __future__ import annotations

import json
import resource
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtmsd.api import AudioFrame, ChatFrame, Frame, ShareFrame, StreamInfo, VideoFrame
from rtmsd.api.testing import SCENARIOS, check_sink
from rtmsd_file import FileOptions, rtmsd_sink_types


def recording_of(stream: StreamInfo, root: Path) -> tuple[Path, int] | None:
    """Find a finished recording by what its manifest says: the directory and the time of sample 0."""
    for manifest in root.rglob("manifest.json"):
        about = json.loads(manifest.read_text())
        if about["stream_id"] == stream.stream_id:
            return manifest.parent, about["zero_ms"]
    return None


def lines_with(path: Path, **values: object) -> int:
    lines = map(json.loads, path.read_text().splitlines() if path.exists() else [])
    return sum(all(line[key] == value for key, value in values.items()) for line in lines)


def pictures_with(directory: Path, frame: VideoFrame | ShareFrame) -> int:
    kind, suffix = ("video", "h264") if isinstance(frame, VideoFrame) else ("share", "mjpeg")
    path = directory / kind / f"user={frame.user_id}.{suffix}"
    if not path.exists():
        return 0
    data, index = path.read_bytes(), path.with_name(f"{path.name}.jsonl").read_text()
    spans = [(line["offset"], line["bytes"]) for line in map(json.loads, index.splitlines())]
    return sum(data[at : at + size] == frame.data for at, size in spans)


def count(directory: Path, zero_ms: int, frame: Frame) -> int:
    """Say how often a frame is in a recording: its samples at their place, its line in the transcript, chat or index."""
    if isinstance(frame, ChatFrame):
        return lines_with(directory / "chat.jsonl", message_id=frame.message_id)
    if isinstance(frame, VideoFrame | ShareFrame):
        return pictures_with(directory, frame)
    if not isinstance(frame, AudioFrame):
        return lines_with(directory / "transcript.jsonl", start_ms=frame.start_ms, text=frame.text)
    path = directory / "audio" / f"user={frame.user_id}.wav"
    if not path.exists():
        return 0
    with wave.open(str(path)) as track:
        start = (frame.timestamp_ms - zero_ms) * 16
        if start >= track.getnframes():
            return 0
        track.setpos(start)
        return int(track.readframes(len(frame.data) // 2) == frame.data)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_the_file_sink_keeps_the_contract(tmp_path: Path) -> None:
    """Every scenario, with everything asked for: read back, full disk, a directory that cannot be one."""
    [kind] = rtmsd_sink_types()
    root = tmp_path / "recordings"
    (tmp_path / "file").touch()

    def read_back(stream: StreamInfo, frame: Frame) -> int:
        found = recording_of(stream, root)
        return count(*found, frame) if found else 0

    report = await check_sink(
        kind,
        FileOptions(directory=str(root), media=("audio", "transcript", "chat", "video", "share")),
        tmp_path=tmp_path,
        read_back=read_back,
        outage=full_disk,
        unusable=FileOptions(directory=str(tmp_path / "file" / "recordings")),
    )
    assert report.played == tuple(SCENARIOS)
