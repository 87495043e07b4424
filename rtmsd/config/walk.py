"""Walk TOML tables into dataclasses, collecting every problem as "path: sentence" instead of stopping at the first."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from rtmsd.config.listen import Listen, parse_listen
from rtmsd.config.secrets import Secret, read_secret

REQUIRED: Any = object()
"""As a default: the key must be there."""

BAD: Any = object()
"""As a value: there was a problem, and it is noted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What values may refer to: the environment, and the directory that relative paths are below."""

    environ: Mapping[str, str]
    base: Path


class Table:
    """One TOML table: take its keys, then `finish`, which reports those that nobody took."""

    def __init__(
        self, values: Mapping[str, Any], *, path: str, problems: list[str], surroundings: Surroundings
    ) -> None:
        self._values = values
        self._path = path
        self._problems = problems
        self._surroundings = surroundings
        self._known: set[str] = set()

    def at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def problem(self, key: str, sentence: str) -> None:
        self._problems.append(f"{self.at(key) if key else self._path}: {sentence}")

    def has(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str, hint: Any, default: Any = REQUIRED) -> Any:
        """Return the key's value as `hint` wants it, its default, or BAD."""
        self._known.add(key)
        if key in self._values:
            return self._convert(self._values[key], hint, self.at(key))
        if default is REQUIRED:
            self.problem(key, f"is missing; expected {_wanted(_plain(hint))}")
            return BAD
        return default

    def table(self, key: str) -> Table:
        """Open a table below this one; a missing one is empty."""
        self._known.add(key)
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self.problem(key, f"expected a table, [{self.at(key)}], got {_got(value)}")
            value = {}
        return self._below(value, self.at(key))

    def tables(self, key: str) -> list[Table]:
        """Open an array of tables below this one."""
        self._known.add(key)
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.problem(key, f"expected tables, each beginning with [[{key}]], got {_got(value)}")
            value = []
        return [self._below(one, f"{self.at(key)}[{index}]") for index, one in enumerate(value)]

    def fill(self, cls: type[Any], **given: Any) -> Any:
        """Take every field of a dataclass that is not `given`; return the instance, or BAD."""
        hints = typing.get_type_hints(cls, include_extras=True)
        for field in dataclasses.fields(cls):
            if field.init and field.name not in given:
                given[field.name] = self.take(field.name, hints[field.name], _default(field))
        if any(value is BAD for value in given.values()):
            return BAD
        try:
            return cls(**given)
        except (ValueError, TypeError) as error:
            # A sink's options may check themselves in __post_init__.
            self._problems.append(f"{self._path}: {error}")
            return BAD

    def finish(self) -> None:
        for key in self._values:
            if key not in self._known:
                self.problem(key, f"unknown key{did_you_mean(key, self._known)}")

    def _below(self, values: Mapping[str, Any], path: str) -> Table:
        return Table(values, path=path, problems=self._problems, surroundings=self._surroundings)

    def _convert(self, value: Any, hint: Any, path: str) -> Any:
        hint = _plain(hint)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(value, dict):
                self._problems.append(f"{path}: expected a table, got {_got(value)}")
                return BAD
            table = self._below(value, path)
            filled = table.fill(hint)
            table.finish()
            return filled
        if get_origin(hint) in (tuple, list) and isinstance(value, list):
            element = get_args(hint)[0]
            items = [self._convert(one, element, f"{path}[{index}]") for index, one in enumerate(value)]
            return BAD if any(one is BAD for one in items) else get_origin(hint)(items)
        try:
            return self._leaf(value, hint)
        except ValueError as error:
            self._problems.append(f"{path}: {error}")
            return BAD

    def _leaf(self, value: Any, hint: Any) -> Any:
        if hint is Secret:
            return read_secret(value, environ=self._surroundings.environ, base=self._surroundings.base)
        if isinstance(value, str) and Listen in get_args(hint):
            return _address(value, hint)
        if isinstance(value, str) and value and (hint is Path or Path in get_args(hint)):
            return self._surroundings.base / value
        if not (isinstance(value, float) and not math.isfinite(value)):
            try:
                return msgspec.convert(value, type=hint)
            except (msgspec.ValidationError, TypeError):
                pass  # TypeError: a type that no TOML value can have, such as Path
        known = [one for one in get_args(hint) if isinstance(one, str)] if get_origin(hint) is Literal else []
        hint_sentence = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ValueError(f"expected {_wanted(hint)}, got {_got(value)}{hint_sentence}")


def _address(text: str, hint: Any) -> Any:
    address = parse_listen(text)
    if not isinstance(address, hint):
        raise ValueError(f'only webhook.listen can be "{text}" (socket activation); write "host:port"')
    return address


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?`, or nothing when no known name is like it."""
    near = difflib.get_close_matches(given, sorted(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED


def _plain(hint: Any) -> Any:
    """Strip `| None`: TOML has no null, absence says it."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [one for one in get_args(hint) if one is not type(None)]
        if len(rest) == 1:
            return rest[0]
        return Union[tuple(rest)]  # noqa: UP007  # the members are only known here
    return hint


def _wanted(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        return _wanted(inner) + "".join(_bounds(one) for one in extras if isinstance(one, msgspec.Meta))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(
            f'"{one}"' if isinstance(one, str) else str(one) for one in get_args(hint)
        )
    if get_origin(hint) in (tuple, list):
        return "a list, each " + _wanted(_plain(get_args(hint)[0]))
    if Listen in get_args(hint):
        return 'an address in quotes, such as "127.0.0.1:8080"'
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text in quotes",
        Path: "a path in quotes",
        Secret: "where the secret stands",
        datetime: "a time, such as 2026-11-23T10:00:00Z",
    }
    return names.get(hint, f"a value of type {getattr(hint, '__name__', hint)}")


def _bounds(meta: msgspec.Meta) -> str:
    parts = [
        (meta.ge, "at least {}"),
        (meta.gt, "more than {}"),
        (meta.le, "at most {}"),
        (meta.lt, "less than {}"),
        (meta.multiple_of, "a multiple of {}"),
        (meta.min_length, "not shorter than {}"),
        (meta.max_length, "not longer than {}"),
        (meta.pattern, "of the form {}"),
    ]
    said = [text.format(value) for value, text in parts if value is not None]
    return ", " + ", ".join(said) if said else ""


def _got(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value[:60]}…"' if len(value) > 60 else f'"{value}"'
    if isinstance(value, int | float):
        return str(value)[:40]
    names: dict[Any, str] = {list: "a list", dict: "a table"}
    return names.get(type(value), f"a {type(value).__name__}")
