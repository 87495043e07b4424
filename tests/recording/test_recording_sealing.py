"""Files that are complete while the meeting runs: when they are, what then comes too late, and what may go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from period_samples import LENGTH_MS, MINUTE, meeting, said
from recording_samples import INFO, RATE, ZERO, Died, die_after, end
from small_disk import largest_file

from rtmsd.frames import Gap
from rtmsd.recording import FilePlan, Recording, recover, verify


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_files_are_complete_while_the_meeting_runs(tmp_path, audio_format):
    """Two minutes after its end a file is whole, opens elsewhere, and stays as it is; it may even be taken away."""
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=FilePlan(audio_format, 1))
    for batch in meeting()[:-1]:
        recording.write(batch)
        recording.flush()
    expected = {
        f"audio/{who}.{number:04}.{audio_format}" for who in ("user=1", "mixed") for number in (1, 2, 3)
    }
    expected |= {f"audio/user=2.{number:04}.{audio_format}" for number in (1, 3)}
    assert set(recording.sealed) == expected
    for name, entry in recording.sealed.items():
        assert soundfile.info(tmp_path / name).frames == 60 * RATE
        assert (tmp_path / name).stat().st_size == entry.bytes
    assert not list(tmp_path.glob("audio/*.0001.wav.part"))
    contents = {name: (tmp_path / name).read_bytes() for name in expected}
    for name in expected:
        (tmp_path / name).unlink()
    recording.abandon()
    recording = Recording.open(tmp_path, INFO, version="0.1.0")
    assert set(recording.sealed) == expected
    recording.write([end(LENGTH_MS)])
    recording.close()
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    assert verify(tmp_path).problems == []


def test_what_comes_too_late_is_ledgered(tmp_path):
    """For a file that is complete a packet is too late: it is counted and missing, and the file stays as it is."""
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=FilePlan("wav", 1))
    recording.write([said(1, 0), said(2, 500)])
    recording.flush()
    for at in (3 * MINUTE, 3 * MINUTE + 500, 3 * MINUTE + 1000):
        recording.write([said(1, at)])
        recording.flush()
    sealed = dict(recording.sealed)
    assert len(sealed) == 3
    recording.write([said(1, 30_000), said(2, MINUTE - 100), said(2, MINUTE + 405), end(4 * MINUTE)])
    recording.close()
    report = verify(tmp_path)
    assert report.problems == []
    assert report.manifest.counts["too_late"] == 2
    late = [(gap.user_id, gap.from_ms - ZERO, gap.to_ms - ZERO) for gap in report.manifest.gaps]
    assert late == [(1, 30_000, 30_500), (2, MINUTE - 100, MINUTE)]
    assert report.manifest.tracks[1].present_secs == 1.4
    assert {name: report.manifest.files[name] for name in sealed} == sealed


def test_one_wrong_time_completes_nothing(tmp_path):
    """A single packet from almost an hour ahead must not shut the files out in which all others belong."""
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=FilePlan("wav", 1))
    for at in (0, 50 * MINUTE, 500, 1000):
        recording.write([said(1, at)])
        recording.flush()
    assert dict(recording.sealed) == {}
    recording.abandon()


def test_a_crash_in_the_middle_can_be_recovered(tmp_path):
    """Complete files and growing ones make one recording."""
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=FilePlan("flac", 1))
    for batch in meeting()[:-1]:
        recording.write(batch)
        recording.flush()
    recording.abandon()
    assert recover(tmp_path, version="0.1.0").problem == ""
    report = verify(tmp_path)
    assert report.problems == []
    assert report.manifest.tracks[0].files[-1].file == "audio/user=1.0006.flac"


def _until_the_first_is_over(directory: Path, plan: FilePlan) -> Recording:
    """Write all but the flush that completes the first files."""
    recording = Recording.open(directory, INFO, version="0.1.0", plan=plan)
    for batch in meeting()[:76]:
        recording.write(batch)
    return recording


def _to_the_end(recording: Recording, directory: Path) -> bytes:
    for batch in meeting()[76:]:
        recording.write(batch)
        recording.flush()
    recording.close()
    assert verify(directory).problems == []
    return (directory / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
@pytest.mark.parametrize("step", range(5))
def test_death_while_files_are_completed(tmp_path, monkeypatch, step, audio_format):
    """Wherever completing a period is broken off, it is done again, and the recording is the same in the end."""
    plan = FilePlan(audio_format, 1)
    recording = _until_the_first_is_over(tmp_path / "straight", plan)
    recording.flush()
    assert recording.sealed
    straight = _to_the_end(recording, tmp_path / "straight")

    recording = _until_the_first_is_over(tmp_path / "broken", plan)
    die_after(step, monkeypatch)
    died = False
    try:
        recording.flush()
    except Died:
        died = True
    monkeypatch.undo()
    recording.abandon()
    again = Recording.open(tmp_path / "broken", INFO, version="0.1.0")
    again.write([Gap("daemon_restart", again.newest_ms - 1, again.newest_ms + 1)])  # or it says unflushed
    assert died == (step < 4)
    _to_the_end(again, tmp_path / "broken")
    one, two = (
        {line[66:]: line for line in sums.decode().splitlines()}
        for sums in (straight, (tmp_path / "broken/SHA256SUMS").read_bytes())
    )
    told = {"manifest.json", "gaps.jsonl"}
    assert {name: line for name, line in two.items() if name not in told} == {
        name: line for name, line in one.items() if name not in told
    }


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_a_disk_that_is_full_while_files_are_completed(tmp_path, audio_format):
    """The flush that completes them can be repeated, and nothing is lost."""
    plan = FilePlan(audio_format, 1)
    straight = _until_the_first_is_over(tmp_path / "straight", plan)
    straight.flush()
    recording = _until_the_first_is_over(tmp_path / "full", plan)
    with largest_file(100_000):
        for _ in range(2):
            with pytest.raises(OSError):
                recording.flush()
    recording.flush()
    assert recording.sealed == straight.sealed != {}
    assert _to_the_end(recording, tmp_path / "full") == _to_the_end(straight, tmp_path / "straight")
