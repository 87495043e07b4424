"""What an upload costs in memory."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import s3_servers
from bucket_bench import PLACE, options, stream

from rtmsd.api.recording import recording_directory

MIB = 2**20
LARGE = 100 * MIB


async def test_a_large_upload_is_not_held_in_memory(tmp_path: Path, moto_port: int) -> None:
    """While 100 MiB are uploaded a process holds at most 64 MiB more than when it had nothing to do."""
    chosen = options(tmp_path, moto_port)
    about = json.dumps({name: getattr(chosen, name) for name in ("directory", "url", "endpoint")})
    program = Path(__file__).with_name("s3_measured_process.py")
    directory = recording_directory(tmp_path / "spool", stream("large"))
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            program,
            about,
            s3_servers.ACCESS_KEY,
            s3_servers.SECRET_KEY,
            directory,
            str(LARGE),
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    idle, peak, uploaded = json.loads(out.splitlines()[-1])
    assert uploaded == [f"{PLACE}/stream=large/SHA256SUMS", f"{PLACE}/stream=large/audio/user=1.wav"]
    assert idle < peak <= idle + 64 * MIB, f"{idle / MIB:.0f} MiB idle, {peak / MIB:.0f} MiB at most"
