"""Time that runs faster, for everything in a process at once: the event loop, its timers, and the clock that goes with it."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from rtmsd.runtime.clock import Clock

Result = TypeVar("Result")


class _Selector(selectors.EpollSelector):
    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self._speed if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """`sleep(10)` takes a second at a speed of 10, and so does every timeout."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_Selector(speed))

    def time(self) -> float:
        return time.monotonic() * self._speed


class FastClock(Clock):
    """The clock of such a loop. Its wall time begins with the real one."""

    def __init__(self, speed: float) -> None:
        began, wall_began = time.monotonic(), time.time()
        self.monotonic = lambda: time.monotonic() * speed
        self.wall = lambda: wall_began + (time.monotonic() - began) * speed


def run_fast(main: Coroutine[Any, Any, Result], speed: float) -> Result:
    """Run something in such a loop."""
    with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
        return runner.run(main)
