"""A package of somebody else's is found once it is installed, and used when it is configured."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from running_daemon import configuration

from rtmsd.simulator import Simulator, default_meeting

README = (Path(__file__).parents[2] / "plugins" / "README.md").read_text()


def block(language: str, begins: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    return next(one for one in found if begins in one)


def build_wheel(directory: Path) -> Path:
    """Pack the README's sink as its pyproject.toml says. A wheel of pure Python is a zip with four texts about it."""
    project = tomllib.loads(block("toml", "[project]"))["project"]
    name = project["name"].replace("-", "_")
    about = f"{name}-{project['version']}.dist-info"
    points = project["entry-points"]["rtmsd.plugins"]
    requires = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    files = {
        "phrases.py": block("python", "class PhraseSink"),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[rtmsd.plugins]\n"
        + "".join(f"{key} = {value}\n" for key, value in points.items()),
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    wheel = directory / f"{name}-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


@pytest.fixture
def other_python(tmp_path: Path) -> Path:
    """A fresh environment that sees rtmsd as it is installed here."""
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    [site] = home.glob("lib/python*/site-packages")
    here = sysconfig.get_path("purelib")
    (site / "rtmsd-from-outside.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return home / "bin" / "python"


def run(*command: str | Path, **environ: str) -> str:
    done = subprocess.run(
        [str(one) for one in command],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_third_party_wheel_is_found_and_used(tmp_path: Path, other_python: Path) -> None:
    """`pip install`, then `rtmsd sinks` lists its type, and a daemon writes a meeting with it.

    A broken plugin, that nobody needs, is a warning in its log.
    """
    assert "phrases" not in run(other_python, "-m", "rtmsd", "sinks")
    wheel = build_wheel(tmp_path)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", other_python]
    run(*pip, "install", "--no-index", "--no-deps", "--no-cache-dir", "--quiet", wheel)
    listed = run(other_python, "-m", "rtmsd", "sinks")
    assert (
        "phrases  (from plugin 'phrases' (phrases, package rtmsd-phrases))\n    directory: str, required"
        in listed
    )

    words = tmp_path / "words"
    words.mkdir()
    broken = tmp_path / "plugins" / "broken.py"
    broken.parent.mkdir(mode=0o755)
    broken.write_text("1 / 0")
    broken.chmod(0o644)
    async with Simulator(meeting=default_meeting(7.0), directory=tmp_path / "zoom") as zoom:
        config = tmp_path / "rtmsd.toml"
        common = configuration(
            tmp_path,
            ca_file=zoom.ca_file,
            client_id=zoom.client_id,
            app='[apps.media]\nsend_rate_ms = 100\naudio = "mixed"',
            sink="batch_ms = 50",
        )
        sink = f'[[sinks]]\nname = "words"\ntype = "phrases"\ndirectory = "{words}"\n'
        before = f'plugin_dir = "{broken.parent}"\n'
        config.write_text(before + common + sink)
        secrets = {"CLIENT_SECRET": zoom.client_secret, "WEBHOOK_SECRET": zoom.webhook_secret}
        daemon = await asyncio.create_subprocess_exec(
            *(other_python, "-m", "rtmsd", "run", "-c", config, "--log-json"),
            env=os.environ | secrets,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(30):
                await zoom.play(webhook=f"http://{await _listening(daemon)}")
            daemon.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                rest, _ = await daemon.communicate()
        finally:
            if daemon.returncode is None:
                daemon.kill()
                await daemon.communicate()
    assert daemon.returncode == 0, rest
    warnings = [said["event"] for said in map(json.loads, rest.splitlines()) if said["level"] == "warning"]
    assert f"plugin file {broken} cannot be loaded: ZeroDivisionError: division by zero (line 1)" in warnings
    [path] = words.iterdir()
    heard = sorted((line[0], line[2]) for line in map(json.loads, path.read_text().splitlines()))
    assert heard == sorted((one.start_ms, one.text) for one in zoom.truth.phrases) != []


async def _listening(daemon: asyncio.subprocess.Process) -> str:
    """Wait for the line that says where webhooks are taken."""
    assert daemon.stdout is not None
    while line := await daemon.stdout.readline():
        try:
            said = json.loads(line)
        except ValueError:
            pytest.fail(f"the daemon said {line!r}")
        if said.get("event") == "ready":
            return str(said["webhook"])
    pytest.fail("the daemon ended")
