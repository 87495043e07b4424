"""Reading in bunches costs nobody a message."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from raw_websocket import BINARY, CLOSE, Peer, frame, raw_websocket

from rtmsd.streams.gathering import DENSE, TICK_SECS, Gathering
from rtmsd.streams.transport import client_tls, connect

PACKET_SECS = TICK_SECS / (4 * DENSE)


async def arrivals(tmp_path: Path, *, packets: int, then: bytes = b"") -> tuple[list[bytes], list[float]]:
    """Send that many packets densely, and `then` a frame; return the messages and when each came."""
    loop, messages, times = asyncio.get_running_loop(), list[bytes](), list[float]()
    closed = asyncio.Event()

    async def behave(peer: Peer) -> None:
        for number in range(packets):
            await peer.send(frame(BINARY, b"%05d" % number + bytes(800)))
            await asyncio.sleep(PACKET_SECS)
        if then:
            await peer.send(then)
        else:
            await closed.wait()

    def message(data: bytes | memoryview) -> None:
        messages.append(bytes(data[:5]))
        times.append(loop.time())
        if len(messages) == packets:
            closed.set()

    async with raw_websocket(tmp_path, behave) as (url, ca_file), asyncio.timeout(20):
        connection = await connect(
            url,
            tls=client_tls(ca_file),
            gathering=Gathering(),
            on_message=message,
            on_closed=lambda _: closed.set(),
        )
        await closed.wait()
        connection.close()
    return messages, times


def bunches(times: list[float]) -> list[int]:
    """How many messages came together, in order of time."""
    sizes = [1]
    for earlier, later in itertools.pairwise(times):
        if later - earlier < PACKET_SECS / 2:
            sizes[-1] += 1
        else:
            sizes.append(1)
    return sizes


async def test_dense_packets_come_in_bunches_and_the_last_ones_too(tmp_path: Path) -> None:
    """Packets that come densely are soon read several at a time, in order; what is below the mark at the end comes, too."""
    messages, times = await arrivals(tmp_path, packets=200)
    assert messages == [b"%05d" % number for number in range(200)]
    sizes = bunches(times)
    assert max(sizes) >= DENSE
    assert len(sizes) < 150


async def test_a_close_is_read_at_once_though_it_is_small(tmp_path: Path) -> None:
    """When the peer closes, what waits below the mark is read with it."""
    messages, _ = await arrivals(tmp_path, packets=103, then=frame(CLOSE, b"\x03\xe8"))
    assert len(messages) == 103
