"""What rtmsd tells systemd, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from pathlib import Path

import pytest
from played_systemd import CONFIG, free_port, notify_socket, rtmsd_run, until
from structlog.testing import capture_logs

from rtmsd.app import Daemon
from rtmsd.config import load_config
from rtmsd.plugins import load_plugins
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.systemd import Systemd, take_over
from rtmsd.simulator import Simulator, default_meeting

_STATUS = re.compile(r"STATUS=(\d+) meetings?, (\d+) speakers?, (\d+) gaps?")


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_both_kinds_of_address_are_understood(kind: str, tmp_path: Path) -> None:
    """A path and an abstract name both reach systemd."""
    address = str(tmp_path / "notify") if kind == "path" else f"@{tmp_path}/notify"
    with notify_socket(address) as systemd:
        ours = take_over({"NOTIFY_SOCKET": address}, pid=1)
        ours.ready()
        ours.stopping()
        assert systemd.waiting() == ["READY=1", "STOPPING=1\nSTATUS=Stopping"]


async def test_without_systemd_nothing_is_told() -> None:
    """Started by hand, everything returns at once and does nothing."""
    nobody = take_over({}, pid=1)
    with capture_logs() as logs:
        nobody.ready()
        nobody.stopping()
        async with asyncio.timeout(5):
            await nobody.feed(lambda: True)
            await nobody.show(lambda: pytest.fail("nobody reads it"))
    assert logs == [] and nobody.passed == () and nobody.listeners("webhook") == []


def test_the_environment_is_not_for_our_children() -> None:
    """What systemd said to this process is gone after it was read; everything else stays."""
    environ = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "0",
        "LISTEN_PID": "1",
        "LISTEN_FDNAMES": "",
        "CREDENTIALS_DIRECTORY": "/run/credentials/rtmsd.service",
    }
    take_over(environ, pid=1)
    assert environ == {"CREDENTIALS_DIRECTORY": "/run/credentials/rtmsd.service"}


async def test_what_is_meant_for_another_process_is_not_ours(tmp_path: Path) -> None:
    """The watchdog and the sockets of a parent that passed its environment on are not taken."""
    address = str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with notify_socket(address) as systemd:
        ours = take_over({**environ, "LISTEN_FDS": "1", "LISTEN_PID": "1"}, pid=2)
        async with asyncio.timeout(5):
            await ours.feed(lambda: True)
        assert systemd.waiting() == [] and ours.passed == ()


def test_a_systemd_that_is_gone_is_said_once_and_hurts_nobody(tmp_path: Path) -> None:
    """When nobody reads the notify socket there is a line in the log, and rtmsd goes on."""
    with capture_logs() as logs:
        Systemd(notify_socket=str(tmp_path / "nobody")).ready()
    [line] = logs
    assert line["log_level"] == "warning" and line["told"] == "READY=1"


async def test_a_blocked_loop_starves_the_watchdog(tmp_path: Path) -> None:
    """The watchdog is fed while the loop moves, not while something blocks it, and again afterwards."""
    address = str(tmp_path / "notify")
    with notify_socket(address) as systemd:
        feeding = asyncio.create_task(Systemd(notify_socket=address, watchdog_secs=0.04).feed(lambda: True))
        await systemd.until(lambda one: one == "WATCHDOG=1", "the watchdog to be fed")
        systemd.waiting()
        time.sleep(0.5)
        assert systemd.waiting() == []
        await systemd.until(lambda one: one == "WATCHDOG=1", "the watchdog to be fed again")
        feeding.cancel()
        await asyncio.wait([feeding])


async def test_the_status_is_shown_when_it_changes(tmp_path: Path) -> None:
    """The same line is not told twice, and a change is."""
    address, line, asked = str(tmp_path / "notify"), "one", 0

    def current() -> str:
        nonlocal asked
        asked += 1
        return line

    with notify_socket(address) as systemd:
        showing = asyncio.create_task(Systemd(notify_socket=address).show(current))
        await until(lambda: asked >= 2, "the second look at the status")
        line = "two"
        await systemd.until(lambda one: one == "STATUS=two", "the change")
        assert systemd.told == ["STATUS=one", "STATUS=two"]
        showing.cancel()
        await asyncio.wait([showing])


async def test_the_watchdog_is_not_fed_for_a_daemon_that_moves_nothing(tmp_path: Path) -> None:
    """Once the task that owns all streams is gone, systemd is no longer told that all is well."""
    address = str(tmp_path / "notify")
    path = tmp_path / "rtmsd.toml"
    sink = f'type = "file"\ndirectory = "{tmp_path}/recordings"'
    path.write_text(CONFIG.format(tmp=tmp_path, listen="127.0.0.1:0", admin_port=0, ca_file="", sink=sink))
    plugins = load_plugins()
    environ = {"CLIENT_SECRET": "a", "WEBHOOK_SECRET": "b"}
    config = load_config(path, sink_types=plugins.sink_types, environ=environ)
    stop = asyncio.Event()
    with notify_socket(address) as systemd:
        daemon = Daemon(
            config,
            plugins,
            clock=Clock(),
            chance=random.Random(1),
            systemd=Systemd(notify_socket=address, watchdog_secs=0.04),
        )
        running = asyncio.create_task(daemon.run(stop=stop))
        await systemd.until(lambda one: one == "WATCHDOG=1", "the watchdog to be fed")
        [streams] = [task for task in asyncio.all_tasks() if task.get_name() == "streams"]
        streams.cancel()
        await asyncio.wait([streams])
        systemd.waiting()
        await asyncio.sleep(0.3)
        assert not running.done() and "WATCHDOG=1" not in systemd.waiting()
        stop.set()
        await running


async def test_a_service_tells_its_life(tmp_path: Path) -> None:
    """READY once /healthz is 200, the watchdog fed, the status during a meeting, STOPPING at SIGTERM, exit 0."""
    address = f"@rtmsd-test-{os.getpid()}"
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    port = free_port()
    async with Simulator(meeting=default_meeting(20.0), directory=tmp_path / "zoom") as zoom:
        with notify_socket(address) as systemd:
            async with rtmsd_run(
                tmp_path / "rtmsd",
                listen=f"127.0.0.1:{port}",
                ca_file=zoom.ca_file,
                environ=environ,
                client_secret=zoom.client_secret,
                webhook_secret=zoom.webhook_secret,
            ) as rtmsd:
                await systemd.until(lambda one: one == "READY=1", "READY=1")
                assert systemd.told[0] == "READY=1" and await rtmsd.health() == 200
                await systemd.until(lambda one: one == "STATUS=0 meetings, 0 speakers, 0 gaps", "the status")
                playing = asyncio.create_task(zoom.play(webhook=f"http://127.0.0.1:{port}/webhook"))
                await systemd.until(_several_speak, "the status to show a meeting in which several speak")
                rtmsd.terminate()
                await systemd.until(lambda one: one.startswith("STOPPING=1"), "STOPPING=1")
                playing.cancel()
                await asyncio.wait([playing])
                assert await rtmsd.ended() == 0
            systemd.waiting()
    assert systemd.told.count("READY=1") == 1 and systemd.told.count("WATCHDOG=1") >= 2
    told = [
        one for one in systemd.told if one not in ("READY=1", "WATCHDOG=1", "STOPPING=1\nSTATUS=Stopping")
    ]
    assert all(_STATUS.fullmatch(one) for one in told), told


def _several_speak(message: str) -> bool:
    match = _STATUS.fullmatch(message)
    return match is not None and match[1] == "1" and int(match[2]) > 1
