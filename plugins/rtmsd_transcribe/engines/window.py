"""How much may be under way: who sends waits for who answers."""

from __future__ import annotations

import asyncio


class Window:
    """Lets `size` things be under way at once. Shutting it wakes who waits; from then on everybody may pass."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._shut = False
        self._changed = asyncio.Event()

    async def enter(self) -> None:
        """Wait until there is room, and take it. Cancelling is safe."""
        while self._free <= 0 and not self._shut:
            self._changed.clear()
            await self._changed.wait()
        self._free -= 1

    def leave(self) -> None:
        """One thing has been answered."""
        self._free += 1
        self._changed.set()

    def shut(self) -> None:
        """Nothing will be answered any more."""
        self._shut = True
        self._changed.set()
