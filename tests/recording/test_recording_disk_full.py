"""A disk that refuses. The limit on file sizes is a real refusal by the system, in the middle of a write."""

from __future__ import annotations

import os

import pytest
from recording_samples import end, opened, opus_packet, packet, phrase, picture, samples, shared, spurt, tone
from small_disk import largest_file

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat
from rtmsd.recording import patches, verify


def snapshot(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_nothing_of_a_refused_batch_is_kept(tmp_path):
    """When the last file of a batch does not fit, the others are as they were, and the batch can come again."""
    refuse_and_repeat(
        tmp_path,
        [*spurt(1, 0, 1000), *spurt(2, 0, 100), *spurt(2, 700, 1000), phrase(1, 0, 500)],
        [phrase(1, 500, 900), *spurt(3, 0, 200), *spurt(2, 100, 700), *spurt(1, 1000, 1500), end(3000)],
        44 + 16 * 1200 + 7,
    )


def test_nothing_of_a_refused_batch_of_pictures_is_kept(tmp_path):
    """A frame that does not fit leaves no byte behind, nor its line, nor what came with it, and stands once later."""
    refuse_and_repeat(
        tmp_path,
        [*spurt(1, 0, 1000), picture(1, 0, 9000), shared(2, 0, 50)],
        [shared(2, 40, 300), picture(3, 0, 50), phrase(1, 0, 500), picture(1, 40, 90_000), end(3000)],
        60_000,
    )


def test_nothing_of_a_refused_batch_of_opus_is_kept(tmp_path):
    """Pages that do not fit are undone, with the silence before them, and their numbers are given again."""
    refuse_and_repeat(
        tmp_path,
        [opus_packet(1, at) for at in range(0, 1000, 20)],
        [*(opus_packet(user, at) for user in (2, 1) for at in range(1500, 5000, 20)), end(6000)],
        7500,
    )


@pytest.mark.parametrize("codec", ["G711", "G722"])
def test_silence_is_restored_when_a_write_is_undone(tmp_path, codec):
    """A hole that was written into and undone holds its codec's silence again, which is not zero."""
    form = AudioFormat(codec, {"G711": 8000, "G722": 16_000}[codec], 1, True)
    first, late, far = (
        [packet(1, at, bytes([at % 100 + 1]) * 160, form) for at in range(start, stop, 20)]
        for start, stop in ((0, 1000), (1000, 1200), (1500, 2000))
    )
    refuse_and_repeat(tmp_path, [*first, *far], [*late, packet(1, 3000, bytes(160), form), end(4000)], 20_000)


def refuse_and_repeat(tmp_path, first, second, limit):
    """Write two batches, the second refused at first for a file that would be longer than `limit`."""
    recording = opened(tmp_path / "refused")
    recording.write(first)
    recording.flush()
    before = snapshot(tmp_path)
    with largest_file(limit), pytest.raises(OSError):
        recording.write(second)
    assert snapshot(tmp_path) == before
    assert not recording.ended
    recording.write(second)
    recording.close()

    straight = opened(tmp_path / "straight")
    straight.write(first)
    straight.flush()
    straight.write(second)
    straight.close()
    sums = [(tmp_path / name / "SHA256SUMS").read_bytes() for name in ("refused", "straight")]
    assert sums[0] == sums[1]


def test_the_opening_is_kept_through_a_refusal(tmp_path):
    """Packets that waited for zero are not lost when the write that places them fails."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 400))
    with largest_file(1000), pytest.raises(OSError):
        recording.write(spurt(1, 400, 800))
    recording.write(spurt(1, 400, 800))
    recording.write([end(800)])
    recording.close()
    assert samples(tmp_path / "audio/user=1.wav").all()


def test_a_failed_flush_can_be_repeated(tmp_path):
    """When the ledger cannot grow nothing is lost, and the next flush says it all."""
    recording = opened(tmp_path)
    recording.write(spurt(1, 0, 1000))
    with largest_file(10), pytest.raises(OSError):
        recording.flush()
    recording.flush()
    recording.abandon()
    again = opened(tmp_path)
    again.write([end(1000)])
    again.close()
    assert verify(tmp_path).manifest.tracks[0].present_secs == 1


def test_a_failed_close_can_be_repeated(tmp_path):
    """A disk that fills up while closing leaves a recording that closes later."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 1000), end(5000)])
    recording.flush()
    with largest_file(20_000), pytest.raises(OSError):
        recording.close()
    recording.close()
    assert verify(tmp_path).problems == []


def test_what_cannot_be_undone_is_left_and_mended(tmp_path, monkeypatch):
    """When even undoing fails the recording is left at once, and opening it puts it right."""
    recording = opened(tmp_path)
    recording.write([*spurt(1, 0, 200), *spurt(1, 600, 1000)])
    recording.flush()
    real, calls = os.pwrite, []

    def failing(handle, data, offset):
        calls.append(offset)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        return real(handle, data, offset)

    # No real disk fails on demand with the write and its undoing, and lets the first write through.
    monkeypatch.setattr(patches.os, "pwrite", failing)
    with pytest.raises(RecordingError, match="undoing"):
        recording.write([packet(1, 300, tone(1)), packet(1, 400, tone(2))])
    monkeypatch.undo()
    recording.suspend()
    again = opened(tmp_path)
    again.write([end(1000)])
    again.close()
    assert verify(tmp_path).problems == []
    assert not samples(tmp_path / "audio/user=1.wav")[1600:4800].any()
