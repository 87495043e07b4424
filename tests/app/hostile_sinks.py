"""Sinks that no author should write. What they were given and kept can be looked at afterwards."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from rtmsd.api import Item, MediaKind, SinkContext, SinkType, StreamInfo, TellNumber, no_number
from rtmsd.plugins import Plugins, load_plugins

Vice = Literal["raises", "hangs", "is-slow", "leaks"]
VICES: tuple[Vice, ...] = ("raises", "hangs", "is-slow", "leaks")

SLOW_SECS = 3.0
"""Longer than the smallest queue lasts."""


@dataclass(frozen=True, kw_only=True)
class HostileOptions:
    vice: Vice


class HostileSink:
    """Each has one vice, and all count what nobody should. `kept` holds the items of every batch whose write returned, by stream."""

    def __init__(self, vice: Vice) -> None:
        self.vice = vice
        self.kept: dict[str, list[Item]] = defaultdict(list)
        self.hoard: list[bytes] = []
        self.count: TellNumber = no_number
        self._writes = 0

    async def __aenter__(self) -> HostileSink:
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
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[_Writer]:
        yield _Writer(self, stream.stream_id)

    async def suffer(self, batch: Sequence[Item]) -> None:
        """Do to rtmsd what this sink does."""
        self._writes += 1
        for number in range(500):
            self.count("items", 1, of=f"{self._writes} {number}")
        self.count("Ж" * self._writes, -1.0, sink="disk")
        if self.vice == "raises" and self._writes % 3 == 0:
            raise RuntimeError("every third time")
        if self.vice == "hangs":
            await asyncio.Event().wait()
        if self.vice in ("is-slow", "leaks"):
            await asyncio.sleep(SLOW_SECS)
        if self.vice == "leaks":
            self.hoard.append(bytes(1024 * 1024))


class _Writer:
    def __init__(self, sink: HostileSink, stream_id: str) -> None:
        self._sink = sink
        self._stream_id = stream_id

    async def write(self, batch: Sequence[Item]) -> None:
        await self._sink.suffer(batch)
        self._sink.kept[self._stream_id] += batch


def with_hostile_sinks() -> tuple[Plugins, dict[Vice, HostileSink]]:
    """Load the plugins and add a hostile sink type; return also the sinks, that will be used when they are built."""
    sinks = {vice: HostileSink(vice) for vice in VICES}
    wants = frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT})

    def build(options: HostileOptions, context: SinkContext) -> HostileSink:
        sinks[options.vice].count = context.count
        return sinks[options.vice]

    plugins = load_plugins()
    hostile = SinkType("hostile", HostileOptions, lambda options: wants, build)
    return (
        replace(
            plugins,
            sink_types=plugins.sink_types | {"hostile": hostile},
            origins=plugins.origins | {"hostile": "these tests"},
        ),
        sinks,
    )


def hostile_config(*, queue_bytes: int) -> str:
    """Write the `[[sinks]]` of all hostile sinks, each called by its vice."""
    return "".join(
        f'[[sinks]]\nname = "{vice}"\ntype = "hostile"\nvice = "{vice}"\nqueue_bytes = {queue_bytes}\n'
        "batch_ms = 50\nwrite_timeout_secs = 5.0\ndrain_secs = 1.0\n"
        for vice in VICES
    )
