"""Reads a table of TOML or JSON key by key, and collects every problem with its path instead of stopping at the first."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any


class Fields:
    """One table: take its keys, then `finish`, which reports those that nobody took.

    What is missing or wrong is noted in `problems` and read as the default, or as nothing.
    """

    def __init__(self, values: object, *, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        self._known: list[str] = []
        self._values: Mapping[str, Any] = {}
        if isinstance(values, dict):
            self._values = values
        else:
            self.problem("", f"expected a table, got {_got(values)}")

    def at(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)

    def problem(self, key: str, sentence: str) -> None:
        where = self.at(key)
        self.problems.append(f"{where}: {sentence}" if where else sentence)

    def has(self, key: str) -> bool:
        return key in self._values

    def number(
        self, key: str, default: float | None = None, *, least: float = 0.0, most: float = math.inf
    ) -> float:
        """Take a number between `least` and `most`."""
        value = self._take(key, default)
        if value is None:
            return least
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.problem(key, f"expected {_between('a number', least, most)}, got {_got(value)}")
            return least
        return float(value)

    def whole(self, key: str, default: int | None = None, *, least: int = 0, most: float = math.inf) -> int:
        """Take a whole number between `least` and `most`."""
        value = self._take(key, default)
        if value is None:
            return least
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.problem(key, f"expected {_between('a whole number', least, most)}, got {_got(value)}")
            return least
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if value is None:
            return ""
        if not isinstance(value, str) or (not value and default is None):
            self.problem(key, f"expected some text in quotes, got {_got(value)}")
            return ""
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.problem(key, f"expected true or false, got {_got(value)}")
            return default
        return value

    def one_of(self, key: str, known: Iterable[str], default: str | None = None) -> str:
        """Take one of the known words; "" when it is none of them."""
        value = self._take(key, default)
        return "" if value is None else self._known_word(key, value, list(known))

    def words(self, key: str, known: Iterable[str], default: Iterable[str]) -> list[str]:
        """Take an array of known words."""
        value = self._take(key, list(default))
        if not isinstance(value, list):
            self.problem(key, f"expected an array of words, got {_got(value)}")
            return []
        names = list(known)
        return [self._known_word(f"{key}[{index}]", one, names) for index, one in enumerate(value)]

    def table(self, key: str) -> Fields:
        """Take a table; a missing one is empty."""
        return Fields(self._take(key, {}), path=self.at(key), problems=self.problems)

    def tables(self, key: str) -> list[Fields]:
        """Take an array of tables; a missing one is empty."""
        value = self._take(key, [])
        if not isinstance(value, list):
            self.problem(key, f"expected an array of tables, got {_got(value)}")
            return []
        return [
            Fields(one, path=f"{self.at(key)}[{index}]", problems=self.problems)
            for index, one in enumerate(value)
        ]

    def finish(self) -> None:
        for key in self._values:
            if key not in self._known:
                self.problem(key, f"unknown key{did_you_mean(key, self._known)}")

    def _known_word(self, key: str, value: object, names: list[str]) -> str:
        if isinstance(value, str) and value in names:
            return value
        near = did_you_mean(value, names) if isinstance(value, str) else ""
        listed = ", ".join(f'"{name}"' for name in names)
        self.problem(key, f"expected one of {listed}; got {_got(value)}{near}")
        return ""

    def _take(self, key: str, default: Any) -> Any:  # what comes in has any type
        self._known.append(key)
        if key not in self._values and default is None:
            self.problem(key, "is missing")
        return self._values.get(key, default)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?`, or nothing when no known name is like it."""
    near = difflib.get_close_matches(given, sorted(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def _between(what: str, least: float, most: float) -> str:
    return f"{what} from {least:g} to {most:g}" if math.isfinite(most) else f"{what}, at least {least:g}"


def _got(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value[:60]}…"' if len(value) > 60 else f'"{value}"'
    if isinstance(value, int | float):
        return str(value)[:40]
    return {list: "an array", dict: "a table", type(None): "null"}.get(
        type(value), f"a {type(value).__name__}"
    )
