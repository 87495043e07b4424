"""What Zoom revokes is deleted from the spool and from the bucket, whenever it comes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import s3_servers
from bucket_bench import (
    INFO,
    KEY,
    ZERO,
    amazons_client,
    files,
    in_bucket,
    meeting,
    options,
    record,
    s3_sink,
    stream,
    until,
    uploaded,
)
from faulty_proxy import FaultyProxy, no_fault
from structlog.testing import capture_logs

from rtmsd.api import SinkError
from rtmsd_s3.bucket import Stored
from rtmsd_s3.revocation import tombstone

NOTE = f"{KEY}/tombstone.json"


async def test_after_the_upload(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Only a tombstone is left, which says what was deleted; twice is once; the other stream is not touched."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await record(sink, stream("other"), meeting(seed=1))
        await until(lambda: uploaded(chosen))
        before = await in_bucket(chosen)
        await sink.purge(INFO)
        after = await in_bucket(chosen)
        await sink.purge(INFO)
        await until(lambda: uploaded(chosen))
        assert await in_bucket(chosen) == after
    assert after.keys() == {NOTE, *(key for key in before if "stream=other" in key)}
    note = json.loads(after[NOTE])
    deleted = {one["key"]: one["bytes"] for one in note["objects"]}
    assert deleted == {key: len(data) for key, data in before.items() if key.startswith(KEY)}
    assert (note["stream_id"], note["why"]) == (INFO.stream_id, "revoked")
    assert "named no versions" in note["versions"]
    assert "Ann" not in after[NOTE].decode() and "Good morning" not in after[NOTE].decode()


async def test_what_a_versioned_bucket_keeps(tmp_path: Path, moto_port: int) -> None:
    """The tombstone names every version that can still be read, and the log says so."""
    client = amazons_client(moto_port)
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    chosen = options(tmp_path, moto_port, url="s3://versioned")
    with capture_logs() as said:
        async with s3_sink(chosen, tmp_path) as sink:
            await record(sink, INFO, meeting())
            await until(lambda: uploaded(chosen))
            await sink.purge(INFO)
    note = json.loads((await in_bucket(chosen))[NOTE])
    assert note["objects"] and "can be read" in note["versions"]
    for one in note["objects"]:
        kept = client.get_object(Bucket="versioned", Key=one["key"], VersionId=one["version"])
        assert kept["ContentLength"] == one["bytes"]
    [warning] = [one for one in said if one["log_level"] == "warning"]
    assert warning["versions"] == len(note["objects"]) and warning["tombstone"].endswith("tombstone.json")


async def test_while_it_is_uploaded(tmp_path: Path, proxy: FaultyProxy) -> None:
    """An upload that is under way is broken off, and nothing of it comes after."""
    chosen = options(tmp_path, proxy.port)
    proxy.fault = lambda request: "delay" if request.method == "PUT" else None
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: sum(method == "PUT" for method, *_ in proxy.seen) >= 3)
        await sink.purge(INFO)
        await asyncio.sleep(2 * proxy.delay_secs)
        await until(lambda: uploaded(chosen))
        assert (await in_bucket(chosen)).keys() == {NOTE}
        with pytest.raises(SinkError, match="deleted on request"):
            await record(sink, INFO, meeting())


async def test_in_an_outage_and_after_a_restart(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Purge says that the bucket refused; the deletion is done by the next process, without being asked again."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
        proxy.fault = lambda request: "503"
        with pytest.raises(SinkError, match="SlowDown"):
            await sink.purge(INFO)
    assert files(tmp_path / "spool").keys() == {NOTE}
    proxy.fault = no_fault
    assert len(await in_bucket(chosen)) > 5
    async with s3_sink(chosen, tmp_path):
        await until(lambda: uploaded(chosen))
    assert (await in_bucket(chosen)).keys() == {NOTE}


async def test_before_anything_came(tmp_path: Path, proxy: FaultyProxy) -> None:
    """A tombstone stands in the bucket, and what comes then is not kept."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        await sink.purge(INFO)
        with pytest.raises(SinkError):
            await record(sink, INFO, meeting())
    assert json.loads((await in_bucket(chosen))[NOTE])["objects"] == []


async def test_long_after(tmp_path: Path, proxy: FaultyProxy) -> None:
    """It is found again when the spool has forgotten it, also under the date of a start that a failover told later."""
    chosen, late = options(tmp_path, proxy.port), stream(started_ms=ZERO + 20 * 3_600_000)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
    for path in sorted((tmp_path / "spool").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    async with s3_sink(chosen, tmp_path) as sink:
        await sink.purge(late)
    home = KEY.replace("2026-11-18", "2026-11-19")
    left = await in_bucket(chosen)
    assert left.keys() == {NOTE, f"{home}/tombstone.json"}
    assert json.loads(left[NOTE])["objects"]


async def test_objects_that_cannot_be_deleted(tmp_path: Path, proxy: FaultyProxy) -> None:
    """A store that says yes and deletes nothing is found out, and told."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
        proxy.fault = lambda request: "500" if request.query_string.startswith("delete") else None
        with pytest.raises(SinkError, match="500"):
            await sink.purge(INFO)
        proxy.fault = no_fault
        await until(lambda: uploaded(chosen))
    assert (await in_bucket(chosen)).keys() == {NOTE}
    assert s3_servers.SECRET_KEY not in repr(chosen)


@pytest.mark.parametrize(
    "earlier", [b"", b"null", b"[]", b"{}", b"\xff", b'{"objects": [7]}', b'{"objects": 7}']
)
def test_a_tombstone_that_is_none(earlier: bytes) -> None:
    """What somebody else wrote under that name is replaced, and nothing breaks."""
    note = json.loads(tombstone(b'{"stream_id": "x"}', earlier, [Stored("a", 5, None, "v1")]))
    assert note["stream_id"] == "x"
    assert note["objects"] == [{"key": "a", "bytes": 5, "version": "v1"}]


def test_a_tombstone_is_continued() -> None:
    """What an earlier attempt deleted stays in the note, and its time."""
    first = tombstone(b'{"stream_id": "x", "deleted_ms": 1}', None, [Stored("a", 5, None)])
    again = json.loads(tombstone(b'{"stream_id": "x", "deleted_ms": 2}', first, [Stored("b", 6, None)]))
    assert [one["key"] for one in again["objects"]] == ["a", "b"] and again["deleted_ms"] == 1
    assert tombstone(b"{}", first, []) == first
