"""What the engines on this machine have in common: pieces go to child processes, segments come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import msgspec

from rtmsd_transcribe.engine import Heard, Word
from rtmsd_transcribe.engines.child import Child, Children
from rtmsd_transcribe.engines.dialect import mean_confidence
from rtmsd_transcribe.engines.pieces import Cutter, Piece, webrtc_speech
from rtmsd_transcribe.engines.piecewise import PieceSession, Sent


class _Word(msgspec.Struct):
    text: str
    start: float
    end: float
    confidence: float | None = None


class _Segment(msgspec.Struct):
    text: str
    start: float
    end: float
    no_speech: float = 0.0
    words: list[_Word] = []


class _Answer(msgspec.Struct):
    segments: list[_Segment]


class Local:
    """An engine whose work is done by `processes` children; each has the model in its own memory."""

    name = "local"
    real_time_only = False

    def __init__(
        self,
        options: Mapping[str, object],
        *,
        processes: int,
        longest_secs: float,
        pause_secs: float,
        start_secs: float,
        answer_secs: float,
        no_speech: float = 1.0,
    ) -> None:
        self._longest_secs, self._pause_secs = longest_secs, pause_secs
        self._no_speech = no_speech
        self._child: Callable[[], Child] = partial(
            Child, self.name, options, start_secs=start_secs, answer_secs=answer_secs
        )
        # A child that died is started again by who has a piece for it; who opens a session meanwhile waits for both.
        self.open_secs = start_secs + answer_secs
        self._processes = processes
        self._children: Children | None = None

    async def __aenter__(self) -> Self:
        self._children = Children([self._child() for _ in range(self._processes)])
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._children is not None:
            await self._children.__aexit__(*exc)
        self._children = None

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[PieceSession]:
        assert self._children is not None, "an engine is entered before it is used"
        children = self._children
        await children.start()

        async def transcribe(piece: Piece, before: str, sent: Sent) -> list[Heard]:
            question = {"language": language.split("-")[0], "before": before}
            answer = await children.ask(question, piece.pcm, _Answer, asked=sent)
            return [_heard(segment) for segment in answer.segments if segment.no_speech <= self._no_speech]

        cutter = Cutter(webrtc_speech(), longest_secs=self._longest_secs, pause_secs=self._pause_secs)
        yield PieceSession(transcribe, cutter)


def _heard(segment: _Segment) -> Heard:
    words = tuple(Word(word.text, word.start, word.end, word.confidence) for word in segment.words)
    return Heard(
        text=segment.text,
        start_secs=segment.start,
        end_secs=segment.end,
        final=True,
        words=words,
        confidence=mean_confidence(words),
    )
