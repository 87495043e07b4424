"""An engine that takes sound and never answers is found out before anything is forgotten; one without words to say is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import fake_deepgram
import numpy as np
import pytest
import structlog
from coded_speech import sentence, silence, texts
from fake_assemblyai import FakeAssemblyAI
from fake_deepgram import FakeDeepgram
from fake_service import KEY, FakeLiveService
from fake_vosk import FakeVosk
from fast_time import run_fast
from hearing_engine import HearingEngine, Plan
from transcribe_bench import ANN, BO, SAID, STREAM, ZERO_MS, Bench, bench, frames, said

from rtmsd.api import Secret, TranscriptFrame
from rtmsd_transcribe import conversation
from rtmsd_transcribe.account import Account
from rtmsd_transcribe.engine import RATE, EngineStalled, Heard
from rtmsd_transcribe.engines.assemblyai import AssemblyAI, AssemblyAIOptions
from rtmsd_transcribe.engines.deepgram import Deepgram, DeepgramOptions
from rtmsd_transcribe.engines.pieces import Cutter, Piece
from rtmsd_transcribe.engines.piecewise import PieceSession
from rtmsd_transcribe.engines.vosk import Vosk, VoskOptions
from rtmsd_transcribe.lineup import Lineup
from rtmsd_transcribe.speech import Speech
from rtmsd_transcribe.talk import Manner, Talk

SPEED = 20.0
PHRASE = SAID["late"]
MUSIC = np.frombuffer(PHRASE.pcm, "<i2")[::-1].tobytes()
"""Sounds like a voice, and has no words in it."""


async def live(one: Bench, pcm: bytes, *, then_secs: float = 0.0) -> None:
    """Play sound as fast as it is spoken, then the stream's end."""
    async with one.sink.open(STREAM, 0) as writer:
        items, began = frames(ANN, 0, pcm), asyncio.get_running_loop().time()
        for start in range(0, len(items), 5):
            await writer.write(items[start : start + 5])
            ahead = began + start * 0.1 - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, ahead))
        await asyncio.sleep(then_secs)


def lines(number: int) -> list[Any]:
    return [said(ANN, each * PHRASE.duration_ms, PHRASE) for each in range(number)]


@pytest.mark.parametrize("stalls_at", [0.0, 5.0, 21.3])
def test_the_next_engine_takes_over_from_one_that_stalls(tmp_path: Path, stalls_at: float) -> None:
    """In the middle of a long speech: nothing is lost, nothing comes twice, all at its time."""

    async def play() -> None:
        first = HearingEngine(name="first", plans=[Plan(stalls_at=stalls_at)])
        second = HearingEngine(name="second")
        number = 100_000 // PHRASE.duration_ms
        async with bench(tmp_path, [first, second]) as one:
            await live(one, PHRASE.pcm * number)
        assert one.lines == lines(number) and one.lost_seconds == 0
        assert {frame.source for frame in one.transcripts} == {"second"} | (
            {"first"} if stalls_at > 4 else set()
        )
        assert len(first.sessions) == 1 and first.secs < stalls_at + 42

    run_fast(play(), SPEED)


def test_two_that_stall_leave_enough_for_the_third(tmp_path: Path) -> None:
    """Both are found out while everything is still kept."""

    async def play() -> None:
        stalling = [HearingEngine(name=name, plans=[Plan(stalls_at=0)]) for name in ("one", "two")]
        number = 120_000 // PHRASE.duration_ms
        async with bench(tmp_path, [*stalling, HearingEngine(name="three")]) as one:
            await live(one, PHRASE.pcm * number)
        assert one.lost_seconds == 0 and one.lines == lines(number)

    run_fast(play(), SPEED)


def test_one_alone_that_stalls_for_ever(tmp_path: Path) -> None:
    """No sound is sent more than twice, all of it is told as lost, and the log says once what is wrong."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(stalls_at=0)] * 99)
        pcm = PHRASE.pcm * (200_000 // PHRASE.duration_ms)
        secs = len(pcm) / 32_000
        async with bench(tmp_path, [engine]) as one:
            await live(one, pcm, then_secs=120.0)
        assert one.lines == [] and one.lost_seconds == pytest.approx(secs, abs=1.0)
        assert secs - 25 < engine.secs <= 2 * secs + 0.5 and all(session.left for session in engine.sessions)
        assert one.seconds == {"hearing": pytest.approx(engine.secs, abs=0.1)}
        assert sum("session was lost" in line for line in one.logged) == 1

    run_fast(play(), SPEED)


def test_an_engine_that_recovers_is_used_again(tmp_path: Path) -> None:
    """A session that stalls is given up; the next one of the same engine hears what it did not answer."""

    async def play() -> None:
        engine = HearingEngine(plans=[Plan(stalls_at=4.0)])
        number = 70_000 // PHRASE.duration_ms
        async with bench(tmp_path, [engine]) as one:
            await live(one, PHRASE.pcm * number)
        assert one.lines == lines(number) and one.lost_seconds == 0
        assert [any(word in line for line in one.logged) for word in ("session was lost", "works again")] == [
            True
        ] * 2

    run_fast(play(), SPEED)


def test_music_is_sent_once(tmp_path: Path) -> None:
    """Who hears no words says nothing: it is asked to finish and can, so nothing is lost and nothing sent again."""

    async def play() -> None:
        engine = HearingEngine()
        other = HearingEngine(name="other")
        repeats = 150_000 // PHRASE.duration_ms
        async with bench(tmp_path, [engine, other]) as one:
            await live(one, MUSIC * repeats + PHRASE.pcm)
        assert one.lines == [said(ANN, repeats * PHRASE.duration_ms, PHRASE)]
        assert one.lost_seconds == 0 and other.tries == 0 and not one.logged[:-1]
        assert engine.secs == pytest.approx((repeats + 1) * PHRASE.duration_ms / 1000, abs=0.6)
        assert len(engine.sessions) > 2 and all(session.finished for session in engine.sessions)

    run_fast(play(), SPEED)


def test_who_works_piece_by_piece_has_its_time(tmp_path: Path) -> None:
    """An engine that is not live is not asked to hurry, however long it says nothing."""

    async def play() -> None:
        engine = HearingEngine(live=False, plans=[Plan(stalls_at=1.0)])
        number = 58_000 // PHRASE.duration_ms
        async with bench(tmp_path, [engine], drain_secs=5.0) as one:
            await live(one, PHRASE.pcm * number)
        assert len(engine.sessions) == 1 and engine.secs == pytest.approx(
            number * PHRASE.duration_ms / 1000, abs=0.3
        )

    run_fast(play(), SPEED)


def test_who_is_asked_by_many_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not live is waited for as long as it answers anybody; one that answers nobody has stalled."""
    monkeypatch.setattr(conversation, "ANSWER_SECS", 5.0)
    hers = SAID["begin"]

    async def play(*, beside: bool) -> int:
        engine = HearingEngine(live=False, plans=[Plan(answers_after=9.0)])
        async with bench(tmp_path, [engine], drain_secs=60.0) as one, one.sink.open(STREAM, 0) as writer:
            await writer.write(frames(ANN, 0, hers.pcm))
            await asyncio.sleep(0.5)  # the first session is hers
            for each in range(9 * beside):
                await writer.write(frames(BO, each * 6000, PHRASE.pcm))
                await asyncio.sleep(3.0)
            await asyncio.sleep(12.0)
            assert said(ANN, 0, hers) in one.lines
        return sum(session.sound == hers.pcm for session in engine.sessions)

    assert run_fast(play(beside=True), SPEED) == 1
    assert run_fast(play(beside=False), SPEED) == 2


def test_a_slow_opening_is_waited_for(tmp_path: Path) -> None:
    """As long as the engine says, if there is none that could have the sound meanwhile."""

    async def play(others: list[HearingEngine]) -> tuple[int, int]:
        engine = HearingEngine(plans=[Plan(opens_after=40.0)])
        engine.open_secs = 60.0  # type: ignore[attr-defined]
        async with bench(tmp_path, [engine, *others], drain_secs=100.0) as one:
            await one.hear(frames(ANN, 0, PHRASE.pcm))
        assert one.lines == lines(1) and one.lost_seconds == 0
        return engine.tries, len(engine.sessions)

    assert run_fast(play([]), SPEED) == (1, 1)
    assert run_fast(play([HearingEngine(name="other")]), SPEED) == (1, 0)


class Stuck:
    """Takes pieces, and hangs on the first two that it is asked."""

    name = "stuck"
    real_time_only = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[PieceSession]:
        async def transcribe(piece: Piece, before: str, sent: Callable[[], None]) -> list[Heard]:
            sent()
            self.pieces.append(piece.pcm)
            if len(self.pieces) <= 2:
                await asyncio.sleep(20.0)
                raise EngineStalled("stuck did not answer in time.")
            return [Heard("words", piece.speech_start_secs, piece.speech_end_secs, True)]

        yield PieceSession(transcribe, Cutter(any, longest_secs=30.0))


def test_only_the_piece_that_stalls_is_given_up(tmp_path: Path) -> None:
    """What waits behind it was sent to nobody yet: it is heard; each second that went out is counted, each time."""
    # Sentences of 4 s and pauses of 1 s, each with samples of its own.
    pcm = b"".join(bytes([number, 0]) * (4 * RATE) + bytes(2 * RATE) for number in range(1, 13))

    async def play() -> None:
        engine = Stuck()
        talk: Any = await carried(tmp_path, [engine], pcm)
        heard = {piece[len(piece) // 4 * 2] for piece in engine.pieces}
        assert heard == set(range(1, 13)) and len(talk.heard) == 11
        assert 4.0 <= talk.lost_secs <= 5.0
        assert talk.sent == {"s": {"stuck": pytest.approx(sum(map(len, engine.pieces)) / 32_000, abs=0.01)}}

    run_fast(play(), SPEED)


# Against services that enforce their rules

ENGINES: dict[str, tuple[type[FakeLiveService], Callable[[str], Any]]] = {
    "deepgram": (FakeDeepgram, lambda at: Deepgram(DeepgramOptions(url=f"ws://{at}", key=Secret(KEY)))),
    "assemblyai": (
        FakeAssemblyAI,
        lambda at: AssemblyAI(AssemblyAIOptions(url=f"ws://{at}", key=Secret(KEY))),
    ),
    "vosk": (FakeVosk, lambda at: Vosk(VoskOptions(url=f"ws://{at}"))),
}


class Services:
    """Fakes of some services, and the engines that speak with them."""

    def __init__(self, *names: str) -> None:
        self._kinds = [ENGINES[name] for name in names]
        self._stack = AsyncExitStack()
        self.fakes: list[FakeLiveService] = []
        self.engines: list[Any] = []

    async def __aenter__(self) -> Services:
        for fake, engine in self._kinds:
            self.fakes.append(await self._stack.enter_async_context(fake().running()))  # type: ignore[arg-type]
            self.engines.append(await self._stack.enter_async_context(engine(self.fakes[-1].address)))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()


async def carried(tmp: Path, engines: list[Any], pcm: bytes, *, at_secs: float = 1e9, do: Any = None) -> Talk:
    """Carry a speech that grows as fast as it is spoken to engines; `do` happens after so much of it."""
    heard: list[TranscriptFrame] = []
    log, loop = structlog.get_logger(), asyncio.get_running_loop()
    speech = Speech(ANN, "Ann")
    manner = Manner(language="en", silence_secs=3.0, backlog="send", interim=False)
    async with Account(tmp / "account.json", most_per_day=0, log=log) as account:
        talk = Talk(
            speech,
            stream_id="s",
            lineup=Lineup(engines, log=log),
            account=account,
            manner=manner,
            publish=heard.append,
            log=log,
        )
        talk.heard, talk.sent = heard, account.sent  # type: ignore[attr-defined]
        running, began = asyncio.create_task(talk.run()), loop.time()
        for start in range(0, len(pcm), RATE):  # half a second
            speech.add(ZERO_MS + start / 32, pcm[start : start + RATE])
            if do is not None and start / 32_000 >= at_secs:
                do()
            await asyncio.sleep(max(0.0, began + start / 32_000 - loop.time()))
        speech.finish()
        async with asyncio.timeout(120):
            await running
    return talk


def text_of(talk: Any) -> str:
    return " ".join(frame.text for frame in talk.heard).lower().replace(".", "")


@pytest.mark.parametrize("stalls", [0.0, 7.0])
@pytest.mark.parametrize(
    ("first", "second"), [("deepgram", "vosk"), ("vosk", "deepgram"), ("assemblyai", "vosk")]
)
def test_a_service_that_stalls_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, stalls: float
) -> None:
    """It takes sound and says nothing any more; the other one hears each word once, and what was heard stays."""
    monkeypatch.setattr(fake_deepgram, "IDLE_SECS", 300.0)
    words, pcm = 0, b""
    while len(pcm) < 70 * 32_000:
        pcm += sentence(range(words + 1, words + 6)) + silence(1)
        words += 5

    async def play() -> None:
        async with Services(first, second) as both:
            stall = lambda: setattr(both.fakes[0].faults, "mute", True)  # noqa: E731
            talk = await carried(tmp_path, both.engines, pcm, at_secs=stalls, do=stall)
            assert text_of(talk) == texts(1, words) and talk.lost_secs == 0
            assert len(both.fakes[0].sessions) == 1 and both.fakes[1].sessions

    run_fast(play(), 10.0)


@pytest.mark.parametrize("name", ENGINES)
def test_services_hear_wordless_sound_once(tmp_path: Path, name: str) -> None:
    """A minute and a half without a word: each second is sent once, no session is lost, and the words after it are heard."""
    pcm = silence(90) + sentence(range(1, 4)) + silence(1)

    async def play() -> None:
        async with Services(name) as one:
            talk = await carried(tmp_path, one.engines, pcm)
            sessions = one.fakes[0].sessions
            assert text_of(talk) == texts(1, 3) and talk.lost_secs == 0
            assert sum(session.secs for session in sessions) == pytest.approx(len(pcm) / 32_000, abs=0.3)
            assert all(session.said_goodbye and session.close_code is None for session in sessions)

    run_fast(play(), 10.0)
