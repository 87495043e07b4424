"""What root adds to somebody's recording, or mends in it, is theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from second_pass_bench import record, speak
from transcribe_bench import ANN, STREAM

from rtmsd.api.recording import Recording
from rtmsd.cli import main

SOMEBODY = 1000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can write what belongs to others")


def owners(directory: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in directory.rglob("*") if path.is_file()}


def give(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)


def test_a_second_pass_of_root_leaves_the_recording_to_its_owner(tmp_path: Path) -> None:
    """The daemon can read it afterwards, and delete it when it is old."""
    items, _ = speak(ANN, [("begin", 0)])
    directory = record(tmp_path / "r", items, 4000)
    give(directory)
    done = CliRunner().invoke(
        main, ["transcribe", str(directory), "--engine", "hearing_engine:HearingEngine"]
    )
    assert done.exit_code == 0, done.output
    assert (directory / "transcript.hearing.vtt").exists()
    assert owners(directory) == {(SOMEBODY, SOMEBODY)}


def test_what_root_recovers_is_left_to_its_owner(tmp_path: Path) -> None:
    """Manifest, sums, mix and all."""
    items, _ = speak(ANN, [("begin", 0)])
    recording = Recording.open(tmp_path / "r", STREAM, version="0")
    recording.write(items)
    recording.flush()
    recording.abandon()
    give(tmp_path / "r")
    done = CliRunner().invoke(main, ["recover", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r" / "SHA256SUMS").exists()
    assert owners(tmp_path / "r") == {(SOMEBODY, SOMEBODY)}
