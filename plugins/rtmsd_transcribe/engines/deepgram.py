"""Deepgram, live: wss://api.deepgram.com/v1/listen.

Its rules: https://developers.deepgram.com/reference/speech-to-text/listen-streaming, /docs/audio-keep-alive and
/docs/close-stream.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

import msgspec

from rtmsd.api import Secret
from rtmsd_transcribe.engine import RATE, EngineRefused, Heard, Word
from rtmsd_transcribe.engines.address import check_address
from rtmsd_transcribe.engines.connections import Connected
from rtmsd_transcribe.engines.dialect import Dialect, joined, said
from rtmsd_transcribe.engines.live import LiveSession, live_session

# Who speaks without a pause still gets lines: what is final is given after this long at the latest.
_LONGEST_LINE_SECS = 15.0


@dataclass(frozen=True, kw_only=True)
class DeepgramOptions:
    """`endpointing_ms` and `utterance_end_ms`: the pauses after which a sentence is over, by sound and by words."""

    key: Secret
    url: str = "wss://api.deepgram.com/v1/listen"
    model: str = "nova-3"
    endpointing_ms: int = 300
    utterance_end_ms: int = 1000
    key_scheme: Literal["Token", "Bearer"] = "Token"  # Bearer for temporary tokens

    def __post_init__(self) -> None:
        check_address(self.url, kind="ws")


class _Kind(msgspec.Struct):
    type: str = ""


class _Word(msgspec.Struct):
    start: float
    end: float
    word: str = ""
    punctuated_word: str = ""
    confidence: float | None = None


class _Alternative(msgspec.Struct):
    transcript: str = ""
    confidence: float | None = None
    words: list[_Word] = []


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative] = []


class _Results(msgspec.Struct):
    channel: _Channel
    start: float = 0.0
    duration: float = 0.0
    is_final: bool = False
    speech_final: bool = False


class DeepgramDialect(Dialect):
    """A sentence is what is final since the last end of speech, put together; what is not yet final follows it."""

    name = "deepgram"
    keep_alive = '{"type":"KeepAlive"}'
    goodbye = '{"type":"CloseStream"}'

    def __init__(self) -> None:
        super().__init__()
        self._line: list[Heard] = []

    def received(self, text: str) -> list[Heard]:
        kind = self.decode(text, _Kind).type
        if kind == "Results":
            return self._results(self.decode(text, _Results))
        if kind == "UtteranceEnd":
            return self._finished_line()
        if kind == "Metadata" and self.ending:
            self.done = True
            return self._finished_line()
        return []

    def closed(self, code: int | None) -> list[Heard]:
        if self.ending and code == 1000:
            return self._finished_line()
        if code == 1008:
            raise EngineRefused(f"deepgram cannot read the sound it gets ({said(code)}); is the model right?")
        return super().closed(code)

    def _results(self, results: _Results) -> list[Heard]:
        heard = _heard(results)
        if heard is None and not self._line:
            # No words so far: what is final of it need not be sent to anybody again.
            return [Heard("", results.start, results.start + results.duration, results.is_final)]
        if not results.is_final:
            return [joined([*self._line, heard], final=False)] if heard else []
        if heard:
            self._line.append(heard)
        if results.speech_final or self._is_long():
            return self._finished_line()
        return [joined(self._line, final=False)] if heard else []

    def _is_long(self) -> bool:
        return bool(self._line) and self._line[-1].end_secs - self._line[0].start_secs >= _LONGEST_LINE_SECS

    def _finished_line(self) -> list[Heard]:
        line, self._line = self._line, []
        return [joined(line, final=True)] if line else []


def _heard(results: _Results) -> Heard | None:
    if not results.channel.alternatives or not results.channel.alternatives[0].transcript:
        return None
    best = results.channel.alternatives[0]
    words = tuple(
        Word(word.punctuated_word or word.word, word.start, word.end, word.confidence) for word in best.words
    )
    return Heard(
        text=best.transcript,
        start_secs=words[0].start_secs if words else results.start,
        end_secs=words[-1].end_secs if words else results.start + results.duration,
        final=results.is_final,
        words=words,
        confidence=best.confidence,
    )


class Deepgram(Connected):
    """The engine; see `engine.Engine`."""

    name = "deepgram"
    real_time_only = False
    live = True
    options = DeepgramOptions

    def __init__(self, options: DeepgramOptions) -> None:
        self._options = options

    def session(self, *, language: str) -> AbstractAsyncContextManager[LiveSession]:
        options = self._options
        params = {
            "model": options.model,
            "language": language,
            "encoding": "linear16",
            "sample_rate": str(RATE),
            "channels": "1",
            "interim_results": "true",
            "smart_format": "true",
            "endpointing": str(options.endpointing_ms),
            "utterance_end_ms": str(options.utterance_end_ms),
            "vad_events": "true",
        }
        headers = {"Authorization": f"{options.key_scheme} {options.key.reveal()}"}
        return live_session(self.http, options.url, DeepgramDialect(), params=params, headers=headers)
