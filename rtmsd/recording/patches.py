"""Write a batch into several files so that all of it is there, or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtmsd.errors import RecordingError


@dataclass
class Patch:
    """Bytes for one file that now has `before` bytes, 0 if it does not exist.

    What is overwritten before that was all `silence`, and is again when the writing is undone.
    """

    path: Path
    before: int
    pieces: list[tuple[int, bytes]]
    silence: int = 0
    written: list[tuple[int, int]] = field(default_factory=list)


def write_all(patches: Sequence[Patch]) -> None:
    """Write every piece. OSError: everything is as it was. RecordingError: it could not be undone."""
    for number, patch in enumerate(patches, 1):
        try:
            _write(patch)
        except OSError as error:
            try:
                for done in patches[:number]:
                    _undo(done)
            except OSError as worse:
                raise RecordingError(
                    f"writing {patch.path} failed ({error.strerror}), and undoing the part that was written failed too "
                    f"({worse.strerror}): the recording keeps what it had at its last flush"
                ) from worse
            raise


def write_at(handle: int, data: bytes | memoryview, offset: int) -> int:
    """Write all of `data` and return how much that is; the system may take it in parts."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(handle, rest, offset)
        rest, offset = rest[count:], offset + count
    return len(data)


def _write(patch: Patch) -> None:
    # A file that should be there is not created anew: somebody has deleted the recording.
    create = 0 if patch.before else os.O_CREAT | os.O_TRUNC
    handle = os.open(patch.path, os.O_WRONLY | create, 0o600)
    try:
        for offset, data in patch.pieces:
            patch.written.append((offset, 0))
            rest = memoryview(data)
            while rest:
                count = os.pwrite(handle, rest, offset + len(data) - len(rest))
                rest = rest[count:]
                patch.written[-1] = (offset, len(data) - len(rest))
    finally:
        os.close(handle)


def _undo(patch: Patch) -> None:
    if not patch.before:
        patch.path.unlink(missing_ok=True)
        return
    if not patch.written:
        return
    handle = os.open(patch.path, os.O_WRONLY)
    try:
        os.ftruncate(handle, patch.before)
        for offset, count in patch.written:
            if offset < patch.before:
                os.pwrite(handle, bytes([patch.silence]) * min(count, patch.before - offset), offset)
    finally:
        os.close(handle)
