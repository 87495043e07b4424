"""A Vosk server (alphacep/vosk-server, websocket/asr_server.py), on this machine or behind a proxy with TLS.

It answers each piece of sound once, and nothing else: that is its flow control. Its model decides the language.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import msgspec

from rtmsd_transcribe.engine import RATE, Heard, Word
from rtmsd_transcribe.engines.address import check_address
from rtmsd_transcribe.engines.connections import Connected
from rtmsd_transcribe.engines.dialect import BYTES_PER_SECOND, Dialect, mean_confidence
from rtmsd_transcribe.engines.live import LiveSession, live_session


@dataclass(frozen=True, kw_only=True)
class VoskOptions:
    url: str = "ws://127.0.0.1:2700"

    def __post_init__(self) -> None:
        check_address(self.url, kind="ws")


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    conf: float | None = None


class _Answer(msgspec.Struct):
    text: str | None = None
    partial: str = ""
    result: list[_Word] = []


class VoskDialect(Dialect):
    """An answer with `text` is final, one with `partial` is not and has no times but where the answers stand."""

    name = "vosk"
    lock_step = True
    # The server compares the text letter by letter, with these spaces.
    goodbye = '{"eof" : 1}'

    def __init__(self) -> None:
        super().__init__()
        self._unanswered: deque[float] = deque()  # where each piece ends
        self._sent_secs = self._answered_secs = self._final_secs = 0.0

    def opening(self) -> str:
        # Without it the server takes the sound for 8000 Hz. It is not answered.
        return msgspec.json.encode(
            {"config": {"sample_rate": RATE, "words": True, "max_alternatives": 0}}
        ).decode()

    def sound(self, pcm: bytes) -> bytes:
        if pcm:
            self._sent_secs += len(pcm) / BYTES_PER_SECOND
            self._unanswered.append(self._sent_secs)
        return pcm

    def received(self, text: str) -> list[Heard]:
        answer = self.decode(text, _Answer)
        if self._unanswered:
            self._answered_secs = self._unanswered.popleft()
        else:
            self.done = self.ending  # the answer to the goodbye
        if answer.text is not None:
            return self._final(answer.text, answer.result)
        return [Heard(answer.partial, self._final_secs, self._answered_secs, final=False)]

    def _final(self, text: str, result: list[_Word]) -> list[Heard]:
        words = tuple(Word(word.word, word.start, word.end, word.conf) for word in result)
        start = words[0].start_secs if words else self._final_secs
        end = words[-1].end_secs if words else self._answered_secs
        self._final_secs = self._answered_secs
        return [Heard(text, start, end, True, words, mean_confidence(words))]


class Vosk(Connected):
    """The engine; see `engine.Engine`."""

    name = "vosk"
    real_time_only = False
    live = True
    options = VoskOptions

    def __init__(self, options: VoskOptions) -> None:
        self._options = options

    def session(self, *, language: str) -> AbstractAsyncContextManager[LiveSession]:
        return live_session(self.http, self._options.url, VoskDialect(), params={}, headers={})
