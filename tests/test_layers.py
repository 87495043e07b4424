"""Imports go one way, as `tests/layers.toml` says."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = tomllib.loads((ROOT / "tests" / "layers.toml").read_text())
FREE = {"rtmsd", "rtmsd.errors", "rtmsd.frames"}


def modules(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file; `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "rtmsd").with_suffix("").parts
    part = ".".join(parts[:2])
    return part if part in LAYERS["rooms"] else parts[0]


def within(module: str, allowed: list[str]) -> bool:
    return any(module == f"rtmsd.{one}" or module.startswith(f"rtmsd.{one}.") for one in allowed)


@pytest.mark.parametrize("path", modules(ROOT / "rtmsd"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    """No room reaches into one that the table does not name for it."""
    room = room_of(path)
    if room == "__init__":
        return
    allowed = LAYERS["rooms"][room]
    if allowed == ["*"]:
        return
    for module in imported(path):
        own = module == f"rtmsd.{room}" or module.startswith(f"rtmsd.{room}.")
        if module.split(".")[0] == "rtmsd" and not own and not _free(module):
            # `from rtmsd.a import b` also names rtmsd.a itself: enough when b's own module is allowed.
            assert within(module, allowed) or _is_parent(module, allowed), f"{room} imports {module}"
        forbidden = LAYERS["forbidden"].get(room, [])
        assert module.split(".")[0] not in forbidden, f"{room} imports {module}"


def _free(module: str) -> bool:
    return module in FREE or module == "rtmsd.__version__" or module.rpartition(".")[0] in FREE - {"rtmsd"}


def _is_parent(module: str, allowed: list[str]) -> bool:
    return any(f"rtmsd.{one}".startswith(module + ".") for one in allowed)


@pytest.mark.parametrize("path", modules(ROOT / "plugins"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_only_the_api(path: Path) -> None:
    """Our own plugins use nothing that another author could not."""
    plugin = path.relative_to(ROOT / "plugins").parts[0]
    for module in imported(path):
        if module.split(".")[0] == "rtmsd":
            assert within(module, LAYERS["plugins"][plugin]), f"{plugin} imports {module}"


def test_every_room_is_in_the_table() -> None:
    """A new room must say what it may import."""
    rooms = {room_of(path) for path in modules(ROOT / "rtmsd")} - {"__init__"}
    assert rooms <= LAYERS["rooms"].keys()
