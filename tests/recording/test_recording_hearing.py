"""Listening to tracks of complete recordings: the samples that other decoders find, at the meeting's times."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from codec_samples import FORMATS, frames, packets
from ffmpeg_judge import decoded, needs_ffmpeg
from period_samples import LENGTH_MS, meeting
from recording_samples import INFO, RATE, ZERO, end, opened, packet, tone, verified

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat, AudioFrame
from rtmsd.recording import FilePlan, Manifest, Recording, TrackEntry, hear


def heard(directory: Path, manifest: Manifest, track: TrackEntry) -> np.ndarray:
    """All of a track, put where its frames say that it belongs."""
    whole = np.zeros((track.samples, track.channels), dtype=np.int16)
    last_ms = ZERO - 1
    for frame in hear(directory, manifest, track):
        assert frame.timestamp_ms > last_ms and (frame.timestamp_ms - ZERO) % 1000 == 0
        assert 0 < frame.duration_ms <= 1000
        assert (frame.user_id, frame.format.codec, frame.format.rate) == (track.user_id, "L16", track.rate)
        last_ms = frame.timestamp_ms
        samples = np.frombuffer(frame.data, "<i2").reshape(-1, track.channels)
        at = (frame.timestamp_ms - ZERO) * track.rate // 1000
        whole[at : at + len(samples)] = samples
    return whole


@needs_ffmpeg
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.codec}-{form.rate}-{form.channels}")
def test_every_codec_is_heard_as_ffmpeg_hears_it(tmp_path: Path, form: AudioFormat) -> None:
    """Sample by sample, also of who came later and of the silence around; Opus may be rounded otherwise."""
    recording = opened(tmp_path)
    _, first = packets(form, 440)
    _, second = packets(form, 620, secs=1)
    recording.write([*frames(1, 0, form, first), *frames(2, 1205, form, second), end(4013)])
    manifest = recording.close()
    for track in manifest.tracks:
        ours, theirs = heard(tmp_path, manifest, track), decoded(tmp_path / track.file)
        assert abs(ours.astype(int) - theirs).max() <= (1 if form.codec == "OPUS" else 0)
        assert abs(ours.astype(int)).max() > 3000


@pytest.mark.parametrize("plan", [FilePlan("flac", 0), FilePlan("wav", 1), FilePlan("flac", 2)], ids=str)
def test_a_divided_track_is_heard_as_one(tmp_path: Path, plan: FilePlan) -> None:
    """However it is kept: the same samples at the same times, and nothing where there is no file."""
    manifests = {}
    for name, one in (("plain", FilePlan()), ("other", plan)):
        recording = Recording.open(tmp_path / name, INFO, version="0.1.0", plan=one)
        for batch in meeting():
            recording.write(batch)
        recording.close()
        manifests[name] = verified(tmp_path / name)
    for plain, other in zip(manifests["plain"].tracks, manifests["other"].tracks, strict=True):
        ours = heard(tmp_path / "other", manifests["other"], other)
        assert len(ours) == LENGTH_MS * RATE // 1000
        np.testing.assert_array_equal(ours, heard(tmp_path / "plain", manifests["plain"], plain))


def test_zooms_own_mix_is_heard(tmp_path: Path) -> None:
    """A recording with one track has it, of user 0, and the frames say that nobody is told apart."""
    form = AudioFormat("L16", RATE, 1, False)
    recording = opened(tmp_path)
    recording.write([AudioFrame(0, "", ZERO, tone(1, 1500), form), end(1500)])
    manifest = recording.close()
    [track] = manifest.tracks
    assert [(one.user_id, one.duration_ms) for one in hear(tmp_path, manifest, track)] == [
        (0, 1000),
        (0, 500),
    ]
    assert not next(hear(tmp_path, manifest, track)).format.per_participant


def test_an_hour_takes_no_more_memory_than_a_second(tmp_path: Path) -> None:
    """Seconds are read one by one."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0), packet(1, 3_600_000), end(3_601_000)])
    manifest = recording.close()
    [track] = manifest.tracks
    tracemalloc.start()
    try:
        assert sum(1 for _ in hear(tmp_path, manifest, track)) == 3601
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", ["OPUS", "L16"])
def test_a_file_that_is_gone_or_damaged_is_a_sentence(tmp_path: Path, codec: str) -> None:
    """Not an error of some library: an OSError, or a RecordingError with the file's name."""
    form = next(one for one in FORMATS if one.codec == codec)
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=FilePlan("flac"))
    data = bytes(640) if codec == "L16" else b"\x08abc"
    recording.write([AudioFrame(1, "Ann", ZERO, data, form), end(1000)])
    manifest = recording.close()
    [track] = manifest.tracks
    (tmp_path / track.file).write_bytes(b"neither Ogg nor FLAC")
    with pytest.raises((RecordingError, OSError), match=track.file.partition("/")[2]):
        list(hear(tmp_path, manifest, track))


@needs_ffmpeg
def test_without_the_library_of_a_codec_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what needs it does."""
    monkeypatch.setitem(sys.modules, "av", None)
    for codec, wanted in (("OPUS", True), ("G722", True), ("G711", False), ("L16", False)):
        form = next(one for one in FORMATS if one.codec == codec)
        recording = opened(tmp_path / codec)
        recording.write([*frames(1, 0, form, packets(form, 440, secs=1)[1]), end(1000)])
        manifest = recording.close()
        if wanted:
            with pytest.raises(RecordingError, match=f"Sound of the codec {codec} needs .*rtmsd\\[mux\\]"):
                list(hear(tmp_path / codec, manifest, manifest.tracks[0]))
        else:
            assert list(hear(tmp_path / codec, manifest, manifest.tracks[0]))
