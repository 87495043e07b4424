"""Look for a frame in the files of a recording, as they are on the disk."""

from __future__ import annotations

import json
import wave
from pathlib import Path

from rtmsd.api import AudioFrame, ChatFrame, Frame, ShareFrame, VideoFrame


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
