"""How long to wait between tries."""

from __future__ import annotations

import random
from collections.abc import Iterator

DELAYS_SECS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


def backoff(chance: random.Random) -> Iterator[float]:
    """Yield 0.5, 1, 2, 4, 8, 15, 15, … seconds, each up to a fifth longer or shorter (protocol.md §7.2)."""
    step = 0
    while True:
        yield DELAYS_SECS[min(step, len(DELAYS_SECS) - 1)] * chance.uniform(0.8, 1.2)
        step += 1
