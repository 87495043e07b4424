"""The units that are shipped: systemd accepts them, they are hardened, and rtmsd takes what they give."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rtmsd.config import UnixListen, load_config
from rtmsd.config.listen import Listen, parse_listen
from rtmsd.plugins import load_plugins

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICE = (UNITS / "rtmsd.service").read_text()
SOCKET = (UNITS / "rtmsd.socket").read_text()

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (package systemd)"
)


def analyze(*arguments: str, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _unit_values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, flags=re.MULTILINE)


@needs_systemd
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say: not an error, not an unknown key.

    It wants the program to exist, and rtmsd need not be installed in /usr/bin where the tests run: a copy of the
    service is verified in which another program stands in its place.
    """
    assert SERVICE.count("/usr/bin/rtmsd ") == 2
    (tmp_path / "rtmsd.service").write_text(SERVICE.replace("/usr/bin/rtmsd ", "/bin/true "))
    (tmp_path / "rtmsd.socket").write_text(SOCKET)
    assert analyze("verify", "--man=no", "./rtmsd.service", "./rtmsd.socket", cwd=tmp_path) == (0, "")


@needs_systemd
def test_the_service_is_hardened() -> None:
    """Its exposure is 2.0 at most, as systemd counts."""
    status, said = analyze("security", "--offline=true", "--threshold=20", "rtmsd.service", cwd=UNITS)
    assert status == 0, said
    assert re.search(r"exposure level for rtmsd.service: [0-2]\.\d", said), said


def test_the_watchdog_and_the_exit_codes_are_used() -> None:
    """systemd waits for READY, watches the loop, and does not try a bad configuration again."""
    wanted = {
        "Type": ["notify"],
        "NotifyAccess": ["main"],
        "WatchdogSec": ["30"],
        "Restart": ["on-failure"],
        "RestartPreventExitStatus": ["78"],
    }
    assert {key: _unit_values(SERVICE, key) for key in wanted} == wanted


def test_the_socket_is_the_one_that_the_webhook_takes() -> None:
    """Its name is the one that `listen = "systemd"` looks for, and its address one that only a local proxy reaches."""
    assert _unit_values(SOCKET, "FileDescriptorName") == ["webhook"]
    [address] = _unit_values(SOCKET, "ListenStream")
    listen = parse_listen(address)
    assert isinstance(listen, Listen | UnixListen) and listen.local


def test_the_credentials_of_the_service_are_the_secrets_of_the_configuration(tmp_path: Path) -> None:
    """Every LoadCredential= of the unit can be named in the configuration, and is read from systemd's directory."""
    names = [value.partition(":")[0] for value in _unit_values(SERVICE, "LoadCredential")]
    assert names == ["notes-client-secret", "notes-webhook-secret"]
    directory = tmp_path / "credentials"
    directory.mkdir()
    for name in names:
        (directory / name).write_text(f"the-value-of-{name}\n")
        (directory / name).chmod(0o400)
    path = tmp_path / "rtmsd.toml"
    path.write_text(f"""
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "systemd"
[[apps]]
name = "notes"
client_id = "abc"
client_secret = {{ credential = "{names[0]}" }}
webhook_secrets = [{{ credential = "{names[1]}" }}]
[[sinks]]
name = "disk"
type = "file"
directory = "/var/lib/rtmsd/recordings"
""")
    config = load_config(
        path,
        sink_types=load_plugins().sink_types,
        environ={"CREDENTIALS_DIRECTORY": str(directory)},
    )
    [app] = config.apps
    assert app.client_secret.reveal() == "the-value-of-notes-client-secret"
    assert [one.reveal() for one in app.webhook_secrets] == ["the-value-of-notes-webhook-secret"]
    assert config.warnings == ()
