"""Busy sockets are read in bunches: the kernel wakes us for half a second's worth, not for each packet.

Waking, reading and going through Python's code for one packet of 20 ms costs more than decoding it. So a socket on which
packets come densely is given a low-water mark (`SO_RCVLOWAT`): it counts as readable once that much is there. Whatever is
below the mark is read at the next tick, the end of a connection at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Protocol

TICK_SECS = 0.5
"""Nothing waits longer than two of these; a sink that gathers for as long hardly notices."""

DENSE = 5
"""Messages in a tick from which gathering them is worth it."""

SHARE = 0.85
"""The mark, as a share of what one tick brought: each tick then finds something read."""

LOW_MAX_BYTES = 256 * 1024


class Gathered(Protocol):
    """A connection as it counts what it reads."""

    messages: int
    received_bytes: int


class Gathering:
    """Sets the marks of all connections, from one timer that runs while there are any."""

    def __init__(self) -> None:
        self._marks: dict[Gathered, _Mark] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Gathered, sock: socket.socket) -> None:
        self._marks[connection] = _Mark(sock)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECS, self._tick)

    def remove(self, connection: Gathered) -> None:
        """Call it before the socket is closed; again does nothing."""
        self._marks.pop(connection, None)
        if not self._marks and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def read_now(self, connection: Gathered) -> None:
        """Read what is below the mark, too: something happened that ends the flow."""
        if mark := self._marks.get(connection):
            mark.clear()

    def _tick(self) -> None:
        for connection, mark in self._marks.items():
            mark.judge(connection.messages, connection.received_bytes)
            connection.messages = connection.received_bytes = 0
        self._timer = asyncio.get_running_loop().call_later(TICK_SECS, self._tick)


class _Mark:
    """The low-water mark of one socket: 1 while what comes is measured, or comes seldom."""

    __slots__ = ("_low", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._low = 1

    def judge(self, messages: int, received_bytes: int) -> None:
        if self._low == 1:
            if messages >= DENSE:
                self._set(min(LOW_MAX_BYTES, int(received_bytes * SHARE)))
        elif not messages or received_bytes > 3 * self._low:
            self._set(1)  # slower than it was, or much faster: deliver what is there, and measure again

    def clear(self) -> None:
        if self._low != 1:
            self._set(1)

    def _set(self, low: int) -> None:
        self._low = low
        with contextlib.suppress(OSError):  # it was just closed, and will say so itself
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low)
