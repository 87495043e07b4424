"""A bucket that is slow, busy, broken or gone, and a process that is killed: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import s3_servers
from aiohttp import web
from bucket_bench import (
    INFO,
    KEY,
    PLACE,
    amazons_client,
    files,
    in_bucket,
    meeting,
    on_disk,
    options,
    record,
    s3_sink,
    stream,
    until,
    uploaded,
)
from faulty_proxy import FaultyProxy, no_fault
from structlog.testing import capture_logs

from rtmsd.api import Secret, SinkError
from rtmsd_s3.fingerprint import PART_BYTES


def now_and_then(seed: int, *faults: str) -> Callable[[web.Request], str | None]:
    chance = random.Random(seed)
    return lambda request: chance.choice(faults) if chance.random() < 0.3 else None


@pytest.mark.parametrize(
    "kinds", [("drop",), ("drop after",), ("500", "503"), ("delay",), ("drop", "drop after", "500", "503")]
)
async def test_faults_now_and_then(tmp_path: Path, proxy: FaultyProxy, kinds: tuple[str, ...]) -> None:
    """Whatever goes wrong with three of ten requests, in the end the bucket has what the disk has."""
    chosen, batches = options(tmp_path, proxy.port), meeting()
    expected = await on_disk(tmp_path, INFO, batches)
    proxy.fault = now_and_then(len(kinds), *kinds)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, batches)
        await until(lambda: uploaded(chosen), secs=60)
    assert any(one[3] for one in proxy.seen)
    proxy.fault = no_fault
    assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}


async def test_a_bit_that_flips_on_the_way(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Whether the server notices (rclone's) or not (moto's), what is changed on its way is sent again."""
    chosen, batches = options(tmp_path, proxy.port), meeting()
    expected = await on_disk(tmp_path, INFO, batches)
    flipped: list[web.Request] = []

    def flip_first(request: web.Request) -> str | None:
        if request.method == "PUT" and "mixed" in request.path and not flipped:
            flipped.append(request)
            return "flip"
        return None

    proxy.fault = flip_first
    with capture_logs() as said:
        async with s3_sink(chosen, tmp_path) as sink:
            await record(sink, INFO, batches)
            await until(lambda: uploaded(chosen))
    assert len(flipped) == 1
    assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}
    [alarm] = [one for one in said if one["log_level"] == "error"]
    assert "mixed.wav" in alarm["why"]


async def test_a_part_that_fails_is_sent_again_alone(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Of a large file the part that was refused is repeated, and not the others."""
    chosen, refused = options(tmp_path, proxy.port), []

    def refuse_second(request: web.Request) -> str | None:
        if request.query.get("partNumber") == "2" and len(refused) < 2:
            refused.append(request)
            return "503"
        return None

    batches = meeting(people=1, secs=400)
    expected = await on_disk(tmp_path, INFO, batches)
    assert len(expected["audio/user=1.wav"]) > PART_BYTES
    async with s3_sink(chosen, tmp_path) as sink:
        proxy.fault = refuse_second
        await record(sink, INFO, batches)
        await until(lambda: uploaded(chosen))
    sent = [
        query.partition("&")[0]
        for method, path, query, _ in proxy.seen
        if "mixed" in path and "partNumber" in query
    ]
    assert sorted(sent) == ["partNumber=1", *["partNumber=2"] * 3]
    assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}


async def test_a_file_that_is_given_up_is_cleared_away(tmp_path: Path, moto_port: int) -> None:
    """When a part is refused for good the others are removed from the bucket, and the file is sent again as a whole."""
    client = amazons_client(moto_port)
    async with FaultyProxy(moto_port).running() as proxy:
        chosen = options(tmp_path, proxy.port)
        proxy.fault = lambda request: "500" if request.query.get("partNumber") == "2" else None
        with capture_logs() as said:
            async with s3_sink(chosen, tmp_path) as sink:
                await record(sink, INFO, meeting(people=1, secs=300))
                await until(lambda: any(one["log_level"] == "error" for one in said))
    left = client.list_multipart_uploads(Bucket=s3_servers.BUCKET).get("Uploads", [])
    assert [one["Key"] for one in left if one["Key"].startswith(chosen.place.prefix)] == []


async def test_an_outage_with_a_restart_in_it(tmp_path: Path, proxy: FaultyProxy) -> None:
    """The bucket is gone from before the end until after a restart: one alarm, one word when it is over, all is there."""
    chosen, batches = options(tmp_path, proxy.port), meeting(people=3)
    expected = await on_disk(tmp_path, INFO, batches)
    proxy.fault = lambda request: "drop"
    with capture_logs() as said:
        async with s3_sink(chosen, tmp_path) as sink:
            await sink.check()
            await record(sink, INFO, batches)
            await until(lambda: any(one["log_level"] == "error" for one in said))
        async with s3_sink(chosen, tmp_path) as sink:
            await until(lambda: sum(one["log_level"] == "error" for one in said) == 2)
            await asyncio.sleep(0.5)
            assert not uploaded(chosen)
            proxy.fault = no_fault
            await until(lambda: uploaded(chosen))
            await until(lambda: said[-1]["event"] == "the bucket takes recordings again")
    alarms = [one for one in said if one["log_level"] == "error"]
    assert len(alarms) == 2 and "cannot be reached" in alarms[0]["why"]
    assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}
    assert len(expected) <= 12 + 3


async def test_killed_at_any_moment(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Kill -9 while it uploads, again and again: what is there is not sent again, and in the end there is all of it."""
    chosen = options(tmp_path, proxy.port)
    infos = [stream(f"s{number}") for number in range(4)]
    expected = {}
    for number, info in enumerate(infos):
        batches = meeting(seed=number)
        disk = await on_disk(tmp_path, info, batches)
        expected |= {f"{PLACE}/stream={info.stream_id}/{name}": data for name, data in disk.items()}
        proxy.fault = lambda request: "drop"
        async with s3_sink(chosen, tmp_path) as sink:
            await record(sink, info, batches)
    proxy.fault, proxy.delay_secs = lambda request: "delay", 0.03
    program = Path(__file__).with_name("s3_uploading_process.py")
    about = json.dumps({"directory": chosen.directory, "url": chosen.url, "endpoint": chosen.endpoint})
    for kill in range(6):
        before = len(proxy.seen)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            program,
            about,
            s3_servers.ACCESS_KEY,
            s3_servers.SECRET_KEY,
            stdout=asyncio.subprocess.DEVNULL,
        )
        while len(proxy.seen) <= before + 3 * kill and process.returncode is None:
            await asyncio.sleep(0.01)
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    proxy.fault = no_fault
    async with s3_sink(chosen, tmp_path):
        await until(lambda: uploaded(chosen))
    assert await in_bucket(chosen) == expected
    # A process that was killed may have sent what it had in hand, four recordings at a time, once more.
    puts = [path for method, path, _, _ in proxy.seen if method == "PUT"]
    assert len(puts) <= len(expected) + 6 * 4
    assert {Path(name).name for name in files(tmp_path / "spool")} == {
        "SHA256SUMS",
        "manifest.json",
        "uploaded.json",
    }


async def test_what_an_unfinished_recording_has_stays_here(tmp_path: Path, proxy: FaultyProxy) -> None:
    """A meeting that a restart interrupts is not uploaded before its end, and then as one recording."""
    chosen, batches = options(tmp_path, proxy.port), meeting()
    expected = await on_disk(tmp_path, INFO, batches)
    async with s3_sink(chosen, tmp_path) as sink:
        with pytest.raises(ZeroDivisionError):
            async with sink.open(INFO, 0) as writer:
                for batch in batches[:3]:
                    await writer.write(batch)
                raise ZeroDivisionError
        await asyncio.sleep(0.3)
        assert await in_bucket(chosen) == {}
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, batches[3:])
        await until(lambda: uploaded(chosen))
        with pytest.raises(SinkError, match="complete"):
            await record(sink, INFO, batches)
    assert (await in_bucket(chosen)).keys() == {f"{KEY}/{name}" for name in expected}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "s3://no-such-bucket/x"}, "there is no such bucket"),
        ({"access_key_id": "AKIDNOBODY"}, "correct|credentials|lack a right"),
        ({"secret_access_key": Secret("wrong-and-secret")}, "copy it again"),
    ],
)
async def test_check_says_what_to_do(
    tmp_path: Path, rclone_port: int, change: dict[str, object], sentence: str
) -> None:
    """A bucket that will never take anything is refused at the start, in a sentence without secrets."""
    async with s3_sink(options(tmp_path, rclone_port, **change), tmp_path) as sink:
        with pytest.raises(SinkError, match=sentence) as caught:
            await sink.check()
    assert "secret" not in str(caught.value).replace("secret key", "")


async def test_check_only_warns_of_an_outage(tmp_path: Path, proxy: FaultyProxy) -> None:
    """A daemon starts though the bucket is away just then: the spool takes what comes. It leaves nothing behind."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        for fault in ("drop", "503"):
            proxy.fault = lambda request, fault=fault: fault
            with capture_logs() as said:
                await sink.check()
            assert [one["log_level"] for one in said] == ["warning", "info"]
            assert "AbortIncompleteMultipartUpload" in said[1]["event"]
        proxy.fault = no_fault
        await sink.check()
    assert await in_bucket(chosen) == {}
