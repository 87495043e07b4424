"""The engine for servers with POST /v1/audio/transcriptions, against one that enforces the form."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from coded_speech import RATE, Ear, sentence, silence, texts, word
from fake_openai import FakeOpenAI
from fake_service import KEY, Faults
from fast_time import run_fast
from talking import Told, talk

from rtmsd.api import Secret
from rtmsd_transcribe.engine import EngineLost, EngineRefused, EngineStalled
from rtmsd_transcribe.engines.openai import OpenAI, OpenAIOptions

SPEECH = (
    silence(1) + sentence(range(1, 6)) + silence(2) + sentence(range(6, 10)) + silence(3) + sentence([10, 11])
)
ALL = texts(1, 11)


def between(
    service: FakeOpenAI, do: Callable[[OpenAI], Awaitable[Any]], *, key: str | None = KEY, **options: Any
) -> None:
    async def both() -> None:
        async with service.running():
            made = OpenAIOptions(url=f"http://{service.address}", key=Secret(key) if key else None, **options)
            async with OpenAI(made) as engine:
                await do(engine)

    run_fast(both(), 10)


@pytest.mark.parametrize("upload", ["flac", "wav"])
@pytest.mark.parametrize("times", ["segments", "words"])
def test_all_is_heard_once_with_its_times(upload: str, times: str) -> None:
    """Every word comes once, where it was spoken; the server got as many seconds as the session counted, no silence."""
    service = FakeOpenAI(times=times)

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH)
        truth = Ear()
        truth.hear(SPEECH)
        assert told.text == ALL
        for heard, said in zip(told.words(), truth.words, strict=True):
            assert heard.start_secs == pytest.approx(said.start_secs, abs=0.01)
            assert heard.end_secs == pytest.approx(said.end_secs, abs=0.01)
        assert told.sent_secs == [pytest.approx(sum(upload.secs for upload in service.answered))]
        assert told.sent_secs[0] < len(SPEECH) / 32000 - 4

    between(service, do, upload=upload)


@pytest.mark.parametrize("times", ["none", "zero"])
def test_a_server_without_times_still_gets_them_right(times: str) -> None:
    """Times that are missing or nought are those of the speech in the piece."""

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH)
        assert told.text == ALL
        assert [heard.start_secs for heard in told.finals] == pytest.approx([1.0, 5.8, 11.2], abs=0.3)
        assert [heard.end_secs for heard in told.finals] == pytest.approx([2.9, 7.3, 11.9], abs=0.3)

    between(FakeOpenAI(times=times), do)


def test_a_server_that_knows_only_json_is_asked_for_that() -> None:
    """One refusal of verbose JSON, which counts as sent, and no further request asks for it."""
    service = FakeOpenAI(only_json=True)

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH)
        assert told.text == ALL
        assert {upload.one("response_format") for upload in service.answered} == {"json"}
        assert len(service.got) == len(service.answered) + 1
        assert told.sent_secs == [pytest.approx(sum(upload.secs for upload in service.got))]

    between(service, do)


def test_all_who_ask_at_once_learn_that_only_json_is_known() -> None:
    """Requests that are under way when another one learns it are refused too: each is asked again, and nobody is lost."""
    service = FakeOpenAI(Faults(slow_secs=4), only_json=True)

    async def do(engine: OpenAI) -> None:
        async def one(after_secs: int) -> Told:
            await asyncio.sleep(after_secs)
            return await talk(engine, SPEECH)

        told = await asyncio.gather(*(one(secs) for secs in range(8)))
        assert {one.text for one in told} == {ALL}

    between(service, do)


def test_the_newer_models_are_not_asked_for_times() -> None:
    """gpt-4o-transcribe knows no verbose JSON."""
    service = FakeOpenAI(only_json=True, faults=Faults())

    async def do(engine: OpenAI) -> None:
        await talk(engine, SPEECH)
        assert {upload.one("model") for upload in service.answered} == {"gpt-4o-transcribe"}

    between(service, do, model="gpt-4o-transcribe")


def test_a_single_syllable_is_long_enough() -> None:
    """However little was said, the server gets a piece that it accepts, and the engine is not taken for unusable."""
    service = FakeOpenAI()

    async def do(engine: OpenAI) -> None:
        for secs in (0.06, 0.08, 0.2):
            told = await talk(engine, word(7)[: round(secs * RATE) * 2])
            assert told.sent_secs == [0.5]
            assert told.text == "word-7"

    between(service, do)


def test_what_was_said_goes_along() -> None:
    """The first piece has no prompt, the next ones the words before them; the language is two letters."""
    service = FakeOpenAI()

    async def do(engine: OpenAI) -> None:
        await talk(engine, SPEECH)
        assert [upload.one("prompt") for upload in service.answered] == [None, texts(1, 5), texts(1, 9)]
        assert {upload.one("language") for upload in service.answered} == {"en"}

    between(service, do)


def test_made_up_words_are_dropped() -> None:
    """What the server itself takes for silence is no text."""

    async def do(engine: OpenAI) -> None:
        assert (await talk(engine, SPEECH)).text == ALL

    between(FakeOpenAI(ghosts=True), do)


def test_a_minute_of_silence_is_not_sent() -> None:
    """Silence costs nothing."""
    service = FakeOpenAI()

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, silence(60))
        assert told.finals == []
        assert service.answered == []
        assert told.sent_secs == [0]

    between(service, do)


@pytest.mark.parametrize("statuses", [[429], [500], [None, 503], [None, None, 502]])
def test_a_request_that_fails_costs_nothing(statuses: list[int | None]) -> None:
    """Whichever request fails: what is sent again from the last final on gives every word once, and all of it counts."""
    service = FakeOpenAI(Faults(statuses=statuses, retry_after="3"))

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert told.text == ALL
        assert told.losses[0].retry_secs == 3
        assert len(service.got) > len(service.answered)
        assert sum(told.sent_secs) == pytest.approx(sum(upload.secs for upload in service.got))

    between(service, do)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_piece_that_is_refused_alone_is_no_refusal_of_the_engine(status: int) -> None:
    """Once a piece was accepted, what the server cannot read is this piece: lost up to its end, sent once, not in two formats."""
    service = FakeOpenAI(Faults(statuses=[None, status]))

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert told.text == ALL
        assert f"HTTP {status}" in str(told.losses[0])
        assert told.losses[0].until_secs == pytest.approx(7.6, abs=0.4)  # its words end at 7.3
        assert len(service.got) == len(service.answered) + 1
        assert {upload.one("response_format") for upload in service.got} == {"verbose_json"}

    between(service, do)


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_server_that_never_accepted_anything_refuses(status: int) -> None:
    """Before any success the same answers are about the configuration: somebody has to look at it."""

    async def do(engine: OpenAI) -> None:
        with pytest.raises(EngineRefused, match=f"HTTP {status}"):
            await talk(engine, SPEECH)

    between(FakeOpenAI(Faults(statuses=[status] * 2)), do)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_blames_no_sound(status: int) -> None:
    """What the server had no time for is at no fault, so none of it is ever given up for that."""

    async def do(engine: OpenAI) -> None:
        told = await talk(engine, SPEECH, losses=1)
        assert told.losses[0].until_secs == 0.0

    between(FakeOpenAI(Faults(statuses=[None, status])), do)


def test_a_server_that_is_too_slow_is_lost() -> None:
    """An answer has its time; a server that took the sound is not asked for ever, and only for the piece that it took."""
    service = FakeOpenAI(Faults(slow_secs=30))

    async def do(engine: OpenAI) -> None:
        with pytest.raises(EngineStalled, match="in time") as caught:
            await talk(engine, SPEECH)
        assert caught.value.until_secs == pytest.approx(3.2, abs=0.4)  # its words end at 2.9
        assert len(service.got) == 1

    between(service, do, answer_secs=2.0)


def test_a_server_that_lets_nobody_in_got_no_sound() -> None:
    """No connection within the time for an answer: the server has not stalled on the sound, of which nothing is counted."""

    async def do() -> None:
        # Where the queue of who wants to connect is full, the next one is not answered at all.
        with (
            socket.create_server(("127.0.0.1", 0), backlog=0) as full,
            socket.create_connection(full.getsockname()),
        ):
            host, port = full.getsockname()
            options = OpenAIOptions(url=f"http://{host}:{port}/x", answer_secs=2.0)
            async with OpenAI(options) as engine, engine.session(language="en") as session:
                await session.send(SPEECH[: RATE * 2 * 5])
                await session.finish()
                with pytest.raises(EngineLost, match="could not be reached") as caught:
                    [heard async for heard in session.heard()]
                assert not isinstance(caught.value, EngineStalled)
                assert (session.sent_secs, caught.value.until_secs) == (0, 0.0)

    run_fast(do(), 10)


def test_a_slow_server_is_waited_for() -> None:
    """Slow answers come in their order."""

    async def do(engine: OpenAI) -> None:
        assert (await talk(engine, SPEECH)).text == ALL

    between(FakeOpenAI(Faults(slow_secs=5)), do)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_only_people_can_mend_is_refused(status: int) -> None:
    """A key or a model that the server does not take: refused, with a sentence."""

    async def do(engine: OpenAI) -> None:
        with pytest.raises(EngineRefused, match=f"HTTP {status}"):
            await talk(engine, SPEECH)

    between(FakeOpenAI(Faults(statuses=[status])), do)


def test_no_credit_is_refused_though_it_says_429() -> None:
    """OpenAI answers 429 when the credit is used up: waiting does not help."""
    service = FakeOpenAI()
    service.quota_used_up = True

    async def do(engine: OpenAI) -> None:
        with pytest.raises(EngineRefused, match="credit"):
            await talk(engine, SPEECH)

    between(service, do)


def test_the_key_is_not_in_the_error() -> None:
    """A wrong key, and no server at all: neither error, nor what led to it, holds the key."""

    async def do(engine: OpenAI) -> None:
        with pytest.raises(EngineRefused) as caught:
            await talk(engine, SPEECH)
        assert "wrong-key" not in f"{caught.value!r} {caught.value.__context__!r}"

    between(FakeOpenAI(), do, key="wrong-key")

    async def nobody() -> None:
        async with OpenAI(OpenAIOptions(url="http://127.0.0.1:9/x", key=Secret(KEY))) as engine:
            with pytest.raises(EngineLost, match=r"127\.0\.0\.1") as caught:
                await talk(engine, SPEECH)
            assert caught.value.__context__ is None
            assert caught.value.until_secs == 0.0

    run_fast(nobody(), 10)


def test_a_cancelled_session_leaves_no_request() -> None:
    """Cancelling ends the request that is under way."""
    service = FakeOpenAI(Faults(slow_secs=50))

    async def do(engine: OpenAI) -> None:
        talking = asyncio.create_task(talk(engine, SPEECH))
        await asyncio.sleep(5)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        assert talking.cancelled()
        await asyncio.sleep(1)
        assert service.answered == []

    between(service, do)


def test_many_pieces_wait_their_turn() -> None:
    """Who sends much faster than the server answers waits: no more than some pieces are in memory."""
    service = FakeOpenAI(Faults(slow_secs=1))
    speech = b"".join(sentence([number]) for number in range(30))

    async def do(engine: OpenAI) -> None:
        async with engine.session(language="en") as session:

            async def send() -> None:
                for at in range(0, len(speech), 3200):
                    await session.send(speech[at : at + 3200])
                await session.finish()

            sending = asyncio.create_task(send())
            await asyncio.sleep(2)
            assert not sending.done()
            heard = [one.text async for one in session.heard() if one.text]
            await sending
        assert " ".join(heard) == texts(0, 29)

    between(service, do)
