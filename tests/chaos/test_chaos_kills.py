"""A process that dies by kill -9 leaves what opens, and what recovers into the truth."""

from __future__ import annotations

import shutil

import pytest
from daemon_kills import daemon_kills
from kills import kills

pytestmark = pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="needs Debian's ffmpeg (apt install ffmpeg), the judge"
)


def test_kill_at_random_moments() -> None:
    """Every file opens in independent readers, what had been flushed is there, and recover makes verify pass.

    `python -m tests.chaos kills --count 200` does it more often.
    """
    done = kills(8)
    assert [kill for kill in done if kill.problems] == []
    assert any(kill.stage == "running" for kill in done)


def test_kill_a_daemon() -> None:
    """Two simulated meetings lose their daemon at once: what had been flushed of them is there, and is what was sent."""
    assert [kill for kill in daemon_kills(2) if kill.problems] == []
