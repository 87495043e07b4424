"""What the file sink would write on disk stands in the bucket, byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import s3_servers
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
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from faulty_proxy import FaultyProxy, no_fault
from structlog.testing import capture_logs

from rtmsd.api import Secret, SinkError
from rtmsd.api.recording import verify
from rtmsd.cli import main
from rtmsd_s3 import S3Options
from rtmsd_s3.bucket import Bucket
from rtmsd_s3.fetching import open_recording
from rtmsd_s3.fingerprint import PART_BYTES, fingerprint, part_bytes


async def test_the_bucket_has_what_the_disk_has(tmp_path: Path, proxy: FaultyProxy) -> None:
    """Same names, same bytes, the seal last, at most 12 objects and one for each participant; the spool is empty then."""
    chosen, batches = options(tmp_path, proxy.port), meeting(people=5)
    expected = await on_disk(tmp_path, INFO, batches)
    async with s3_sink(chosen, tmp_path) as sink:
        await sink.check()
        await record(sink, INFO, batches)
        await until(lambda: uploaded(chosen))
    assert await in_bucket(chosen) == {f"{KEY}/{name}": data for name, data in expected.items()}
    puts = [path for method, path, _, _ in proxy.seen if method == "PUT"]
    assert puts[-2].endswith("/manifest.json") and puts[-1].endswith("/SHA256SUMS")
    assert len(expected) <= 12 + 5
    assert files(tmp_path / "spool").keys() == {
        f"{KEY}/{name}" for name in ("SHA256SUMS", "manifest.json", "uploaded.json")
    }


async def test_a_recording_is_verified_where_it_stands(tmp_path: Path, proxy: FaultyProxy) -> None:
    """`open_recording` gives a directory that `verify` accepts; where there is nothing, a sentence."""
    chosen = options(tmp_path, proxy.port)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
    about = {
        name: getattr(chosen, name) for name in ("endpoint", "region", "access_key_id", "secret_access_key")
    }

    def look() -> None:
        with open_recording(f"{chosen.url}/{KEY}", **about) as directory:
            report = verify(directory)
            assert report.ok, report.problems
        assert not directory.exists()
        with (
            pytest.raises(SinkError, match="there is nothing at"),
            open_recording(f"{chosen.url}/no", **about),
        ):
            pass

        told = CliRunner().invoke(main, ["verify", f"{chosen.url}/{KEY}"], env=environ(chosen))
        assert (told.exit_code, "intact" in told.output) == (0, True), told.output
        told = CliRunner().invoke(main, ["verify", f"{chosen.url}/no"], env=environ(chosen))
        assert (told.exit_code, "there is nothing at" in told.output) == (1, True), told.output

    await asyncio.to_thread(look)


def environ(chosen: S3Options) -> dict[str, str]:
    """What `rtmsd verify URL` finds its bucket by."""
    assert chosen.access_key_id is not None and chosen.secret_access_key is not None
    return {
        "AWS_ENDPOINT_URL": chosen.endpoint or "",
        "AWS_REGION": chosen.region or "",
        "AWS_ACCESS_KEY_ID": chosen.access_key_id,
        "AWS_SECRET_ACCESS_KEY": chosen.secret_access_key.reveal(),
    }


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5])
async def test_the_etag_is_foreseen(tmp_path: Path, server_port: int, size: int) -> None:
    """Files of one part and of several have the ETag that was computed here, or are read back where it is another."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    entry = fingerprint(path, Event())
    assert (entry.size, entry.sha256) == (size, hashlib.sha256(path.read_bytes()).hexdigest())
    bucket = Bucket(options(tmp_path, server_port))
    stored = await bucket.put("a/file", path, entry)
    assert entry.proven_by(stored.e_tag)
    [listed] = await bucket.list("a")
    assert await bucket.proves(listed, entry)
    other = replace(entry, sha256="0" * 64, e_tag="0" * 32)
    assert not await bucket.proves(listed, other)
    assert not await bucket.proves(None, entry)


def test_parts_of_huge_files() -> None:
    """No file has more parts than S3 takes, and parts are whole MiB."""
    for size in (0, PART_BYTES, 100 * 2**30, 5 * 2**40):
        each = part_bytes(size)
        assert each % 2**20 == 0 and each >= PART_BYTES and size / each <= 10_000


async def test_what_goes_with_an_object(tmp_path: Path, moto_port: int) -> None:
    """Storage class, encryption, tags, content type and the SHA-256 are on every object, also on those in parts."""
    tags = {"team": "research", "of": "ü/1"}
    chosen = options(
        tmp_path, moto_port, storage_class="STANDARD_IA", encryption="aws:kms", kms_key_id="key-1", tags=tags
    )
    (tmp_path / "large.wav").write_bytes(bytes(PART_BYTES + 1))
    bucket = Bucket(chosen)
    for name, size in (("large.wav", PART_BYTES + 1), ("small.json", 1)):
        (tmp_path / name).write_bytes(bytes(size))
        await bucket.put(name, tmp_path / name, fingerprint(tmp_path / name, Event()))
    client = amazons_client(moto_port)
    for name, kind in (("large.wav", "audio/x-wav"), ("small.json", "application/json")):
        key = f"{chosen.place.prefix}/{name}"
        about = client.head_object(Bucket=s3_servers.BUCKET, Key=key)
        assert (about["StorageClass"], about["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")
        assert about["SSEKMSKeyId"].endswith("key-1")
        assert about["ContentType"] == kind
        assert about["Metadata"] == {"sha256": hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}
        found = client.get_object_tagging(Bucket=s3_servers.BUCKET, Key=key)["TagSet"]
        assert {one["Key"]: one["Value"] for one in found} == tags


async def test_a_directory_can_be_the_bucket(tmp_path: Path) -> None:
    """file:// keeps the same, with the same names: ids with odd characters stay as they are in the spool."""
    chosen = S3Options(directory=str(tmp_path / "spool"), url=f"file://{tmp_path}/archive")
    batches = meeting()
    expected = await on_disk(tmp_path, INFO, batches)
    async with s3_sink(chosen, tmp_path) as sink:
        await sink.check()
        await record(sink, INFO, batches)
        await until(lambda: uploaded(chosen))
        assert files(tmp_path / "archive" / KEY) == expected
        await sink.purge(INFO)
    assert files(tmp_path / "archive").keys() == {f"{KEY}/tombstone.json"}


async def test_a_damaged_recording_is_not_uploaded(tmp_path: Path, proxy: FaultyProxy) -> None:
    """A file of the spool that is not what its seal says stays there, and the alarm says which; others are uploaded."""
    chosen = options(tmp_path, proxy.port)
    proxy.fault = lambda request: "500"
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await record(sink, stream("other"), meeting())
    damaged = tmp_path / "spool" / KEY / "audio" / "user=1.wav"
    data = bytearray(damaged.read_bytes())
    data[1000] ^= 1
    damaged.write_bytes(data)
    proxy.fault = no_fault
    with capture_logs() as said:
        async with s3_sink(chosen, tmp_path):
            await until(lambda: (tmp_path / "spool" / PLACE / "stream=other" / "uploaded.json").exists())
            await until(lambda: said)
    [alarm] = [one for one in said if one["log_level"] == "error"]
    assert "audio/user=1.wav does not have the SHA-256" in alarm["why"]
    assert damaged.read_bytes() == data
    seals = [key for key in await in_bucket(chosen) if key.endswith("SHA256SUMS")]
    assert seals == [f"{PLACE}/stream=other/SHA256SUMS"]


async def test_periods_are_uploaded_while_the_meeting_runs(tmp_path: Path, proxy: FaultyProxy) -> None:
    """With `minutes_per_file` the files of a period are in the bucket before the end, and are not sent again then."""
    chosen, batches = options(tmp_path, proxy.port, minutes_per_file=1), meeting(people=2, secs=240)
    async with s3_sink(chosen, tmp_path) as sink:
        async with sink.open(INFO, 0) as writer:
            for batch in batches[:-1]:
                await writer.write(batch)
            await until(lambda: in_bucket(chosen))
            first = {f"{KEY}/audio/user={user}.0001.wav" for user in (1, 2)}
            await until(lambda: holds(chosen, first))
            early = await in_bucket(chosen)
            assert all("/audio/" in key for key in early)
            await writer.write(batches[-1])
        await until(lambda: uploaded(chosen))
    stored = await in_bucket(chosen)
    assert early.items() <= stored.items()
    puts = [path for method, path, _, _ in proxy.seen if method == "PUT"]
    assert len(puts) == len(stored) == len(set(puts))
    periods, people = 4, 3  # the mix is somebody too
    assert len(stored) <= 12 + people * periods


async def holds(chosen: S3Options, keys: set[str]) -> bool:
    return keys <= {each.key for each in await Bucket(chosen).list("")}


async def test_what_a_crash_took_back_is_removed(tmp_path: Path, proxy: FaultyProxy) -> None:
    """What was uploaded early and is not of the recording in the end does not stay beside it."""
    chosen, batches = options(tmp_path, proxy.port), meeting()
    stray = f"{KEY}/audio/user=1.0001.wav"
    async with s3_sink(chosen, tmp_path) as sink:
        async with sink.open(INFO, 0) as writer:
            for batch in batches[:-1]:
                await writer.write(batch)
            piece = tmp_path / "spool" / stray
            await until(piece.parent.exists)
            piece.write_bytes(b"a piece")
            await until(lambda: holds(chosen, {stray}))
            piece.unlink()
            await writer.write(batches[-1])
        await until(lambda: uploaded(chosen))
    stored = await in_bucket(chosen)
    assert stray not in stored
    assert json.loads(stored[f"{KEY}/manifest.json"])["stream_id"] == INFO.stream_id


async def test_a_signed_recording(tmp_path: Path, proxy: FaultyProxy) -> None:
    """With `signing_key` the signature goes with the rest, and before the seal."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    chosen = options(tmp_path, proxy.port, signing_key=Secret(pem))
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
    stored = await in_bucket(chosen)
    key.public_key().verify(stored[f"{KEY}/SHA256SUMS.sig"], stored[f"{KEY}/SHA256SUMS"])
    assert [path for method, path, _, _ in proxy.seen if method == "PUT"][-1].endswith("/SHA256SUMS")


async def test_retention_reaches_the_bucket(tmp_path: Path, proxy: FaultyProxy) -> None:
    """What the file sink's `retention_days` deletes from the spool, long uploaded, is deleted from the bucket too."""
    chosen = options(tmp_path, proxy.port, retention_days=1)
    async with s3_sink(chosen, tmp_path) as sink:
        await record(sink, INFO, meeting())
        await until(lambda: uploaded(chosen))
        assert len(await in_bucket(chosen)) > 5
        os.utime(tmp_path / "spool" / KEY / "SHA256SUMS", (1, 1))
        await asyncio.to_thread(sink._recorder._caretaker.look)
        await until(lambda: uploaded(chosen))
    stored = await in_bucket(chosen)
    assert stored.keys() == {f"{KEY}/tombstone.json"}
    assert json.loads(stored[f"{KEY}/tombstone.json"])["why"] == "retention"
