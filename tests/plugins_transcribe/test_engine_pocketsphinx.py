"""pocketsphinx itself, on the simulator's speech: real words, real times, a real process."""

from __future__ import annotations

import asyncio
import tomllib
import wave
from importlib.resources import files

import pytest
from coded_speech import silence
from talking import Told, talk

from rtmsd_transcribe.engines.pocketsphinx import PocketSphinx, PocketSphinxOptions

SPEECH = files("rtmsd.simulator.speech")
NAMES = ["begin", "open", "thursday", "close"]


def spoken(name: str) -> bytes:
    with SPEECH.joinpath(f"{name}.wav").open("rb") as file, wave.open(file) as sound:
        return sound.readframes(sound.getnframes())


def text_of(name: str) -> str:
    book = tomllib.loads(SPEECH.joinpath("sentences.toml").read_text())
    return next(sentence["text"] for sentence in book["sentences"] if sentence["name"] == name)


def word_errors(said: str, heard: str) -> int:
    """Words to insert, delete or replace to get from the one to the other."""
    ours, theirs = (
        "".join(c for c in text.lower() if c.isalpha() or c in " '").split() for text in (said, heard)
    )
    row = list(range(len(theirs) + 1))
    for index, one in enumerate(ours, start=1):
        before, row[0] = row[0], index
        for at, other in enumerate(theirs, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (one != other))
    return row[-1]


@pytest.mark.parametrize(
    ("said", "heard", "errors"), [("", "", 0), ("a b c", "a x c", 1), ("a b", "", 2), ("a", "b a c", 2)]
)
def test_word_errors_are_counted(said: str, heard: str, errors: int) -> None:
    """The measure itself: replaced, missing and additional words."""
    assert word_errors(said, heard) == errors


async def test_real_speech_comes_with_words_and_times() -> None:
    """Each sentence is heard where it was spoken; how many of its words are right is printed."""
    pcm, spans = silence(1), []
    for name in NAMES:
        sound = spoken(name)
        spans.append((len(pcm) / 32000, (len(pcm) + len(sound)) / 32000))
        pcm += sound + silence(1.5)
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        told: Told = await talk(engine, pcm)
    said = " ".join(text_of(name) for name in NAMES)
    errors = word_errors(said, told.text)
    print(f"\npocketsphinx: {errors} errors in {len(said.split())} words ({errors / len(said.split()):.0%})")
    for heard in told.finals:
        assert heard.words
        assert heard.text == " ".join(word.text for word in heard.words)
        assert any(start - 0.3 <= heard.start_secs and heard.end_secs <= end + 0.3 for start, end in spans)
        for word in heard.words:
            assert heard.start_secs <= word.start_secs < word.end_secs <= heard.end_secs
            assert word.confidence is not None
            assert 0 <= word.confidence <= 1
            assert word.text.isascii()
            assert not set(word.text) & set("()<>[]+")
    for start, end in spans:
        inside = [heard for heard in told.finals if start - 0.3 <= heard.start_secs < end]
        assert inside, "a sentence without a word"
        assert inside[0].start_secs == pytest.approx(start, abs=0.3)
        assert inside[-1].end_secs == pytest.approx(end, abs=0.3)


async def test_speakers_share_the_process() -> None:
    """Two sessions at once get each its own words, the same as alone: nothing of one speaker stays for the next."""
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        alone = [(await talk(engine, spoken(name) + silence(1))).text for name in ("open", "names")]
        both = await asyncio.gather(*(talk(engine, spoken(name) + silence(1)) for name in ("open", "names")))
    assert [told.text for told in both] == alone
    assert all(alone)


async def test_silence_says_nothing() -> None:
    """No words are made up for silence, and no work is done for it."""
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        told = await talk(engine, silence(20))
    assert told.finals == []
    assert told.sent_secs == [0]


async def test_a_process_killed_in_the_middle_of_a_sentence_costs_nothing() -> None:
    """Its session is lost; sent again from the last final on, the speech gives the same words, each once."""
    pcm = b"".join(spoken(name) + silence(1) for name in ("open", "names"))
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        undisturbed = await talk(engine, pcm)
        talking = asyncio.create_task(talk(engine, pcm, losses=1))
        await asyncio.sleep(0.2)
        assert engine._children is not None
        process = engine._children._children[0]._process
        assert process is not None
        process.kill()
        told = await talking
    assert len(told.losses) == 1
    assert told.text == undisturbed.text
