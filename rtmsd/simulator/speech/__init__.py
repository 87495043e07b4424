"""Sentences that people of a simulated meeting say, with their sound."""

from __future__ import annotations

import tomllib
import wave
from dataclasses import dataclass
from importlib.resources import files

from rtmsd.errors import SimulatorError

STEP_MS = 20
"""Speech is produced in steps of this length; every sentence is a whole number of them."""

STEP_BYTES = STEP_MS * 16 * 2


@dataclass(frozen=True)
class Sentence:
    """One phrase: 16 kHz mono L16 in `pcm`, a whole number of 20 ms steps.

    `name` is that of the committed sentences, which are there in Opus and G.722 as well (`encoded`).
    """

    text: str
    pcm: bytes
    name: str = ""

    @property
    def duration_ms(self) -> int:
        return len(self.pcm) // STEP_BYTES * STEP_MS


def load_sentences() -> dict[str, Sentence]:
    """Read the committed sentences by their name. Raises SimulatorError when a WAV is not as `make.py` writes it."""
    here = files(__name__)
    book = tomllib.loads((here / "sentences.toml").read_text(encoding="utf-8"))
    sentences = {}
    for entry in book["sentences"]:
        name = entry["name"]
        with (here / f"{name}.wav").open("rb") as file, wave.open(file) as sound:
            shape = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
            pcm = sound.readframes(sound.getnframes())
        if shape != (16_000, 1, 2) or len(pcm) % STEP_BYTES:
            raise SimulatorError(
                f"speech {name}.wav: expected 16 kHz, mono, 16 bit in whole steps of 20 ms, found {shape} and"
                f" {len(pcm)} bytes; make it again with `python -m rtmsd.simulator.speech.make`"
            )
        sentences[name] = Sentence(entry["text"], pcm, name)
    return sentences
