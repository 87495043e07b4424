"""One sink of a configuration, for commands that need nothing else of it, such as the secrets of apps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtmsd.api.sinks import SinkType
from rtmsd.config.document import read_document
from rtmsd.config.model import DeliveryConfig
from rtmsd.config.walk import BAD, Surroundings, Table
from rtmsd.errors import ConfigError


def load_sink_options(
    path: Path, sink_type: SinkType, name: str | None, *, environ: Mapping[str, str]
) -> Any:
    """Read the options of the sink of this type, of the one with this name if there are several.

    Raises ConfigError when there is no such sink, or with everything that is wrong with it. Reads its secrets only.
    """
    problems: list[str] = []
    surroundings = Surroundings(environ=environ, base=path.absolute().parent)
    root = Table(read_document(path), path="", problems=problems, surroundings=surroundings)
    found = {}
    for table in root.tables("sinks"):
        called, kind = table.take("name", str), table.take("type", str)
        if kind == sink_type.name:
            found[called] = table
    chosen = _choose(path, found, sink_type.name, name)
    problems.clear()  # those of other sinks are not of interest
    chosen.fill(DeliveryConfig)
    options = chosen.fill(sink_type.options)
    chosen.finish()
    if problems or options is BAD:
        raise ConfigError(problems)
    return options


def _choose(path: Path, found: Mapping[Any, Table], kind: str, name: str | None) -> Table:
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    known = ", ".join(str(one) for one in found) or "none"
    asked = (
        f'no sink "{name}" of type "{kind}"' if name is not None else f'not exactly one sink of type "{kind}"'
    )
    raise ConfigError([f"{path}: there is {asked}; those of this type: {known}"])
