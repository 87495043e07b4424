"""How long to wait between tries."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, repeat


def backoff(chance: random.Random, delays_secs: Sequence[float]) -> Iterator[float]:
    """Yield these delays, and the last of them for ever; each up to a fifth longer or shorter."""
    for secs in chain(delays_secs, repeat(delays_secs[-1])):
        yield secs * chance.uniform(0.8, 1.2)
