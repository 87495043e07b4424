"""A second pass hears what was said: every sentence once, under its speaker, at its time, whatever becomes of the engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fast_time import run_fast
from hearing_engine import HearingEngine, HearingSession, Plan
from second_pass_bench import Watching, lines, record, second_pass, speak
from transcribe_bench import ANN, BO, CY, SAID, Line, frames

from rtmsd.api import AudioFormat, AudioFrame
from rtmsd.api.recording import FilePlan
from rtmsd_transcribe.engine import EngineLost, EngineRefused
from rtmsd_transcribe.outcome import LOST_TRIES
from rtmsd_transcribe.second_pass import ENDED, LONGEST_SECS, TRACKS, TRIES, TRIES_AGAIN

SPEED = 10.0


def meeting() -> tuple[list[AudioFrame], list[Line]]:
    """Two who speak at once, across the end of the first minute too, with pauses in which nothing is sent."""
    ann, her_lines = speak(ANN, [("begin", 0), ("open", 4200), ("thursday", 7000), ("mine", 59_000)])
    bo, his_lines = speak(BO, [("late", 1000), ("names", 58_900), ("leaving", 62_000)])
    return [*ann, *bo], sorted([*her_lines, *his_lines])


@pytest.mark.parametrize(
    "plan", [FilePlan(), FilePlan("flac"), FilePlan("wav", 1), FilePlan("flac", 1)], ids=str
)
def test_each_sentence_stands_under_its_speaker_at_its_time(tmp_path: Path, plan: FilePlan) -> None:
    """However the recording is kept; times are true to the millisecond, and the seconds are those that the engine got."""

    async def play() -> None:
        items, said = meeting()
        show, engine = Watching(), HearingEngine()
        directory = record(tmp_path / "r", items, 66_000, plan)
        result = await second_pass(directory, [engine], tmp_path, show=show)
        assert lines(result) == sorted(said)
        assert result.lost_secs == 0 and result.sent_secs == {"hearing": pytest.approx(engine.secs)}
        assert all(session.finished and session.left for session in engine.sessions)
        done = [secs for secs, _, _ in show.shown]
        assert show.shown[-1] == (132.0, 132.0, 7) and done[0] < 2 and len(set(done)) > 10

    run_fast(play(), SPEED)


def test_zooms_own_mix_is_transcribed(tmp_path: Path) -> None:
    """Where nobody is told apart there is one speaker, number 0."""

    async def play() -> None:
        items, said = speak(0, [("begin", 0), ("open", 4200)])
        form = AudioFormat("L16", 16_000, 1, False)
        mixed = [AudioFrame(0, "", one.timestamp_ms, one.data, form) for one in items]
        directory = record(tmp_path / "r", mixed, 8000)
        assert lines(await second_pass(directory, [HearingEngine()], tmp_path)) == said

    run_fast(play(), SPEED)


@pytest.mark.parametrize("dies_at", [0.05, 0.5, 1.5, 2.6, 3.9, 5.0])
def test_an_engine_that_is_killed_costs_nothing(tmp_path: Path, dies_at: float) -> None:
    """Wherever it dies, and again: no sentence is lost and none comes twice."""

    async def play() -> None:
        items, said = meeting()
        engine = HearingEngine(plans=[Plan(dies_at=dies_at), Plan(dies_at=1.0), Plan(dies_at=dies_at / 2)])
        result = await second_pass(record(tmp_path / "r", items, 66_000), [engine], tmp_path)
        assert lines(result) == sorted(said) and result.lost_secs == 0
        assert result.sent_secs["hearing"] == pytest.approx(engine.secs, abs=0.11)

    run_fast(play(), SPEED)


def test_the_next_engine_takes_over(tmp_path: Path) -> None:
    """From one that refuses, and from one that cannot be had; each says under its own name what it heard."""

    async def play() -> None:
        items, said = meeting()
        wrong = HearingEngine(name="wrong", plans=[Plan(error=EngineRefused("the key is wrong."))] * 99)
        away = HearingEngine(name="away", plans=[Plan(error=EngineLost("nobody is there."))] * 99)
        there = HearingEngine(name="there")
        show = Watching()
        directory = record(tmp_path / "r", items, 66_000)
        result = await second_pass(directory, [wrong, away, there], tmp_path, show=show)
        assert lines(result) == said and {one.source for one in result.frames} == {"there"}
        assert wrong.tries <= ENDED + 2
        assert show.said == [
            "wrong: the key is wrong. It is asked no more.",
            "away: nobody is there. It is asked again.",
        ]

    run_fast(play(), SPEED)


@pytest.mark.parametrize(
    ("error", "tries"),
    [(EngineRefused("the key is wrong."), 1), (EngineLost("nobody is there."), TRIES)],
    ids=["refused", "lost"],
)
def test_without_an_engine_it_ends(tmp_path: Path, error: EngineLost | EngineRefused, tries: int) -> None:
    """With the engine's own sentence, after a bounded number of tries."""

    async def play() -> None:
        items, _ = speak(ANN, [("begin", 0)])
        engine = HearingEngine(plans=[Plan(error=error)] * 99)
        with pytest.raises(EngineRefused, match=f"hearing: {error} Nothing is written."):
            await second_pass(record(tmp_path / "r", items, 4000), [engine], tmp_path)
        assert engine.tries == tries

    run_fast(play(), SPEED)


class Choking(HearingEngine):
    """Breaks whenever it hears one of the sentences, in its middle; `dead`: also ever after."""

    dead: bool = False
    choked: bool = False

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        async with super().session(language=language) as session:
            send, pcm = session.send, SAID["tests"].pcm

            async def choking(piece: bytes) -> None:
                await send(piece)
                if pcm[: len(pcm) // 2] in session.sound or (self.dead and self.choked):
                    self.choked = True
                    raise EngineLost("it choked.")

            session.send = choking  # type: ignore[method-assign]
            yield session


def test_a_speech_that_breaks_the_engine_is_given_up(tmp_path: Path) -> None:
    """Its sound is tried some times, and what broke it told as lost; everything else is heard."""

    async def play() -> None:
        items, said = speak(ANN, [("begin", 0), ("tests", 10_000), ("open", 20_000), ("late", 30_000)])
        engine = Choking()
        result = await second_pass(record(tmp_path / "r", items, 40_000), [engine], tmp_path)
        assert lines(result) == sorted(line for line in said if line[1] != SAID["tests"].text)
        assert SAID["tests"].duration_ms / 2000 - 0.1 <= result.lost_secs <= SAID["tests"].duration_ms / 1000
        assert engine.tries == 3 + LOST_TRIES + 1

    run_fast(play(), 50.0)


def test_an_engine_that_is_away_for_minutes_costs_nothing(tmp_path: Path) -> None:
    """Sessions that cannot be opened are no tries of a speech; that it is asked again is said once."""

    async def play() -> None:
        items, said = speak(ANN, [("begin", 0), ("tests", 10_000), ("open", 20_000), ("late", 30_000)])
        gone = [Plan(error=EngineLost("nobody is there."))] * (LOST_TRIES + 2)
        engine, show = HearingEngine(plans=[Plan(), *gone, Plan(), *gone[:2]]), Watching()
        result = await second_pass(record(tmp_path / "r", items, 40_000), [engine], tmp_path, show=show)
        assert lines(result) == sorted(said) and result.lost_secs == 0
        assert show.said == ["hearing: nobody is there. It is asked again."]

    run_fast(play(), 100.0)


class Single(HearingEngine):
    """A service that allows one session at a time."""

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        if any(not session.left for session in self.sessions):
            self.tries += 1
            raise EngineLost("too many sessions.", retry_secs=1.0)
        async with super().session(language=language) as session:
            yield session


def test_a_service_that_allows_one_session_hears_everything(tmp_path: Path) -> None:
    """Who is refused again and again, while the only session says nothing yet, waits; nothing is lost by that."""

    async def play() -> None:
        talks = [speak(ANN + number, [("open", 0), ("late", 10_000)]) for number in range(4)]
        engine = Single(plans=[Plan(answers_after=12.0)])
        items = [one for its, _ in talks for one in its]
        result = await second_pass(record(tmp_path / "r", items, 20_000), [engine], tmp_path)
        assert lines(result) == sorted(line for _, its in talks for line in its) and result.lost_secs == 0
        assert len(engine.sessions) == 8 and engine.tries > 8 + LOST_TRIES + TRIES

    run_fast(play(), 20.0)


def test_one_session_is_enough_though_somebody_goes_on_speaking(tmp_path: Path) -> None:
    """It is never held by a speech whose sound is not read on because others wait for the session."""

    async def play() -> None:
        step_ms = SAID["late"].duration_ms + 400
        talks = [speak(ANN, [("late", at) for at in range(0, 50_000, step_ms)])]
        talks += [
            speak(ANN + other, [("open", 4000), ("open", 14_000), ("late", 24_000)]) for other in (1, 2, 3)
        ]
        items = [one for its, _ in talks for one in its]
        directory = record(tmp_path / "r", items, 60_000)
        async with asyncio.timeout(150):
            result = await second_pass(directory, [Single()], tmp_path)
        assert lines(result) == sorted(line for _, its in talks for line in its) and result.lost_secs == 0

    run_fast(play(), 20.0)


def test_a_model_that_is_long_to_load_is_waited_for(tmp_path: Path) -> None:
    """As long as its engine says, also where there is another one: a recording does not run away."""

    async def play() -> None:
        items, said = speak(ANN, [("begin", 0)])
        engine = HearingEngine(plans=[Plan(opens_after=50.0)])
        engine.open_secs = 60.0  # type: ignore[attr-defined]
        other = HearingEngine(name="other")
        result = await second_pass(record(tmp_path / "r", items, 4000), [engine, other], tmp_path)
        assert lines(result) == said and (engine.tries, other.tries) == (1, 0)

    run_fast(play(), 50.0)


def test_an_engine_that_dies_for_good_in_between_ends_it(tmp_path: Path) -> None:
    """Not speech by speech for ever."""

    async def play() -> None:
        script = [("begin", 0), ("tests", 10_000), *(("open", at) for at in range(20_000, 200_000, 10_000))]
        items, _ = speak(ANN, script)
        engine = Choking()
        engine.dead = True
        with pytest.raises(EngineRefused, match="hearing: it choked"):
            await second_pass(record(tmp_path / "r", items, 201_000), [engine], tmp_path)
        assert engine.tries <= 1 + TRIES_AGAIN * (ENDED + 1)

    run_fast(play(), 100.0)


def test_who_speaks_for_minutes_is_heard_to_the_end(tmp_path: Path) -> None:
    """A long speech is divided at its short pauses into what can be kept; nothing is forgotten and no sentence cut."""

    async def play() -> None:
        step_ms = SAID["late"].duration_ms + 400
        script = [("late", at) for at in range(0, 300_000, step_ms)]
        items, said = speak(ANN, script)
        engine = HearingEngine(live=False, plans=[Plan(answers_after=1.0)] * 3)
        result = await second_pass(record(tmp_path / "r", items, 310_000), [engine], tmp_path)
        assert lines(result) == sorted(said) and result.lost_secs == 0
        assert max(len(one.sound) for one in engine.sessions) <= LONGEST_SECS * 32_000
        assert len(engine.sessions) < 14

    run_fast(play(), 30.0)


def test_who_never_pauses_is_heard_too(tmp_path: Path) -> None:
    """After the longest speech the next begins at once: every sample is sent, and a sentence is cut at most there."""

    async def play() -> None:
        sound = SAID["late"].pcm * 60
        items = frames(ANN, 0, sound)
        engine = HearingEngine(live=False)
        result = await second_pass(record(tmp_path / "r", items, 170_000), [engine], tmp_path)
        assert result.lost_secs == 0 and len(lines(result)) >= 57
        assert engine.secs == pytest.approx(len(sound) / 32_000, abs=5)
        assert b"".join(bytes(one.sound) for one in engine.sessions).startswith(sound)

    run_fast(play(), 30.0)


class Slow(HearingEngine):
    """Takes its time at the end of each session; `most` is how many were open at once."""

    open = 0
    most = 0

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[HearingSession]:
        async with super().session(language=language) as session:
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                yield session
                await asyncio.sleep(2.0)
            finally:
                self.open -= 1


@pytest.mark.parametrize("speakers", [1, 12])
def test_only_so_many_sessions_are_open_at_once(tmp_path: Path, speakers: int) -> None:
    """However many speak, and however slow the engine is, what is read waits for what is answered."""

    async def play() -> None:
        talks = [
            speak(ANN + number, [("open", at + number * 100) for at in range(0, 60_000, 6000)])
            for number in range(speakers)
        ]
        items = [one for its, _ in talks for one in its]
        engine = Slow()
        result = await second_pass(record(tmp_path / "r", items, 64_000), [engine], tmp_path)
        assert lines(result) == sorted(line for _, its in talks for line in its)
        assert ENDED <= engine.most <= TRACKS + ENDED + 1

    run_fast(play(), 50.0)


def test_silence_costs_nothing(tmp_path: Path) -> None:
    """Nobody speaks: no session, no second, no phrase, and the pass is over soon."""

    async def play() -> None:
        engine = HearingEngine()
        directory = record(tmp_path / "r", frames(CY, 0, bytes(32_000)), 3_600_000)
        result = await second_pass(directory, [engine], tmp_path)
        assert (engine.tries, result.sent_secs, result.frames) == (0, {}, [])

    run_fast(play(), SPEED)


def test_a_long_silence_option_loses_nothing(tmp_path: Path) -> None:
    """A pause that a live session would wait through ends a speech here: a minute of it could not be kept."""

    async def play() -> None:
        items, said = speak(ANN, [("begin", 0), ("open", 50_000), ("late", 104_000), ("mine", 150_000)])
        items += frames(ANN, 10_000, bytes(32_000 * 40))
        directory = record(tmp_path / "r", items, 160_000)
        result = await second_pass(directory, [HearingEngine()], tmp_path, silence_secs=60.0)
        assert lines(result) == sorted(said) and result.lost_secs == 0

    run_fast(play(), SPEED)


def test_cancelling_ends_all_sessions(tmp_path: Path) -> None:
    """What bills by the time it is open is not left open."""

    async def play() -> None:
        items, _ = meeting()
        engine = HearingEngine(plans=[Plan(hangs=True)] * 9)
        work = asyncio.create_task(second_pass(record(tmp_path / "r", items, 66_000), [engine], tmp_path))
        async with asyncio.timeout(20):
            while len(engine.sessions) < 2:
                await asyncio.sleep(0.1)
        work.cancel()
        await asyncio.wait({work}, timeout=2.0)
        assert work.cancelled() and all(session.left for session in engine.sessions)

    run_fast(play(), SPEED)


def test_an_engine_that_wants_real_time_gets_it(tmp_path: Path) -> None:
    """Nothing is sent faster than it was spoken, though all of it is there."""

    async def play() -> None:
        items, said = speak(ANN, [("begin", 0), ("open", 3000)])
        engine = HearingEngine(real_time_only=True)
        result = await second_pass(record(tmp_path / "r", items, 6000), [engine], tmp_path)
        assert lines(result) == sorted(said)
        [session] = engine.sessions
        assert all(came - session.came[0] >= (number - 2) * 0.1 for number, came in enumerate(session.came))

    run_fast(play(), 2.0)


def test_a_track_that_cannot_be_read_ends_it(tmp_path: Path) -> None:
    """With the file's name, and all sessions ended."""

    async def play() -> None:
        items, _ = meeting()
        directory = record(tmp_path / "r", items, 66_000, FilePlan("flac"))
        engine = HearingEngine(plans=[Plan(hangs=True)] * 9)
        path = directory / f"audio/user={BO}.flac"
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(OSError, match=f"user={BO}.flac"):
            await second_pass(directory, [engine], tmp_path)
        assert all(session.left for session in engine.sessions)

    run_fast(play(), SPEED)
