"""The program of such a process: `child_program.py ENGINE`. It imports nothing of rtmsd, so that it starts quickly.

It reads messages, `<II` lengths of a JSON object and of sound (16 kHz, mono, s16le), then both; the first holds the
options. It answers each with a line of JSON: first {} or {"refused": sentence}, then {"segments": […]}. It ends when its
input does: also when rtmsd was killed.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

# A segment: text, start, end in seconds, confidence, no_speech; and its words: text, start, end, confidence.
Segments = list[dict[str, Any]]
Recognize = Callable[[dict[str, Any], bytes], Segments]

# What pocketsphinx gives for silence, breath and noise, and the number it puts behind another pronunciation.
_NOT_WORDS = ("<", "[", "+")

# Digital silence: beside samples that are exactly 0, as of a gate or a muted microphone, pocketsphinx takes up to 0.8 s
# of a sentence for silence. With a little noise, 69 dB below full scale, its times are good, and more words are.
_NOISE = 12.0


class Unusable(Exception):
    """It will not work; the text is for people."""


def pocketsphinx_recognizer(options: dict[str, Any]) -> Recognize:
    """Load pocketsphinx's own model of American English."""
    import numpy as np

    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise Unusable("it is not installed: pip install 'rtmsd[pocketsphinx]'") from None
    decoder = Decoder(loglevel="FATAL")
    frames_per_sec = decoder.config["frate"]

    def recognize(question: dict[str, Any], pcm: bytes) -> Segments:
        samples = np.frombuffer(pcm, dtype="<i2")
        # The same noise each time, and the whole at once: so each piece stands for itself, whoever spoke before.
        noisy = samples + np.random.default_rng(0).normal(0, _NOISE, len(samples))
        decoder.start_utt()
        decoder.process_raw(
            noisy.round().clip(-32768, 32767).astype("<i2").tobytes(), no_search=False, full_utt=True
        )
        decoder.end_utt()
        words = [
            {
                "text": part.word.partition("(")[0],
                "start": part.start_frame / frames_per_sec,
                "end": (part.end_frame + 1) / frames_per_sec,
                "confidence": min(max(part.prob, 0.0), 1.0),
            }
            for part in decoder.seg() or ()
            if not part.word.startswith(_NOT_WORDS)
        ]
        if not words:
            return []
        text = " ".join(word["text"] for word in words)
        return [{"text": text, "start": words[0]["start"], "end": words[-1]["end"], "words": words}]

    return recognize


def whisper_recognizer(options: dict[str, Any]) -> Recognize:
    """Load a faster-whisper model from its directory; nothing is fetched."""
    try:
        import numpy as np
        from faster_whisper import WhisperModel
    except ImportError:
        raise Unusable("faster-whisper is not installed: pip install 'rtmsd[whisper]'") from None
    try:
        model = WhisperModel(
            options["model"],
            device=options["device"],
            compute_type=options["compute_type"],
            cpu_threads=options["cpu_threads"],
            local_files_only=True,
        )
    except Exception as error:  # noqa: BLE001  # whatever it is, the daemon has to be told
        raise Unusable(
            f"the model cannot be loaded ({type(error).__name__}); check the engine's model"
        ) from None

    def recognize(question: dict[str, Any], pcm: bytes) -> Segments:
        segments, _ = model.transcribe(
            np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768,
            language=question["language"],
            initial_prompt=question["before"] or None,
            beam_size=options["beam_size"],
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        return [_whisper_segment(segment) for segment in segments]

    try:
        recognize({"language": "en", "before": ""}, bytes(16_000))
    except RuntimeError:  # CTranslate2 writes code for this processor, and runs it
        raise Unusable(
            "the model is loaded and cannot be run; under systemd the service needs MemoryDenyWriteExecute=no"
        ) from None
    return recognize


def _whisper_segment(segment: Any) -> dict[str, Any]:
    # Some of these are numbers of numpy.
    words = [
        {
            "text": word.word.strip(),
            "start": float(word.start),
            "end": float(word.end),
            "confidence": float(word.probability),
        }
        for word in segment.words or ()
    ]
    return {
        "text": segment.text.strip(),
        "start": words[0]["start"] if words else float(segment.start),
        "end": words[-1]["end"] if words else float(segment.end),
        "no_speech": float(segment.no_speech_prob),
        "words": words,
    }


RECOGNIZERS = {"pocketsphinx": pocketsphinx_recognizer, "whisper": whisper_recognizer}


def serve(source: BinaryIO, answers: BinaryIO, recognizer: Callable[[dict[str, Any]], Recognize]) -> None:
    """Load, then answer until the input ends."""

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    first = _message(source)
    if first is None:
        return
    try:
        recognize = recognizer(first[0])
    except Unusable as error:
        say({"refused": str(error)})
        return
    say({})
    while message := _message(source):
        say({"segments": recognize(*message)})


def _message(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    lengths = source.read(8)
    if len(lengths) < 8:
        return None
    told, sound = struct.unpack("<II", lengths)
    head, pcm = source.read(told), source.read(sound)
    return (json.loads(head), pcm) if len(pcm) == sound and len(head) == told else None


def main() -> None:
    # A stop of the service reaches every process of it; we end when rtmsd lets us go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(5)  # sockets come first, where that may be said
    with os.fdopen(os.dup(1), "wb") as answers:
        # What libraries print must not come between the answers.
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, answers, RECOGNIZERS[sys.argv[1]])
        except BrokenPipeError:
            os._exit(0)  # rtmsd is gone


if __name__ == "__main__":
    main()
