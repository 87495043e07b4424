"""A whole daemon with a disk and a bucket."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import s3_servers
from bucket_bench import files, in_bucket, options, until, uploaded
from fast_time import FastClock, run_fast
from faulty_proxy import FaultyProxy, no_fault
from running_daemon import finished, manifest, running, webhook_url

from rtmsd.recording import verify
from rtmsd.simulator import Simulator, default_meeting
from rtmsd_s3 import S3Options

SPEED = 6.0
OUTAGE_SECS = 60.0

SINK = """
[[sinks]]
name = "bucket"
type = "s3"
directory = "{spool}"
url = "{url}"
endpoint = "{endpoint}"
region = "us-east-1"
access_key_id = "{access_key}"
secret_access_key = {{ file = "{secret}" }}
batch_ms = 50
[sinks.tags]
team = "research"
"""


def configured(chosen: S3Options, tmp: Path) -> str:
    secret = tmp / "secret"
    secret.write_text(s3_servers.SECRET_KEY)
    secret.chmod(0o600)
    return SINK.format(
        spool=chosen.directory,
        url=chosen.url,
        endpoint=chosen.endpoint,
        access_key=chosen.access_key_id,
        secret=secret,
    )


async def outage(tmp: Path, server_port: int) -> None:
    """Play a meeting of 50 s; the bucket goes before it begins and is back after 60 s, the daemon restarts in between."""
    clock = FastClock(SPEED)
    async with (
        Simulator(meeting=default_meeting(50.0), directory=tmp / "zoom", clock=clock) as zoom,
        FaultyProxy(server_port).running() as proxy,
        asyncio.TaskGroup() as tasks,
    ):
        chosen = options(tmp, proxy.port)
        after = configured(chosen, tmp)
        began = clock.monotonic()
        proxy.fault = lambda request: "drop"
        async with running(zoom, tmp, after=after, clock=clock) as ready:
            playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await asyncio.sleep(20.0)
        async with running(zoom, tmp, after=after, clock=clock):
            recording = await finished_in_time(tmp)
            playing.cancel()
            await asyncio.sleep(began + OUTAGE_SECS - clock.monotonic())
            assert any(path.name == "SHA256SUMS" for path in (tmp / "spool").rglob("*"))
            directly = replace(chosen, endpoint=f"http://127.0.0.1:{server_port}")
            assert await in_bucket(directly) == {}
            proxy.fault = no_fault
            await until(lambda: uploaded(chosen), secs=60 * SPEED)
        stored = await in_bucket(chosen)
    key = recording.relative_to(tmp / "recordings").as_posix()
    assert stored == {f"{key}/{name}": data for name, data in files(recording).items()}
    about = manifest(recording)
    assert about["completeness"] == 1.0 and len(about["tracks"]) >= 2
    assert verify(recording).problems == []
    assert len(stored) <= 12 + len(about["tracks"])


async def finished_in_time(tmp: Path) -> Path:
    async with asyncio.timeout(60 * SPEED):
        while True:
            try:
                return await finished(tmp)
            except TimeoutError:
                continue


@pytest.mark.parametrize("server", ["moto_port", "rclone_port"])
def test_a_minute_without_the_bucket(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> None:
    """With a restart in that minute: nothing is lost, and the bucket has, byte by byte, what the disk has."""
    run_fast(outage(tmp_path, request.getfixturevalue(server)), SPEED)
