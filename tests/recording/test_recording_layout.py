"""Paths made of Zoom's ids."""

import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_samples import INFO

from rtmsd.errors import RecordingError
from rtmsd.frames import StreamInfo
from rtmsd.recording.files import make_directories
from rtmsd.recording.layout import Layout, candidate_directories, recording_directory, safe_name


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


EVERYTHING = "{app}/{product}/{account}/{date}T{hour}/{meeting}-{meeting_uuid}/x={stream}.y"
HOUR_MS = 3_600_000


def test_all_variables(tmp_path):
    """Each variable has its value, made safe; what Zoom did not say is unknown."""
    info = msgspec.structs.replace(INFO, started_ms=1_795_046_399_999, product="../..", account_id="")
    assert recording_directory(tmp_path, info, Layout(EVERYTHING)) == (
        tmp_path
        / "notes/%2E%2E%2F%2E%2E/unknown/2026-11-18T23/123456789-4kC%2FbP%2Bx%3D%3D/x=s%2Ftr%2Beam%3D1.y"
    )


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("date={date}/meeting={meeting}", "needs {stream}"),
        ("", "must be relative"),
        ("/{stream}", "must be relative"),
        ("{stream}/", "must be relative"),
        ("a//{stream}", "must be relative"),
        ("../{stream}", "must be relative"),
        ("{stream}/..", "must be relative"),
        ("./{stream}", "must be relative"),
        ("{user_name}/{stream}", "not {user_name}"),
        ("{topic}/{stream}", "names of people"),
        ("{stream.__class__}", "not {stream.__class__}"),
        ("{stream!r}", "not {stream!r}"),
        ("{}/{stream}", "not {}"),
        ("{{stream}}", "braces"),
        ("{stream", "braces"),
        ("a\0/{stream}", "printable"),
        ("a\n/{stream}", "printable"),
        ("{meeting}{stream}", "run together"),
        ("{stream}-{stream}", "run together"),
        ("{app}-{product}-{account}/{stream}", "longer than 255"),
        ("x" * 156 + "{stream}", "longer than 255"),
        ("ü" * 78 + "{stream}", "longer than 255"),
    ],
)
def test_bad_templates(template, words):
    """A template that leaves the directory, is misspelt, or lets two recordings meet is refused with a sentence."""
    with pytest.raises(ValueError) as caught:
        Layout(template)
    assert words in str(caught.value) and str(caught.value).startswith("layout ")


TEMPLATES = st.lists(
    st.sampled_from(
        ["{date}", "h{hour}", "{app}", "{account}", "{meeting}", "{meeting_uuid}.{product}", "a b"]
    )
).flatmap(
    lambda parts: st.sampled_from(["{stream}", "s={stream}"]).map(lambda last: "/".join([*parts, last]))
)
STREAMS = st.builds(
    StreamInfo,
    app=st.text(),
    product=st.text(),
    stream_id=st.text(min_size=1),
    meeting_uuid=st.text(),
    meeting_id=st.text(),
    account_id=st.text(),
    started_ms=st.integers(0, 2 * 10**12),
)


@given(TEMPLATES, STREAMS, STREAMS)
def test_any_layout_confines_and_separates(template, one, other):
    """Whatever the ids are, a recording lies as deep below the root as its template says, and meets no other."""
    root, layout = Path("/root"), Layout(template)
    places = set(candidate_directories(root, one, layout))
    for place in places:
        below = place.relative_to(root).parts
        assert len(below) == template.count("/") + 1
        assert all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in below)
    if one.stream_id != other.stream_id:
        assert places.isdisjoint(candidate_directories(root, other, layout))


@pytest.mark.parametrize("known", ["ledger.jsonl.part", "tombstone.json"])
@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_later_start_finds_its_recording_under_any_layout(tmp_path, hours, known):
    """What was begun, or deleted on request, up to a day away is found again; what is complete is left alone."""
    layout = Layout("{hour}/{date}/{stream}")
    begun = msgspec.structs.replace(INFO, started_ms=INFO.started_ms + hours * HOUR_MS)
    before = recording_directory(tmp_path, begun, layout)
    make_directories(before)
    home = recording_directory(tmp_path, INFO, layout)
    assert home != before
    (before / known).touch()
    assert recording_directory(tmp_path, INFO, layout) == before
    make_directories(home)
    assert recording_directory(tmp_path, INFO, layout) == home
