"""A made-up meeting, sinks that record it, and what then is in the bucket."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import s3_servers

import rtmsd_file
import rtmsd_s3
from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    Event,
    Item,
    Secret,
    Sink,
    SinkContext,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
)
from rtmsd.api.recording import Layout, recording_directory
from rtmsd_s3 import S3Options
from rtmsd_s3.bucket import Bucket

ZERO = 1_795_000_000_000
PLACE = "date=2026-11-18/meeting=9"
_FORM = AudioFormat("L16", 16_000, 1, True)
_PREFIXES = itertools.count()


def stream(stream_id: str = "st/1+A==", started_ms: int = ZERO) -> StreamInfo:
    return StreamInfo(
        app="a",
        product="meeting",
        stream_id=stream_id,
        meeting_uuid="u",
        meeting_id="9",
        started_ms=started_ms,
    )


INFO = stream()
KEY = f"{PLACE}/stream=st%2F1%2BA%3D%3D"


def meeting(*, people: int = 2, secs: int = 2, seed: int = 0) -> list[list[Item]]:
    """Make batches: everybody speaks for all of the time, and the meeting ends."""
    chance = random.Random(seed)
    batches: list[list[Item]] = [[Event("participant_joined", ZERO, 1, "Ann")]]
    for at in range(0, secs * 1000, 500):
        batches.append(
            [
                AudioFrame(user, f"Person {user}", ZERO + at, chance.randbytes(16_000), _FORM)
                for user in range(1, people + 1)
            ]
        )
    phrase = TranscriptFrame(1, "Ann", ZERO + 900, ZERO + 100, ZERO + 900, "Good morning.", language=9)
    return [*batches, [phrase], [StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO + secs * 1000)]]


def options(tmp: Path, port: int, **more: Any) -> S3Options:
    """Options for a server on this machine; every call has a prefix of its own."""
    chosen: dict[str, Any] = {
        "directory": str(tmp / "spool"),
        "url": f"s3://{s3_servers.BUCKET}/run-{port}-{next(_PREFIXES)}-{random.getrandbits(32):x}",
        "endpoint": f"http://127.0.0.1:{port}",
        "region": "us-east-1",
        "access_key_id": s3_servers.ACCESS_KEY,
        "secret_access_key": Secret(s3_servers.SECRET_KEY),
    }
    return S3Options(**chosen | more)


def context(tmp: Path) -> SinkContext:
    return SinkContext(name="archive", version="0.1.0", state_dir=tmp / "state")


def s3_sink(chosen: S3Options, tmp: Path) -> Any:  # a Sink; tests look into it
    [kind] = rtmsd_s3.rtmsd_sink_types()
    return kind.build(chosen, context(tmp))


def file_sink(tmp: Path) -> Sink:
    [kind] = rtmsd_file.rtmsd_sink_types()
    return kind.build(rtmsd_file.FileOptions(directory=str(tmp / "disk")), context(tmp))


async def record(sink: Sink, info: StreamInfo, batches: Sequence[Sequence[Item]]) -> None:
    async with sink.open(info, 0) as writer:
        for batch in batches:
            await writer.write(batch)


async def on_disk(tmp: Path, info: StreamInfo, batches: Sequence[Sequence[Item]]) -> dict[str, bytes]:
    """Record the same with the file sink; give its files."""
    async with file_sink(tmp) as sink:
        await record(sink, info, batches)
    return files(recording_directory(tmp / "disk", info, Layout(rtmsd_file.FileOptions.layout)))


def files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".rtmsd-spool"
    }


async def in_bucket(chosen: S3Options) -> dict[str, bytes]:
    """Read all that the bucket has, by another client than the sink's."""
    bucket = Bucket(chosen)
    found = {}
    for each in await bucket.list(""):
        data = await bucket.read(each.key, limit_bytes=2**30)
        assert data is not None
        found[each.key] = data
    return found


async def until(done: Callable[[], Any], *, secs: float = 30.0) -> None:
    """Wait until something is so; it may be awaited."""
    async with asyncio.timeout(secs):
        while True:
            answer = done()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


def amazons_client(port: int) -> Any:  # boto3 makes its methods at run time
    """Connect Amazon's own client to moto, which takes any credentials."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        region_name="us-east-1",
    )


def uploaded(chosen: S3Options) -> bool:
    """Say whether nothing in the spool waits any more."""
    ends = [path for name in ("SHA256SUMS", "tombstone.json") for path in Path(chosen.directory).rglob(name)]
    return bool(ends) and all((path.parent / "uploaded.json").exists() for path in ends)
