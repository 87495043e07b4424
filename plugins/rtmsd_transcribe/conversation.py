"""One session with an engine: it gets the sound that is there and that comes, and what it answers is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rtmsd.api import TranscriptFrame
from rtmsd_transcribe.engine import RATE, EngineLost, EngineStalled, Session
from rtmsd_transcribe.lineup import Lineup, Seat
from rtmsd_transcribe.meter import Meter
from rtmsd_transcribe.outcome import Outcome
from rtmsd_transcribe.patience import (
    ANSWER_SECS,
    LAST_WORD_SECS,
    QUIET_SECS,
    STALL_SECS,
    WHY_SECS,
    is_live,
    silence_of,
)
from rtmsd_transcribe.phrases import Phrases
from rtmsd_transcribe.speech import SAMPLE_BYTES, Speech

PIECE = RATE // 10
"""Samples that an engine gets at a time."""

SKIP_SECS, KEEP_SECS = 10.0, 2.0
"""With backlog = "skip": so much waiting is too much, and so much of it is kept."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How speeches are carried; the sink's options explain each. `recorded`: waiting costs nothing, no sound is forgotten."""

    language: str
    silence_secs: float
    backlog: str
    interim: bool
    recorded: bool = False


class Conversation:
    """`sent` is the position in the speech up to which the session took it, `full` says that the ceiling is reached."""

    def __init__(
        self,
        session: Session,
        seat: Seat,
        *,
        speech: Speech,
        outcome: Outcome,
        meter: Meter,
        manner: Manner,
        lineup: Lineup,
        publish: Callable[[TranscriptFrame], None],
    ) -> None:
        self.sent = outcome.answered
        self.full = False
        self._session = session
        self._seat = seat
        self._name = seat.engine.name
        self._live = is_live(seat.engine)
        self._speech = speech
        self._outcome = outcome
        self._meter = meter
        self._manner = manner
        self._lineup = lineup
        self._publish = publish
        self._phrases = Phrases(speech, self._name, answered=outcome.answered, interim=manner.interim)
        self._offered = self.sent  # what is just being taken included
        self._finishing = False  # the session gets no more
        self._began = self._heard_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Return when the session has answered all that it got; raises what breaks it, EngineStalled when it is silent.

        Cancelling is safe; the session is to be left then, as after an exception, and `close` called after that.
        """
        hearing = asyncio.create_task(self._hear(), name=f"hearing {self._name}")
        sending = asyncio.create_task(self._send(), name=f"sending {self._name}")
        try:
            await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done() and sending.exception() is not None:
                await asyncio.wait({hearing}, timeout=WHY_SECS)
            if hearing.done():
                hearing.result()  # it knows best why
                if not self._finishing and not sending.done():
                    raise EngineLost(f"{self._name} ended the session before the speech was over")
            async with self._patience():
                await sending
                await hearing
        finally:
            for task in (hearing, sending):
                task.cancel()
            await asyncio.wait({hearing, sending})
            for task in (hearing, sending):
                if not task.cancelled():
                    task.exception()  # seen: the first of them was raised

    def close(self) -> None:
        """The session was left: count what it answered and what its service got."""
        self._show(self._phrases.withdraw())
        self._outcome.answer(self._phrases.answered)
        self._meter.close()

    def at_fault(self, error: Exception) -> int:
        """Say before which position lies what broke the session, as far as anybody knows."""
        if not self._meter.sent_secs:
            return self._outcome.answered
        until_secs = error.until_secs if isinstance(error, EngineLost) else None
        return self.sent if until_secs is None else self._phrases.position(until_secs)

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Wait for the rest of a session's answers; raises EngineStalled when they do not come."""
        secs = ANSWER_SECS
        if self._live:
            # While more follows, somebody else must have the sound before it is forgotten.
            secs = STALL_SECS if self._speech.ended else LAST_WORD_SECS
        try:
            async with self._within(secs):
                yield
        except TimeoutError:
            raise EngineStalled(f"{self._name} takes sound and does not answer it in time") from None

    @asynccontextmanager
    async def _within(self, secs: float) -> AsyncIterator[None]:
        """Raises TimeoutError. Who works through a queue is patiently waited for: any answer shows that it does."""
        began = asyncio.get_running_loop().time()
        heard_at = (lambda: began) if self._live else (lambda: max(began, self._seat.heard_at))
        async with silence_of(secs, heard_at):
            yield

    async def _hear(self) -> None:
        async for heard in self._session.heard():
            self._heard_at = asyncio.get_running_loop().time()
            self._lineup.answered(self._seat)
            self._show(self._phrases.take(heard))
            self._meter.settle(waiting_secs=(self._offered - self._phrases.answered) / RATE)

    def _show(self, frames: Iterable[TranscriptFrame]) -> None:
        for frame in frames:
            self._publish(frame)

    async def _send(self) -> None:
        """Send what is there and what comes, until the speech is over or the engine silent; then finish the session."""
        loop = asyncio.get_running_loop()
        speech, pace = self._speech, self._seat.engine.real_time_only or self._manner.backlog == "pace"
        at, due = self.sent, loop.time()
        while not self._is_silent():
            at = self._passed_over(at)
            ready = speech.end - at
            if ready < PIECE and not speech.ended:
                if not await speech.changed(self._manner.silence_secs):
                    speech.finish()  # no frames: who is silent or muted sends none
                continue
            if ready == 0:
                break
            if pace and due > loop.time():
                await asyncio.sleep(due - loop.time())
                continue  # meanwhile the oldest may have been forgotten
            pcm = speech.sound(at, PIECE)
            samples = len(pcm) // SAMPLE_BYTES
            due = max(due, loop.time() - samples / RATE) + samples / RATE
            if not await self._meter.claim(samples / RATE, speech.media_ms(at)):
                self.full = True
                break
            self._phrases.sent(at, samples)
            at = self._offered = at + samples
            await self._send_piece(pcm)
            self.sent = at
        self._finishing = True
        async with self._patience():
            await self._session.finish()

    def _is_silent(self) -> bool:
        quiet_secs = asyncio.get_running_loop().time() - self._heard_at
        waiting_secs = (self._speech.end - self._phrases.answered) / RATE
        return self._live and quiet_secs >= QUIET_SECS and waiting_secs >= STALL_SECS

    async def _send_piece(self, pcm: bytes) -> None:
        secs = STALL_SECS if self._live else ANSWER_SECS
        try:
            async with self._within(secs):
                await self._session.send(pcm)
        except TimeoutError:
            raise EngineStalled(f"{self._name} took no sound for {secs:g} s") from None
        self._meter.took(len(pcm) / SAMPLE_BYTES / RATE)

    def _passed_over(self, at: int) -> int:
        """Give where to go on: later, when what comes next was forgotten, or is skipped for being too much."""
        go_on = max(at, self._speech.first)
        if self._manner.backlog == "skip" and self._speech.end - go_on > SKIP_SECS * RATE:
            go_on = self._speech.end - round(KEEP_SECS * RATE)
        if go_on > at:
            self._outcome.lose(at, go_on)
        return go_on
