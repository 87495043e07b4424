"""The same with aiohttp's WebSocket client: one task per stream."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pybase64
import uvloop

from rtmsd.streams.transport import client_tls
from tests.benchmarks.clients.bare_picows import decode
from tests.benchmarks.meter import Meter, answer_on_stdin


async def receive(http: aiohttp.ClientSession, url: str, meter: Meter, connected: asyncio.Semaphore) -> None:
    async with connected:
        socket = await http.ws_connect(url, compress=0)
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            content = decode(message.data).content
            pybase64.b64decode(content.data, validate=True)
            meter.count(content.timestamp)


async def main(base_url: str, ca_file: Path, ids: list[str]) -> None:
    meter, over = Meter(), asyncio.Event()
    loop = asyncio.get_running_loop()
    answer_on_stdin(meter, lambda: loop.call_soon_threadsafe(over.set))
    one_at_a_time = asyncio.Semaphore(1)
    connector = aiohttp.TCPConnector(ssl=client_tls(ca_file), limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        tasks = [
            asyncio.create_task(receive(http, f"{base_url}/bare/{stream_id}", meter, one_at_a_time))
            for stream_id in ids
        ]
        await over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")))
