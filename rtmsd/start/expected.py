"""Meetings that the configuration expects: when each is to begin, and when it is overdue. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtmsd.config import ExpectedConfig

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Occurrence:
    """One time that an expected meeting begins, in Unix ms."""

    meeting: str
    begins_ms: int


def occurrences(expected: Sequence[ExpectedConfig], *, from_ms: int, to_ms: int) -> Iterator[Occurrence]:
    """Yield what is expected to begin at or after `from_ms` and before `to_ms`."""
    for one in expected:
        first_ms, step_ms = int(one.at.timestamp() * 1000), one.every_days * _DAY_MS
        if not step_ms:
            begins = [first_ms]
        else:
            passed = max(0, -(-(from_ms - first_ms) // step_ms))
            begins = list(range(first_ms + passed * step_ms, to_ms, step_ms))
        yield from (Occurrence(one.meeting, at) for at in begins if from_ms <= at < to_ms)


def next_begin(expected: Sequence[ExpectedConfig], *, after_ms: int) -> int | None:
    """Say when the next one begins, if any does within a year."""
    found = occurrences(expected, from_ms=after_ms + 1, to_ms=after_ms + 367 * _DAY_MS)
    return min((one.begins_ms for one in found), default=None)
