"""Kill a whole daemon with simulated meetings in it, and hold each recording against what the simulator really sent."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "app"))

from kills import Kill, open_everything
from running_daemon import configuration

from rtmsd.recording import recover, unfinished, verify
from rtmsd.simulator import read_truth

ROOT = Path(__file__).parents[2]
SECONDS = 6
SINK = """
flush_secs = 0.3
batch_ms = 200
"""
# What this states, flush_secs and batch_ms, and half a second; and how late a busy machine may be.
COSTS_MS = 300 + 200 + 500
SLACK_MS = 500


def daemon_kills(
    count: int, *, seed: int = 0, at_once: int = 8, tell: Callable[[Kill], None] | None = None
) -> list[Kill]:
    """Kill daemons until so many meetings have lost theirs, `at_once` at a time."""
    found: list[Kill] = []
    while len(found) < count:
        meetings = min(at_once, count - len(found))
        for kill in kill_daemon(seed + len(found), meetings):
            found.append(kill)
            if tell is not None:
                tell(kill)
    return found


def kill_daemon(seed: int, meetings: int) -> list[Kill]:
    """Play so many meetings, kill the daemon at a random moment, and judge each recording."""
    with tempfile.TemporaryDirectory(prefix="rtmsd-kill-") as name:
        tmp = Path(name)
        killed_ms = _play_and_kill(tmp, random.Random(f"daemon {seed}"), meetings)
        homes = sorted({path.parent for path in (tmp / "recordings").rglob("events.jsonl*")})
        complete = {home for home in homes if (home / "SHA256SUMS").exists()}
        opened = open_everything(tmp / "recordings")
        told = {place: recover(place, version="0").problem for place in list(unfinished(tmp / "recordings"))}
        found = []
        for number, home in enumerate(homes):
            report = verify(home)
            problems = [*report.problems, *([told[home]] if told.get(home) else [])]
            lost_ms = _judge(home, tmp / "truth", killed_ms, problems)
            stage = "complete" if home in complete else "running"
            found.append(Kill(seed + number, stage, lost_ms, (*problems, *(opened if not number else ()))))
        # A meeting of which nothing had been flushed has nothing to judge; it counts, as lost from its beginning.
        return found + [Kill(seed + number, "beginning", 0, ()) for number in range(len(homes), meetings)]


def _play_and_kill(tmp: Path, chance: random.Random, meetings: int) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    scenario = str(ROOT / "config" / "scenarios" / "load.toml")
    hook = f"http://127.0.0.1:{port}/webhook"
    sim = ["sim", scenario, "--meetings", "0", "--json", "--truth", str(tmp / "truth"), "--webhook", hook]
    with _process(tmp / "zoom.log", *sim) as zoom:
        facts = _said(tmp / "zoom.log", "control_url")
        (tmp / "rtmsd.toml").write_text(
            configuration(tmp, port=port, ca_file=facts["ca_file"], client_id=facts["client_id"], sink=SINK)
        )
        secrets = {"CLIENT_SECRET": facts["client_secret"], "WEBHOOK_SECRET": facts["webhook_secret"]}
        run = ["run", "-c", str(tmp / "rtmsd.toml"), "--log-json"]
        with _process(tmp / "rtmsd.log", *run, environ=secrets) as daemon:
            _said(tmp / "rtmsd.log", "ready")
            for _ in range(meetings):
                body = json.dumps({"do": "play", "seconds": SECONDS}).encode()
                urllib.request.urlopen(urllib.request.Request(facts["control_url"], body)).read()
            time.sleep(chance.uniform(0.5, SECONDS + 1.5))
            daemon.send_signal(signal.SIGKILL)
            killed_ms = time.time() * 1000
        deadline = time.monotonic() + 30
        while len(list(tmp.glob("truth/*/truth.json"))) < meetings and time.monotonic() < deadline:
            time.sleep(0.1)
        assert zoom.poll() is None
    return killed_ms


@contextmanager
def _process(
    log: Path, *arguments: str, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        command = [sys.executable, "-m", "rtmsd", *arguments]
        running = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **(environ or {})}
        )
    try:
        yield running
    finally:
        running.kill()  # all that is wanted of it is on the disk
        running.wait()


def _said(log: Path, key: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for text in log.read_text().splitlines():
            line = json.loads(text)
            if key in line or line.get("event") == key:
                return dict(line)
        time.sleep(0.05)
    raise TimeoutError(f"{key} was not said: {log.read_text()}")


def _judge(home: Path, truth_at: Path, killed_ms: float, problems: list[str]) -> int:
    """Compare every track with the truth; add what is wrong to `problems`, return how many ms before the kill are not there."""
    about = json.loads((home / "manifest.json").read_bytes()) if (home / "manifest.json").exists() else None
    if about is None or not about["tracks"]:
        return 0
    truth = read_truth(truth_at / about["stream_id"])
    lost_ms = 0
    for track in about["tracks"]:
        found = np.frombuffer((home / track["file"]).read_bytes()[44:], "<i2")
        true = np.zeros(len(found), dtype=np.int16)
        spoken = []
        for span in truth.tracks.get(track["user_id"], []):
            pcm = np.frombuffer(bytes(span.pcm), "<i2")
            start = (span.timestamp_ms - about["zero_ms"]) * 16
            spoken.append((start, start + len(pcm)))
            whole = pcm[max(0, -start) : max(0, len(true) - start)]
            true[max(0, start) : max(0, start) + len(whole)] = whole
        if (found[found != true] != 0).any():
            problems.append(f"{track['file']} of {about['stream_id']} holds what was not said")
        due = round((killed_ms - about["zero_ms"]) * 16)
        last = max((min(end, due) for start, end in spoken if start < due), default=0)
        heard = int(np.flatnonzero(found)[-1]) + 1 if found.any() else 0
        lost = max(0, last - heard) // 16
        lost_ms = max(lost_ms, lost)
        sure = due - (COSTS_MS + SLACK_MS) * 16
        if (found[: max(0, sure)] != true[: max(0, sure)]).any() or min(last, sure) > heard:
            problems.append(
                f"{track['file']} of {about['stream_id']} lacks what was said long before the end"
            )
    return lost_ms
