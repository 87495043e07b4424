"""Suspending, dying and coming back. `abandon` leaves the files as a process that dies does."""

from __future__ import annotations

import json
import os
import random
import shutil

import msgspec
import pytest
from recording_samples import (
    FORMAT,
    INFO,
    ZERO,
    Died,
    die_after,
    end,
    opened,
    opus_packet,
    packet,
    phrase,
    picture,
    samples,
    shared,
    spurt,
    tone,
    verified,
)

from rtmsd.errors import RecordingError
from rtmsd.frames import ChatFrame, Event, Gap, MediaKind
from rtmsd.recording import purge, verify
from rtmsd.recording.track_format import track_format
from rtmsd.recording.wav import check


def finished(directory, *items):
    recording = opened(directory)
    recording.write([*items, end(10_000)])
    recording.close()
    return verified(directory)


def test_valid_at_every_flush(tmp_path):
    """After a flush each unfinished WAV file has a header that fits, though nobody closed it."""
    recording = opened(tmp_path)
    for start in (0, 1000, 3000):
        recording.write(spurt(1, start, start + 500))
        recording.flush()
        assert check(tmp_path / "audio/user=1.wav.part", track_format(FORMAT)) == (start + 500) * 8
    recording.abandon()
    assert "unfinished" in verify(tmp_path).problems[0]


def test_what_was_not_flushed_is_cut_and_ledgered(tmp_path):
    """A process that dies loses what came after its last flush, and the recording says so."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), phrase(1, 0, 900, "kept"), Event("first_packet", ZERO)])
    recording.flush()
    recording.write(
        [*spurt(1, 1000, 1500), *spurt(2, 0, 100), phrase(1, 1000, 1500, "lost"), Event("x", ZERO + 1400)]
    )
    recording.abandon()
    manifest = finished(tmp_path, Gap("daemon_restart", ZERO + 1500, ZERO + 3000), *spurt(1, 3000, 4000))
    assert [(gap.cause, gap.from_ms - ZERO, gap.to_ms - ZERO) for gap in manifest.gaps] == [
        ("unflushed", 1000, 1500),
        ("daemon_restart", 1500, 3000),
    ]
    assert [(track.user_id, track.missing_secs) for track in manifest.tracks] == [(1, 2)]
    assert not samples(tmp_path / "audio/user=1.wav")[8000:24_000].any()
    assert (tmp_path / "transcript.jsonl").read_text().count("\n") == 1
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 1


def test_unknown_samples_in_a_hole_are_silenced(tmp_path):
    """A replay that was written into a hole and not flushed leaves nothing behind."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 500), *spurt(1, 1000, 1500)])
    recording.flush()
    recording.write(spurt(1, 500, 1000))
    recording.abandon()
    manifest = finished(tmp_path)
    assert manifest.tracks[0].present_secs == 1
    assert not samples(tmp_path / "audio/user=1.wav")[4000:8000].any()


def test_a_crash_before_the_first_flush(tmp_path):
    """What nobody flushed is gone, and the time since the stream's start is ledgered."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 900))
    recording.abandon()
    manifest = finished(tmp_path, *spurt(2, 1000, 2000))
    assert [track.user_id for track in manifest.tracks] == [2]
    assert [(gap.cause, gap.from_ms, gap.to_ms) for gap in manifest.gaps] == [
        ("unflushed", INFO.started_ms, ZERO + 1000)
    ]


def test_a_second_crash_does_not_forget_the_first(tmp_path):
    """The loss is ledgered even when the continued recording took nothing before it was left again."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.flush()
    recording.abandon()
    opened(tmp_path).suspend()
    manifest = finished(tmp_path, *spurt(1, 2000, 3000))
    assert [gap.cause for gap in manifest.gaps] == ["unflushed"]


def test_a_torn_ledger_line_is_cut(tmp_path):
    """A last line that was not written whole counts as not written."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.flush()
    recording.write(spurt(1, 1000, 2000))
    recording.flush()
    recording.abandon()
    ledger = tmp_path / "ledger.jsonl.part"
    ledger.write_bytes(ledger.read_bytes()[:-9])
    assert finished(tmp_path).tracks[0].present_secs == 1


def test_a_damaged_ledger_is_refused(tmp_path):
    """A bad line before good ones is damage, not a crash: nothing is thrown away."""
    recording = opened(tmp_path)
    for start in (0, 1000):
        recording.write(spurt(1, start, start + 1000))
        recording.flush()
    recording.abandon()
    ledger = tmp_path / "ledger.jsonl.part"
    data = b"}" + ledger.read_bytes()[1:]
    ledger.write_bytes(data)
    with pytest.raises(RecordingError, match="line 1"):
        opened(tmp_path)
    assert ledger.read_bytes() == data


def test_a_power_failure_is_ledgered(tmp_path):
    """Sound that the ledger promises and the file lost is missing, not present."""
    recording = opened(tmp_path)
    recording.write(
        [*spurt(1, 0, 2000), *spurt(2, 0, 500), phrase(1, 0, 900, "one"), phrase(1, 0, 900, "two")]
    )
    recording.suspend()
    with (tmp_path / "audio/user=1.wav.part").open("r+b") as file:
        file.truncate(44 + 1000 * 16)
    (tmp_path / "audio/user=2.wav.part").unlink()
    lines = tmp_path / "transcript.jsonl.part"
    lines.write_bytes(lines.read_bytes()[:-3])
    opened(tmp_path).suspend()
    manifest = finished(tmp_path, packet(1, 3000))
    assert [(track.present_secs, track.missing_secs) for track in manifest.tracks] == [(1.02, 1), (0, 0.5)]
    assert {gap.cause for gap in manifest.gaps} == {"unflushed"}
    assert (tmp_path / "transcript.jsonl").read_text().count("\n") == 1


def _shortened(data):
    return data[:-3]


def _emptied(data):
    return b""


def _blotted(data):
    """A block of zeros in the last line but one."""
    last = data[:-1].rindex(b"\n")
    return data[: last - 60] + bytes(40) + data[last - 20 :]


@pytest.mark.parametrize("medium", ["transcript", "chat"])
@pytest.mark.parametrize(("damage", "left"), [(_shortened, 4), (_emptied, 0), (_blotted, 3)])
def test_lines_that_the_disk_lost_are_ledgered(tmp_path, medium, damage, left):
    """Phrases and chat after the first line that is torn or damaged are gone, and the recording says from when."""
    recording = opened(tmp_path)
    for at in range(0, 5000, 1000):
        chat = ChatFrame(7, "Ann", ZERO + at, "new", f"m{at}", "A message " * 20, "everyone")
        recording.write([packet(1, at), phrase(1, at, at + 900, "A phrase " * 20), chat])
    recording.suspend()
    part = tmp_path / f"{medium}.jsonl.part"
    part.write_bytes(damage(part.read_bytes()))
    manifest = finished(tmp_path)
    assert manifest.gaps == (
        Gap("unflushed", ZERO + max(0, left - 1) * 1000, ZERO + 4000, MediaKind(medium)),
    )
    found = tmp_path / f"{medium}.jsonl"
    assert (found.read_text().count("\n") if found.exists() else 0) == left


def test_damaged_events_are_cut(tmp_path):
    """Events that the disk lost are no gap: nothing that was said or shown is missing."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0), *[Event("x" * 100, ZERO + at) for at in range(5)]])
    recording.suspend()
    part = tmp_path / "events.jsonl.part"
    part.write_bytes(_blotted(part.read_bytes()))
    assert finished(tmp_path).gaps == ()
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 3


@pytest.mark.parametrize("codec", ["L16", "OPUS"])
@pytest.mark.parametrize("step", range(15))
def test_death_while_closing(tmp_path, monkeypatch, step, codec):
    """Wherever closing is broken off, it can be done again, with the same result."""
    said = ChatFrame(1, "Ann", ZERO, "new", "m1", "Hi")
    sound = {"L16": packet, "OPUS": opus_packet}[codec]
    items = [sound(1, at) for at in range(0, 1000, 20)] + [sound(2, at) for at in range(500, 1500, 20)]
    items += [phrase(1, 0, 900), Event("x", ZERO), said, picture(1, 0), shared(2, 40), end(10_000)]
    straight = opened(tmp_path / "straight")
    straight.write(items)
    straight.close()

    recording = opened(tmp_path / "broken")
    recording.write(items)
    die_after(step, monkeypatch)
    with pytest.raises(Died):
        recording.close()
    monkeypatch.undo()
    recording.abandon()
    again = opened(tmp_path / "broken")
    assert again.ended
    again.close()
    sums = [(tmp_path / name / "SHA256SUMS").read_bytes() for name in ("straight", "broken")]
    assert sums[0] == sums[1]
    assert verify(tmp_path / "broken").ok


def test_what_was_being_written_at_death_is_removed(tmp_path):
    """A whole file that never got its name, also a tombstone's, does not stand beside the complete recording."""
    opened(tmp_path).suspend()
    (tmp_path / "tombstone.json.new.part").write_bytes(b"{")
    finished(tmp_path, packet(1, 0))


def test_one_writer(tmp_path):
    """Two recordings never have one directory open at once."""
    first = opened(tmp_path)
    with pytest.raises(RecordingError, match="somebody else"):
        opened(tmp_path)
    first.suspend()
    opened(tmp_path).suspend()


def test_another_streams_directory_is_refused(tmp_path):
    """A directory that holds another stream's recording is left alone."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    recording.suspend()
    other = msgspec.structs.replace(INFO, stream_id="other")
    with pytest.raises(RecordingError, match="move it away"):
        type(recording).open(tmp_path, other, version="0")


def test_complete_means_complete(tmp_path):
    """Nothing is added to a closed recording, and what a crash left beside it is removed."""
    finished(tmp_path, packet(1, 0))
    (tmp_path / "ledger.jsonl.part").touch()
    with pytest.raises(RecordingError, match="complete"):
        opened(tmp_path)
    assert verify(tmp_path).ok


@pytest.mark.parametrize("closed", [True, False])
def test_purge(tmp_path, closed):
    """Deleting leaves a tombstone without names or words, can be repeated, and nothing is recorded there again."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), phrase(1, 0, 900, "a secret"), end(1000)])
    recording.close() if closed else recording.abandon()
    for _ in range(2):
        purge(tmp_path, INFO, version="0.1.0")
    assert [path.name for path in tmp_path.iterdir()] == ["tombstone.json"]
    note = msgspec.json.decode((tmp_path / "tombstone.json").read_bytes())
    assert (note["stream_id"], note["why"]) == (INFO.stream_id, "revoked")
    assert note["files"] > 2 and note["bytes"] > 16_000 and note["deleted_ms"] > 1_600_000_000_000
    assert "Name" not in str(note) and "secret" not in str(note)
    with pytest.raises(RecordingError, match="deleted"):
        opened(tmp_path)
    assert not verify(tmp_path).ok


def test_purge_of_nothing(tmp_path):
    """A stream that was never recorded gets its tombstone too."""
    purge(tmp_path / "a" / "b", INFO, version="0")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["tombstone.json"]


def test_any_crash_leaves_a_recording_that_closes(tmp_path):
    """Copies taken after any write or flush close, verify, and hold only true samples."""
    chance = random.Random(5)
    recording = opened(tmp_path / "live")
    truth = {}
    for number in range(30):
        at = number * 200 if chance.random() < 0.8 else chance.randrange(number + 1) * 200 + 100
        batch = [packet(1, at + step, tone(at + step)) for step in (0, 20, 40)]
        truth |= {frame.timestamp_ms - ZERO: frame.data for frame in batch}
        recording.write(batch)
        if chance.random() < 0.3:
            recording.flush()
        copy = tmp_path / f"copy{number}"
        shutil.copytree(tmp_path / "live", copy)
        manifest = finished(copy)
        for track in manifest.tracks:
            data = samples(copy / track.file).tobytes()
            for ms in range(0, 7000, 20):
                assert data[ms * 16 : ms * 16 + 320] in (bytes(320), truth.get(ms, b""))
    recording.abandon()


def test_a_phrase_that_zoom_replays_to_a_new_process_stands_once(tmp_path):
    """A continued recording knows the phrases that it has; another one of the same moment is kept."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), phrase(1, 0, 900, "Hi")])
    recording.suspend()
    finished(tmp_path, phrase(1, 0, 900, "Hi"), phrase(1, 0, 900, "Hi there"))
    lines = (tmp_path / "transcript.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["Hi", "Hi there"]


def test_a_recording_that_was_left_writes_nothing_more(tmp_path):
    """The numbers of its files are soon other files': a flush that comes late must not touch them."""
    recording = opened(tmp_path / "r")
    recording.write([packet(1, 0)])
    recording.abandon()
    handles = [os.open(tmp_path / f"other{number}", os.O_RDWR | os.O_CREAT) for number in range(8)]
    with pytest.raises(RecordingError, match="has been left"):
        recording.flush()
    assert all(os.fstat(handle).st_size == 0 for handle in handles)
    for handle in handles:
        os.close(handle)
