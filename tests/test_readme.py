"""Every command of the README works."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rtmsd.config import load_config
from rtmsd.plugins import load_plugins
from rtmsd.start.values import State

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

# A fresh environment each: `.ci/run` takes these two out of the README and runs them as they stand.
RUN_BY_CI = {
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/rtmsd demo",
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest",
}
# The rest of the ten-minute path; what it needs of Zoom is the simulator's in tests/app and tests/end_to_end.
RUN_ELSEWHERE = {"rtmsd run -c", "rtmsd verify", "export NOTES_CLIENT_SECRET=… NOTES_WEBHOOK_SECRET=…"}
# What needs a journal, and what asks Zoom: tests/diagnosis.
RUN_ELSEWHERE |= {"rtmsd why", "rtmsd doctor"}
# What needs a running daemon: tests/app.
RUN_ELSEWHERE |= {"rtmsd tap"}


def commands() -> list[str]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", README, flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def toml_examples() -> list[str]:
    blocks = re.findall(r"^ *```toml\n(.*?)^ *```", README, flags=re.DOTALL | re.MULTILINE)
    return ["\n".join(line.strip() for line in block.splitlines()) for block in blocks]


def toml_example() -> str:
    """The one that is whole; the others are parts of an app."""
    return toml_examples()[0]


def test_the_two_commands_stand_there() -> None:
    """Try it and test it, as a newcomer will copy them."""
    assert set(commands()) >= RUN_BY_CI


def test_the_example_configuration_is_good(tmp_path: Path) -> None:
    """The configuration of the ten-minute path loads, with two secrets in the environment."""
    path = tmp_path / "rtmsd.toml"
    path.write_text(toml_example())
    environ = {"NOTES_CLIENT_SECRET": "a" * 32, "NOTES_WEBHOOK_SECRET": "b" * 22}
    config = load_config(path, sink_types=load_plugins().sink_types, environ=environ)
    assert [app.name for app in config.apps] == ["notes"] and config.warnings == ()


def test_the_part_on_starting_fits_into_the_example(tmp_path: Path) -> None:
    """Below the app's `webhook_secrets`, as the README says, it makes an app that rtmsd starts."""
    path = tmp_path / "rtmsd.toml"
    [part] = (block for block in toml_examples() if "[apps.manual]" in block)
    path.write_text(toml_example().replace("[[sinks]]", f"{part}\n[[sinks]]"))
    environ = {f"NOTES_{name}_SECRET": name * 4 for name in ("CLIENT", "WEBHOOK", "CONTROLLER")}
    config = load_config(path, sink_types=load_plugins().sink_types, environ=environ)
    [app] = config.apps
    assert app.start == "manual" and app.manual is not None and config.warnings == ()


@pytest.mark.parametrize("command", [one for one in commands() if one not in RUN_BY_CI])
def test_every_other_command_runs(command: str, tmp_path: Path) -> None:
    """What a reader types below the two commands exits 0, or is run by another test."""
    if any(command.startswith(one) for one in RUN_ELSEWHERE):
        return
    (tmp_path / "rtmsd.toml").write_text(toml_example())
    environ = os.environ | {"NOTES_CLIENT_SECRET": "a" * 32, "NOTES_WEBHOOK_SECRET": "b" * 22}
    program, *arguments = shlex.split(command)
    assert program == "rtmsd"
    done = subprocess.run(
        [sys.executable, "-m", "rtmsd", *arguments],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "--json" in arguments:
        first, *webhooks = map(json.loads, done.stdout.splitlines())
        assert first.keys() == {
            "signaling_url",
            "ca_file",
            "client_id",
            "client_secret",
            "webhook_secret",
            "control_url",
            "oauth_url",
            "api_url",
            "events_url",
            "subscription_id",
            "account_id",
            "controller_client_id",
            "controller_client_secret",
        }
        assert json.loads(webhooks[0]["body"])["event"] == "meeting.rtms_started"


def test_every_linked_file_exists() -> None:
    """No link of the README leads nowhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_the_command_table_is_complete() -> None:
    """Every command of the program is in the README's table, and no other."""
    from rtmsd.cli import main

    table = set(re.findall(r"^\| `rtmsd (\w+)", README, flags=re.MULTILINE))
    assert table == set(main.commands)


def test_every_state_of_a_start_is_explained() -> None:
    """The table on starting has a row for each, in the order of the code, and no other."""
    [rows] = re.findall(r"^\| state \|.*\n\| --- .*\n((?:\|.*\n)+)", README, flags=re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \|", rows, flags=re.MULTILINE) == [str(state) for state in State]
