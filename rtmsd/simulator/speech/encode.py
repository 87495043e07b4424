"""Encode the WAVs beside it with ffmpeg into Opus and G.722: `python -m rtmsd.simulator.speech.encode`.

Needs ffmpeg with libopus on the PATH (Debian: `apt-get install ffmpeg`; made with 5.1). Nothing imports this module.
What it runs, for each WAV and for each hum (a second of a tone, made here):

    ffmpeg -f s16le -ar 16000 -ac 1 -i - -map_metadata -1 -fflags +bitexact -flags +bitexact
           -c:a libopus -ar 48000 -ac 1 -b:a 20k -frame_duration 20 NAME.opus
           -c:a libopus -ar 48000 -ac 2 -b:a 28k -frame_duration 20 NAME.stereo.opus
           -c:a g722 -f g722 NAME.g722
"""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

from rtmsd.simulator.speech.encoded import HUMS, hum_name
from rtmsd.simulator.speech.generated import tone

_HERE = Path(__file__).parent
_TAIL_BYTES = 640  # one step of silence at the end, because an encoder gives its last words late
_INPUT = ["-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-map_metadata", "-1"]
_EXACT = ["-fflags", "+bitexact", "-flags", "+bitexact"]
_OPUS = ["-c:a", "libopus", "-ar", "48000", "-frame_duration", "20"]


def _encode(name: str, pcm: bytes) -> None:
    outputs = {
        f"{name}.opus": [*_OPUS, "-ac", "1", "-b:a", "20k"],
        f"{name}.stereo.opus": [*_OPUS, "-ac", "2", "-b:a", "28k"],
        f"{name}.g722": ["-c:a", "g722", "-f", "g722"],
    }
    for file, how in outputs.items():
        command = ["ffmpeg", "-v", "error", "-y", *_INPUT, *_EXACT, *how, str(_HERE / file)]
        subprocess.run(command, input=pcm + bytes(_TAIL_BYTES), check=True)  # noqa: S603  # our own sound


def main() -> None:
    for path in sorted(_HERE.glob("*.wav")):
        with wave.open(str(path)) as sound:
            _encode(path.stem, sound.readframes(sound.getnframes()))
    for number in range(HUMS):
        _encode(hum_name(number), tone(220.0 + 110.0 * number, 1000))
    size = sum(path.stat().st_size for path in _HERE.glob("*.*") if path.suffix in (".opus", ".g722"))
    sys.stdout.write(f"{size} bytes\n")


if __name__ == "__main__":
    main()
