"""What transcription costs: many who speak at once in one process, with a fake engine, and beside a local one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

VARIANTS = {
    "file": "file sink alone",
    "deepgram": "and transcribed by a live service",
    "local": "and beside a busy pocketsphinx",
}


def run(*, tracks: int, secs: float, json_file: Path | None) -> int:
    """Measure each variant in a process of its own and print the table.

    1 when a lane dropped something, or when the local engine did nothing.
    """
    sys.path[:0] = [str(ROOT / "tests" / "fakes"), str(ROOT / "plugins")]
    figures = {name: asyncio.run(_measured(name, tracks, secs)) for name in VARIANTS}
    print(f"{tracks} tracks, {secs:g} s\n")
    print(
        "| variant | ms of processor per second of sound | MiB more | lag p50 / p99 ms | dropped | transcripts |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, one in figures.items():
        cpu = one["cpu_secs"] * 1000 / (tracks * secs)
        print(
            f"| {VARIANTS[name]} | {cpu:.2f} | {one['grown_bytes'] / 2**20:.0f} | "
            f"{one['lag_p50_ms']:.1f} / {one['lag_p99_ms']:.1f} | {one['dropped']:.0f} | {one['transcripts']:.0f} |"
        )
    beside_secs = figures["local"]["beside_secs"]
    print(f"\npocketsphinx understood {beside_secs:.0f} s of sound meanwhile.")
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1))
    return int(any(one["dropped"] for one in figures.values()) or not beside_secs)


async def _measured(variant: str, tracks: int, secs: float) -> dict[str, float]:
    from fake_deepgram import FakeDeepgram

    with tempfile.TemporaryDirectory() as directory:
        async with FakeDeepgram().running() as service:
            path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "fakes"), str(ROOT / "plugins")])
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "tests.benchmarks.clients.transcribing"],
                *[variant, service.address, str(tracks), str(secs), directory],
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
            )
            output, _ = await process.communicate()
    return dict(json.loads(output.splitlines()[-1]))
