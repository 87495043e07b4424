"""`rtmsd run` and `rtmsd sim` in two processes, twenty meetings at once.

RTMSD_TEST_LOAD, a number up to 1, makes the load smaller: 0.2 plays four meetings of six seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from running_daemon import assert_equals_truth, configuration, json_lines, manifest

from rtmsd.recording import verify
from rtmsd.simulator import read_truth

ROOT = Path(__file__).parents[2]
LOAD = float(os.environ.get("RTMSD_TEST_LOAD", "1"))
MEETINGS = max(2, round(20 * LOAD))
SECONDS = max(3, round(30 * LOAD))
WARM_SECONDS = 3
ALLOWED_GROWTH_KIB = 4 * 1024
# What is freed goes back to the system at once, so that resident memory is what is held, not what malloc keeps.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}


@asynccontextmanager
async def process(
    *arguments: str, log: Path, environ: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of our commands, with all that it prints in `log`; interrupt it in the end."""
    with log.open("wb") as file:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rtmsd",
            *arguments,
            cwd=ROOT,
            stdout=file,
            stderr=file,
            env={**os.environ, **(environ or {})},
        )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await running.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rss_kib(pid: int) -> int:
    [line] = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1])


async def said(log: Path, key: str) -> dict[str, Any]:
    """Wait for the first JSON line that has this key, or this event."""
    async with asyncio.timeout(30):
        while True:
            for text in log.read_text().splitlines():
                line = json.loads(text)
                if key in line or line.get("event") == key:
                    return dict(line)
            await asyncio.sleep(0.05)


async def play(control_url: str, tmp: Path, *, number: int, seconds: int, recordings: int) -> None:
    """Have meetings played at once, and wait until as many recordings as there must be are complete."""
    async with aiohttp.ClientSession() as session:
        for _ in range(number):
            async with session.post(control_url, json={"do": "play", "seconds": seconds}) as answer:
                assert answer.status == 200, await answer.text()
    async with asyncio.timeout(seconds + 60):
        while len(list(tmp.glob("recordings/*/*/*/SHA256SUMS"))) < recordings:
            await asyncio.sleep(0.2)
        while len(list(tmp.glob("truth/*/truth.json"))) < recordings:
            await asyncio.sleep(0.2)


async def test_twenty_meetings_at_once_are_recorded_to_the_sample(tmp_path: Path) -> None:
    """Every recording equals the truth, the log has no warning, and memory is afterwards what it was before."""
    port = free_port()
    scenario, truth = ROOT / "config" / "scenarios" / "load.toml", tmp_path / "truth"
    zoom_log, log = tmp_path / "zoom.log", tmp_path / "rtmsd.log"
    sim = ["sim", str(scenario), "--meetings", "0", "--json", "--truth", str(truth)]
    async with process(*sim, "--webhook", f"http://127.0.0.1:{port}/webhook", log=zoom_log):
        zoom = await said(zoom_log, "control_url")
        config = tmp_path / "rtmsd.toml"
        config.write_text(
            configuration(tmp_path, port=port, ca_file=zoom["ca_file"], client_id=zoom["client_id"])
        )
        secrets = {"CLIENT_SECRET": zoom["client_secret"], "WEBHOOK_SECRET": zoom["webhook_secret"]}
        environ = secrets | MALLOC
        async with process("run", "-c", str(config), "--log-json", log=log, environ=environ) as daemon:
            await said(log, "ready")
            at = {"control_url": zoom["control_url"], "tmp": tmp_path}
            await play(**at, number=MEETINGS, seconds=WARM_SECONDS, recordings=MEETINGS)
            base_kib = rss_kib(daemon.pid)
            await play(**at, number=MEETINGS, seconds=SECONDS, recordings=2 * MEETINGS)
            after_kib = rss_kib(daemon.pid)
    assert daemon.returncode == 0
    recordings = [path.parent for path in tmp_path.glob("recordings/*/*/*/SHA256SUMS")]
    assert len(recordings) == 2 * MEETINGS
    for recording in recordings:
        about = manifest(recording)
        assert_equals_truth(recording, read_truth(truth / about["stream_id"]))
        assert (about["completeness"], about["gaps"], about["reconnects"]) == (1.0, [], 0)
        assert verify(recording).problems == []
    lines = json_lines(log)
    assert [line for line in lines if line["level"] not in ("debug", "info")] == []
    assert after_kib - base_kib < ALLOWED_GROWTH_KIB, f"{base_kib} KiB before, {after_kib} KiB after"
