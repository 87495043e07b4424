"""A session with an engine that takes one whole piece of sound at a time and answers once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from rtmsd_transcribe.engine import EngineLost, Heard
from rtmsd_transcribe.engines.pieces import Cutter, Piece
from rtmsd_transcribe.engines.window import Window

# Pieces that may wait for their answer; who sends waits then.
_WAITING = 8
# What was said before helps with names and punctuation; engines use no more than this of it.
_CARRIED_CHARACTERS = 200

Sent = Callable[[], None]
"""To be called each time that the piece goes out to who understands it: from then on it counts, whatever becomes of it."""

Transcribe = Callable[[Piece, str, Sent], Awaitable[Sequence[Heard]]]
"""Transcribe a piece, given the words before it; times from the piece's beginning."""


class PieceSession:
    """One speaker's sound. `sent_secs`: how much of it went out; silence between sentences does not."""

    def __init__(self, transcribe: Transcribe, cutter: Cutter) -> None:
        self._transcribe = transcribe
        self._cutter = cutter
        self._waiting: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._window = Window(_WAITING)
        self._before = ""
        self.sent_secs = 0.0

    async def send(self, pcm: bytes) -> None:
        await self._offer(self._cutter.add(pcm))

    async def finish(self) -> None:
        await self._offer(self._cutter.rest())
        self._waiting.put_nowait(None)

    async def heard(self) -> AsyncIterator[Heard]:
        """Transcribe the pieces in their order; raises what the engine raises."""
        try:
            while piece := await self._waiting.get():
                for heard in await self._answered(piece):
                    yield heard
                # Where there were no words, or no more, nothing need be sent again either.
                yield Heard("", piece.end_secs, piece.end_secs, True)
                self._window.leave()
        finally:
            self._window.shut()

    async def _offer(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            await self._window.enter()
            self._waiting.put_nowait(piece)

    async def _answered(self, piece: Piece) -> list[Heard]:
        answer = await self._transcribed(piece)
        found = [_moved(heard, piece.start_secs) for heard in orderly(answer, piece)]
        self._before = " ".join([self._before, *(heard.text for heard in found)])[
            -_CARRIED_CHARACTERS:
        ].strip()
        return found

    async def _transcribed(self, piece: Piece) -> Sequence[Heard]:
        """Have a piece transcribed; who raises EngineLost need not say which sound was at fault."""
        before_secs = self.sent_secs

        def sent() -> None:
            self.sent_secs += piece.secs

        try:
            return await self._transcribe(piece, self._before, sent)
        except EngineLost as error:
            if error.until_secs is None:
                error.until_secs = piece.end_secs if self.sent_secs > before_secs else 0.0
            raise


def orderly(answer: Sequence[Heard], piece: Piece) -> list[Heard]:
    """Let each begin where the one before ended at the earliest, and all lie where somebody speaks in the piece.

    Many engines give the silence before the first word to it, and that after the last. Models that make things up also
    make up their times: what would begin after the sound is left out.
    """
    found, last = [], piece.speech_start_secs
    for heard in answer:
        if not heard.text or heard.start_secs >= piece.secs:
            continue
        heard = _within(heard, last, piece.speech_end_secs)
        last = heard.end_secs
        found.append(heard)
    return found


def _within(heard: Heard, first: float, last: float) -> Heard:
    def inside(moment: float) -> float:
        return min(max(moment, first), last)

    return replace(
        heard,
        start_secs=inside(heard.start_secs),
        end_secs=inside(max(heard.start_secs, heard.end_secs)),
        words=tuple(
            replace(
                word, start_secs=inside(word.start_secs), end_secs=inside(max(word.start_secs, word.end_secs))
            )
            for word in heard.words
        ),
    )


def _moved(heard: Heard, by_secs: float) -> Heard:
    """The same, counted from the session's beginning."""
    return replace(
        heard,
        start_secs=heard.start_secs + by_secs,
        end_secs=heard.end_secs + by_secs,
        words=tuple(
            replace(word, start_secs=word.start_secs + by_secs, end_secs=word.end_secs + by_secs)
            for word in heard.words
        ),
    )
