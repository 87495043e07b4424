"""Zoom's own client in a process of its own, and the webhooks that it lives by."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rtmsd.simulator import Simulator

needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("rtms") is None,
    reason="Zoom's SDK (`rtms`, Linux x86_64 only) is not installed: pip install rtmsd[test]",
)


class SdkRun:
    """Zoom's client in its own process, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = process
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            if line.startswith(b'{"callback"'):
                self.said.append(json.loads(line))

    def of(self, callback: str) -> list[dict[str, Any]]:
        return [entry for entry in self.said if entry["callback"] == callback]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not true():
                assert not self._task.done(), f"the SDK has ended: {self.said[-3:]}"
                await asyncio.sleep(0.01)

    async def ended(self) -> None:
        async with asyncio.timeout(20):
            await self._task


@asynccontextmanager
async def sdk(
    simulator: Simulator,
    started: dict[str, Any] | list[dict[str, Any]],
    directory: Path,
    *,
    script: str = "sdk_client.py",
    secret: str | None = None,
    **options: object,
) -> AsyncIterator[SdkRun]:
    """Run the SDK on a stream, or with sdk_many.py on several; `options` are those of sdk_client.py."""
    (directory / "logs").mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name(script)),
        json.dumps(started),
        json.dumps(options),
        cwd=directory,
        env={
            **os.environ,
            "ZM_RTMS_CA": str(simulator.ca_file),
            "ZM_RTMS_CLIENT": simulator.client_id,
            "ZM_RTMS_SECRET": secret or simulator.client_secret,
            "ZM_RTMS_LOG_ENABLED": "false",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )
    run = SdkRun(process)
    try:
        yield run
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await run.ended()


class Webhooks:
    """The webhooks of a simulator, as (event, payload)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.started = asyncio.Event()

    def __call__(self, _headers: object, body: bytes) -> None:
        message = json.loads(body)
        self.events.append((message["event"], message["payload"]))
        self.started.set()
