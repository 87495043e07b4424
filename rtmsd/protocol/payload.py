"""The bytes of a media message: base64, as Zoom documents it and as it might come (protocol.md §5.6)."""

from __future__ import annotations

import binascii

import pybase64

_OTHER_ALPHABET = str.maketrans("-_", "+/", " \r\n\t=")


def decoded(text: object) -> bytes | None:
    """Decode the standard alphabet, padded; None when it is anything else."""
    try:
        return pybase64.b64decode(text, validate=True)  # type: ignore[arg-type]  # other types raise
    except (binascii.Error, ValueError, TypeError):
        return None


def repaired(text: object) -> bytes | None:
    """Decode base64 without padding, of the URL-safe alphabet, or with line breaks. None: it is no base64 at all."""
    if not isinstance(text, str):
        return None
    plain = text.translate(_OTHER_ALPHABET)
    if len(plain) % 4 == 1:
        return None
    return decoded(plain + "=" * (-len(plain) % 4))
