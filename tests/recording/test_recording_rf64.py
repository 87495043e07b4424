"""Files beyond 4 GiB."""

from __future__ import annotations

import pytest
import soundfile
from ffmpeg_judge import needs_ffmpeg, probe
from period_samples import STEP_MS, said
from recording_samples import INFO, RATE, end, packet, tone

from rtmsd.frames import AudioFormat
from rtmsd.recording import Recording, track_format, verify, wav
from rtmsd.recording.track_format import TrackFormat


@needs_ffmpeg
def test_beyond_four_gibibytes(tmp_path):
    """Seven hours of stereo at 48 kHz are RF64, which others read; a shorter file of that format is plain WAV."""
    form = track_format.track_format(AudioFormat("L16", 48_000, 2, True))
    assert form is not None and form.wide
    for hours, rf64 in ((7, True), (1, False)):
        path = tmp_path / f"{hours}.wav"
        wav.finish(path, form, hours * 3600 * 48_000)
        assert wav.check(path, form) == hours * 3600 * 48_000
        found = soundfile.info(path)
        assert (found.format == "RF64", found.frames, found.samplerate) == (
            rf64,
            hours * 3600 * 48_000,
            48_000,
        )
        assert float(probe(path)["duration"]) == hours * 3600
        path.unlink()


@pytest.mark.parametrize("codec", ["L16", "G711"])
def test_a_recording_that_outgrows_wav(tmp_path, monkeypatch, codec):
    """A track that grows beyond what WAV can say stays valid at every flush, and equals what was said."""
    monkeypatch.setattr(track_format, "LARGEST_DATA_BYTES", 20_000)
    form = AudioFormat(codec, RATE, 1, True)
    made: TrackFormat | None = track_format.track_format(form)
    assert made is not None
    recording = Recording.open(tmp_path, INFO, version="0.1.0")
    data = []
    for at in range(0, 4000, STEP_MS):
        frame = said(1, at, form) if codec == "L16" else packet(1, at, tone(at, STEP_MS)[:4000], form)
        data.append(frame.data)
        recording.write([frame])
        recording.flush()
        wav.check(tmp_path / "audio/user=1.wav.part", made)
    recording.write([end(4000)])
    recording.close()
    assert verify(tmp_path).problems == []
    content = (tmp_path / "audio/user=1.wav").read_bytes()
    assert (content[:4], content[wav.header_bytes(made) :]) == (b"RF64", b"".join(data))
    assert soundfile.info(tmp_path / "audio/user=1.wav").frames == 4 * RATE
