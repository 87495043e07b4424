"""faster-whisper itself, with a model of random weights: everything but the sense of its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from coded_speech import sentence, silence
from talking import talk

from rtmsd_transcribe.engine import EngineRefused

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed: 300 MB with what it needs")

from tiny_whisper import make_model

from rtmsd_transcribe.engines.whisper import Whisper, WhisperOptions

SPEECH = silence(0.5) + sentence(range(5)) + silence(1) + sentence(range(3))


async def test_it_loads_and_answers(tmp_path: Path) -> None:
    """A model is loaded from its directory, and each piece is answered with times inside of it, in order."""
    options = WhisperOptions(model=make_model(tmp_path), cpu_threads=1, beam_size=1, no_speech=1.0)
    async with Whisper(options) as engine:
        told = await talk(engine, SPEECH)
    assert told.finals
    assert told.sent_secs[0] > 2.5
    last = 0.0
    for heard in told.finals:
        assert last <= heard.start_secs <= heard.end_secs <= len(SPEECH) / 32000
        last = heard.end_secs
        for word in heard.words:
            assert word.confidence is not None
            assert 0 <= word.confidence <= 1


async def test_segments_of_silence_are_dropped(tmp_path: Path) -> None:
    """With a limit of nought everything is taken for silence."""
    options = WhisperOptions(model=make_model(tmp_path), cpu_threads=1, beam_size=1, no_speech=0.0)
    async with Whisper(options) as engine:
        assert (await talk(engine, SPEECH)).finals == []


async def test_a_broken_model_is_refused(tmp_path: Path) -> None:
    """A file that is no model: a sentence that names the option."""
    make_model(tmp_path).joinpath("model.bin").write_bytes(b"nothing")
    async with Whisper(WhisperOptions(model=tmp_path)) as engine:
        with pytest.raises(EngineRefused, match="check the engine's model"):
            await talk(engine, SPEECH)


@pytest.mark.parametrize("missing", ["model.bin", "tokenizer.json"])
def test_a_directory_without_a_model_is_no_option(tmp_path: Path, missing: str) -> None:
    """Nothing is ever fetched: what is not there is said when the configuration is read."""
    make_model(tmp_path).joinpath(missing).unlink()
    with pytest.raises(ValueError, match=missing):
        WhisperOptions(model=tmp_path)
