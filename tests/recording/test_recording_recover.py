"""Recovering: what a process left that died, finished without it."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from recording_samples import (
    INFO,
    ZERO,
    end,
    opened,
    opus_packet,
    packet,
    phrase,
    picture,
    samples,
    spurt,
    verified,
)

from rtmsd.cli import main
from rtmsd.recording import Recording, purge, recover, unfinished, verify
from rtmsd.recording.manifest import Manifest


def recovered(directory: Path) -> Manifest:
    done = recover(directory, version="0.1.0")
    assert (done.problem, done.note) == ("", "")
    return verified(directory)


def test_what_a_crash_left_is_finished(tmp_path):
    """All that was flushed is there, and from there to the last sign of life the gap says that rtmsd was not."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), phrase(1, 0, 900), picture(1, 0)])
    recording.flush()
    recording.write(spurt(1, 1000, 1500))
    recording.abandon()
    assert list(unfinished(tmp_path)) == [tmp_path]
    manifest = recovered(tmp_path)
    assert [(gap.cause, gap.from_ms - ZERO, gap.to_ms - ZERO) for gap in manifest.gaps] == [
        ("daemon_restart", 1000, 1500)
    ]
    assert (manifest.app, manifest.meeting_id, manifest.stream_id) == ("notes", "123456789", INFO.stream_id)
    assert (manifest.stop.reason, manifest.stop.name, manifest.duration_ms) == (None, "RECOVERED", 1500)
    assert (manifest.tracks[0].present_secs, manifest.tracks[0].missing_secs) == (1, 0.5)
    assert samples(tmp_path / "audio/user=1.wav")[:8000].all()
    assert list(unfinished(tmp_path)) == []


def test_the_last_sign_is_when_a_file_was_written(tmp_path):
    """Where the length of a file tells nothing, the time of its last writing does, unless it is far away."""
    for name, written_ms, lasts in (("near", 4000, (1000, 4000)), ("copied", 400_000_000, (980, 980))):
        recording = opened(tmp_path / name)
        recording.write([opus_packet(1, at) for at in range(0, 1000, 20)])
        recording.flush()
        recording.abandon()
        for path in (tmp_path / name).rglob("*.part"):
            os.utime(path, ns=(0, (ZERO + written_ms) * 1_000_000))
        (gap,) = recovered(tmp_path / name).gaps
        assert (gap.from_ms - ZERO, gap.to_ms - ZERO) == lasts


def test_an_end_that_was_flushed_counts(tmp_path):
    """A stream that had ended keeps its end, and misses nothing: only the closing had been left."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), end(1000)])
    recording.flush()
    recording.abandon()
    manifest = recovered(tmp_path)
    assert (manifest.stop.name, manifest.gaps, manifest.completeness) == ("MEETING_ENDED", (), 1.0)


def test_recovering_again_changes_nothing(tmp_path):
    """What is whole stays as it is, byte for byte."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.abandon()
    recovered(tmp_path)
    sums = (tmp_path / "SHA256SUMS").read_bytes()
    assert recover(tmp_path, version="0.1.0").problem == ""
    (tmp_path / "ledger.jsonl.part").write_bytes(b'{"schema":1,"stream_id":"x"}\n')
    assert recover(tmp_path, version="0.1.0").note == "it was complete"
    assert (tmp_path / "SHA256SUMS").read_bytes() == sums
    assert verify(tmp_path).ok


@pytest.mark.parametrize("began", [True, False])
def test_nothing_had_come(tmp_path, began):
    """A recording of nothing is finished as one; a directory in which none was begun is removed."""
    if began:
        opened(tmp_path / "r").abandon()
        assert recovered(tmp_path / "r").tracks == ()
    else:
        (tmp_path / "r/audio").mkdir(parents=True)
        (tmp_path / "r/ledger.jsonl.part").touch()
        assert recover(tmp_path / "r", version="0.1.0").note == "nothing had been recorded"
        assert not (tmp_path / "r").exists()


def test_a_ledger_that_the_disk_lost(tmp_path):
    """Without a ledger nobody knows what the files hold: they are left, and a sentence says so."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.abandon()
    (tmp_path / "ledger.jsonl.part").write_bytes(b"")
    assert "cannot be told" in recover(tmp_path, version="0.1.0").problem
    assert (tmp_path / "audio/user=1.wav.part").exists()


def test_what_is_being_written_is_left_alone(tmp_path):
    """A recording that somebody has open is a problem for who wants to recover it, and for nobody else."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    assert "somebody else" in recover(tmp_path, version="0.1.0").problem
    recording.write([end(1000)])
    recording.close()
    assert verify(tmp_path).ok


def test_a_deletion_that_was_broken_off_is_finished(tmp_path):
    """What had been revoked does not come back."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.abandon()
    shutil.copytree(tmp_path, tmp_path.parent / "copy")
    purge(tmp_path, INFO, version="0.1.0")
    shutil.copytree(tmp_path.parent / "copy", tmp_path, dirs_exist_ok=True)
    assert "deleted on request" in recover(tmp_path, version="0.1.0").note
    assert [path.name for path in tmp_path.iterdir()] == ["tombstone.json"]


def test_any_crash_can_be_recovered(tmp_path):
    """Copies taken after any write recover, and what they hold is true or silent."""
    chance = random.Random(11)
    recording = opened(tmp_path / "live")
    for number in range(20):
        batch = spurt(1, number * 100, number * 100 + 100) if chance.random() < 0.8 else []
        recording.write([*batch, phrase(1, number * 100, number * 100 + 90)])
        if chance.random() < 0.4:
            recording.flush()
        shutil.copytree(tmp_path / "live", tmp_path / f"copy{number}")
        manifest = recovered(tmp_path / f"copy{number}")
        for track in manifest.tracks:
            found = samples(tmp_path / f"copy{number}" / track.file)
            for at in range(0, len(found) // 8 - 20, 20):
                part = found[at * 8 : at * 8 + 160].tobytes()
                assert part in (packet(1, at).data, bytes(320))
    recording.abandon()


def test_the_command(tmp_path):
    """`rtmsd recover` finishes everything below a directory, says what it did, and fails when something cannot be."""
    for name in ("a", "b"):
        recording = opened(tmp_path / name)
        recording.write(spurt(1, 0, 1000))
        recording.flush()
        recording.abandon()
    (tmp_path / "b/ledger.jsonl.part").write_bytes(b"{")
    done = CliRunner().invoke(main, ["recover", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path}/a: recovered. 0:00:01.000 long, 1 track" in done.output
    assert f"{tmp_path}/b: NOT recovered" in done.output
    assert verify(tmp_path / "a").ok
    shutil.rmtree(tmp_path / "b")
    assert CliRunner().invoke(main, ["recover", str(tmp_path)]).exit_code == 0


def test_durable_flushes_record_the_same(tmp_path):
    """Waiting for the disk at each flush changes nothing else."""
    for name, durable in (("fast", False), ("durable", True)):
        recording = Recording.open(tmp_path / name, INFO, version="0.1.0", durable=durable)
        for start in (0, 1000):
            recording.write([*spurt(1, start, start + 1000), picture(1, start), phrase(1, start, start + 9)])
            recording.flush()
        recording.write([end(2000)])
        recording.close()
    assert (tmp_path / "fast/SHA256SUMS").read_bytes() == (tmp_path / "durable/SHA256SUMS").read_bytes()
