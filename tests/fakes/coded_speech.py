"""Sound that says which words it holds: a buzz per word whose height is the word's number, so that fakes can hear it.

Everything lasts whole multiples of 20 ms. 16 kHz, mono, s16le.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

RATE = 16_000
WORD_SECS, GAP_SECS, PAUSE_SECS = 0.3, 0.1, 0.8
_BLOCK = RATE // 100  # 10 ms: longer than a period of the buzz
_LOWEST, _STEP = 8000, 16


@dataclass(frozen=True)
class CodedWord:
    number: int
    start_secs: float
    end_secs: float

    @property
    def text(self) -> str:
        return f"word-{self.number}"


def silence(secs: float) -> bytes:
    return bytes(round(secs * RATE) * 2)


def word(number: int) -> bytes:
    """A voice's pulses, 125 a second; the highest sample says the number (0 to 1400)."""
    pulse = np.exp(-np.arange(128) / 12) * np.cos(np.arange(128) / 3)
    pulse = np.rint(pulse / pulse.max() * (_LOWEST + number * _STEP))
    return np.resize(pulse, round(WORD_SECS * RATE)).astype("<i2").tobytes()


def sentence(numbers: Iterable[int]) -> bytes:
    """The words with a short gap after each, then a pause."""
    return b"".join(word(number) + silence(GAP_SECS) for number in numbers) + silence(PAUSE_SECS)


def texts(first: int, last: int) -> str:
    """What is heard of these words: `word-1 word-2`."""
    return " ".join(f"word-{number}" for number in range(first, last + 1))


class Ear:
    """Hears such sound, however it is cut. `secs` of it came."""

    def __init__(self, rate: int = RATE) -> None:
        self._rate = rate
        self._sound = bytearray()
        self.words: list[CodedWord] = []
        self._start: int | None = None  # of the word that is being spoken, in blocks
        self._highest = 0
        self._heard = 0  # blocks

    @property
    def secs(self) -> float:
        return len(self._sound) / 2 / self._rate

    @property
    def quiet_secs(self) -> float:
        """How long nobody has spoken; 0 while somebody does."""
        if self._start is not None or not self.words:
            return 0.0
        return self.secs - self.words[-1].end_secs

    def hear(self, pcm: bytes) -> None:
        self._sound += pcm
        new = np.frombuffer(bytes(self._sound[self._heard * _BLOCK * 2 :]), dtype="<i2")
        blocks = new[: len(new) - len(new) % _BLOCK].reshape(-1, _BLOCK)
        for height in np.abs(blocks.astype(np.int32)).max(axis=1, initial=0):
            self._block(int(height))
            self._heard += 1

    def end(self) -> None:
        """Nothing follows: a word that runs to the end is over."""
        self._block(0)

    def _block(self, height: int) -> None:
        if height >= _LOWEST // 2:
            self._start = self._heard if self._start is None else self._start
            self._highest = max(self._highest, height)
        elif self._start is not None:
            number = round((self._highest - _LOWEST) / _STEP)
            seconds = _BLOCK / self._rate
            self.words.append(CodedWord(number, self._start * seconds, self._heard * seconds))
            self._start, self._highest = None, 0
