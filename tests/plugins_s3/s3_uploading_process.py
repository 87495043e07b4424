"""Uploads what is in a spool until it is killed, or until nothing is left: options, access key, secret key."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import rtmsd_s3
from rtmsd.api import Secret, SinkContext
from rtmsd_s3 import S3Options


async def main() -> None:
    about, access_key, secret_key = sys.argv[1:]
    options = S3Options(
        **json.loads(about),
        region="us-east-1",
        access_key_id=access_key,
        secret_access_key=Secret(secret_key),
    )
    [kind] = rtmsd_s3.rtmsd_sink_types()
    with tempfile.TemporaryDirectory() as state:
        context = SinkContext(name="archive", version="0.1.0", state_dir=Path(state))
        async with kind.build(options, context):
            spool = Path(options.directory)
            while any(not (path.parent / "uploaded.json").exists() for path in spool.rglob("SHA256SUMS")):
                await asyncio.sleep(0.02)


asyncio.run(main())
