"""Paths made of Zoom's ids."""

import stat

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_samples import INFO

from rtmsd.errors import RecordingError
from rtmsd.frames import StreamInfo
from rtmsd.recording.layout import make_directories, recording_directory, safe_name


@given(st.text(min_size=1))
def test_names_are_safe(text):
    """Any id becomes one short component that means itself."""
    name = safe_name(text)
    assert 0 < len(name) <= 100
    assert not set(name) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_%~")


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_do_not_collide(one, other):
    """Two ids never share a name."""
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_long_names_do_not_collide():
    """Ids that differ behind the hundredth character differ in their hash."""
    assert safe_name("a" * 200) != safe_name("a" * 201)


def test_layout(tmp_path):
    """Date in UTC, meeting and stream, as the layout says; without a number the UUID names the meeting."""
    late = msgspec.structs.replace(INFO, started_ms=1_795_046_399_999)
    assert recording_directory(tmp_path, late) == (
        tmp_path / "date=2026-11-18" / "meeting=123456789" / "stream=s%2Ftr%2Beam%3D1"
    )
    unnumbered = msgspec.structs.replace(late, meeting_id="")
    assert recording_directory(tmp_path, unnumbered).parent.name == "meeting=4kC%2FbP%2Bx%3D%3D"


def test_a_failover_after_midnight_finds_its_recording(tmp_path):
    """An unfinished recording of the day before is continued."""
    before = recording_directory(tmp_path, INFO)
    make_directories(before)
    (before / "ledger.jsonl.part").touch()
    tomorrow = msgspec.structs.replace(INFO, started_ms=INFO.started_ms + 86_400_000)
    assert recording_directory(tmp_path, tomorrow) == before


@pytest.mark.parametrize("change", [{"stream_id": ""}, {"started_ms": 10**18}])
def test_impossible_streams(tmp_path, change):
    """A stream without id or date is refused with a sentence."""
    with pytest.raises(RecordingError):
        recording_directory(tmp_path, msgspec.structs.replace(INFO, **change))


def test_directories_are_private(tmp_path):
    """Each directory that is made can be entered by the owner only."""
    info = StreamInfo(app="a", product="meeting", stream_id="..", meeting_uuid="/")
    directory = recording_directory(tmp_path / "new", info)
    make_directories(directory)
    for path in [directory, *directory.parents][:4]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert directory.resolve().is_relative_to(tmp_path.resolve())
