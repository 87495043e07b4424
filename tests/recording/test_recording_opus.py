"""Tracks of Opus: packets are placed whole, come late, are lost with a process, and never stand twice."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_samples import OPUS, ZERO, end, opened, opus_packet, opus_packets, verified

from rtmsd.frames import AudioFrame, Gap
from rtmsd.recording import opus, verify
from rtmsd.recording.ogg import page, read_pages

TRACK = "audio/user=1.opus"


def spurt(user_id, start, stop):
    return [opus_packet(user_id, at) for at in range(start, stop, 20)]


def finished(directory, *items, at_ms=10_000):
    recording = opened(directory)
    recording.write([*items, end(at_ms)])
    recording.close()
    return verified(directory)


def placed(frames):
    return sorted((frame.timestamp_ms - ZERO, frame.data) for frame in frames)


@given(st.integers(0, 400_000))
def test_silence_lasts_as_long_as_it_should(count):
    """Packets of silence fill any number of units exactly, with the longest that there are."""
    packets = list(opus.silence(count))
    assert sum(map(opus.units, packets)) == count
    assert len(packets) <= count // 48 + 8


@pytest.mark.parametrize(
    ("frames", "places", "counts"),
    [
        ([(0, 20), (20, 20), (40, 20)], [0, 20, 40], {}),
        ([(0, 20), (29, 20), (31, 20)], [0, 20, 40], {}),
        ([(0, 20), (33, 20)], [0, 32.5], {}),
        ([(0, 20), (10, 20)], [0, 20], {}),
        ([(0, 20), (7, 20)], [0], {"overlapping": 1}),
        ([(0, 20), (40, 20), (20, 20)], [0, 20, 40], {}),
        ([(0, 20), (40, 20), (20, 60)], [0, 40], {"overlapping": 1}),
        ([(0, 20), (0, 20), (5, 10)], [0], {"overlapping_samples": 1440}),
        ([(0, 60), (31, 60)], [0, 60], {}),
        ([(0, 10), (10, 40), (51, 60)], [0, 10, 50], {}),
        ([(0, 20), (600, 20), (-15, 20)], [0, 600], {"before_zero": 1}),
    ],
)
def test_packets_are_placed_whole(tmp_path, frames, places, counts):
    """A packet goes to the nearest place that half of it, or 10 ms, allows; what would lie on others is refused."""
    frames = [opus_packet(1, at, ms) for at, ms in frames]
    recording = opened(tmp_path)
    recording.write([*frames[:2], opus_packet(2, 590), *frames[2:], end(1000)])
    manifest = recording.close()
    assert verify(tmp_path).problems == []
    found = opus_packets(tmp_path / TRACK)
    assert [at for at, _ in found] == places
    assert {data for _, data in found} <= {frame.data for frame in frames}
    assert manifest.counts == counts


@pytest.mark.parametrize("data", [b"", b"\x03", b"\x03\x00", b"\x1b\x03rest", b"\x08" + bytes(66_000)])
def test_what_is_no_packet_is_refused(tmp_path, data):
    """Bytes that no decoder could take do not get into the file, and are counted."""
    bad = AudioFrame(1, "Ann", ZERO + 20, data, OPUS)
    manifest = finished(tmp_path, opus_packet(1, 0), bad, opus_packet(1, 40))
    assert manifest.counts == {"bad_packet": 1}
    assert [at for at, _ in opus_packets(tmp_path / TRACK)] == [0, 40]


def test_a_replay_fills_the_gap(tmp_path):
    """What Zoom sends again after a lost connection stands in its place, though the file had gone on without it."""
    frames = spurt(1, 0, 3000)
    recording = opened(tmp_path)
    recording.write([*frames[:50], Gap("socket_down", ZERO + 1000, ZERO + 2000), *frames[100:]])
    recording.flush()
    recording.write([*frames[50:75], opus_packet(2, 0)])
    recording.flush()
    recording.write([*frames[75:100], *frames[40:60], end(3000)])
    manifest = recording.close()
    assert verify(tmp_path).problems == []
    assert (manifest.gaps, manifest.completeness) == ((), 1.0)
    assert opus_packets(tmp_path / TRACK) == placed(frames)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_any_order_gives_the_same_track(seed):
    """Packets that are swapped, doubled, late or never sent, and suspensions: each that came stands once at its time."""
    chance = random.Random(seed)
    sent = [
        opus_packet(user, at)
        for user in (1, 2)
        for at in range(0, 2000, 20)
        if chance.random() < 0.7 or not at
    ]
    sent.sort(
        key=lambda frame: (
            frame.timestamp_ms + chance.choice([0, 0, 0, 70, 600]) + 500 * (frame.timestamp_ms > ZERO)
        )
    )
    sent += chance.sample(sent, 20)
    kept = {(frame.user_id, *placed([frame])[0]) for frame in sent}
    with tempfile.TemporaryDirectory() as name:
        recording = opened(Path(name))
        while batch := sent[: chance.randint(1, 40)]:
            del sent[: len(batch)]
            recording.write(batch)
            if chance.random() < 0.2:
                recording.suspend()
                recording = opened(Path(name))
        recording.write([end(2500)])
        manifest = recording.close()
        assert verify(Path(name)).problems == []
        found = {(t.user_id, *one) for t in manifest.tracks for one in opus_packets(Path(name) / t.file)}
        assert found == kept and manifest.counts == {"overlapping_samples": 20 * 960}


def test_what_was_not_flushed_of_opus_is_cut_and_ledgered(tmp_path):
    """A process that dies loses the packets after its last flush, and the recording says so."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), *spurt(1, 2000, 2500)])
    recording.flush()
    recording.write([*spurt(1, 1000, 1500), *spurt(1, 2500, 3000), *spurt(2, 2500, 3000)])
    recording.abandon()
    manifest = finished(tmp_path, *spurt(1, 4000, 5000))
    assert [(gap.cause, gap.from_ms - ZERO, gap.to_ms - ZERO) for gap in manifest.gaps] == [
        ("unflushed", 2500, 4000)
    ]
    assert [(track.user_id, track.present_secs) for track in manifest.tracks] == [(1, 2.5)]
    assert opus_packets(tmp_path / TRACK) == placed(
        [*spurt(1, 0, 1000), *spurt(1, 2000, 2500), *spurt(1, 4000, 5000)]
    )


def test_a_torn_page_is_cut(tmp_path):
    """Pages that the ledger promises and the disk lost are missing, and what comes again takes their place."""
    recording = opened(tmp_path)
    for start in range(0, 3000, 500):
        recording.write(spurt(1, start, start + 500))
    recording.suspend()
    part = tmp_path / (TRACK + ".part")
    data = part.read_bytes()
    with part.open("rb") as file:
        starts = [one.start for one in read_pages(file)]
    # Two pages of headers, one for the first two writes, one for each other: of the fifth a block never got there.
    part.write_bytes(data[: starts[5] + 40] + bytes(200) + data[starts[5] + 240 :])
    again = opened(tmp_path)
    again.write(spurt(1, 2500, 2700))
    again.suspend()
    manifest = finished(tmp_path, at_ms=3000)
    (track,) = manifest.tracks
    assert (track.present_secs, track.missing_secs) == (2.2, 0.8)
    assert opus_packets(tmp_path / TRACK) == placed([*spurt(1, 0, 2000), *spurt(1, 2500, 2700)])


def test_a_late_page_that_the_disk_lost_is_ledgered(tmp_path):
    """The silence that stood where it belonged does not count as what came."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), *spurt(1, 2000, 3000)])
    recording.flush()
    size = (tmp_path / (TRACK + ".part")).stat().st_size
    recording.write(spurt(1, 1000, 2000))
    recording.suspend()
    with (tmp_path / (TRACK + ".part")).open("r+b") as file:
        file.truncate(size)
    (track,) = finished(tmp_path, at_ms=3000).tracks
    assert (track.present_secs, track.missing_secs) == (1, 2)
    assert opus_packets(tmp_path / TRACK) == placed(spurt(1, 0, 1000))


def test_silence_that_zoom_sent_is_kept(tmp_path):
    """Packets of silence are like any others: present, and there after the recording was continued."""
    quiet = [AudioFrame(1, "Ann", ZERO + at, b"\xf8\xff\xfe", OPUS) for at in range(0, 2000, 20)]
    recording = opened(tmp_path)
    recording.write(quiet)
    recording.suspend()
    (track,) = finished(tmp_path, at_ms=2500).tracks
    assert (track.present_secs, track.silent_secs) == (2, 0.5)
    assert opus_packets(tmp_path / TRACK) == placed(quiet)


def test_a_lost_file_of_opus_is_ledgered(tmp_path):
    """A track whose file is gone is missing from its first packet on."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.suspend()
    (tmp_path / (TRACK + ".part")).unlink()
    manifest = finished(tmp_path, opus_packet(1, 1500))
    assert (manifest.tracks[0].present_secs, manifest.tracks[0].missing_secs) == (0.02, 1)


def test_any_crash_leaves_a_track_of_opus_that_closes(tmp_path):
    """Copies taken after any write or flush close, verify, and hold only true packets at their true places."""
    chance = random.Random(5)
    recording = opened(tmp_path / "live")
    truth = set()
    for number in range(30):
        at = number * 200 if chance.random() < 0.7 else chance.randrange(number + 1) * 200 + 100
        batch = [opus_packet(1, at + step) for step in (0, 20, 40)]
        truth |= set(placed(batch))
        recording.write(batch)
        if chance.random() < 0.3:
            recording.flush()
        copy = tmp_path / f"copy{number}"
        shutil.copytree(tmp_path / "live", copy)
        manifest = finished(copy)
        for track in manifest.tracks:
            found = opus_packets(copy / track.file)
            assert set(found) <= truth
            assert track.present_secs == len(found) * 0.02
    recording.abandon()


def test_suspensions_change_nothing(tmp_path):
    """A recording that was left and continued in between is the same, byte by byte."""
    batches = [
        spurt(1, 0, 500),
        spurt(1, 1000, 1300),
        [*spurt(2, 200, 900), *spurt(1, 600, 900)],
        spurt(1, 1300, 2000),
    ]
    straight = opened(tmp_path / "straight")
    for batch in batches:
        straight.write(batch)
        opened(tmp_path / "parts").suspend()
        parts = opened(tmp_path / "parts")
        parts.write(batch)
        parts.suspend()
    straight.write([end(3000)])
    straight.close()
    finished(tmp_path / "parts", at_ms=3000)
    sums = [(tmp_path / name / "SHA256SUMS").read_bytes() for name in ("straight", "parts")]
    assert sums[0] == sums[1]


def rewritten(change):
    """Read all pages of the track, change them, and write them with checksums that fit."""

    def edit(path):
        with path.open("rb") as file:
            pages = [change(one) for one in read_pages(file)]
        path.write_bytes(
            b"".join(
                page(
                    one.packets, position=one.position, serial=one.serial, number=one.number, flags=one.flags
                )
                for one in pages
                if one is not None
            )
        )

    return edit


def on(which, **changes):
    return rewritten(lambda one: dataclass_replace(one, **changes) if one.number == which else one)


def dataclass_replace(one, **changes):
    return type(one)(**{name: getattr(one, name) for name in one.__dataclass_fields__} | changes)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (on(0, packets=(b"OpusHead\x01\x02",)), "headers of Opus"),
        (on(1, packets=(b"OpusTags",)), "headers of Opus"),
        (on(2, position=960), "should end at sample"),
        (on(2, number=3), "should be number 2"),
        (on(2, serial=2), "should be number 2"),
        (on(2, packets=(b"",)), "should be number 2"),
        (on(2, flags=4), "should be number 3"),
        (rewritten(lambda one: None if one.flags & 4 else one), "page that says so"),
        (
            rewritten(
                lambda one: dataclass_replace(one, position=one.position + 960) if one.flags & 4 else one
            ),
            "says so",
        ),
        (
            rewritten(
                lambda one: dataclass_replace(one, position=one.position - 48) if one.flags & 4 else one
            ),
            "has 479952",
        ),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "cut off"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "cut off"),
    ],
)
def test_a_track_of_opus_that_lies_is_found(tmp_path, edit, words):
    """Headers, numbers, positions and the end are checked, whatever the checksums say."""
    finished(tmp_path, *spurt(1, 0, 6000))
    edit(tmp_path / TRACK)
    assert any(words in problem for problem in verify(tmp_path).problems), verify(tmp_path).problems


def test_sound_outside_the_turns_is_found_in_opus(tmp_path):
    """Packets that are not silence lie in a turn."""
    finished(tmp_path, *spurt(1, 0, 1000), *spurt(1, 2000, 3000))
    path = tmp_path / "speakers.rttm"
    path.write_bytes(path.read_bytes().replace(b"2.000 1.000", b"2.500 1.000"))
    assert any("sound outside the turns" in problem for problem in verify(tmp_path).problems)


def test_the_format_of_opus_is_told(tmp_path):
    """The manifest gives the rate that every decoder of Opus has, whatever the frames said."""
    frame = msgspec.structs.replace(opus_packet(1, 0), format=msgspec.structs.replace(OPUS, rate=16_000))
    (track,) = finished(tmp_path, frame).tracks
    assert (track.codec, track.rate, track.file, track.samples) == ("OPUS", 48_000, TRACK, 480_000)
