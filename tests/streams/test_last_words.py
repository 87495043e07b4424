"""What Zoom has sent is delivered, also when the sockets are about to be let go of: it will not send it again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dense_zoom import PACKET_MS, DenseZoom, Listener, dense_zoom

from rtmsd.streams.gathering import TICK_SECS


async def in_bunches(listener: Listener) -> None:
    """Wait until audio is read in bunches, and then until nothing was read for a while."""
    mark = listener.driver._gathering
    assert mark is not None
    while not any(one._low > 1 for one in mark._marks.values()):
        await asyncio.sleep(0.01)
    heard, quiet = len(listener.heard), 0
    while quiet < TICK_SECS / 5 * 100:
        await asyncio.sleep(0.01)
        quiet = quiet + 1 if len(listener.heard) == heard else 0
        heard = len(listener.heard)


def unread(zoom: DenseZoom, listener: Listener) -> set[int]:
    return set(zoom.sent) - set(listener.heard)


async def test_a_driver_that_is_cancelled_delivers_what_waits(tmp_path: Path) -> None:
    """SIGTERM comes in the middle of a bunch: none of it is thrown away."""
    async with asyncio.timeout(20), dense_zoom(tmp_path) as (zoom, listener, running):
        await in_bunches(listener)
        waiting = unread(zoom, listener)
        assert len(waiting) > 5
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled() and not waiting & unread(zoom, listener)


async def test_what_comes_after_signaling_is_lost_is_read_until_the_socket_is_closed(tmp_path: Path) -> None:
    """Zoom goes on with the media for a moment; what it begins the replay with is what comes after that."""
    async with asyncio.timeout(20), dense_zoom(tmp_path) as (zoom, listener, running):
        await in_bunches(listener)
        assert zoom.signaling is not None and zoom.audio is not None
        zoom.signaling.writer.transport.abort()
        await zoom.closed.wait()
        until = zoom.sent[-1]
        while listener.heard[-1] < until + 50 * PACKET_MS:
            await asyncio.sleep(0.01)
        assert not running.done()
        lost = {one for one in unread(zoom, listener) if one <= until}
        assert len(lost) <= 2  # what was on its way when the socket was closed
