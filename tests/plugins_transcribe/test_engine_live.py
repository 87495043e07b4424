"""The engines that speak over WebSockets, against services that enforce their rules; time runs faster."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import fake_deepgram
import pytest
from coded_speech import Ear, sentence, silence, texts, word
from fake_assemblyai import FakeAssemblyAI
from fake_deepgram import FakeDeepgram
from fake_service import KEY, FakeLiveService, Faults
from fake_vosk import FakeVosk
from fast_time import run_fast
from talking import PIECE_BYTES, Told, pieces, talk

from rtmsd.api import Secret
from rtmsd_transcribe.engine import Engine, EngineLost, EngineRefused, EngineStalled
from rtmsd_transcribe.engines.assemblyai import AssemblyAI, AssemblyAIOptions
from rtmsd_transcribe.engines.deepgram import Deepgram, DeepgramOptions
from rtmsd_transcribe.engines.vosk import Vosk, VoskOptions

SPEED = 10.0
# Two sentences with a longer silence between, and a last one that the end cuts short.
SPEECH = (
    silence(0.5)
    + sentence(range(1, 6))
    + silence(2)
    + sentence(range(6, 10))
    + word(10)
    + silence(0.1)
    + word(11)[:6400]
)
ALL = texts(1, 11)


@dataclass(frozen=True)
class Kind:
    """An engine and the service that it speaks with."""

    service: type[FakeLiveService]
    engine: Callable[[str, str], Any]  # (address, key)


KINDS = {
    "deepgram": Kind(
        FakeDeepgram, lambda at, key: Deepgram(DeepgramOptions(url=f"ws://{at}", key=Secret(key)))
    ),
    "assemblyai": Kind(
        FakeAssemblyAI, lambda at, key: AssemblyAI(AssemblyAIOptions(url=f"ws://{at}", key=Secret(key)))
    ),
    "vosk": Kind(FakeVosk, lambda at, key: Vosk(VoskOptions(url=f"ws://{at}"))),
}
every_engine = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
with_keys = pytest.mark.parametrize("name", ["deepgram", "assemblyai"])


def between(
    kind: Kind,
    do: Callable[[Any, Any], Awaitable[Any]],
    faults: Faults | None = None,
    *,
    key: str = KEY,
    speed: float = SPEED,
) -> Any:
    """Run `do(engine, service)` with both of them there."""

    async def both() -> Any:
        async with kind.service(faults).running() as service, kind.engine(service.address, key) as engine:
            return await do(engine, service)

    return run_fast(both(), speed)


def truth() -> Ear:
    ear = Ear()
    ear.hear(SPEECH)
    ear.end()
    return ear


@every_engine
def test_all_is_heard_once_with_its_times(kind: Kind) -> None:
    """Every word comes in exactly one final, where it was spoken; the service got every second; the session was ended."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        told = await talk(engine, SPEECH)
        assert told.text == ALL
        for heard, said in zip(told.words(), truth().words, strict=True):
            assert heard.number == said.number
            assert heard.start_secs == pytest.approx(said.start_secs, abs=0.01)
            assert heard.end_secs == pytest.approx(said.end_secs, abs=0.01)
        assert told.interims
        [session] = service.sessions
        assert session.secs == pytest.approx(len(SPEECH) / 32000)
        assert told.sent_secs == [pytest.approx(session.secs)]
        assert session.said_goodbye
        assert session.close_code is None

    between(kind, do)


@every_engine
def test_finals_follow_each_other(kind: Kind) -> None:
    """Finals come in order and do not overlap, since what comes before the last one's end is never sent again."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        finals = (await talk(engine, SPEECH)).finals
        assert len(finals) >= 2
        for one, next_one in pairwise(finals):
            assert one.start_secs < one.end_secs <= next_one.start_secs

    between(kind, do)


@every_engine
@pytest.mark.parametrize("after_secs", [0.1, 1.0, 3.0, 4.7, 7.0])
def test_a_connection_that_breaks_costs_nothing(kind: Kind, after_secs: float) -> None:
    """Wherever it breaks: what is sent again from the last final on gives every word once."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert len(told.losses) == 1
        assert sorted(set(told.text.split())) == sorted(told.text.split()), "a word came twice"
        assert told.text == ALL
        assert len(service.sessions) == 2
        # The last piece may have been on its way when the connection broke.
        for sent, session in zip(told.sent_secs, service.sessions, strict=True):
            assert sent >= session.secs - 0.15
        assert told.sent_secs[1] == pytest.approx(service.sessions[1].secs)

    between(kind, do, Faults(drop_after_secs=[after_secs]))


@every_engine
def test_a_slow_service_is_waited_for(kind: Kind) -> None:
    """Answers that come late are all taken."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        told = await talk(engine, SPEECH)
        assert told.text == ALL

    between(kind, do, Faults(slow_secs=0.3))


@every_engine
def test_a_service_that_says_nothing_any_more_is_left(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last answers do not come the session is lost, after saying goodbye; it is said who hung up."""
    monkeypatch.setattr(fake_deepgram, "IDLE_SECS", 300.0)

    async def do(engine: Engine, service: FakeLiveService) -> None:
        with pytest.raises(EngineStalled, match=r"did not answer the rest within 30 s"):
            await talk(engine, SPEECH[: PIECE_BYTES * 8], real_time=True)
        assert service.sessions[0].said_goodbye

    between(kind, do, Faults(mute=True), speed=20)


@every_engine
def test_a_cancelled_session_is_ended(kind: Kind) -> None:
    """A session that is left in the middle of a sentence says goodbye to the service before it closes."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        talking = asyncio.create_task(talk(engine, SPEECH, real_time=True))
        while not service.sessions or service.sessions[0].secs < 1.5:
            await asyncio.sleep(0.1)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        assert talking.cancelled()
        async with asyncio.timeout(30):
            while not service.sessions[0].closed:
                await asyncio.sleep(0.1)
        assert service.sessions[0].said_goodbye

    between(kind, do)


@every_engine
def test_a_session_left_by_an_error_is_ended(kind: Kind) -> None:
    """What goes wrong in the sink ends the session with the service too, and comes through."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        with pytest.raises(ZeroDivisionError):
            async with engine.session(language="en") as session:
                await session.send(SPEECH[:PIECE_BYTES])
                raise ZeroDivisionError
        async with asyncio.timeout(30):
            while not service.sessions[0].closed:
                await asyncio.sleep(0.1)
        assert service.sessions[0].said_goodbye

    between(kind, do)


@every_engine
def test_too_many_requests_is_no_end(kind: Kind) -> None:
    """429 at connect: lost, with the time after which to come back; then it works."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert told.losses[0].retry_secs == 7
        assert told.text == ALL

    between(kind, do, Faults(statuses=[429, None], retry_after="7"))


@every_engine
@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_only_people_can_mend_is_refused(kind: Kind, status: int) -> None:
    """A key that is wrong, has no credit or no right: refused, with a sentence that names neither key nor address."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        with pytest.raises(EngineRefused, match=f"HTTP {status}") as caught:
            await talk(engine, SPEECH)
        shows_nothing(caught.value)

    between(kind, do, Faults(statuses=[status]))


@every_engine
def test_a_service_that_is_not_there_is_lost(kind: Kind) -> None:
    """Nobody listens: lost, with the host's name."""

    async def do() -> None:
        async with kind.engine("127.0.0.1:9/", KEY) as engine:
            with pytest.raises(EngineLost, match=re.escape("127.0.0.1")) as caught:
                await talk(engine, SPEECH)
            shows_nothing(caught.value)

    run_fast(do(), SPEED)


@with_keys
def test_a_wrong_key_is_refused(name: str) -> None:
    """The key is checked where the service checks it: at the upgrade, or by closing with 1008."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        with pytest.raises(EngineRefused, match="key") as caught:
            await talk(engine, SPEECH)
        shows_nothing(caught.value, key="another-key")

    between(KINDS[name], do, key="another-key")


def shows_nothing(error: BaseException, key: str = KEY) -> None:
    """Neither the error nor what led to it holds the key."""
    seen: BaseException | None = error
    while seen is not None:
        assert key not in f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__


def test_deepgram_is_kept_alive_through_silence() -> None:
    """A minute without sound: the session stays, and what follows is heard where it is."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        async with engine.session(language="en") as session:
            for piece in pieces(sentence([1, 2])):
                await session.send(piece)
            await asyncio.sleep(60)
            for piece in pieces(sentence([3])):
                await session.send(piece)
            await session.finish()
            heard = [one.text async for one in session.heard() if one.final and one.text]
        assert heard == ["word-1 word-2", "word-3"]
        assert service.sessions[0].close_code is None
        assert 10 <= service.sessions[0].keep_alives <= 20

    between(KINDS["deepgram"], do)


def test_the_fake_hangs_up_on_who_says_nothing() -> None:
    """The rule that the keep-alive is for is enforced: without it Deepgram's fake closes with 1011."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        import aiohttp

        url = f"ws://{service.address}?model=m&encoding=linear16&sample_rate=16000&channels=1"
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(url, headers={"Authorization": f"Token {KEY}"}) as socket:
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == 1011

    between(KINDS["deepgram"], do)


def test_assemblyai_gets_sound_no_faster_than_it_was_spoken() -> None:
    """Sound that is there at once is sent in real time: the service, which refuses more, hears all of it."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        told = await talk(engine, SPEECH)
        assert told.text == ALL
        assert loop.time() - began >= len(SPEECH) / 32000 - 0.6

    between(KINDS["assemblyai"], do)


@pytest.mark.parametrize("milliseconds", [20, 40, 60, 90, 330, 1000])
def test_assemblyai_gets_pieces_of_its_length(milliseconds: int) -> None:
    """However the sound is cut, and however little the last piece is, the service takes every piece."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        size = milliseconds * 32
        speech = SPEECH[: 32000 * 4 + 640]
        async with engine.session(language="en") as session:

            async def send() -> None:
                for at in range(0, len(speech), size):
                    await session.send(speech[at : at + size])
                await session.finish()

            sending = asyncio.create_task(send())
            heard = [one async for one in session.heard()]
            await sending
        assert heard
        assert service.sessions[0].close_code is None
        assert service.sessions[0].secs == pytest.approx(len(speech) / 32000)

    between(KINDS["assemblyai"], do)


def test_an_expired_session_costs_nothing() -> None:
    """AssemblyAI ends a session after its lifetime: what follows goes into the next, each word once."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert "expired" in str(told.losses[0])
        assert told.text == ALL

    between(KINDS["assemblyai"], do, Faults(lifetime_secs=[3.0]))


def test_vosk_never_has_more_than_a_second_unanswered() -> None:
    """The answers are the flow control: with a slow server no more than ten pieces wait for theirs."""

    async def do(engine: Engine, service: FakeVosk) -> None:
        told: Told = await talk(engine, SPEECH)
        assert told.text == ALL
        assert 2 <= service.most_waiting <= 11  # and the goodbye

    between(KINDS["vosk"], do, Faults(slow_secs=0.3))


def test_many_sessions_are_open_at_once() -> None:
    """More sessions than aiohttp would allow connections by itself are open at the same time."""

    async def do(engine: Engine, service: FakeLiveService) -> None:
        gate = asyncio.Barrier(121)

        async def one() -> str:
            async with engine.session(language="en") as session:
                await gate.wait()
                await session.send(word(3))
                await session.finish()
                return " ".join([heard.text async for heard in session.heard() if heard.final])

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one()) for _ in range(120)]
            await gate.wait()
        assert {task.result() for task in tasks} == {"word-3"}

    between(KINDS["vosk"], do, speed=2)
