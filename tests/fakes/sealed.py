"""Run Python as systemd's MemoryDenyWriteExecute=yes lets it: no code that is made while running."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SEAL = """
import ctypes, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(77)
"""


def run_sealed(program: str, *arguments: str) -> str:
    """Run a program in a process that is sealed; give what it printed. Skips where the kernel (before 6.3) cannot."""
    done = subprocess.run(
        [sys.executable, "-c", _SEAL + program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this kernel cannot deny writable code")
    assert done.returncode == 0, done.stderr
    return done.stdout
