"""What a frame costs: rtmsd's whole path beside Zoom's own client and bare loops, alternating in one run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent

BUSY_LOAD = 0.9
LATE_SHARE = 0.01


@dataclass(frozen=True)
class Variant:
    name: str
    title: str
    module: str
    sink: str = ""


VARIANTS = [
    Variant("picows", "bare picows loop, decode", "bare_picows"),
    Variant("null", "rtmsd, null sink", "rtmsd_daemon", "null"),
    Variant("file", "rtmsd, file sink", "rtmsd_daemon", "file"),
    Variant("sdk", "official SDK, empty callback", "official_sdk"),
    Variant("aiohttp", "bare aiohttp loop, decode", "bare_aiohttp"),
]


@dataclass(frozen=True)
class Result:
    """One variant in one round. `load_was_limit`: the figure says more about the load than about the client."""

    variant: str
    cpu_us_per_frame: float
    frames: int
    lost: int
    lag_p50_ms: float
    lag_p99_ms: float
    kib_per_stream: float
    load_was_limit: bool


class Talk:
    """A process that answers JSON lines with JSON lines."""

    def __init__(self, module: str, *arguments: str, directory: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/plugins"} | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # the SDK prints other things, too
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise SystemExit(f"{self.process.args} ended without an answer")

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def measure(variant: Variant, load: Talk, base_url: str, ca_file: Path, streams: int, secs: float) -> Result:
    """Run one client against the load: let it settle, then count CPU time and frames for `secs`."""
    with tempfile.TemporaryDirectory(prefix="rtmsd-benchmark-") as scratch:
        directory = Path(scratch)
        if variant.sink:
            client = Talk(
                f"clients.{variant.module}",
                base_url,
                str(ca_file),
                scratch,
                variant.sink,
                directory=directory,
            )
            webhook = client.hear()["webhook"]
            empty = client.ask()
            load.ask(begin=streams, webhook=webhook)
        else:
            ids = load.ask(begin=streams)["ids"]
            (directory / "logs").mkdir()
            client = Talk(
                f"clients.{variant.module}",
                base_url,
                str(ca_file),
                ",".join(ids),
                directory=directory,
                ZM_RTMS_CA=str(ca_file),
                ZM_RTMS_LOG_ENABLED="false",
            )
            empty = client.ask()
        try:
            flowing = load.ask(wait=40)["flowing"]
            if flowing < streams:
                raise SystemExit(f"{variant.title}: only {flowing} of {streams} streams flow")
            time.sleep(1.5)
            before = client.ask()
            time.sleep(secs)
            after = client.ask()
            pace = load.ask(report=True)
            sent = load.ask(end=True)["sent"]
            final = last_frames(client, sent)
        finally:
            client.end()
    frames = after["frames"] - before["frames"]
    return Result(
        variant=variant.name,
        cpu_us_per_frame=(after["cpu_secs"] - before["cpu_secs"]) * 1e6 / max(1, frames),
        frames=frames,
        lost=sent - final["frames"],
        lag_p50_ms=after["lag_p50_ms"],
        lag_p99_ms=after["lag_p99_ms"],
        kib_per_stream=(after["resident_bytes"] - empty["resident_bytes"]) / streams / 1024,
        load_was_limit=pace["busy"] > BUSY_LOAD or pace["late_share"] > LATE_SHARE,
    )


def last_frames(client: Talk, sent: int) -> dict[str, Any]:
    """Wait for what is on its way: bunches, batches and a poll each take their time. What has not come in 4 s is lost."""
    for _ in range(8):
        time.sleep(0.5)
        final = client.ask()
        if final["frames"] >= sent:
            break
    return final


def run(*, streams: int, rounds: int, secs: float, only: list[str], json_file: Path | None) -> int:
    """Measure, print the table, and return 1 when the null sink costs more than the official SDK."""
    variants = [one for one in VARIANTS if not only or one.name in only]
    if find_spec("rtms") is None:
        print("The official SDK is not installed on this platform; it is left out.")
        variants = [one for one in variants if one.name != "sdk"]
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="rtmsd-load-") as scratch:
        ca_file = Path(scratch) / "ca.pem"
        load = Talk("load", str(ca_file), directory=Path(scratch))
        try:
            base_url = load.hear()["base_url"]
            for number in range(rounds):
                for variant in variants:
                    result = measure(variant, load, base_url, ca_file, streams, secs)
                    results.append(result)
                    limit = "   (the load was the limit)" if result.load_was_limit else ""
                    print(
                        f"round {number + 1}  {variant.title:30} {result.cpu_us_per_frame:6.1f} µs/frame{limit}",
                        flush=True,
                    )
        finally:
            load.end()
    summary = summarise(variants, results)
    print_table(variants, summary, streams=streams, rounds=rounds, secs=secs)
    if json_file is not None:
        about = {"streams": streams, "rounds": rounds, "secs": secs, "python": platform.python_version()}
        document = {"about": about, "summary": summary, "results": [asdict(one) for one in results]}
        json_file.write_text(json.dumps(document, indent=2) + "\n")
    if "null" in summary and "sdk" in summary and summary["null"]["cpu_us"] > summary["sdk"]["cpu_us"]:
        print("The null sink costs more than the official SDK.")
        return 1
    return 0


def summarise(variants: list[Variant], results: list[Result]) -> dict[str, dict[str, float]]:
    """Take the median of the rounds of each variant, and its ratios to the SDK and to the bare loop."""
    summary: dict[str, dict[str, float]] = {}
    for variant in variants:
        own = [one for one in results if one.variant == variant.name]
        summary[variant.name] = {
            "cpu_us": statistics.median(one.cpu_us_per_frame for one in own),
            "lost": sum(one.lost for one in own),
            "lag_p50_ms": statistics.median(one.lag_p50_ms for one in own),
            "lag_p99_ms": statistics.median(one.lag_p99_ms for one in own),
            "kib_per_stream": statistics.median(one.kib_per_stream for one in own),
            "load_was_limit": sum(one.load_was_limit for one in own),
        }
    for other in ("sdk", "picows"):
        for row in summary.values():
            row[f"to_{other}"] = (
                row["cpu_us"] / summary[other]["cpu_us"] if other in summary else float("nan")
            )
    return summary


def print_table(
    variants: list[Variant], summary: dict[str, dict[str, float]], *, streams: int, rounds: int, secs: float
) -> None:
    print(
        f"\n{streams} TLS streams of 20 ms packets at real-time pace; medians of {rounds} rounds of {secs:g} s; "
        "CPU of the client process\n"
    )
    print(
        f"{'':30} {'µs/frame':>9} {'× SDK':>6} {'× bare':>7} {'lost':>6} {'lag p50':>8} {'p99 ms':>8} "
        f"{'KiB/stream':>11}"
    )
    for variant in variants:
        row = summary[variant.name]
        limit = (
            f"   the load was the limit in {row['load_was_limit']} rounds" if row["load_was_limit"] else ""
        )
        print(
            f"{variant.title:30} {row['cpu_us']:9.1f} {row['to_sdk']:6.2f} {row['to_picows']:7.2f} {row['lost']:6.0f} "
            f"{row['lag_p50_ms']:8.1f} {row['lag_p99_ms']:8.1f} {row['kib_per_stream']:11.0f}{limit}"
        )
