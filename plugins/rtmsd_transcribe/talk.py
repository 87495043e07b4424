"""Carries one speech to engines until everything is answered, whatever becomes of their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from rtmsd.api import TranscriptFrame
from rtmsd_transcribe.account import Account, OpenSession
from rtmsd_transcribe.engine import RATE, Engine, EngineLost, EngineRefused, EngineStalled, Session
from rtmsd_transcribe.lineup import Lineup, Seat
from rtmsd_transcribe.patience import (
    ANSWER_SECS,
    LAST_WORD_SECS,
    OPEN_SECS,
    QUIET_SECS,
    SEND_SECS,
    STALL_SECS,
    STALLED_TRIES,
    WHY_SECS,
    is_live,
)
from rtmsd_transcribe.phrases import Phrases
from rtmsd_transcribe.speech import SAMPLE_BYTES, Speech

PIECE = RATE // 10
"""Samples that an engine gets at a time."""

SKIP_SECS, KEEP_SECS = 10.0, 2.0
"""With backlog = "skip": so much waiting is too much, and so much of it is kept."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How speeches are carried; the sink's options explain each.

    `tries`: so many sessions may be lost running without any answer, then the speech is given up; 0: never, while it lasts.
    """

    language: str
    silence_secs: float
    backlog: str
    interim: bool
    tries: int = 0


class Talk:
    """One speech on its way. `lost_secs`: what no engine got, or none answered; `waits`: for an engine to ask."""

    def __init__(
        self,
        speech: Speech,
        *,
        stream_id: str,
        lineup: Lineup,
        account: Account,
        manner: Manner,
        publish: Callable[[TranscriptFrame], None],
        log: FilteringBoundLogger,
    ) -> None:
        self.speech = speech
        self.lost_secs = 0.0
        self.waits = False
        self._stream_id = stream_id
        self._lineup = lineup
        self._account = account
        self._manner = manner
        self._publish = publish
        self._log = log
        self._answered = 0
        self._sent = 0  # to the present session
        self._lost_to = 0
        self._stalls = self._losses = 0  # in a row, without an answer between them
        self._finishing = False  # the present session gets no more
        self._heard_at = 0.0  # the present engine's last sign of life
        self._full = False  # the ceiling is reached

    async def run(self) -> None:
        """Carry the speech to its end. Cancelling ends the session, and what was not answered is lost."""
        try:
            while await self._goes_on():
                seat, before = await self._next(), self._answered
                try:
                    await self._try(seat)
                    self._lineup.answered(seat)
                    self._stalls = self._losses = 0
                except EngineRefused as error:
                    self._lineup.refused(seat, error)
                except EngineLost as error:
                    self._lineup.lost(seat, error)
                    self._count_stalls(error, answered=self._answered > before)
                except Exception as error:  # noqa: BLE001  # supervision: any fault of an engine's author
                    self._log.error(
                        "a transcription engine broke", engine=seat.engine.name, error=type(error).__name__
                    )
                    self._lineup.lost(seat, EngineLost(f"{type(error).__name__} in the engine"))
                    self._losses += 1
                # What had to be forgotten meanwhile can be sent to nobody.
                if self.speech.first > self._answered:
                    self._lose(self._answered, self.speech.first)
                    self._answered = self.speech.first
        finally:
            self.speech.finish()
            self._lose(self._answered, self.speech.end)
            self.speech.forget(self.speech.end)

    async def _goes_on(self) -> bool:
        """Wait until there is something to be heard; False when nothing follows, or nothing may be sent."""
        while self._answered >= self.speech.end and not self.speech.ended:
            if not await self.speech.changed(self._manner.silence_secs):
                self.speech.finish()  # no frames: who is silent or muted sends none
        given_up = self._manner.tries and self._losses >= self._manner.tries
        some = self._answered < self.speech.end and not self._full and not given_up
        return some and self._account.allows(PIECE / RATE, self.speech.media_ms(self._answered))

    async def _next(self) -> Seat:
        self.waits = True
        try:
            return await self._lineup.next()
        finally:
            self.waits = False

    def _count_stalls(self, error: EngineLost, *, answered: bool) -> None:
        """Give up what every engine has taken and none has answered: it would be sent, and billed, for ever."""
        if answered:
            self._stalls = self._losses = 0
        self._losses += 1
        if not isinstance(error, EngineStalled):
            return
        self._stalls += 1
        if self._stalls >= max(STALLED_TRIES, len(self._lineup)):
            self._lose(self._answered, self._sent)
            self._answered = max(self._answered, self._sent)
            self.speech.forget(self._answered)

    def _lose(self, start: int, end: int) -> None:
        """Count what nobody will hear, each part once."""
        self.lost_secs += max(0, end - max(start, self._lost_to)) / RATE
        self._lost_to = max(self._lost_to, end)

    async def _try(self, seat: Seat) -> None:
        """Open a session and let it hear what is not answered; return when it has answered all that it got."""
        engine = seat.engine
        journal = OpenSession(
            engine.name, self._stream_id, self.speech.user_id, round(self.speech.media_ms(self._answered))
        )
        phrases = Phrases(self.speech, engine.name, answered=self._answered, interim=self._manner.interim)
        async with self._account.session(journal), AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(OPEN_SECS):
                    session = await stack.enter_async_context(engine.session(language=self._manner.language))
            except TimeoutError:
                raise EngineLost(f"{engine.name} did not open a session within {OPEN_SECS:g} s") from None
            self._lineup.opened(seat)
            try:
                await self._converse(seat, session, phrases)
            finally:
                self._show(phrases.withdraw())
                self._answered = max(self._answered, phrases.answered)
        # The engine has said that this is all: what it passed over in silence is answered too.
        self._answered = max(self._answered, self._sent)

    async def _converse(self, seat: Seat, session: Session, phrases: Phrases) -> None:
        name = seat.engine.name
        self._finishing, self._sent = False, self._answered
        self._heard_at = asyncio.get_running_loop().time()
        hearing = asyncio.create_task(self._hear(seat, session, phrases), name=f"hearing {name}")
        sending = asyncio.create_task(self._send(seat.engine, session, phrases), name=f"sending {name}")
        try:
            await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done() and sending.exception() is not None:
                await asyncio.wait({hearing}, timeout=WHY_SECS)
            if hearing.done():
                hearing.result()  # it knows best why
                if not self._finishing and not sending.done():
                    raise EngineLost(f"{name} ended the session before the speech was over")
            async with self._patience(seat.engine):
                await sending
                await hearing
        finally:
            for task in (hearing, sending):
                task.cancel()
            await asyncio.wait({hearing, sending})
            for task in (hearing, sending):
                if not task.cancelled():
                    task.exception()  # seen: the first of them was raised

    @asynccontextmanager
    async def _patience(self, engine: Engine) -> AsyncIterator[None]:
        """Wait for the rest of a session's answers; raises EngineStalled when they do not come."""
        secs = ANSWER_SECS
        if is_live(engine):
            # While more follows, somebody else must have the sound before it is forgotten.
            secs = STALL_SECS if self.speech.ended else LAST_WORD_SECS
        try:
            async with asyncio.timeout(secs):
                yield
        except TimeoutError:
            raise EngineStalled(f"{engine.name} takes sound and does not answer it in time") from None

    async def _hear(self, seat: Seat, session: Session, phrases: Phrases) -> None:
        async for heard in session.heard():
            self._heard_at = asyncio.get_running_loop().time()
            self._lineup.answered(seat)
            self._show(phrases.take(heard))

    def _show(self, frames: Iterable[TranscriptFrame]) -> None:
        for frame in frames:
            self._publish(frame)

    async def _send(self, engine: Engine, session: Session, phrases: Phrases) -> None:
        """Send what is there and what comes, until the speech is over or the engine silent; then finish the session."""
        loop = asyncio.get_running_loop()
        speech, pace = self.speech, engine.real_time_only or self._manner.backlog == "pace"
        at, due = self._answered, loop.time()
        while not self._is_silent(engine, phrases):
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
            if not await self._account.claim(samples / RATE, speech.media_ms(at)):
                self._full = True
                break
            phrases.sent(at, samples)
            await self._send_piece(engine, session, pcm)
            at += samples
            self._sent = at
        self._finishing = True
        async with self._patience(engine):
            await session.finish()

    def _is_silent(self, engine: Engine, phrases: Phrases) -> bool:
        quiet_secs = asyncio.get_running_loop().time() - self._heard_at
        waiting_secs = (self.speech.end - phrases.answered) / RATE
        return is_live(engine) and quiet_secs >= QUIET_SECS and waiting_secs >= STALL_SECS

    async def _send_piece(self, engine: Engine, session: Session, pcm: bytes) -> None:
        secs, sent = len(pcm) / SAMPLE_BYTES / RATE, False
        patience_secs = STALL_SECS if is_live(engine) else SEND_SECS
        try:
            async with asyncio.timeout(patience_secs):
                await session.send(pcm)
            sent = True
        except TimeoutError:
            raise EngineStalled(f"{engine.name} took no sound for {patience_secs:g} s") from None
        finally:
            self._account.settle(secs, engine.name, self._stream_id, sent=sent)

    def _passed_over(self, at: int) -> int:
        """Give where to go on: later, when what comes next was forgotten, or is skipped for being too much."""
        go_on = max(at, self.speech.first)
        if self._manner.backlog == "skip" and self.speech.end - go_on > SKIP_SECS * RATE:
            go_on = self.speech.end - round(KEEP_SECS * RATE)
        if go_on > at:
            self._lose(at, go_on)
        return go_on
