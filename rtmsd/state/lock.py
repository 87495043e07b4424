"""One daemon owns a state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtmsd.errors import JournalError


@contextmanager
def owned(state_dir: Path) -> Iterator[None]:
    """Hold `state_dir` for this process; a missing directory is created with mode 0700.

    The kernel frees the lock when the process dies, however it dies. Raise JournalError when another holds it.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(
            f"the state directory {state_dir} cannot be used: {error.strerror}; "
            "let rtmsd's user own it, or choose another state_dir"
        ) from error
    try:
        _lock(handle, path)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise JournalError(
            f"another rtmsd (pid {owner}) uses this state directory and holds {path}; "
            "stop it, or give this one another state_dir"
        ) from None
    except OSError as error:
        raise JournalError(f"{path} cannot be locked: {error.strerror}") from error
