"""A message in several WebSocket frames (RFC 6455 §5.4), which the library that serves us cannot write."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from random import Random

_CONTINUATION, _TEXT, _BINARY = 0x0, 0x1, 0x2
_FINAL = 0x80
_MOST_FRAGMENTS = 5


def fragments(data: bytes, *, text: bool, chance: Random) -> Iterator[bytes]:
    """Cut a message into one to five unmasked frames of random, perhaps no length."""
    cuts = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, _MOST_FRAGMENTS - 1)))
    edges = [0, *cuts, len(data)]
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        opcode = _CONTINUATION if number else (_TEXT if text else _BINARY)
        yield _frame(opcode | (_FINAL if number == len(edges) - 2 else 0), data[start:end])


def _frame(first: int, part: bytes) -> bytes:
    if len(part) < 126:
        return bytes((first, len(part))) + part
    if len(part) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(part)) + part
    return struct.pack("!BBQ", first, 127, len(part)) + part
