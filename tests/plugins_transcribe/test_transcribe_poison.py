"""Sound on which an engine breaks each time costs a bounded number of tries, and nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fast_time import run_fast
from hearing_engine import HearingEngine, HearingSession
from transcribe_bench import ANN, BO, SAID, STREAM, bench, frames, said

from rtmsd_transcribe.engine import EngineLost
from rtmsd_transcribe.outcome import LOST_TRIES

POISON, PHRASE = SAID["tests"], SAID["late"]
_SOME = POISON.pcm[: len(POISON.pcm) // 2]


class Poisoned(HearingEngine):
    """Breaks at the end of each session in which it got one of the sentences."""

    error: type[Exception] = EngineLost

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        async with super().session(language=language) as session:
            finish = session.finish

            async def breaking() -> None:
                if _SOME in session.sound:
                    raise self.error("it broke (close code 1011).")
                await finish()

            session.finish = breaking  # type: ignore[method-assign]
            session._listen = self._deaf(session)  # type: ignore[method-assign]
            yield session

    def _deaf(self, session: HearingSession) -> object:
        listen = session._listen

        def deaf(text: str, pcm: bytes, new: int) -> None:
            if text != POISON.text:
                listen(text, pcm, new)

        return deaf


@pytest.mark.parametrize("error", [EngineLost, KeyError])
def test_who_breaks_an_engine_costs_others_nothing(tmp_path: Path, error: type[Exception]) -> None:
    """It is sent so often and no more, told as lost, and the log does not fill, though others are answered all the time."""

    async def play() -> None:
        engine = Poisoned()
        engine.error = error
        async with bench(tmp_path, [engine]) as one:
            async with one.sink.open(STREAM, 0) as writer:
                await writer.write(frames(ANN, 0, POISON.pcm))
                for number in range(20):
                    await writer.write(frames(BO, number * 6000, PHRASE.pcm))
                    await asyncio.sleep(5.0)
        poisoned = [session for session in engine.sessions if _SOME in session.sound]
        assert len(poisoned) == LOST_TRIES
        assert one.lines == [said(BO, number * 6000, PHRASE) for number in range(20)]
        assert one.lost_seconds == pytest.approx(POISON.duration_ms / 1000, abs=0.1)
        assert one.seconds == {"hearing": pytest.approx(engine.secs, abs=0.1)}
        assert sum("session was lost" in line for line in one.logged) == 1
        assert sum("works again" in line for line in one.logged) == 1

    run_fast(play(), 20.0)


def test_what_follows_is_heard(tmp_path: Path) -> None:
    """Of the same speech, too: no more is given up than what every one of the lost sessions had."""

    async def play() -> None:
        engine = Poisoned()
        async with bench(tmp_path, [engine], drain_secs=120.0) as one, one.sink.open(STREAM, 0) as writer:
            await writer.write(frames(ANN, 0, POISON.pcm))
            await asyncio.sleep(5.0)  # its session is over
            await writer.write(frames(ANN, 10_000, PHRASE.pcm))
            await asyncio.sleep(110.0)
            assert one.lines == [said(ANN, 10_000, PHRASE)]

    run_fast(play(), 40.0)
