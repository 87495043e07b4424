"""The S3 sink keeps the contract that others' sinks are held to."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from bucket_bench import options
from recorded_frames import count
from small_disk import largest_file

from rtmsd.api import Frame, StreamInfo
from rtmsd.api.recording import recording_directory
from rtmsd.api.testing import SCENARIOS, check_sink
from rtmsd_s3 import S3Options, rtmsd_sink_types
from rtmsd_s3.bucket import Bucket


class Reader:
    """Finds a recording where the sink has it at the moment: finished in the spool, or in the bucket."""

    def __init__(self, chosen: S3Options, cache: Path) -> None:
        self._spool = Path(chosen.directory)
        self._options = chosen
        self._cache = cache

    def __call__(self, stream: StreamInfo, frame: Frame) -> int:
        there = recording_directory(self._spool, stream)
        if not (there / "manifest.json").exists() or (there / "uploaded.json").exists():
            there = self._downloaded(there)
        if not (there / "manifest.json").exists():
            return 0
        zero_ms = json.loads((there / "manifest.json").read_text())["zero_ms"]
        return count(there, zero_ms, frame)

    def _downloaded(self, spooled: Path) -> Path:
        """Fetch it once it was uploaded, and look each time when it was not, or was deleted."""
        into = self._cache / spooled.name
        if not (spooled / "SHA256SUMS").exists() or not (into / "SHA256SUMS").exists():
            into = into if (spooled / "SHA256SUMS").exists() else into.with_name(spooled.name + " deleted")
            key = spooled.relative_to(self._spool).as_posix()
            Bucket(replace(self._options, url=f"{self._options.url}/{key}")).download(into)
        return into


async def test_the_s3_sink_keeps_the_contract(tmp_path: Path, server_port: int) -> None:
    """Every scenario, with a real server behind it; a frame may be read from the spool or from the bucket."""
    [kind] = rtmsd_sink_types()
    chosen = options(tmp_path, server_port)
    report = await check_sink(
        kind,
        chosen,
        tmp_path=tmp_path,
        read_back=Reader(chosen, tmp_path / "downloaded"),
        outage=partial(largest_file, 1),
        unusable=replace(chosen, url="s3://no-such-bucket"),
    )
    assert report.played == tuple(SCENARIOS)
