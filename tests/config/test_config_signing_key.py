"""A key in PEM is a secret of several lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rtmsd.api.recording import Signer
from rtmsd.config.secrets import read_secret

PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_in_pem_can_be_a_secret(tmp_path: Path, newline: str) -> None:
    """From a file, a credential and the environment it comes as it stands there, and can sign."""
    path = tmp_path / "key.pem"
    path.write_bytes(PEM.replace("\n", newline).encode())
    path.chmod(0o600)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "KEY": path.read_text()}
    for place in ({"file": "key.pem"}, {"credential": "key.pem"}, {"env": "KEY"}):
        secret = read_secret(place, environ=environ, base=tmp_path)
        assert Signer(secret.reveal()).public_key == Signer(PEM).public_key


@pytest.mark.parametrize("text", ["two words", "-----BEGIN a\x07-----", "one\ntwo"])
def test_white_space_elsewhere_is_still_a_mistake(text: str) -> None:
    """What was copied with a piece too much is refused, and not shown."""
    with pytest.raises(ValueError, match="white space") as caught:
        read_secret({"env": "S"}, environ={"S": text}, base=Path())
    assert text not in str(caught.value)
