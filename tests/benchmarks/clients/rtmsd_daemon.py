"""The whole of rtmsd, from the webhook to a sink: `null` counts, `file` records."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import uvloop

from rtmsd.api import AudioFrame, Item, MediaKind, SinkContext, SinkType, StreamInfo
from rtmsd.app import Daemon, Ready
from rtmsd.config import load_config
from rtmsd.delivery.lane import Lane
from rtmsd.plugins import load_plugins
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from tests.benchmarks.load import CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET
from tests.benchmarks.meter import Meter, answer_on_stdin

CONFIG = """
state_dir = "{directory}/state"
[webhook]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[zoom]
allowed_hosts = ["127.0.0.1"]
ca_file = "{ca_file}"
[[apps]]
name = "load"
client_id = "{client_id}"
client_secret = {{ env = "CLIENT_SECRET" }}
webhook_secrets = [{{ env = "WEBHOOK_SECRET" }}]
[apps.media]
send_rate_ms = 20
[[sinks]]
name = "{sink}"
type = "{sink}"
"""


@dataclass(frozen=True)
class NoOptions:
    pass


class NullSink:
    """Takes frames and forgets them."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def __aenter__(self) -> NullSink:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def check(self) -> None:
        return None

    async def purge(self, stream: StreamInfo) -> None:
        return None

    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[NullSink]:
        yield self

    async def write(self, batch: Sequence[Item]) -> None:
        count = self._meter.count
        for item in batch:
            if type(item) is AudioFrame:
                count(item.timestamp_ms)


def count_offers(meter: Meter) -> None:
    """The file sink has no meter: count what is offered to its lanes."""
    offer = Lane.offer

    def counting(self: Lane, item: Item) -> None:
        if type(item) is AudioFrame:
            meter.count(item.timestamp_ms)
        offer(self, item)

    Lane.offer = counting  # type: ignore[method-assign]


async def main(ca_file: Path, directory: Path, sink: str) -> None:
    set_up_logging(level="error", clock=Clock())
    meter = Meter()
    plugins = load_plugins()
    plugins.origins["null"] = "the benchmark"
    plugins.sink_types["null"] = SinkType(
        "null", NoOptions, lambda _: frozenset({MediaKind.AUDIO}), lambda _, context: null(context, meter)
    )
    if sink == "file":
        count_offers(meter)
    path = directory / "rtmsd.toml"
    text = CONFIG.format(directory=directory, ca_file=ca_file, client_id=CLIENT_ID, sink=sink)
    if sink == "file":
        text += f'directory = "{directory}/recordings"\n'
    path.write_text(text)
    environ = {"CLIENT_SECRET": CLIENT_SECRET, "WEBHOOK_SECRET": WEBHOOK_SECRET}
    config = load_config(path, sink_types=plugins.sink_types, environ=environ)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    answer_on_stdin(meter, lambda: loop.call_soon_threadsafe(over.set))

    def ready(at: Ready) -> None:
        print(json.dumps({"webhook": f"http://{at.webhook}/webhook"}), flush=True)

    await Daemon(config, plugins, clock=Clock(), chance=random.Random(1)).run(stop=over, ready=ready)


def null(context: SinkContext, meter: Meter) -> NullSink:
    return NullSink(meter)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
