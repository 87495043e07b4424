"""The engines that come with rtmsd, by the names they have in the configuration."""

from __future__ import annotations

from typing import Any

from rtmsd_transcribe.engines.assemblyai import AssemblyAI
from rtmsd_transcribe.engines.deepgram import Deepgram
from rtmsd_transcribe.engines.openai import OpenAI
from rtmsd_transcribe.engines.pocketsphinx import PocketSphinx
from rtmsd_transcribe.engines.vosk import Vosk
from rtmsd_transcribe.engines.whisper import Whisper

ENGINES: dict[str, type[Any]] = {
    engine.name: engine for engine in (AssemblyAI, Deepgram, OpenAI, PocketSphinx, Vosk, Whisper)
}
"""Each is called with an instance of its `options`, a frozen dataclass."""
