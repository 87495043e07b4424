"""The only place that reads the machine's clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Monotonic seconds for durations, wall time for labels. Tests pass a subclass."""

    # Without a Python function around them: the frame path asks for every frame.
    monotonic: Callable[[], float] = staticmethod(time.monotonic)
    wall: Callable[[], float] = staticmethod(time.time)
    """Unix seconds."""

    def wall_ms(self) -> int:
        return int(self.wall() * 1000)


def iso_utc(unix_ms: int) -> str:
    """Write Unix milliseconds as `2026-11-20T10:00:00.123Z`."""
    return (
        datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
