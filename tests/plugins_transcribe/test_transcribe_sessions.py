"""Whatever becomes of the engines' sessions: each sentence once, under its speaker, at its time; what was sent is counted."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest
import structlog
from fast_time import run_fast
from hearing_engine import HearingEngine, Plan
from transcribe_bench import ANN, BO, CY, SAID, STREAM, ZERO_MS, Line, bench, frames, said

from rtmsd.api import AudioFormat, AudioFrame, Item, SinkError, SinkReject
from rtmsd_transcribe.engine import EngineLost, EngineRefused
from rtmsd_transcribe.lineup import REST_SECS, Lineup
from rtmsd_transcribe.speech import KEPT_SECS

TALK = (("begin", 700), ("open", 4200), ("thursday", 7000))
SPEED = 10.0


def talk(user_id: int = ANN, *, later_ms: int = 0) -> tuple[list[Item], list[Line]]:
    """Three sentences of one person with pauses of a second, in which Zoom sends nothing."""
    items: list[Item] = []
    lines = []
    for name, at_ms in TALK:
        items += frames(user_id, at_ms + later_ms, SAID[name].pcm)
        lines.append(said(user_id, at_ms + later_ms, SAID[name]))
    return items, sorted(lines)


async def test_each_sentence_stands_under_its_speaker_at_its_time(tmp_path: Path) -> None:
    """Two who speak at once have sessions of their own; what was sent is counted to the sample."""
    engine = HearingEngine()
    ann, her_lines = talk(ANN)
    bo, his_lines = talk(BO, later_ms=500)
    async with bench(tmp_path, [engine]) as one:
        await one.hear(sorted([*ann, *bo], key=lambda frame: frame.timestamp_ms))  # type: ignore[union-attr]
    assert one.lines == sorted([*her_lines, *his_lines])
    assert {frame.source for frame in one.transcripts} == {"hearing"}
    assert len(engine.sessions) == 2 and all(session.finished and session.left for session in engine.sessions)
    assert one.seconds == {"hearing": round(engine.secs, 1)} and one.lost_seconds == 0


@pytest.mark.parametrize("dies_at", [0.05, 0.5, 1.5, 2.6, 3.9, 5.0, 7.5])
def test_an_engine_that_is_killed_is_asked_again(tmp_path: Path, dies_at: float) -> None:
    """Wherever it dies, also in the middle of a sentence: no sentence is lost, none comes twice, all times are right."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(dies_at=dies_at), Plan(dies_at=1.0)])
        items, lines = talk()
        async with bench(tmp_path, [engine]) as one:
            await one.hear(items)
        assert one.lines == lines
        assert engine.tries >= 2 and all(session.left for session in engine.sessions)
        assert one.seconds == {"hearing": pytest.approx(engine.secs, abs=0.06)} and one.lost_seconds == 0

    run_fast(play(), SPEED)


def test_the_next_engine_takes_over_without_a_hole(tmp_path: Path) -> None:
    """The second begins where the first was answered; each says under its own name what it heard."""

    async def play() -> None:
        first = HearingEngine(name="first", plans=[Plan(dies_at=4.5)])
        second = HearingEngine(name="second")
        items, lines = talk()
        async with bench(tmp_path, [first, second]) as one:
            await one.hear(items)
        assert one.lines == lines
        assert [frame.source for frame in one.transcripts] == ["first", "second", "second"]
        assert one.seconds == {"first": round(first.secs, 1), "second": round(second.secs, 1)}

    run_fast(play(), SPEED)


@pytest.mark.parametrize(
    "error",
    [EngineLost("too many at once (HTTP 429)", retry_secs=2.0), EngineRefused("it does not know the key")],
)
def test_an_engine_that_cannot_be_opened_is_passed_over(tmp_path: Path, error: EngineLost) -> None:
    """429 or a wrong key: the next one hears all of it, and the first is left alone meanwhile."""

    async def play() -> None:
        first = HearingEngine(name="first", plans=[Plan(error=error)] * 20)
        second = HearingEngine(name="second")
        ann, her_lines = talk(ANN)
        bo, his_lines = talk(BO)
        async with bench(tmp_path, [first, second]) as one:
            await one.hear([*ann, *bo])
        assert one.lines == sorted([*her_lines, *his_lines])
        assert first.tries <= 2 and {frame.source for frame in one.transcripts} == {"second"}

    run_fast(play(), SPEED)


def test_an_engine_is_left_alone_as_long_as_it_says(tmp_path: Path) -> None:
    """Retry-After is kept, and then everything is there."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(error=EngineLost("busy", retry_secs=8.0))])
        items, lines = talk()
        began = asyncio.get_running_loop().time()
        async with bench(tmp_path, [engine]) as one:
            await one.hear(items)
        assert one.lines == lines
        assert engine.sessions[0].opened - began >= 8.0

    run_fast(play(), SPEED)


def test_slow_answers_are_waited_for(tmp_path: Path) -> None:
    """Within the drain time of the stream's end everything that was said is published."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(opens_after=2.0, answers_after=2.0)])
        items, lines = talk()
        async with bench(tmp_path, [engine]) as one:
            await one.hear(items)
        assert one.lines == lines and one.lost_seconds == 0

    run_fast(play(), SPEED)


def test_who_never_answers_does_not_keep_the_end(tmp_path: Path) -> None:
    """After the drain time the session is ended, and what was not answered is told as lost."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(hangs=True)] * 9)
        items, _ = talk()
        loop = asyncio.get_running_loop()
        async with bench(tmp_path, [engine], drain_secs=5.0) as one:
            began = loop.time()
            await one.hear(items)
            assert loop.time() - began < 9.0
        assert one.lines == [] and one.lost_seconds > 5.0
        assert all(session.left for session in engine.sessions)

    run_fast(play(), SPEED)


def test_a_minute_of_silence_costs_nothing(tmp_path: Path) -> None:
    """Whether Zoom sends silence or nothing: the session is closed after a pause, and the next has the right times."""

    async def play(quiet: list[Item]) -> None:
        engine = HearingEngine()
        before, lines = talk()
        after, later_lines = talk(later_ms=70_000)
        async with bench(tmp_path, [engine]) as one:
            await one.hear([*before, *quiet, *after])
        assert one.lines == sorted([*lines, *later_lines])
        assert len(engine.sessions) == 2 and engine.secs < 2 * (9.5 + 3.5)

    nothing: list[Item] = []
    run_fast(play(nothing), SPEED)
    run_fast(play([*frames(ANN, 9_500, bytes(32_000 * 61))]), SPEED)


def test_a_session_ends_when_nothing_comes(tmp_path: Path) -> None:
    """Who mutes sends nothing any more: the session is over after the pause, while the meeting goes on."""

    async def play() -> None:
        engine = HearingEngine()
        items, lines = talk()
        async with bench(tmp_path, [engine], silence_secs=2.0) as one, one.sink.open(STREAM, 0) as writer:
            await writer.write(items)
            await asyncio.sleep(1.0)
            assert not engine.sessions[-1].left
            await asyncio.sleep(4.0)
            assert one.lines == lines and all(session.left for session in engine.sessions)

    run_fast(play(), SPEED)


def test_no_sound_that_is_no_speech_is_sent(tmp_path: Path) -> None:
    """Silence and faint noise open no session."""

    async def play() -> None:
        engine = HearingEngine()
        hiss = np.random.default_rng(1).normal(0, 20, 80_000).astype("<i2").tobytes()
        async with bench(tmp_path, [engine]) as one:
            await one.hear([*frames(ANN, 0, bytes(32_000 * 5)), *frames(ANN, 5000, hiss)])
        assert engine.tries == 0 and one.published == []

    run_fast(play(), SPEED)


def test_pacing_never_sends_faster_than_it_is_spoken(tmp_path: Path) -> None:
    """With backlog = "pace", and with an engine that wants it, a backlog takes its time."""

    async def play(engine: HearingEngine, backlog: str) -> None:
        items, lines = talk()
        async with bench(tmp_path, [engine], backlog=backlog) as one:
            await one.hear(items)
        assert one.lines == lines
        [session] = engine.sessions
        # After a hold-up two pieces may follow at once, and never more than were due.
        assert all(came - session.came[0] >= (number - 2) * 0.1 for number, came in enumerate(session.came))

    run_fast(play(HearingEngine(), "pace"), 2.0)
    run_fast(play(HearingEngine(real_time_only=True), "send"), 2.0)


def test_a_backlog_can_be_skipped(tmp_path: Path) -> None:
    """With backlog = "skip" what is older than some seconds is left out, told, and the times of the rest are right."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(opens_after=1.0)])
        noise = SAID["late"].pcm * 12
        end_ms = len(noise) // 32
        async with bench(tmp_path, [engine], backlog="skip") as one:
            await one.hear(frames(ANN, 0, noise), batch=1000)
        assert engine.secs < 4.0 and one.lost_seconds == pytest.approx(end_ms / 1000 - 2, abs=0.3)
        period = SAID["late"].duration_ms
        assert [line[2] % period for line in one.lines] == [0] * len(one.lines)

    run_fast(play(), SPEED)


@pytest.mark.parametrize("backlog", ["pace", "send"])
def test_more_than_there_is_room_for_is_not_kept(tmp_path: Path, backlog: str) -> None:
    """While no engine can be reached the oldest is forgotten and told as lost; what is heard then stands at its time."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(error=EngineLost("gone"))])
        sound = SAID["late"].pcm * 50
        secs = len(sound) / 32_000
        async with bench(tmp_path, [engine], backlog=backlog, drain_secs=200.0) as one:
            await one.hear(frames(ANN, 0, sound), batch=100)
        assert one.lost_seconds == pytest.approx(secs - KEPT_SECS, abs=0.2)
        assert engine.secs == pytest.approx(KEPT_SECS, abs=0.2)
        period = SAID["late"].duration_ms
        assert len(one.lines) >= KEPT_SECS * 1000 // period - 1
        assert [line[2] % period for line in one.lines] == [0] * len(one.lines)

    run_fast(play(), 30.0)


def test_interim_results_become_the_final_one(tmp_path: Path) -> None:
    """The final takes the place of what was shown before; without the option there is only the final."""

    async def play() -> None:
        items, lines = talk()
        async with bench(tmp_path, [HearingEngine(plans=[Plan(dies_at=1.0)])], interim=True) as one:
            await one.hear(items)
        standing: dict[int, str] = {}
        for frame in one.transcripts:
            if frame.operation == "delete":
                del standing[frame.timestamp_ms]
            else:
                assert (frame.operation == "update") == (frame.timestamp_ms in standing)
                standing[frame.timestamp_ms] = frame.text
        assert sorted(standing.values()) == sorted(line[1] for line in lines)
        assert [frame.operation for frame in one.transcripts][:3] == ["new", "delete", "new"]

    run_fast(play(), SPEED)


def test_an_engine_with_a_bug_is_one_that_was_lost(tmp_path: Path) -> None:
    """Whatever somebody's engine raises, the next one takes over, and no word of it is logged."""

    class Broken(HearingEngine):
        def session(self, *, language: str) -> object:  # type: ignore[override]
            raise KeyError("what somebody said")

    async def play() -> None:
        items, lines = talk()
        async with bench(tmp_path, [Broken(name="broken"), HearingEngine()]) as one:
            await one.hear(items)
        assert one.lines == lines
        assert any("broke" in line for line in one.logged)
        assert not any("somebody said" in line or "release" in line for line in one.logged)

    run_fast(play(), SPEED)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_dies_when(tmp_path: Path, seed: int) -> None:
    """Two engines whose sessions die, are refused and are slow by chance, for three who speak: the text is the same."""
    chance = random.Random(seed)

    def plan() -> Plan:
        if chance.random() < 0.2:
            return Plan(error=EngineLost("busy", retry_secs=chance.choice([0.0, 2.0])))
        return Plan(
            dies_at=chance.choice([None, chance.uniform(0, 6)]),
            answers_after=chance.choice([0.0, 0.3]),
            opens_after=chance.choice([0.0, 1.0]),
        )

    async def play() -> None:
        engines = [HearingEngine(name=name, plans=[plan() for _ in range(8)]) for name in ("one", "two")]
        talks = [talk(user_id, later_ms=later) for user_id, later in ((ANN, 0), (BO, 400), (CY, 900))]
        items = [item for its, _ in talks for item in its]
        async with bench(tmp_path, engines, drain_secs=100.0) as one:
            await one.hear(sorted(items, key=lambda item: item.timestamp_ms))  # type: ignore[union-attr]
        assert one.lines == sorted(line for _, lines in talks for line in lines)
        assert one.lost_seconds == 0 and all(session.left for each in engines for session in each.sessions)
        for each in engines:
            assert one.seconds.get(each.name, 0.0) == pytest.approx(each.secs, abs=0.06)

    run_fast(play(), SPEED)


def test_sound_that_is_no_samples_is_said_once(tmp_path: Path) -> None:
    """Zoom may confirm another codec than asked for: one error with its remedy, and the stream goes on."""

    async def play() -> None:
        opus = AudioFormat("OPUS", 48_000, 1, True)
        packets = [AudioFrame(BO, "Bo", ZERO_MS + number * 20, b"\x08abc", opus) for number in range(50)]
        items, lines = talk()
        async with bench(tmp_path, [HearingEngine()]) as one:
            await one.hear([*packets, *items])
        assert one.lines == lines
        assert sum('audio_codec = "L16"' in line for line in one.logged) == 1

    run_fast(play(), SPEED)


async def test_several_who_lose_an_engine_at_once_are_one_failure() -> None:
    """The pauses grow with each failure after the last one, not with the number of speakers."""
    lineup = Lineup([HearingEngine()], log=structlog.get_logger())
    seat = await lineup.next()
    for _ in range(20):
        lineup.lost(seat, EngineLost("gone"))
    assert seat.failures == 1 and seat.rests_until <= asyncio.get_running_loop().time() + REST_SECS[0]
    lineup.lost(seat, EngineLost("gone", retry_secs=5.0))
    assert seat.rests_until >= asyncio.get_running_loop().time() + 4.9


def test_what_is_deleted_is_not_transcribed(tmp_path: Path) -> None:
    """Purging ends the sessions, publishes nothing more, and refuses what comes."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(answers_after=5.0)])
        items, _ = talk()
        async with bench(tmp_path, [engine]) as one:
            async with one.sink.open(STREAM, 0) as writer:
                await writer.write(items)
                await asyncio.sleep(0.5)
                await one.sink.purge(STREAM)
                assert all(session.left for session in engine.sessions)
                with pytest.raises(SinkReject, match="deleted"):
                    await writer.write(items)
            with pytest.raises(SinkError, match="deleted"):
                async with one.sink.open(STREAM, 1):
                    pass
        assert one.published == []

    run_fast(play(), SPEED)


def test_cancelling_ends_all_sessions(tmp_path: Path) -> None:
    """What bills by the time it is open is not left open."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(hangs=True)])
        items, _ = talk()

        async def serve() -> None:
            async with one.sink.open(STREAM, 0) as writer:
                await writer.write(items)
                await asyncio.sleep(3600)

        async with bench(tmp_path, [engine]) as one:
            serving = asyncio.create_task(serve())
            await asyncio.sleep(1.0)
            serving.cancel()
            await asyncio.wait({serving}, timeout=1.0)
            assert serving.cancelled() and [session.left for session in engine.sessions] == [True]

    run_fast(play(), SPEED)
