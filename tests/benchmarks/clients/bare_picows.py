"""The least that a Python client can do: picows, msgspec, base64; nothing decided, nothing kept."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pybase64
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from rtmsd.streams.transport import client_tls
from tests.benchmarks.meter import Meter, answer_on_stdin


class Content(msgspec.Struct, gc=False):
    user_id: int
    user_name: str
    data: str
    timestamp: int


class Message(msgspec.Struct, gc=False):
    msg_type: int
    content: Content


decode = msgspec.json.Decoder(Message).decode


class Bare(WSListener):
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.BINARY:
            content = decode(frame.get_payload_as_memoryview()).content
            pybase64.b64decode(content.data, validate=True)
            self._meter.count(content.timestamp)


async def main(base_url: str, ca_file: Path, ids: list[str]) -> None:
    meter, over = Meter(), asyncio.Event()
    loop = asyncio.get_running_loop()
    answer_on_stdin(meter, lambda: loop.call_soon_threadsafe(over.set))
    tls = client_tls(ca_file)
    for stream_id in ids:
        await ws_connect(lambda: Bare(meter), f"{base_url}/bare/{stream_id}", ssl_context=tls)
    await over.wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")))
