"""The spool has a limit; what follows from it is said, and nothing that waits is deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bucket_bench import (
    INFO,
    PLACE,
    ZERO,
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

import rtmsd_s3.level
from rtmsd.api import Gap, SinkError, SinkReject
from rtmsd.api.recording import Layout
from rtmsd.delivery.numbers import SinkNumbers
from rtmsd_s3.level import Level
from rtmsd_s3.spool import Spool

LAYOUT = Layout("date={date}/meeting={meeting}/stream={stream}")


class Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, level: str) -> object:
        return lambda event, **about: self.said.append(level)


@pytest.mark.parametrize(
    ("measured", "full", "said"),
    [
        ([0, 79], [False, False], []),
        ([80, 85, 99], [False] * 3, ["warning"]),
        ([100, 97, 94], [True, True, False], ["error", "info"]),
        ([85, 120, 50, 85], [False, True, False, False], ["warning", "error", "info", "warning"]),
    ],
)
def test_the_level(tmp_path: Path, measured: list[int], full: list[bool], said: list[str]) -> None:
    """A warning from four fifths, an alarm at the limit, no more until a twentieth is free; each is said once."""
    log, numbers = Log(), SinkNumbers()
    level = Level(Spool(tmp_path, LAYOUT), limit_bytes=100, log=log, measure=numbers.measure)  # type: ignore[arg-type]
    seen = []
    for used in measured:
        level.note(used)
        seen.append(level.full)
        assert {one.name: one.value for one in numbers} == {"spool_bytes": used, "spool_limit_bytes": 100}
    assert seen == full
    assert log.said == said


async def test_a_full_spool_refuses_and_goes_on(
    tmp_path: Path, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit a writer takes no frames, but their gap and the end; when the bucket has taken all, it takes frames again."""
    monkeypatch.setattr(rtmsd_s3.level, "MEASURE_SECS", 0.05)
    chosen, batches, second = options(tmp_path, proxy.port), meeting(), stream("second")
    object.__setattr__(chosen, "spool_limit_bytes", 100_000)
    gap = Gap("disk_full", ZERO, ZERO + 500)
    expected = await on_disk(tmp_path, INFO, [*batches[:-1], [gap], batches[-1]])
    proxy.fault = lambda request: "503"
    with capture_logs() as said:
        async with s3_sink(chosen, tmp_path) as sink:
            async with sink.open(INFO, 0) as writer:
                for batch in batches[:-1]:
                    await writer.write(batch)
                await until(lambda: any("has reached its limit" in one["event"] for one in said))
                with pytest.raises(SinkReject, match="spool_limit_bytes"):
                    await writer.write(batches[1])
                await writer.write([Gap("sink_rejected", ZERO, ZERO + 500)])
                await writer.write(batches[-1])
            proxy.fault = no_fault
            await until(lambda: uploaded(chosen))
            await until(lambda: any("room in the spool" in one["event"] for one in said))
            await record(sink, second, meeting(secs=1))
            await until(lambda: uploaded(chosen))
    stored = await in_bucket(chosen)
    key = f"{PLACE}/stream=st%2F1%2BA%3D%3D"
    assert {name: data for name, data in stored.items() if name.startswith(key)} == {
        f"{key}/{name}": data for name, data in expected.items()
    }
    assert f"{PLACE}/stream=second/SHA256SUMS" in stored


def test_holes_take_no_room(tmp_path: Path) -> None:
    """What is counted is what the disk gives."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 * 2**20)
    (tmp_path / "full").write_bytes(bytes(2**20))
    assert 2**20 <= Spool(tmp_path, LAYOUT).used_bytes() < 2 * 2**20


def test_old_marks_are_forgotten(tmp_path: Path) -> None:
    """A week after its upload nothing of a recording is left in the spool, nor of a tombstone; what waits stays."""
    spool = Spool(tmp_path, LAYOUT)
    for name, marks in {
        "old": ("SHA256SUMS", "uploaded.json"),
        "new": ("SHA256SUMS", "uploaded.json"),
        "revoked": ("tombstone.json", "uploaded.json"),
        "waiting": ("SHA256SUMS",),
    }.items():
        directory = tmp_path / "date=2026-11-18" / f"meeting={name}" / "stream=1"
        directory.mkdir(parents=True)
        for mark in marks:
            (directory / mark).touch()
            if name != "new":
                os.utime(directory / mark, (1, 1))
    Spool(tmp_path, LAYOUT, retention_days=36_500).forget()
    assert len(files(tmp_path)) == 7
    spool.forget()
    left = {name.split("/")[1] for name in files(tmp_path)}
    assert left == {"meeting=new", "meeting=waiting"}
    assert not (tmp_path / "date=2026-11-18" / "meeting=old").exists()
    assert [one.key for one in spool.unfinished_business()] == ["date=2026-11-18/meeting=waiting/stream=1"]


def test_a_spool_has_one_owner(tmp_path: Path) -> None:
    """A new directory is claimed, and found again; another sink's is refused, and one with recordings in it."""
    spool = Spool(tmp_path / "new" / "spool", LAYOUT)
    for _ in range(2):
        spool.claim("archive")
    with pytest.raises(SinkError, match="spool of a sink called 'archive'"):
        spool.claim("other")
    (tmp_path / "recordings" / "date=2026-11-18").mkdir(parents=True)
    with pytest.raises(SinkError, match="must be empty at first"):
        Spool(tmp_path / "recordings", LAYOUT).claim("archive")


async def test_a_spool_that_cannot_be(tmp_path: Path, moto_port: int) -> None:
    """A directory that cannot be made stops the start with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="choose another"):
        async with s3_sink(
            options(tmp_path, moto_port, directory=str(tmp_path / "file" / "spool")), tmp_path
        ):
            pass
