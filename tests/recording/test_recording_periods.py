"""Files of N minutes, and FLAC: what is in them is the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import orjson
import pytest
import soundfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from period_samples import STEP_MS, meeting, said
from recording_samples import INFO, RATE, end, opus_packet, packet, phrase, verified

from rtmsd.frames import AudioFormat
from rtmsd.recording import FilePlan, Recording, Signer, verify
from rtmsd.recording.manifest import Manifest


def record(directory: Path, batches: list[list], plan: FilePlan, *, breaks: bool = False) -> Manifest:
    recording = Recording.open(directory, INFO, version="0.1.0", plan=plan)
    for number, batch in enumerate(batches):
        recording.write(batch)
        recording.flush()
        if breaks and number % 7 == 6:
            recording.suspend() if number % 2 else recording.abandon()
            recording = Recording.open(directory, INFO, version="0.1.0")
    recording.close()
    return verified(directory)


def heard(directory: Path, manifest: Manifest) -> dict[int, np.ndarray]:
    """All of each track, put together from its files by a reader that is not ours."""
    tracks = {}
    for track in manifest.tracks:
        tracks[track.user_id] = np.zeros(track.samples, dtype=np.int16)
        for part in track.files:
            data, rate = soundfile.read(directory / part.file, dtype="int16")
            assert (rate, len(data)) == (track.rate, part.samples)
            tracks[track.user_id][part.first_sample : part.first_sample + part.samples] = data
    return tracks


def comparable(manifest: Manifest) -> list:
    accounts = [(track.user_id, track.names, track.account) for track in manifest.tracks]
    return [manifest.gaps, manifest.completeness, manifest.duration_ms, manifest.counts, accounts]


PLANS = [FilePlan("wav", 1), FilePlan("flac", 0), FilePlan("flac", 1), FilePlan("wav", 2)]


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.audio_format}-{plan.minutes_per_file}")
def test_the_same_is_recorded(tmp_path, plan, breaks):
    """However sound is divided and kept, every sample and number is that of the undivided WAV, also with crashes."""
    batches = meeting()
    plain = record(tmp_path / "plain", batches, FilePlan(), breaks=breaks)
    other = record(tmp_path / "other", batches, plan, breaks=breaks)
    assert comparable(other) == comparable(plain)
    one, two = heard(tmp_path / "plain", plain), heard(tmp_path / "other", other)
    assert one.keys() == two.keys()
    for user_id, data in one.items():
        np.testing.assert_array_equal(two[user_id], data)
    mixes = sorted((tmp_path / "other/audio").glob("mixed*"))
    mixed = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in mixes])
    np.testing.assert_array_equal(mixed, soundfile.read(tmp_path / "plain/audio/mixed.wav", dtype="int16")[0])
    if plan.minutes_per_file == 1:
        (second,) = [track for track in other.tracks if track.user_id == 2]
        suffix = plan.audio_format
        assert [part.file for part in second.parts] == [
            f"audio/user=2.000{number}.{suffix}" for number in (1, 3, 4, 5, 6)
        ]
        assert [part.first_sample // RATE for part in second.parts] == [0, 120, 180, 240, 300]


@pytest.mark.parametrize("codec", ["G711", "G722", "OPUS"])
def test_other_codecs(tmp_path, codec):
    """A-law and G.722 are divided and never encoded anew; packets of Opus stay in one file."""
    plan = FilePlan("flac", 1)
    if codec == "OPUS":
        frames = [opus_packet(1, at) for at in range(0, 90_000, 60)]
    else:
        form = AudioFormat(codec, {"G711": 8000, "G722": 16_000}[codec], 1, True)
        frames = [packet(1, at, bytes([at % 251]) * 4000, form) for at in range(0, 90_000, STEP_MS)]
    recording = Recording.open(tmp_path, INFO, version="0.1.0", plan=plan)
    recording.write([*frames, end(90_000)])
    recording.close()
    report = verify(tmp_path)
    assert report.problems == []
    files = {"G711": 2, "G722": 2, "OPUS": 1}[codec]
    assert [len(track.files) for track in report.manifest.tracks] == [files]
    assert report.manifest.completeness == 1.0
    assert not list(tmp_path.rglob("*.flac"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(minutes_per_file=0), "one file, or divided"),
        (lambda m: m["tracks"][0]["parts"].pop(), "both a file and a track"),
        (lambda m: m["tracks"][0]["parts"].reverse(), "after the part before it"),
        (lambda m: m["tracks"][0]["parts"][1].update(first_sample=0), "should be the 1. part"),
        (lambda m: m["tracks"][0]["parts"][1].update(samples=8), "should be the 2. part"),
        (lambda m: m["tracks"][0].update(file="audio/user=1.wav"), "one file, or divided"),
    ],
)
def test_lies_about_parts_are_found(tmp_path, change, words):
    """The parts must lie where their periods are."""
    record(tmp_path, meeting(), FilePlan("wav", 1))
    path = tmp_path / "manifest.json"
    about = orjson.loads(path.read_bytes())
    change(about)
    path.write_bytes(orjson.dumps(about))
    problems = verify(tmp_path).problems
    assert any(words in problem for problem in problems), problems


def _signed(directory: Path) -> Path:
    recording = Recording.open(directory, INFO, version="0.1.0", plan=FilePlan("flac", 1))
    recording.write([*(said(1, at) for at in range(0, 130_000, 6500)), phrase(1, 0, 900), end(130_000)])
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    recording.close(Signer(pem.decode()))
    return directory


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_found_wherever_it_is(data):
    """One flipped bit in any file of a divided, compressed and signed recording makes verify fail."""
    with tempfile.TemporaryDirectory() as root:
        directory = _signed(Path(root))
        assert verify(directory).problems == []
        files = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        assert not verify(directory).ok
