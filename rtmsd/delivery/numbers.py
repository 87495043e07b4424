"""What a sink counts of itself, such as the seconds that it sent to a service: kept within bounds, whatever it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

MOST_NUMBERS = 100
"""Of one sink, each label counted: Prometheus keeps every one of them for weeks."""

RESERVED = frozenset({"queue_depth", "dropped_frames", "errors", "last_success_timestamp_seconds"})
"""rtmsd's own numbers of each sink have these names."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SUFFIXES = ("_total", "_created", "_bucket", "_count", "_sum", "_info")  # mean something to Prometheus
_LONGEST = 60
_LARGEST = 1e18

_NOT_A_NAME = f'a name or label has a-z, 0-9 and "_" and at most {_LONGEST} characters, and none of Prometheus\' endings'
_TAKEN = "rtmsd has a number of this name itself"
_NOT_A_NUMBER = "an amount is a finite number, and what is counted not negative"
_NOT_A_VALUE = f"what a label says is a printable text of 1 to {_LONGEST} characters"
_BOTH = "a number is either counted or measured, never both"
_TOO_MANY = f"a sink has at most {MOST_NUMBERS} numbers: labels are few and fixed"

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Number(NamedTuple):
    """One number of a sink's. `grows`: it is a sum, and never becomes smaller."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    grows: bool


class SinkNumbers:
    """The numbers of one sink over all its streams. `refused` is told, once for each reason, why one is left out."""

    def __init__(self, *, refused: Callable[[str], None] = lambda why: None) -> None:
        self._refused = refused
        self._told: set[str] = set()
        self._sums: dict[_Key, float] = {}
        self._levels: dict[_Key, float] = {}

    def __iter__(self) -> Iterator[Number]:
        """Give all of them by their names."""
        for numbers, grows in ((self._sums, True), (self._levels, False)):
            for (name, labels), value in sorted(numbers.items()):
                yield Number(name, labels, value, grows)

    def count(self, name: str, amount: float, /, **labels: str) -> None:
        """Add to a number that only grows. Never fails; what is none of the contract's is left out."""
        key = name, tuple(sorted(labels.items()))
        if why := _wrong(name, labels, amount, least=0.0) or self._unwelcome(key, self._sums, self._levels):
            return self._refuse(why)
        self._sums[key] = self._sums.get(key, 0.0) + amount

    def measure(self, name: str, value: float, /, **labels: str) -> None:
        """Say where a number stands that goes up and down. Never fails, as `count`."""
        key = name, tuple(sorted(labels.items()))
        if why := _wrong(name, labels, value, least=-_LARGEST) or self._unwelcome(
            key, self._levels, self._sums
        ):
            return self._refuse(why)
        self._levels[key] = float(value)

    def _unwelcome(self, key: _Key, numbers: dict[_Key, float], others: dict[_Key, float]) -> str:
        """Say why a number cannot be begun; what is known already was looked at then."""
        name, labels = key
        if key in numbers:
            return ""
        if not all(map(_is_name, (name, *dict(labels)))) or "sink" in dict(labels):
            return _NOT_A_NAME
        if name in RESERVED:
            return _TAKEN
        if not all(0 < len(text) <= _LONGEST and text.isprintable() for _, text in labels):
            return _NOT_A_VALUE
        if any(name == other for other, _ in others):
            return _BOTH
        return _TOO_MANY if len(self._sums) + len(self._levels) >= MOST_NUMBERS else ""

    def _refuse(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._refused(why)


def _wrong(name: object, labels: Mapping[str, object], value: object, *, least: float) -> str:
    """Say what is not even of the right type, or no amount."""
    if not isinstance(name, str):
        return _NOT_A_NAME
    if not all(isinstance(text, str) for text in labels.values()):
        return _NOT_A_VALUE
    if not (isinstance(value, int | float) and least <= value <= _LARGEST):  # false for NaN too
        return _NOT_A_NUMBER
    return ""


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST and bool(_NAME.fullmatch(text)) and not text.endswith(_SUFFIXES)
