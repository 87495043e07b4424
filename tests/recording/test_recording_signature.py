"""Signed recordings: whose they are and that they are unaltered, also by openssl's judgement."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from recording_samples import end, opened, packet

from rtmsd.cli import main
from rtmsd.errors import RecordingError
from rtmsd.recording import Signer, read_public_key, recover, verify


def pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


KEY, OTHER = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()


def signed(directory: Path, signer: Signer | None = None) -> Path:
    recording = opened(directory)
    recording.write([packet(1, 0), end(1000)])
    recording.close(signer or Signer(pem(KEY)))
    return directory


def test_a_signed_recording(tmp_path):
    """It verifies, with its key and without; another key's owner did not sign it."""
    signed(tmp_path)
    assert verify(tmp_path).problems == []
    assert verify(tmp_path, public_key=read_public_key(public_pem(KEY))).problems == []
    [problem] = verify(tmp_path, public_key=read_public_key(public_pem(OTHER))).problems
    assert "should be signed by the key" in problem


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, the judge")
def test_openssl_agrees(tmp_path):
    """The signature is an ordinary one, which needs nothing of ours."""
    signed(tmp_path)
    (tmp_path / "key.pub").write_bytes(public_pem(KEY))
    command = "openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.sig", "manifest.json", "audio/user=1.wav"])
def test_alterations_are_found(tmp_path, name):
    """A flipped byte is found without any key, also in the signature itself."""
    path = signed(tmp_path) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(tmp_path).problems != []


def test_sealing_anew_needs_the_key(tmp_path):
    """Who changes a file and all sums, and even who signs it with another key, does not deceive who has the public key."""
    expected = read_public_key(public_pem(KEY))
    signed(tmp_path / "a")
    (tmp_path / "a/SHA256SUMS").write_bytes(b"")
    assert any("not the signature" in problem for problem in verify(tmp_path / "a").problems)
    signed(tmp_path / "b", Signer(pem(OTHER)))
    assert verify(tmp_path / "b").problems == []
    assert verify(tmp_path / "b", public_key=expected).problems != []
    recording = opened(tmp_path / "c")
    recording.write([packet(1, 0), end(1000)])
    recording.close()
    assert verify(tmp_path / "c", public_key=expected).problems == [
        "the recording should be signed, and is not"
    ]
    (tmp_path / "c/SHA256SUMS.sig").write_bytes(bytes(64))
    assert verify(tmp_path / "c").problems != []
    (signed(tmp_path / "d") / "SHA256SUMS.sig").unlink()
    assert "SHA256SUMS.sig is missing" in verify(tmp_path / "d").problems


@pytest.mark.parametrize("text", ["", "secret", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_what_is_no_key(text):
    """Another kind of key, or none, is refused with a sentence that does not show it."""
    with pytest.raises(RecordingError, match="Ed25519") as caught:
        Signer(text)
    assert not text or text not in str(caught.value)
    with pytest.raises(RecordingError, match="Ed25519"):
        read_public_key(text.encode())


def test_a_recovered_recording_is_signed(tmp_path):
    """What a crash left is signed when it is finished."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0)])
    recording.abandon()
    recover(tmp_path, version="0", signer=Signer(pem(KEY)))
    assert verify(tmp_path, public_key=read_public_key(public_pem(KEY))).problems == []


def test_the_command(tmp_path):
    """`rtmsd verify --public-key FILE` takes the key as openssl writes it."""
    signed(tmp_path / "r")
    for name, key, code in (
        ("key.pub", public_pem(KEY), 0),
        ("other.pub", public_pem(OTHER), 1),
        ("bad", b"", 1),
    ):
        (tmp_path / name).write_bytes(key)
        arguments = ["verify", "--public-key", str(tmp_path / name), str(tmp_path / "r")]
        assert CliRunner().invoke(main, arguments).exit_code == code
    assert json.loads((tmp_path / "r/manifest.json").read_bytes())["signer"] == Signer(pem(KEY)).public_key
