"""Plugins are found as packages and as files; a broken one is named, and hurts only who needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rtmsd.cli import main
from rtmsd.plugins import GROUP, load_plugins

NULL = """
from dataclasses import dataclass
from rtmsd.api import MediaKind, SinkType, hookimpl

@dataclass(frozen=True, kw_only=True)
class Options:
    colour: str = "blue"

@hookimpl
def rtmsd_sink_types():
    return [SinkType("{name}", Options, lambda options: frozenset({{MediaKind.AUDIO}}), lambda options, context: None)]
"""

CONFIG = """
state_dir = "/var/lib/rtmsd"
plugin_dir = "plugins"
[webhook]
listen = "127.0.0.1:8080"
[[apps]]
name = "notes"
client_id = "abc"
client_secret = {{ env = "CS" }}
webhook_secrets = [{{ env = "WS" }}]
[[sinks]]
name = "one"
type = "{type}"
"""

BROKEN = {
    "syntax": ("def (", "SyntaxError"),
    "raises": ("\n1 / 0\n", "ZeroDivisionError: division by zero (line 2)"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "missing": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "nothing": ("x = 1", "offers nothing, expected a function rtmsd_sink_types with @rtmsd.api.hookimpl"),
    "unknown_hook": (
        "from rtmsd.api import hookimpl\n@hookimpl\ndef rtmsd_sinks(): return []",
        "rtmsd_sinks",
    ),
    "hook_raises": (
        "from rtmsd.api import hookimpl\n@hookimpl\ndef rtmsd_sink_types():\n    raise KeyError('x')",
        "KeyError: 'x' (line 4)",
    ),
    "not_a_list": (
        "from rtmsd.api import hookimpl\n@hookimpl\ndef rtmsd_sink_types(): return 7",
        "TypeError",
    ),
    "not_a_type": (
        "from rtmsd.api import hookimpl\n@hookimpl\ndef rtmsd_sink_types(): return ['a']",
        "a str",
    ),
    "bad_name": (NULL.format(name="Not A Name"), "'Not A Name', expected a name of a-z"),
    "clash": (NULL.format(name="file"), "offers sink type 'file', which plugin 'file'"),
    "no_dataclass": (
        NULL.format(name="x").replace("@dataclass(frozen=True, kw_only=True)", ""),
        "not a dataclass",
    ),
    "our_key": (
        NULL.format(name="x").replace("colour", "batch_ms"),
        "option 'batch_ms', which every [[sinks]]",
    ),
    "unknown_hint": (NULL.format(name="x").replace("colour: str", "colour: 'Nope'"), "NameError"),
    "no_build": (NULL.format(name="x").replace("lambda options, context: None", "None"), "must be functions"),
}


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "plugins"
    directory.mkdir(mode=0o755)
    return directory


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o644)
    return path


def run(tmp_path: Path, command: list[str], sink_type: str = "file") -> Result:
    """Run a command with a configuration whose plugin_dir is `plugins`, beside it."""
    write(
        tmp_path / "rtmsd.toml",
        CONFIG.format(type=sink_type) + ('directory = "/x"\n' if sink_type == "file" else ""),
    )
    environ = {"CS": "client-secret", "WS": "webhook-secret"}
    return CliRunner().invoke(main, [*command, str(tmp_path / "rtmsd.toml")], env=environ)


def test_a_file_is_a_plugin(plugin_dir: Path) -> None:
    """Each *.py file is one plugin, taken in the order of their names, and says where it is from."""
    for name in ("b", "a"):
        write(plugin_dir / f"{name}.py", NULL.format(name=f"type-{name}"))
    write(plugin_dir / ".hidden.py", "1 / 0")
    write(plugin_dir / "notes.txt", "not python")
    plugins = load_plugins([], directory=plugin_dir)
    assert list(plugins.sink_types) == ["type-a", "type-b"] and plugins.broken == []
    assert plugins.origins["type-a"] == f"plugin file {plugin_dir / 'a.py'}"
    assert plugins.sink_types["type-a"].options().colour == "blue"
    assert sorted(one.name for one in plugin_dir.iterdir()) == [".hidden.py", "a.py", "b.py", "notes.txt"]


def test_files_share_no_name_with_modules(plugin_dir: Path) -> None:
    """A file called like a module of the library, or like one in another directory, takes nobody's place."""
    write(plugin_dir / "json.py", NULL.format(name="mine"))
    other = plugin_dir.parent / "other"
    other.mkdir(mode=0o755)
    write(other / "json.py", NULL.format(name="theirs"))
    mine = load_plugins([], directory=plugin_dir).sink_types["mine"].options
    theirs = load_plugins([], directory=other).sink_types["theirs"].options
    assert sys.modules["json"].__name__ == "json"
    assert (
        mine.__module__ != theirs.__module__
        and sys.modules[mine.__module__] is not sys.modules[theirs.__module__]
    )


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named(plugin_dir: Path, case: str) -> None:
    """What is wrong with it is said with its path, and the others are loaded."""
    source, expected = BROKEN[case]
    broken = write(plugin_dir / "broken.py", source)
    write(plugin_dir / "zz_good.py", NULL.format(name="good"))
    plugins = load_plugins(directory=plugin_dir)
    [sentence] = plugins.broken
    assert str(broken) in sentence and expected in sentence
    assert plugins.sink_types.keys() == {"file", "s3", "transcribe", "good"}
    assert "rtmsd_file" in plugins.origins["file"]


def test_a_plugin_with_one_bad_type_offers_none(plugin_dir: Path) -> None:
    """Either all of a plugin's types can be used, or it is broken."""
    source = NULL.format(name="good").replace(
        "return [", "return [SinkType('good', Options, len, len), 'bad', "
    )
    write(plugin_dir / "half.py", source)
    plugins = load_plugins([], directory=plugin_dir)
    assert plugins.sink_types == {} and len(plugins.broken) == 1


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_everybody_can_write_is_not_run(plugin_dir: Path, what: str) -> None:
    """Plugins are code: a file or directory that any user may change is refused, with the command that helps."""
    marker = plugin_dir.parent / "ran"
    path = write(plugin_dir / "open.py", f"open({str(marker)!r}, 'w')\n" + NULL.format(name="open"))
    (path if what == "file" else plugin_dir).chmod(0o777)
    plugins = load_plugins([], directory=plugin_dir)
    [sentence] = plugins.broken
    assert sentence.endswith(f"chmod o-w {path if what == 'file' else plugin_dir}")
    assert plugins.sink_types == {} and not marker.exists()


def test_compiled_files_are_not_trusted(plugin_dir: Path) -> None:
    """A `__pycache__` beside a plugin is neither read nor written."""
    import importlib.util
    import py_compile

    path = write(plugin_dir / "one.py", NULL.format(name="evil"))
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    assert Path(importlib.util.cache_from_source(str(path))).exists()
    write(path, NULL.format(name="good"))
    assert list(load_plugins([], directory=plugin_dir).sink_types) == ["good"]


def test_a_package_cannot_take_over_our_type(plugin_dir: Path) -> None:
    """Of two that offer one name ours is used, whatever they are called; the other is named."""
    write(plugin_dir / "thief_of_file.py", NULL.format(name="file"))
    sys.path.insert(0, str(plugin_dir))
    try:
        thief = EntryPoint("aaa", "thief_of_file", GROUP)
        from importlib.metadata import entry_points

        plugins = load_plugins([thief, *entry_points(group=GROUP)])
    finally:
        sys.path.remove(str(plugin_dir))
        sys.modules.pop("thief_of_file", None)
    assert "rtmsd_file" in plugins.origins["file"]
    [sentence] = plugins.broken
    assert "plugin 'aaa' (thief_of_file)" in sentence and "'file'" in sentence


def test_the_commands_name_a_broken_plugin(tmp_path: Path, plugin_dir: Path) -> None:
    """Nobody needs it: `sinks` lists it, `validate` warns, and both exit 0."""
    write(plugin_dir / "broken.py", "1 / 0")
    write(plugin_dir / "good.py", NULL.format(name="good"))
    listed = run(tmp_path, ["sinks", "-c"])
    assert listed.exit_code == 0
    assert (
        f"good  (from plugin file {plugin_dir / 'good.py'})\n    colour: str, default 'blue'\n"
        in listed.stdout
    )
    assert (
        f"broken: plugin file {plugin_dir / 'broken.py'} cannot be loaded: ZeroDivisionError" in listed.stderr
    )
    for sink_type in ("file", "good"):
        checked = run(tmp_path, ["validate"], sink_type)
        assert checked.exit_code == 0, checked.output
        assert f"warning: plugin file {plugin_dir / 'broken.py'} cannot be loaded" in checked.stderr


def test_a_broken_plugin_is_fatal_when_it_is_needed(tmp_path: Path, plugin_dir: Path) -> None:
    """Beside the type that is missing stands which plugin was broken, and why; it is told once."""
    write(plugin_dir / "broken.py", "1 / 0")
    checked = run(tmp_path, ["validate"], "wanted")
    assert checked.exit_code == 78
    [line] = [line for line in checked.stderr.splitlines() if "broken.py" in line]
    assert (
        line.startswith('sinks[0].type: no plugin offers "wanted"; known are "file"')
        and "ZeroDivisionError" in line
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"nowhere"', "plugin_dir: expected a directory with plugins, and "),
        ("7", "plugin_dir: expected a path in quotes, got 7"),
        ('"rtmsd.toml"', "is a file"),
        ('"open"', "chmod o-w"),
    ],
)
def test_a_plugin_dir_that_cannot_be_used(tmp_path: Path, value: str, expected: str) -> None:
    """It is told with every other problem, once, and is fatal: the configuration names it."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    text = CONFIG.format(type="none").replace('plugin_dir = "plugins"', f"plugin_dir = {value}\ncolor = 1")
    write(tmp_path / "rtmsd.toml", text)
    done = CliRunner().invoke(
        main, ["validate", str(tmp_path / "rtmsd.toml")], env={"CS": "client-secret", "WS": "webhook-secret"}
    )
    assert done.exit_code == 78
    assert len([line for line in done.stderr.splitlines() if line.startswith("plugin_dir: ")]) == 1
    assert expected in done.stderr and "color: unknown key" in done.stderr and "note:" not in done.stderr


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            "lambda options: 1 / 0, lambda options, context: None",
            "ZeroDivisionError: division by zero (line 11)",
        ),
        ("lambda options: frozenset(), lambda options, context: None", "TypeError"),
    ],
)
def test_a_sink_that_breaks_when_it_is_set_up(
    tmp_path: Path, plugin_dir: Path, broken: str, sentence: str
) -> None:
    """`run` names the plugin in a sentence and ends with 1, without a traceback."""
    source = NULL.format(name="weak")
    path = write(plugin_dir / "weak.py", source[: source.index("lambda")] + broken + ")]\n")
    config = (
        CONFIG.format(type="weak").replace("/var/lib/rtmsd", str(tmp_path / "state")).replace(":8080", ":0")
    )
    write(tmp_path / "rtmsd.toml", config)
    done = subprocess.run(
        [sys.executable, "-m", "rtmsd", "run", "-c", str(tmp_path / "rtmsd.toml")],
        env=os.environ | {"CS": "client-secret", "WS": "webhook-secret"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert (
        f"rtmsd: plugin file {path} broke when sink 'one' was set up: " in done.stderr
        and sentence in done.stderr
    )
    assert "Traceback" not in done.stderr
