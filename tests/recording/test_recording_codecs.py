"""Tracks of every codec, judged by ffmpeg: it takes each file, and hears what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from codec_samples import FORMATS, frames, packets
from ffmpeg_judge import decoded, ffmpeg, needs_ffmpeg, probe
from recording_samples import end, opened

from rtmsd.frames import AudioFormat
from rtmsd.recording import verify

pytestmark = needs_ffmpeg


def alone(whole: bytes, form: AudioFormat) -> np.ndarray:
    """What ffmpeg makes of its own sound."""
    kind = {"L16": "s16le", "G711": "alaw", "G722": "g722", "OPUS": "ogg"}[form.codec]
    shape = ["-ar", str(form.rate), "-ac", str(form.channels)] if form.codec in ("L16", "G711") else []
    data = ffmpeg("-f", kind, *shape, "-i", "-", "-f", "s16le", "-", given=whole)
    return np.frombuffer(data, "<i2").reshape(-1, form.channels)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.codec}-{form.rate}-{form.channels}")
def test_every_codec(tmp_path, form):
    """A whole track sounds as it did alone; one that came later and left earlier is as long, and silent around it."""
    (early, first), (late, second) = packets(form, 440), packets(form, 620, secs=1)
    recording = opened(tmp_path)
    recording.write(frames(1, 0, form, first[:60]))
    recording.flush()
    recording.write([*frames(1, 1200, form, first[60:]), *frames(2, 1205, form, second), end(4013)])
    manifest = recording.close()
    assert verify(tmp_path).problems == []
    assert manifest.duration_ms == 4013
    names = {"L16": "pcm_s16le", "G711": "pcm_alaw", "G722": "adpcm_g722", "OPUS": "opus"}
    heard = {}
    for track in manifest.tracks:
        seen = probe(tmp_path / track.file)
        assert (seen["codec_name"], int(seen["sample_rate"]), seen["channels"]) == (
            names[form.codec],
            form.rate,
            form.channels,
        )
        # ffprobe counts what a decoder of Opus is told to skip at the beginning.
        assert abs(float(seen["duration"]) - 4.013) < (0.007 if form.codec == "OPUS" else 0.0001)
        heard[track.user_id] = decoded(tmp_path / track.file)
        assert len(heard[track.user_id]) == track.samples == 4013 * form.rate // 1000
        assert (track.codec, track.present_secs) == (form.codec, 2 if track.user_id == 1 else 1)

    whole = alone(early, form)[: 2 * form.rate]
    # The end of one packet of Opus sounds into the next, and a decoder of G.722 remembers.
    same = len(whole) - (form.rate // 50 if form.codec == "OPUS" else 0)
    np.testing.assert_array_equal(heard[1][:same], whole[:same])
    at = 1205 * form.rate // 1000
    exact = form.codec in ("L16", "G711")
    quiet = {"L16": 0, "G711": 8, "G722": 65, "OPUS": 0}[form.codec]
    before, after = heard[2][: at - form.rate // 100], heard[2][at + form.rate + form.rate // 50 :]
    assert max(abs(before.astype(int)).max(), abs(after.astype(int)).max()) <= quiet
    if exact:
        np.testing.assert_array_equal(heard[2][at : at + form.rate], alone(late, form)[: form.rate])
        total = heard[1].astype(int) + heard[2]
        silent = np.ones(len(total), bool)
        silent[: 2 * form.rate] = silent[at : at + form.rate] = False
        total[silent] = 0
        lonely = at  # until then only one of them was heard, and the filling of the other is not in the sum
        mixed = decoded(tmp_path / "audio/mixed.wav").astype(int)
        assert abs(mixed - np.clip(total, -32768, 32767)).max() <= quiet
        np.testing.assert_array_equal(mixed[:lonely], heard[1][:lonely])
        assert "sum of all tracks" in manifest.mix
    else:
        assert not (tmp_path / "audio/mixed.wav").exists()
        assert "no mix" in manifest.mix and form.codec in manifest.mix
        assert abs(heard[2][at : at + form.rate].astype(int)).max() > 5000


@pytest.mark.parametrize("decoder", ["opus", "libopus"])
def test_absences_in_opus_are_true_silence(tmp_path, decoder):
    """No decoder invents sound where nothing came, not even right after a loud tone that was cut off."""
    form = AudioFormat("OPUS", 48_000, 2, True)
    _, loud = packets(form, 440)
    recording = opened(tmp_path)
    recording.write([*frames(1, 0, form, loud[:30]), *frames(1, 1817, form, loud[30:60]), end(3000)])
    recording.close()
    heard = decoded(tmp_path / "audio/user=1.opus", "-c:a", decoder)
    assert len(heard) == 144_000
    assert not heard[48 * 625 : 48 * 1800].any() and not heard[48 * 2450 :].any()
    assert abs(heard[48 * 1850 : 48 * 2400].astype(int)).max() > 5000


@pytest.mark.parametrize("form", FORMATS[-4:], ids=lambda form: f"{form.codec}-{form.channels}")
def test_an_unfinished_track_can_be_heard(tmp_path, form):
    """After a flush, and after a crash, ffmpeg takes the file that nobody closed, and the pauses are in it."""
    _, data = packets(form, 440)
    recording = opened(tmp_path)
    recording.write([*frames(1, 0, form, data[:50]), *frames(1, 1500, form, data[50:80])])
    recording.flush()
    recording.abandon()
    (path,) = (tmp_path / "audio").iterdir()
    named = path.rename(path.with_suffix(""))
    heard = decoded(named)
    assert abs(len(heard) / form.rate - 2.1) < 0.007
    middle = heard[form.rate * 11 // 10 : form.rate * 14 // 10]
    assert abs(middle.astype(int)).max() <= 65


@pytest.mark.parametrize("codec", ["G711", "OPUS"])
def test_zooms_own_mix_of_any_codec(tmp_path, codec):
    """When Zoom mixes, its track is the mix, in whatever codec."""
    form = AudioFormat(codec, 8000 if codec == "G711" else 48_000, 1, False)
    _, data = packets(form, 440, secs=1)
    recording = opened(tmp_path)
    recording.write([*frames(0, 0, form, data), end(1000)])
    manifest = recording.close()
    assert verify(tmp_path).problems == []
    suffix = "wav" if codec == "G711" else "opus"
    assert [path.name for path in (tmp_path / "audio").iterdir()] == [f"mixed.{suffix}"]
    assert manifest.mix == f"audio/mixed.{suffix} is Zoom's own mix."
    assert len(decoded(tmp_path / f"audio/mixed.{suffix}")) == form.rate
