"""What a file is, in a few bytes: its size, its SHA-256, and the ETag that S3 gives to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from errno import EINTR
from pathlib import Path
from threading import Event

PART_BYTES = 8 * 2**20
"""How large the parts of an upload are; a file of this size or smaller goes in one piece."""

# S3 takes 10 000 parts.
_MOST_PARTS = 9_000
_READ_BYTES = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """`e_tag` is without quotes; of parts it is the MD5 of their MD5s, a dash and their number."""

    size: int
    sha256: str
    e_tag: str

    def proven_by(self, e_tag: str | None) -> bool:
        """True when a store's ETag is the MD5 that S3 makes: not so with KMS, nor with other stores."""
        return (e_tag or "").strip('"') == self.e_tag


def part_bytes(size: int) -> int:
    """Say how large the parts of a file are, so that there are not too many."""
    least = -(-size // _MOST_PARTS)
    return max(PART_BYTES, -(-least // 2**20) * 2**20)


def fingerprint(path: Path, stop: Event) -> Fingerprint:
    """Read a whole file, once. Blocks; raises OSError, InterruptedError soon after `stop` is set."""
    each = part_bytes(path.stat().st_size)
    whole, parts = hashlib.sha256(), [_md5()]
    size = filled = 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):  # parts are whole numbers of these
            if stop.is_set():
                raise InterruptedError(EINTR, "nobody waits for it any more", str(path))
            if filled == each:
                parts.append(_md5())
                filled = 0
            whole.update(data)
            parts[-1].update(data)
            filled += len(data)
            size += len(data)
    if len(parts) == 1:
        return Fingerprint(size, whole.hexdigest(), parts[0].hexdigest())
    together = _md5(b"".join(part.digest() for part in parts)).hexdigest()
    return Fingerprint(size, whole.hexdigest(), f"{together}-{len(parts)}")


def fingerprint_of(data: bytes) -> Fingerprint:
    """Do it with a small object in memory."""
    assert len(data) <= PART_BYTES
    return Fingerprint(len(data), hashlib.sha256(data).hexdigest(), _md5(data).hexdigest())


def _md5(data: bytes = b"") -> hashlib._Hash:
    # S3's ETag is one; nothing is trusted to it that SHA-256 does not hold too.
    return hashlib.md5(data, usedforsecurity=False)
