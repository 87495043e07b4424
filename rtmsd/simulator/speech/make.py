"""Speak `sentences.toml` with espeak-ng into the WAVs beside it: `python -m rtmsd.simulator.speech.make`.

Needs espeak-ng on the PATH (Debian: `apt-get install espeak-ng`; made with 1.51). Nothing imports this module.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HERE = Path(__file__).parent
_RATE = 16_000
_STEP = _RATE // 50  # 20 ms, the unit in which speech is sent
_PEAK = 0.5  # -6 dBFS: two voices at once do not clip
_QUIET = 0.005  # below this share of the peak the ends are cut off


def _spoken(text: str, voice: dict[str, Any]) -> NDArray[np.float64]:
    command = [
        "espeak-ng",
        "-v",
        voice["voice"],
        "-p",
        str(voice["pitch"]),
        "-s",
        str(voice["words_per_minute"]),
    ]
    made = subprocess.run([*command, "--stdout", text], check=True, capture_output=True)  # noqa: S603  # our own words
    with wave.open(io.BytesIO(made.stdout)) as sound:
        rate = sound.getframerate()
        # espeak-ng writes to a pipe and cannot go back to fill in the length: take what is there.
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.float64)
    wanted = round(len(samples) * _RATE / rate)
    return np.fft.irfft(np.fft.rfft(samples)[: wanted // 2 + 1], wanted)


def _finished(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    samples = samples / np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    samples = samples[loud[0] : loud[-1] + 1]
    padded = np.concatenate([samples, np.zeros(-len(samples) % _STEP)])
    return np.rint(padded * _PEAK * 32767).astype("<i2")


def main() -> None:
    book = tomllib.loads((_HERE / "sentences.toml").read_text(encoding="utf-8"))
    for sentence in book["sentences"]:
        samples = _finished(_spoken(sentence["text"], book["voices"][sentence["voice"]]))
        with wave.open(str(_HERE / f"{sentence['name']}.wav"), "wb") as sound:
            sound.setparams((1, 2, _RATE, len(samples), "NONE", "not compressed"))
            sound.writeframes(samples.tobytes())
        sys.stdout.write(f"{sentence['name']}.wav  {len(samples) / _RATE:.2f} s\n")


if __name__ == "__main__":
    main()
