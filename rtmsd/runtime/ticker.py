"""One timer for all who wait for the same tick, not one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Ticker:
    """Calls back at the latest `secs` after it was asked to, together with all others that wait.

    Hundreds of timers, each waking the loop for one, cost more than the work that they release.
    """

    def __init__(self, secs: float) -> None:
        self._secs = secs
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, at the next tick."""
        self._waiting.append(callback)
        if self._timer is None:
            # Kept, since asking for the running loop is a system call.
            self._loop = self._loop or asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._secs, self._tick)

    def _tick(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
