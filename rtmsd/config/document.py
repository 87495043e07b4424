"""The configuration's text: read as TOML, and asked for what must be known before the rest can be understood."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

from rtmsd.errors import ConfigError


def read_document(path: Path) -> dict[str, Any]:
    """Read a TOML file; raise ConfigError when there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not text in UTF-8 (byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: is not valid TOML: {error}"]) from error


def find_plugin_dir(path: Path) -> Path | None:
    """Tell the `plugin_dir` of a configuration, without which its sink types cannot be known.

    None when it names none, or not as text: `load_config` tells that with everything else. Raises ConfigError when the
    file is not TOML.
    """
    value = read_document(path).get("plugin_dir")
    if not isinstance(value, str) or not value:
        return None
    return path.absolute().parent / value


def plugin_dir_problem(directory: Path) -> str | None:
    """Say why no plugins may be loaded from a directory."""
    try:
        mode = directory.stat().st_mode
    except OSError as error:
        return f"expected a directory with plugins, and {directory} cannot be read: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return f"expected a directory with plugins, and {directory} is a file"
    if mode & stat.S_IWOTH:
        return f"every user of this machine may put code into {directory}: chmod o-w {directory}"
    return None
