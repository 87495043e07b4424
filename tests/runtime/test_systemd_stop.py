"""SIGTERM ends rtmsd with exit 0 in bounded time, whatever it is doing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import textwrap
from pathlib import Path

import pytest
from played_systemd import Running, free_port, post_event, rtmsd_run, until

from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal

# What the unit's TimeoutStopSec= allows; after that systemd kills.
_STOP_SECS = 20.0

_STUCK = '''
"""A sink that hangs where its option says, in a thread or in the event loop, and touches a file when it does."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pluggy

from rtmsd.api import MediaKind, SinkType

hookimpl = pluggy.HookimplMarker("rtmsd")


@dataclass(frozen=True)
class Options:
    where: str
    marker: Path


class Stuck:
    def __init__(self, options):
        self.options = options

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        return None

    async def at(self, where):
        if self.options.where == where:
            self.options.marker.touch()
            await asyncio.to_thread(threading.Event().wait)

    async def check(self):
        await self.at("check")
        if self.options.where == "loop":
            self.block_the_loop()

    def block_the_loop(self):
        self.options.marker.touch()
        time.sleep(60)

    @asynccontextmanager
    async def open(self, stream, segment):
        await self.at("open")
        yield self

    async def write(self, batch):
        await self.at("write")

    async def purge(self, stream):
        return None


@hookimpl
def rtmsd_sink_types():
    return [SinkType("stuck", Options, lambda options: frozenset(MediaKind), lambda options, context: Stuck(options))]
'''


@pytest.fixture
def stuck(tmp_path: Path) -> dict[str, str]:
    """Install the sink as a package would; return the environment in which it is found."""
    site = tmp_path / "site"
    about = site / "stuck_sink-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "stuck_sink.py").write_text(_STUCK)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stuck-sink\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rtmsd.plugins]\nstuck = stuck_sink\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def _stuck_sink(tmp: Path, where: str, *, drain_secs: float) -> str:
    return textwrap.dedent(f"""\
        type = "stuck"
        where = "{where}"
        marker = "{tmp}/{where}"
        drain_secs = {drain_secs}
    """)


def _started(signaling_port: int) -> dict[str, object]:
    return {
        "meeting_uuid": "abc==",
        "rtms_stream_id": "0123456789abcdef",
        "server_urls": f"wss://127.0.0.1:{signaling_port}/signaling",
    }


async def _ends_well(rtmsd: Running) -> None:
    rtmsd.terminate()
    assert await rtmsd.ended(within_secs=_STOP_SECS) == 0
    assert "Traceback" not in rtmsd.log


async def test_while_connecting(tmp_path: Path) -> None:
    """A server that takes the connection and says nothing does not hold the end up."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        async with rtmsd_run(tmp_path, listen=f"127.0.0.1:{port}") as rtmsd:
            await rtmsd.until_logged("ready")
            started = _started(silent.getsockname()[1])
            assert (
                await post_event(f"http://127.0.0.1:{port}/webhook", "meeting.rtms_started", started) == 200
            )
            connection, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(silent), _STOP_SECS)
            with connection:
                await _ends_well(rtmsd)


async def test_while_a_thread_of_a_sink_hangs(tmp_path: Path, stuck: dict[str, str]) -> None:
    """A sink that never returns, at the start or with a stream, is left behind; a second signal does not wait for it."""

    async def at_the_start() -> None:
        sink = _stuck_sink(tmp_path, "check", drain_secs=0.2)
        async with rtmsd_run(tmp_path / "start", sink=sink, environ=stuck) as rtmsd:
            await until((tmp_path / "check").exists, "the sink to hang")
            await _ends_well(rtmsd)

    async def with_a_stream(where: str, *, drain_secs: float, signals: int) -> None:
        port = free_port()
        sink = _stuck_sink(tmp_path, where, drain_secs=drain_secs)
        async with rtmsd_run(
            tmp_path / f"at-{where}", listen=f"127.0.0.1:{port}", sink=sink, environ=stuck
        ) as rtmsd:
            await rtmsd.until_logged("ready")
            url = f"http://127.0.0.1:{port}/webhook"
            started = _started(free_port())
            assert await post_event(url, "meeting.rtms_started", started) == 200
            if where == "write":
                assert await post_event(url, "meeting.rtms_stopped", {**started, "stop_reason": 6}) == 200
            await until((tmp_path / where).exists, "the sink to hang")
            for _ in range(signals - 1):
                rtmsd.terminate()
                await rtmsd.until_logged("stopping")
            await _ends_well(rtmsd)
            assert "something did not end" in rtmsd.log and "in wait" in rtmsd.log

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(at_the_start())
        tasks.create_task(with_a_stream("open", drain_secs=0.2, signals=1))
        tasks.create_task(with_a_stream("write", drain_secs=600, signals=2))


async def test_during_catch_up(tmp_path: Path) -> None:
    """A start with much to catch up with ends at once, and the rest is still there for the next one."""
    async with Journal.open(tmp_path / "state", Clock()) as journal:
        await journal.prune()
    body = b'{"event":"meeting.rtms_stopped","event_ts":1,"payload":{"meeting_uuid":"abc==","rtms_stream_id":"%d"}}'
    [path] = (tmp_path / "state").glob("*.sqlite*")
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO webhooks (app, event, event_ts, once, stream_id, body, received_ms)"
            " VALUES ('notes', 'meeting.rtms_stopped', 1, ?, ?, ?, 1)",
            [(str(number), str(number), body % number) for number in range(20_000)],
        )
    database.close()
    async with rtmsd_run(tmp_path) as rtmsd:
        await rtmsd.until_logged("an unknown stream was stopped")
        await _ends_well(rtmsd)
        assert "ready" not in rtmsd.log
    async with Journal.open(tmp_path / "state", Clock()) as journal:
        left = await journal.unhandled()
    assert 0 < len(left) < 20_000


async def test_an_abort_by_the_watchdog_shows_what_blocked(tmp_path: Path, stuck: dict[str, str]) -> None:
    """SIGABRT, which systemd's watchdog sends, leaves in the log where the loop stood."""
    sink = _stuck_sink(tmp_path, "loop", drain_secs=0.2)
    async with rtmsd_run(tmp_path / "rtmsd", sink=sink, environ=stuck) as rtmsd:
        await until((tmp_path / "loop").exists, "the loop to be blocked")
        rtmsd.process.send_signal(signal.SIGABRT)
        assert await rtmsd.ended() == -signal.SIGABRT
        assert "in block_the_loop" in rtmsd.log
