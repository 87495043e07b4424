"""The engines work under the systemd unit that comes with rtmsd, or say what it would need."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealed import run_sealed

TALK = """
import asyncio
from coded_speech import sentence
from talking import talk
from rtmsd_transcribe.engine import EngineRefused
async def said(engine):
    async with engine:
        try:
            return (await talk(engine, sentence(range(3)))).finals
        except EngineRefused as error:
            return str(error)
"""


def test_flac_is_made_without_writable_code() -> None:
    """soundfile's files in Python's memory would need it."""
    program = "from rtmsd_transcribe.engines.openai import _flac\nprint(_flac(bytes(32000))[:4])"
    assert "fLaC" in run_sealed(program)


def test_pocketsphinx_runs_without_writable_code() -> None:
    """It loads and answers as elsewhere."""
    program = TALK + (
        "from rtmsd_transcribe.engines.pocketsphinx import *\n"
        "print(type(asyncio.run(said(PocketSphinx(PocketSphinxOptions())))))"
    )
    assert "list" in run_sealed(program)


def test_whisper_says_what_it_needs(tmp_path: Path) -> None:
    """CTranslate2 makes its code while running: the refusal names the line of the unit."""
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed: 300 MB with what it needs")
    from tiny_whisper import make_model

    program = TALK + (
        "from pathlib import Path\n"
        "from rtmsd_transcribe.engines.whisper import *\n"
        "print(asyncio.run(said(Whisper(WhisperOptions(model=Path(sys.argv[1]))))))"
    )
    assert "MemoryDenyWriteExecute=no" in run_sealed(program, str(make_model(tmp_path)))
