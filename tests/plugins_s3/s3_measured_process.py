"""Prints what this process holds when idle, and at most while it uploads a large file: bytes, bytes, names of objects.

Arguments: options, access key, secret key, the directory of a recording to be made, and how large.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

import rtmsd_s3
from rtmsd.api import Secret, SinkContext
from rtmsd_s3 import S3Options
from rtmsd_s3.bucket import Bucket


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def make_recording(directory: Path, size: int) -> None:
    path = directory / "audio" / "user=1.wav"
    path.parent.mkdir(parents=True)
    whole = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // 2**20):
            data = os.urandom(2**20)
            whole.update(data)
            file.write(data)
    (directory / "SHA256SUMS").write_text(f"{whole.hexdigest()}  audio/user=1.wav\n")


async def main() -> None:
    about, access_key, secret_key, directory, size = sys.argv[1:]
    options = S3Options(
        **json.loads(about),
        region="us-east-1",
        access_key_id=access_key,
        secret_access_key=Secret(secret_key),
    )
    [kind] = rtmsd_s3.rtmsd_sink_types()
    context = SinkContext(name="archive", version="0.1.0", state_dir=Path(options.directory))
    sink = kind.build(options, context)
    async with sink:
        await sink.check()
        idle = peak = resident()
        make_recording(Path(directory), int(size))
        sink._uploader.wake()
        async with asyncio.timeout(60):
            while not (Path(directory) / "uploaded.json").exists():
                peak = max(peak, resident())
                await asyncio.sleep(0.002)
    print(json.dumps([idle, peak, [each.key for each in await Bucket(options).list("")]]))


asyncio.run(main())
