"""The file sink looks after its recordings: what was left, what is old, and a disk that fills up."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    Gap,
    MediaKind,
    SinkContext,
    SinkType,
    StreamEnd,
    StreamInfo,
)
from rtmsd.api.recording import recording_directory, verify
from rtmsd.delivery.pump import DeliveryRules
from rtmsd.delivery.router import LaneRules, Outlet, Router
from rtmsd.runtime.clock import Clock
from rtmsd_file import FileSink, caretaker, rtmsd_sink_types
from rtmsd_file.outage import Outage

ZERO = 1_795_000_000_000
FORM = AudioFormat("L16", 16_000, 1, True)
STREAM = StreamInfo(
    app="a", product="meeting", stream_id="st/1", meeting_uuid="u", meeting_id="9", started_ms=ZERO
)


def frame(at: int) -> AudioFrame:
    return AudioFrame(1, "Ann", ZERO + at, b"\1\2" * 320, FORM)


def build(path: Path, name: str = "disk", **options: object) -> FileSink:
    kind: SinkType
    (kind,) = rtmsd_sink_types()
    chosen = msgspec.convert({"directory": str(path), **options}, kind.options)
    sink = kind.build(chosen, SinkContext(name=name, version="0.1.0", state_dir=Path("unused")))
    assert isinstance(sink, FileSink)
    return sink


async def left(path: Path) -> Path:
    """Write a second of sound, and leave it as a restart does."""
    async with build(path).open(STREAM, 0) as writer:
        await writer.write([frame(at) for at in range(0, 1000, 20)])
    return recording_directory(path, STREAM)


async def until(true) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def test_what_nobody_continues_is_finished(tmp_path, monkeypatch):
    """Some time after the start, what another process left and nobody resumed is a complete recording."""
    directory = await left(tmp_path)
    monkeypatch.setattr(caretaker, "FIRST_SECS", 0.01)
    async with build(tmp_path):
        await until((directory / "SHA256SUMS").exists)
    report = verify(directory)
    assert (report.problems, report.manifest.stop.name) == ([], "RECOVERED")


async def test_what_is_being_written_is_not(tmp_path, monkeypatch):
    """A stream that was resumed is its writer's, also for some minutes after that one was left."""
    directory = await left(tmp_path)
    monkeypatch.setattr(caretaker, "FIRST_SECS", 0.0)
    monkeypatch.setattr(caretaker, "AGAIN_SECS", 0.001)
    looks = []
    real = caretaker.Caretaker.look
    monkeypatch.setattr(caretaker.Caretaker, "look", lambda one: (real(one), looks.append(1)))
    sink = build(tmp_path)
    async with sink.open(STREAM, 0) as writer, sink:
        await writer.write([frame(1000)])
        await until(lambda: len(looks) > 2)
        assert not (directory / "SHA256SUMS").exists()
    looks.clear()
    sink = build(tmp_path)
    async with sink.open(STREAM, 1):
        pass
    async with sink:
        await until(lambda: len(looks) > 2)
    assert not (directory / "SHA256SUMS").exists()


async def test_what_is_old_enough_is_deleted(tmp_path, monkeypatch):
    """After `retention_days` a tombstone is left, which says so; what is younger stays."""
    old, young = STREAM, msgspec.structs.replace(STREAM, stream_id="young")
    for stream in (old, young):
        async with build(tmp_path).open(stream, 0) as writer:
            await writer.write([frame(0), StreamEnd(6, "MEETING_ENDED", "It ended.", ZERO + 1000)])
    sums = recording_directory(tmp_path, old) / "SHA256SUMS"
    os.utime(sums, (sums.stat().st_mtime - 31 * 86_400,) * 2)
    monkeypatch.setattr(caretaker, "FIRST_SECS", 0.01)
    async with build(tmp_path, retention_days=30):
        await until(lambda: not sums.exists())
        await until(lambda: len(list(sums.parent.iterdir())) == 1)
    assert verify(recording_directory(tmp_path, young)).ok
    note = json.loads((sums.parent / "tombstone.json").read_bytes())
    assert (note["why"], note["stream_id"], note["files"] > 5) == ("retention", "st/1", True)
    assert "old enough" in verify(sums.parent).problems[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system, which only root may")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def outlet(name: str, sink: FileSink) -> Outlet:
    return Outlet(
        name=name,
        type_name="file",
        sink=sink,
        wants=frozenset({MediaKind.AUDIO}),
        lane_rules=LaneRules(limit_bytes=100_000, batch_secs=0.01, drop_oldest=False),
        rules=DeliveryRules(write_timeout_secs=30, drain_secs=10),
    )


async def test_a_full_disk(tmp_path, small_disk, monkeypatch):
    """Its sink waits with an alarm and goes on when there is room, its ledger says disk_full, and the other lacks nothing."""
    monkeypatch.setattr("rtmsd_file.writer._RETRY_SECS", 0.01)
    async with build(small_disk, "full") as full, build(tmp_path / "large", "other") as other:
        outlets = [outlet("full", full), outlet("other", other)]
        router = Router(outlets, clock=Clock())
        route = router.open(STREAM, ["full", "other"])
        counters = outlets[0].counters
        filler = small_disk / "filler"
        for number in range(300):  # six seconds
            if number == 100:
                await until(lambda: counters.written >= 100)
                with pytest.raises(OSError, match="No space"):
                    filler.write_bytes(bytes(2_000_000))
            if number == 250:
                assert "Make room" in counters.waiting
                filler.unlink()
                await until(lambda: not counters.waiting and not outlets[0].queued_items)
            route.offer(frame(number * 20))
            await until(lambda: not outlets[1].queued_items)
            await asyncio.sleep(0)
        route.offer(StreamEnd(6, "MEETING_ENDED", "It ended.", ZERO + 6000))
        await until(lambda: not outlets[0].lanes and not outlets[1].lanes)
    poor, whole = (
        verify(recording_directory(small_disk, STREAM)),
        verify(recording_directory(tmp_path / "large", STREAM)),
    )
    assert (poor.problems, whole.problems) == ([], [])
    assert (whole.manifest.completeness, whole.manifest.gaps) == (1.0, ())
    assert {gap.cause for gap in poor.manifest.gaps} == {"disk_full"}
    (gap,) = poor.manifest.gaps
    assert 2000 < gap.from_ms - ZERO < 5000 and gap.to_ms == ZERO + 5000
    assert poor.manifest.tracks[0].missing_secs == (gap.to_ms - gap.from_ms) / 1000


async def test_a_disk_that_is_full_from_the_start(small_disk):
    """A stream whose recording could not even be opened goes on when it can, and what was lost till then is disk_full."""
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(2_000_000))
    async with build(small_disk) as sink:
        one = outlet("disk", sink)
        one.rules = DeliveryRules(write_timeout_secs=30, drain_secs=10, reopen_secs=(0.01,))
        route = Router([one], clock=Clock()).open(STREAM, ["disk"])
        for number in range(200):
            route.offer(frame(number * 20))
        await until(lambda: one.counters.segments > 2)
        filler.unlink()
        await until(lambda: not one.queued_items)
        route.offer(frame(4000))
        route.offer(StreamEnd(6, "MEETING_ENDED", "It ended.", ZERO + 5000))
        await until(lambda: not one.lanes)
    report = verify(recording_directory(small_disk, STREAM))
    assert report.problems == []
    assert {gap.cause for gap in report.manifest.gaps} == {"disk_full"}


def test_only_gaps_of_the_outage_are_named_so():
    """What the queue dropped before and long after is still the queue's."""
    outage = Outage()
    gaps = [Gap("lane_full", ZERO + at, ZERO + at + 10) for at in (-5000, 100, 8000, 60_000)]
    assert outage.named(gaps) is gaps
    outage.begins(10.0, ZERO)
    outage.begins(12.0, ZERO + 2000)
    outage.ends(15.0)
    causes = [gap.cause for gap in outage.named([*gaps, Gap("socket_down", ZERO, ZERO + 1)])]
    assert causes == ["lane_full", "disk_full", "disk_full", "lane_full", "socket_down"]
    assert not outage.lasting
