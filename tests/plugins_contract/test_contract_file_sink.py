"""Our own file sink keeps the contract that others' sinks are held to."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from recorded_frames import count
from small_disk import largest_file

from rtmsd.api import Frame, StreamInfo
from rtmsd.api.testing import SCENARIOS, check_sink
from rtmsd_file import FileOptions, rtmsd_sink_types


def recording_of(stream: StreamInfo, root: Path) -> tuple[Path, int] | None:
    """Find a finished recording by what its manifest says: the directory and the time of sample 0."""
    for manifest in root.rglob("manifest.json"):
        about = json.loads(manifest.read_text())
        if about["stream_id"] == stream.stream_id:
            return manifest.parent, about["zero_ms"]
    return None


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
        outage=partial(largest_file, 1),
        unusable=FileOptions(directory=str(tmp_path / "file" / "recordings")),
    )
    assert report.played == tuple(SCENARIOS)
