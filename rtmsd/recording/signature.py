"""A detached Ed25519 signature over SHA256SUMS: it proves to others that a recording is unaltered, and whose it is.

`openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig` checks it too.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rtmsd.errors import RecordingError

_MAKE = "openssl genpkey -algorithm ed25519 -out FILE"


class Signer:
    """Signs with a private key, which is PEM without a password. Raises RecordingError when it is none; never shows it."""

    def __init__(self, pem: str) -> None:
        try:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise RecordingError(
                f"a signing key must be a private Ed25519 key in PEM, without a password ({_MAKE}), and is not"
            )
        self._key = key

    @property
    def public_key(self) -> str:
        """Its public half as 64 hexadecimal digits, as the manifest has it."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, sums: bytes) -> bytes:
        return self._key.sign(sums)


def read_public_key(pem: bytes) -> str:
    """Return the hexadecimal digits of a public key (PEM); raises RecordingError when it is none."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise RecordingError(
            "a public key must be an Ed25519 key in PEM (openssl pkey -in FILE -pubout), and is not"
        )
    return key.public_bytes_raw().hex()


def is_signed(sums: bytes, signature: bytes, public_key: str) -> bool:
    """Say whether the signature is that of the key over the sums."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, sums)
    except (InvalidSignature, ValueError):
        return False
    return True
