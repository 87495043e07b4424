"""pocketsphinx itself, on the simulator's speech: real words, real times, a real process."""

from __future__ import annotations

import asyncio

import pytest
from coded_speech import silence
from talking import Told, talk

from rtmsd.simulator import load_sentences
from rtmsd.word_errors import word_errors, words_of
from rtmsd_transcribe.engines.pocketsphinx import PocketSphinx, PocketSphinxOptions

SAID = load_sentences()


async def test_real_speech_comes_with_words_and_times() -> None:
    """Each sentence is heard where it was spoken, between exact zeros; how many of its words are right is printed."""
    pcm, spans = silence(1), []
    for one in SAID.values():
        spans.append((len(pcm) / 32000, (len(pcm) + len(one.pcm)) / 32000))
        pcm += one.pcm + silence(1.5)
    async with PocketSphinx(PocketSphinxOptions()) as engine:
        told: Told = await talk(engine, pcm)
    said = " ".join(one.text for one in SAID.values())
    errors, words = word_errors(said, told.text), len(words_of(said))
    print(f"\npocketsphinx: {errors} errors in {words} words ({errors / words:.0%})")
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
        alone = [(await talk(engine, SAID[name].pcm + silence(1))).text for name in ("open", "names")]
        both = await asyncio.gather(
            *(talk(engine, SAID[name].pcm + silence(1)) for name in ("open", "names"))
        )
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
    pcm = b"".join(SAID[name].pcm + silence(1) for name in ("open", "names"))
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
