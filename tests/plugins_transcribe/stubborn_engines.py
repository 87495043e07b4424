"""Engines that do not work, by names that a command line can give."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hearing_engine import HearingEngine, HearingSession, Plan
from transcribe_bench import SAID

from rtmsd_transcribe.engine import EngineRefused, EngineStalled

MARK = "RTMSD_TEST_MARK"
"""The environment names a file: it says what became of a session."""


class Refusing(HearingEngine):
    def __init__(self) -> None:
        super().__init__(
            name="refusing", plans=[Plan(error=EngineRefused("refusing does not know the key."))] * 99
        )


class Hanging(HearingEngine):
    """Never answers, and says in the marked file whether its session is open."""

    def __init__(self) -> None:
        super().__init__(name="hanging", plans=[Plan(hangs=True)] * 99)

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        mark = Path(os.environ[MARK])
        async with super().session(language=language) as session:
            mark.write_text("open")
            try:
                yield session
            finally:
                mark.write_text("left")


class Choosy(HearingEngine):
    """Stalls in the middle of one of the sentences."""

    def __init__(self) -> None:
        super().__init__(name="choosy")

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        async with super().session(language=language) as session:
            send, pcm = session.send, SAID["tests"].pcm

            async def choosy(piece: bytes) -> None:
                await send(piece)
                if pcm[: len(pcm) // 2] in session.sound:
                    raise EngineStalled("it says nothing any more.")

            session.send = choosy  # type: ignore[method-assign]
            yield session
