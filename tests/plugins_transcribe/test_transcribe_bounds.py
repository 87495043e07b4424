"""What goes wrong with engines, clocks and disks stays small: in memory, in time, and in what it hides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from fast_time import run_fast
from hearing_engine import HearingEngine, HearingSession, Plan
from transcribe_bench import ANN, SAID, STREAM, ZERO_MS, bench, frames

from rtmsd_transcribe.account import Account
from rtmsd_transcribe.choice import find_class
from rtmsd_transcribe.engine import EngineLost, EngineRefused, Heard
from rtmsd_transcribe.engines.assemblyai import AssemblyAIDialect
from rtmsd_transcribe.speech import KEPT_SECS

DAY_MS = 86_400_000
PHRASE = SAID["late"]


def test_what_waits_for_an_engine_is_bounded(tmp_path: Path) -> None:
    """While none can be reached a speaker's sentences are kept for a minute or two, not for the whole meeting."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(error=EngineLost("gone", retry_secs=700.0))])
        spoken = 0.0
        async with bench(tmp_path, [engine], drain_secs=100.0) as one:
            async with one.sink.open(STREAM, 0) as writer:
                for number in range(120):
                    await writer.write(frames(ANN, number * 6000, PHRASE.pcm))
                    spoken += PHRASE.duration_ms / 1000
                    await asyncio.sleep(5.0)
                [transcriber] = one.sink._open[STREAM.stream_id]
                kept = (
                    sum(talk.speech.end - talk.speech.first for talk in transcriber._talks.values()) / 16_000
                )
                assert kept <= 2 * KEPT_SECS + 5 and len(transcriber._talks) < 60
                await asyncio.sleep(110.0)
            # The last minute is heard when the engine is there again, and the rest is told as lost.
            assert 50 <= engine.secs <= 2 * KEPT_SECS + 10
            assert one.lines and one.lines[-1][2] == 119 * 6000
            assert spoken - one.lost_seconds <= engine.secs + 1 and len(engine.sessions) <= 60

    run_fast(play(), 60.0)


class ClosingSession(HearingSession):
    """Its service hangs up: sending fails at once, and a moment later it is known why."""

    async def send(self, pcm: bytes) -> None:
        raise EngineLost("the session is closed")

    async def heard(self) -> AsyncIterator[Heard]:
        await asyncio.sleep(0.3)
        raise EngineRefused("it does not know the key")
        yield  # a generator


class ClosingEngine(HearingEngine):
    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        self.tries += 1
        yield ClosingSession(Plan(), 0.0)


def test_who_hangs_up_is_asked_why(tmp_path: Path) -> None:
    """A service that refuses after all is not asked again and again because sending failed first."""

    async def play() -> None:
        engine = ClosingEngine(name="closing")
        async with bench(tmp_path, [engine, HearingEngine()]) as one:
            for later in (0, 10_000):
                await one.hear(frames(ANN, later, PHRASE.pcm))
        assert engine.tries == 1 and len(one.transcripts) == 2
        assert any("does not know the key" in line for line in one.logged)

    run_fast(play(), 10.0)


def turn(order: int, *, formatted: bool) -> str:
    word = '{"text":"hi","start":0,"end":500}'
    return (
        f'{{"type":"Turn","turn_order":{order},"end_of_turn":true,"turn_is_formatted":{str(formatted).lower()},'
        f'"transcript":"hi","words":[{word}]}}'
    )


def test_a_turn_is_final_once() -> None:
    """Its formatted text may come after the next turn has begun, or twice: then it has been given already."""
    dialect = AssemblyAIDialect()
    given = [
        heard.final
        for order, formatted in ((0, False), (1, False), (0, True), (1, True), (1, True))
        for heard in dialect.received(turn(order, formatted=formatted))
    ]
    assert given.count(True) == 2


@pytest.mark.parametrize("wrong_ms", [ZERO_MS + 40_000 * DAY_MS, ZERO_MS - 500 * DAY_MS])
async def test_a_time_that_cannot_be_does_not_stop_the_day(tmp_path: Path, wrong_ms: float) -> None:
    """One packet with the time of another century neither ends transcription for a century, nor does it after a restart."""
    log = structlog.get_logger()
    async with Account(tmp_path / "account.json", most_per_day=10.0, log=log) as one:
        for at_ms in (wrong_ms, ZERO_MS):
            assert await one.claim(6.0, at_ms)
            one.settle(6.0, "own", "s1", sent_secs=6.0)
        assert not await one.claim(6.0, ZERO_MS)
    async with Account(tmp_path / "account.json", most_per_day=10.0, log=log) as one:
        assert not one.allows(6.0, ZERO_MS) and one.allows(6.0, ZERO_MS + DAY_MS)


@pytest.mark.parametrize("source", ["def", "raise RuntimeError('no')", "import nowhere_to_be_found"])
def test_a_module_that_breaks_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Whatever is wrong in an engine of somebody else's is said before the start, without a traceback."""
    (tmp_path / "engine_that_breaks.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="engine_that_breaks, which cannot be imported"):
        find_class("engine_that_breaks:Engine")


def test_what_was_sent_is_told_though_nobody_waits(tmp_path: Path) -> None:
    """A writer whose leaving is cancelled tells its seconds all the same, and forgets them."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(hangs=True)])
        async with bench(tmp_path, [engine]) as one:
            task = asyncio.create_task(one.hear(frames(ANN, 0, PHRASE.pcm)))
            await asyncio.sleep(1.0)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled() and one.sink._account.sent == {}
            assert one.seconds == {"hearing": pytest.approx(engine.secs, abs=0.1)}

    run_fast(play(), 10.0)
