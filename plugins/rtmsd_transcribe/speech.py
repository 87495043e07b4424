"""What one participant says without a longer pause: the sound that an engine gets, and where it stands in the meeting."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

from rtmsd_transcribe.engine import RATE

SAMPLES_PER_MS = RATE // 1000
SAMPLE_BYTES = 2

KEPT_SECS = 90
"""How much that no final has answered yet is kept, to be sent again should the engine break: 3 MB. A piece of half a minute, the
time that its answer may take, and what is said until another engine has it."""


class Speech:
    """Grows at its end while somebody speaks, and is forgotten from its beginning as finals answer it.

    Positions (`at`) are samples since its beginning; `media_ms` gives the meeting's time of each, also where sound is
    missing or came late. Kept is what lies between `first` and `end`.
    """

    def __init__(self, user_id: int, user_name: str, *, kept_secs: float = KEPT_SECS) -> None:
        self.user_id = user_id
        self.user_name = user_name
        self.first = 0
        self.ended = False
        self._most_bytes = round(kept_secs * RATE) * SAMPLE_BYTES
        self._sound = bytearray()
        self._places: list[
            tuple[int, float]
        ] = []  # (at, Unix ms) wherever the one does not follow from the other
        self._changed = asyncio.Event()

    @property
    def end(self) -> int:
        return self.first + len(self._sound) // SAMPLE_BYTES

    def add(self, media_ms: float, pcm: bytes) -> None:
        """Append sound that begins at this time; forget the oldest when there is too much."""
        at = self.end
        if not self._places or abs(self.media_ms(at, ends=True) - media_ms) > 1 / SAMPLES_PER_MS:
            self._places.append((at, media_ms))
        self._sound += pcm
        if len(self._sound) > self._most_bytes:
            self.forget(self.end - self._most_bytes // SAMPLE_BYTES)
        self._changed.set()

    def add_silence(self, media_ms: float, samples: int) -> None:
        """Append silence where nothing came."""
        self.add(media_ms, bytes(samples * SAMPLE_BYTES))

    def finish(self) -> None:
        """Nothing follows."""
        self.ended = True
        self._changed.set()

    def forget(self, at: int) -> None:
        """Keep nothing before `at`."""
        if at > self.first:
            at = min(at, self.end)
            del self._sound[: (at - self.first) * SAMPLE_BYTES]
            self.first = at

    def sound(self, at: int, samples: int) -> bytes:
        """Give at most so many samples from `at` on."""
        start = (at - self.first) * SAMPLE_BYTES
        return bytes(self._sound[start : start + samples * SAMPLE_BYTES])

    def media_ms(self, at: int, *, ends: bool = False) -> float:
        """Give the meeting's time of a sample; with `ends` that of the end of the one before."""
        index = bisect_right(self._places, at - 1 if ends else at, key=lambda place: place[0])
        from_at, from_ms = self._places[max(0, index - 1)]
        return from_ms + (at - from_at) / SAMPLES_PER_MS

    async def changed(self, within_secs: float) -> bool:
        """Wait until something is added, or the end; False when nothing was for so long. Cancelling is safe."""
        self._changed.clear()
        try:
            async with asyncio.timeout(within_secs):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
