"""Makes the engines that a configuration names."""

from __future__ import annotations

import importlib
from typing import Any


def find_class(name: str) -> type[Any]:
    """Find the engine that "module:Class" names; raises ValueError with what is wrong."""
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001  # supervision: any fault of an engine's author
        raise ValueError(
            f'engines: "{name}" names the module {module_name}, which cannot be imported ({error}): install it where '
            "rtmsd is installed"
        ) from None
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise ValueError(f'engines: "{name}": the module {module_name} has no class {class_name}')
    if missing := [one for one in ("name", "real_time_only", "session") if not hasattr(found, one)]:
        raise ValueError(
            f'engines: "{name}" is no engine, since it has no {missing[0]}; rtmsd_transcribe.engine says what one is'
        )
    return found
