"""AssemblyAI Universal-Streaming, version 3: wss://streaming.assemblyai.com/v3/ws.

Its rules: https://www.assemblyai.com/docs/streaming/message-sequence and /docs/streaming/common-session-errors-and-closures.
It bills by connection time: a session that is not terminated costs until it expires.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import msgspec

from rtmsd.api import Secret
from rtmsd_transcribe.engine import RATE, EngineLost, EngineRefused, Heard, Word
from rtmsd_transcribe.engines.address import check_address
from rtmsd_transcribe.engines.connections import Connected
from rtmsd_transcribe.engines.dialect import BYTES_PER_SECOND, Dialect, mean_confidence, said
from rtmsd_transcribe.engines.live import LiveSession, live_session

# A piece lasts 50 to 1000 ms. 50 ms are held back, so that the last piece is never shorter.
_SHORTEST_BYTES = BYTES_PER_SECOND // 20

_CLOSINGS = {
    3005: "assemblyai cancelled the session",
    3006: "assemblyai did not understand a message",
    3007: "assemblyai got a piece of a wrong length, or sound faster than real time",
    3008: "assemblyai's session has expired",
    3009: "assemblyai has too many sessions of this account open",
}
# Other sessions have to end first; what was sent is not at fault.
_TOO_MANY, _TOO_MANY_SECS = 3009, 10.0


@dataclass(frozen=True, kw_only=True)
class AssemblyAIOptions:
    """`model`: AssemblyAI's speech_model; left out, its English or its multilingual one, as the language is."""

    key: Secret
    url: str = "wss://streaming.assemblyai.com/v3/ws"
    model: str = ""

    def __post_init__(self) -> None:
        check_address(self.url, kind="ws")


class _Word(msgspec.Struct):
    text: str
    start: float
    end: float
    confidence: float | None = None


class _Message(msgspec.Struct):
    type: str = ""
    turn_order: int = 0
    turn_is_formatted: bool = False
    end_of_turn: bool = False
    transcript: str = ""
    words: list[_Word] = []


class AssemblyAIDialect(Dialect):
    """A turn is final when it comes formatted, which replaces what came of it before; its times are milliseconds."""

    name = "assemblyai"
    goodbye = '{"type":"Terminate"}'

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._turn: tuple[int, Heard] | None = None  # the last that was not yet final
        self._given = -1  # the last that was final

    def sound(self, pcm: bytes) -> bytes:
        self._held += pcm
        ready = max(len(self._held) - _SHORTEST_BYTES, 0)
        if ready < _SHORTEST_BYTES:
            return b""
        pcm, self._held = self._held[:ready], self._held[ready:]
        return pcm

    def rest(self) -> bytes:
        super().rest()
        rest, self._held = self._held, b""
        # Shorter only when all that there was is shorter.
        return rest.ljust(_SHORTEST_BYTES, b"\0") if rest else b""

    def received(self, text: str) -> list[Heard]:
        message = self.decode(text, _Message)
        if message.type == "Turn":
            return self._took_turn(message)
        if message.type == "Termination":
            self.done = True
            return self._given_up_turn()
        return []

    def closed(self, code: int | None) -> list[Heard]:
        if code == 1008:
            raise EngineRefused(f"assemblyai does not accept the key ({said(code)}); check the engine's key.")
        many = code == _TOO_MANY
        raise EngineLost(
            f"{_CLOSINGS.get(code or 0, 'assemblyai closed the session')} ({said(code)}).",
            retry_secs=_TOO_MANY_SECS if many else 0.0,
            until_secs=0.0 if many else None,
        )

    def _took_turn(self, message: _Message) -> list[Heard]:
        if message.turn_order <= self._given:
            return []  # its formatted text comes late, or again: it was given as it was
        before = self._given_up_turn() if self._turn and self._turn[0] != message.turn_order else []
        heard = _heard(message)
        if heard is None:
            return before
        self._turn = None if heard.final else (message.turn_order, heard)
        if heard.final:
            self._given = message.turn_order
        return [*before, heard]

    def _given_up_turn(self) -> list[Heard]:
        """The turn that waits to be formatted will not be any more: it is final as it is."""
        if self._turn is None:
            return []
        (self._given, turn), self._turn = self._turn, None
        return [replace(turn, final=True)]


def _heard(message: _Message) -> Heard | None:
    words = tuple(
        Word(word.text, word.start / 1000, word.end / 1000, word.confidence) for word in message.words
    )
    # The transcript holds only what is settled; the words also what may still change.
    text = message.transcript if message.end_of_turn else " ".join(word.text for word in words)
    if not text or not words:
        return None
    return Heard(
        text=text,
        start_secs=words[0].start_secs,
        end_secs=words[-1].end_secs,
        final=message.end_of_turn and message.turn_is_formatted,
        words=words,
        confidence=mean_confidence(words),
    )


class AssemblyAI(Connected):
    """The engine; see `engine.Engine`."""

    name = "assemblyai"
    real_time_only = True
    live = True
    options = AssemblyAIOptions

    def __init__(self, options: AssemblyAIOptions) -> None:
        self._options = options

    def session(self, *, language: str) -> AbstractAsyncContextManager[LiveSession]:
        english = language.split("-")[0].lower() == "en"
        params = {
            "sample_rate": str(RATE),
            "encoding": "pcm_s16le",
            "format_turns": "true",
            "speech_model": self._options.model
            or ("universal-streaming-english" if english else "universal-streaming-multilingual"),
        }
        # The key alone, without a word before it.
        headers = {"Authorization": self._options.key.reveal()}
        return live_session(
            self.http,
            self._options.url,
            AssemblyAIDialect(),
            params=params,
            headers=headers,
            real_time_only=True,
        )
