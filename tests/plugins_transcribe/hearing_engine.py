"""An engine that knows the simulator's sentences, and hears one where every sample of it stands. It breaks as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from rtmsd.simulator import load_sentences
from rtmsd_transcribe.engine import RATE, EngineLost, EngineRefused, Heard, Word

SENTENCES = list(load_sentences().values())
BYTES_PER_SEC = RATE * 2
_HINT = BYTES_PER_SEC // 4
"""So much of a sentence is enough for an interim result."""


@dataclass(frozen=True)
class Plan:
    """How one session goes. `dies_at`: the seconds of sound after which it is lost; `answers_after`: how slow it is."""

    dies_at: float | None = None
    answers_after: float = 0.0
    opens_after: float = 0.0
    error: EngineLost | EngineRefused | None = None  # instead of a session
    hangs: bool = False  # answers nothing
    stalls_at: float | None = None  # the seconds of sound after which nothing is answered any more


@dataclass
class HearingEngine:
    """`plans` are those of the first sessions; the others go well. `sessions` are all that were opened."""

    name: str = "hearing"
    real_time_only: bool = False
    live: bool = True
    plans: list[Plan] = field(default_factory=list)
    sessions: list[HearingSession] = field(default_factory=list)
    tries: int = 0
    made: ClassVar[list[HearingEngine]] = []

    def __post_init__(self) -> None:
        self.made.append(self)

    async def __aenter__(self) -> HearingEngine:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        self.tries += 1
        plan = self.plans.pop(0) if self.plans else Plan()
        await asyncio.sleep(plan.opens_after)
        if plan.error is not None:
            raise plan.error
        session = HearingSession(plan, asyncio.get_running_loop().time())
        self.sessions.append(session)
        try:
            yield session
        finally:
            session.left = True

    @property
    def secs(self) -> float:
        """What was sent to all its sessions."""
        return sum(len(one.sound) for one in self.sessions) / BYTES_PER_SEC


@dataclass
class HearingSession:
    """What one session got, and when its pieces came (seconds of the loop)."""

    plan: Plan
    opened: float
    sound: bytearray = field(default_factory=bytearray)
    came: list[float] = field(default_factory=list)
    finished: bool = False
    left: bool = False

    def __post_init__(self) -> None:
        self._answers: asyncio.Queue[Heard | None] = asyncio.Queue()
        self._hinted: set[tuple[str, int]] = set()
        self._heard: set[tuple[str, int]] = set()

    async def send(self, pcm: bytes) -> None:
        assert 0 < len(pcm) <= BYTES_PER_SEC // 10
        await asyncio.sleep(0)
        dies_at = self.plan.dies_at
        if dies_at is not None and len(self.sound) + len(pcm) > dies_at * BYTES_PER_SEC:
            raise EngineLost("the engine's machine was switched off")
        self.sound += pcm
        self.came.append(asyncio.get_running_loop().time())
        if self._stalled:
            return
        for sentence in SENTENCES:
            self._listen(sentence.text, sentence.pcm, len(pcm))

    def _listen(self, text: str, pcm: bytes, new: int) -> None:
        hint = self.sound.find(pcm[:_HINT], max(0, len(self.sound) - new - _HINT))
        if hint >= 0 and (text, hint) not in self._hinted:
            self._hinted.add((text, hint))
            self._answers.put_nowait(_heard(text.split()[0], hint, _HINT, final=False))
        found = self.sound.find(pcm, max(0, len(self.sound) - new - len(pcm)))
        if found >= 0 and (text, found) not in self._heard:
            self._heard.add((text, found))
            self._answers.put_nowait(_heard(text, found, len(pcm), final=True))

    @property
    def _stalled(self) -> bool:
        stalls_at = self.plan.stalls_at
        return stalls_at is not None and len(self.sound) > stalls_at * BYTES_PER_SEC

    async def finish(self) -> None:
        self.finished = True
        if not self.plan.hangs and not self._stalled:
            self._answers.put_nowait(None)

    async def heard(self) -> AsyncIterator[Heard]:
        while (answer := await self._answers.get()) is not None:
            await asyncio.sleep(self.plan.answers_after)
            if not self.plan.hangs:
                yield answer


def _heard(text: str, start: int, length: int, *, final: bool) -> Heard:
    start_secs, end_secs = start / BYTES_PER_SEC, (start + length) / BYTES_PER_SEC
    return Heard(
        text, start_secs, end_secs, final, words=(Word(text, start_secs, end_secs, 0.9),), confidence=0.9
    )


def sound_of(sessions: Sequence[HearingSession]) -> bytes:
    return b"".join(bytes(one.sound) for one in sessions)
