"""What a client process measures of itself, and how it is asked for it."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable

SAMPLED = 16
"""Of so many frames one has its lag measured, in every client alike: measuring is not free."""


class Meter:
    """Counts frames. `count` is what every client does for each frame."""

    def __init__(self) -> None:
        self.frames = 0
        self.lags: list[float] = []

    def count(self, timestamp_ms: int) -> None:
        self.frames += 1
        if not self.frames % SAMPLED:
            self.lags.append(time.time() * 1000 - timestamp_ms)

    def reading(self) -> dict[str, float]:
        """Say how it is now, and begin with the lags anew."""
        lags, self.lags = sorted(self.lags), []
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return {
            "frames": self.frames,
            "cpu_secs": usage.ru_utime + usage.ru_stime,
            "lag_p50_ms": lags[len(lags) // 2] if lags else 0.0,
            "lag_p99_ms": lags[len(lags) * 99 // 100] if lags else 0.0,
            "resident_bytes": resident,
        }


def answer_on_stdin(meter: Meter, stop: Callable[[], None]) -> None:
    """Answer every line on stdin with a reading, from a thread; `stop` is called when stdin ends."""

    def serve() -> None:
        for _ in sys.stdin:
            # On a line of its own: the SDK writes to stdout, too, and not always whole lines.
            print("\n" + json.dumps(meter.reading()), flush=True)
        stop()

    threading.Thread(target=serve, daemon=True).start()
