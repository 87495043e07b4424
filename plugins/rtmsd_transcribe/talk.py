"""Carries one speech to engines until everything is answered, whatever becomes of their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from rtmsd.api import TranscriptFrame
from rtmsd_transcribe.account import Account, OpenSession
from rtmsd_transcribe.engine import RATE, Engine, EngineLost, EngineRefused, Session
from rtmsd_transcribe.lineup import Lineup, Seat
from rtmsd_transcribe.phrases import Phrases
from rtmsd_transcribe.speech import SAMPLE_BYTES, Speech

PIECE = RATE // 10
"""Samples that an engine gets at a time."""

OPEN_SECS = 20.0
SEND_SECS = 300.0
ANSWER_SECS = 600.0
"""How long an engine may take to open a session, to take a piece, and to answer the rest once nothing follows."""

SKIP_SECS, KEEP_SECS = 10.0, 2.0
"""With backlog = "skip": so much waiting is too much, and so much of it is kept."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How speeches are carried; the sink's options explain each."""

    language: str
    silence_secs: float
    backlog: str
    interim: bool


class Talk:
    """One speech on its way. `lost_secs`: what no engine got, or none answered."""

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
        self._stream_id = stream_id
        self._lineup = lineup
        self._account = account
        self._manner = manner
        self._publish = publish
        self._log = log
        self._answered = 0
        self._lost_to = 0
        self._finishing = False  # the present session has got everything
        self._full = False  # the ceiling is reached

    async def run(self) -> None:
        """Carry the speech to its end. Cancelling ends the session, and what was not answered is lost."""
        try:
            while self._account.allows(PIECE / RATE, self.speech.media_ms(self._answered)) and not self._full:
                seat = await self._lineup.next()
                try:
                    await self._try(seat)
                    break
                except EngineRefused as error:
                    self._lineup.refused(seat, error)
                except EngineLost as error:
                    self._lineup.lost(seat, error)
                except Exception as error:  # noqa: BLE001  # supervision: any fault of an engine's author
                    self._log.error(
                        "a transcription engine broke", engine=seat.engine.name, error=type(error).__name__
                    )
                    self._lineup.lost(seat, EngineLost(f"{type(error).__name__} in the engine"))
                # What had to be forgotten meanwhile can be sent to nobody.
                if self.speech.first > self._answered:
                    self._lose(self._answered, self.speech.first)
                    self._answered = self.speech.first
        finally:
            self.speech.finish()
            self._lose(self._answered, self.speech.end)
            self.speech.forget(self.speech.end)

    def _lose(self, start: int, end: int) -> None:
        """Count what nobody will hear, each part once."""
        self.lost_secs += max(0, end - max(start, self._lost_to)) / RATE
        self._lost_to = max(self._lost_to, end)

    async def _try(self, seat: Seat) -> None:
        """Open a session and let it hear everything that is not answered; return when it is, and nothing follows."""
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
            try:
                await self._converse(seat, session, phrases)
            finally:
                self._show(phrases.withdraw())
                self._answered = max(self._answered, phrases.answered)
        # The engine has said that this is all: what it passed over in silence is answered too.
        if not self._full:
            self._answered = self.speech.end

    async def _converse(self, seat: Seat, session: Session, phrases: Phrases) -> None:
        name = seat.engine.name
        hearing = asyncio.create_task(self._hear(seat, session, phrases), name=f"hearing {name}")
        sending = asyncio.create_task(self._send(seat.engine, session, phrases), name=f"sending {name}")
        try:
            await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                hearing.result()  # it knows best why
                if not self._finishing and not sending.done():
                    raise EngineLost(f"{name} ended the session before the speech was over")
            try:
                async with asyncio.timeout(ANSWER_SECS):
                    await sending
                    await hearing
            except TimeoutError:
                raise EngineLost(f"{name} did not answer within {ANSWER_SECS:g} s") from None
        finally:
            for task in (hearing, sending):
                task.cancel()
            await asyncio.wait({hearing, sending})
            for task in (hearing, sending):
                if not task.cancelled():
                    task.exception()  # seen: the first of them was raised

    async def _hear(self, seat: Seat, session: Session, phrases: Phrases) -> None:
        async for heard in session.heard():
            self._lineup.answered(seat)
            self._show(phrases.take(heard))

    def _show(self, frames: Iterable[TranscriptFrame]) -> None:
        for frame in frames:
            self._publish(frame)

    async def _send(self, engine: Engine, session: Session, phrases: Phrases) -> None:
        """Send what is there and what comes, until the speech is over; then finish the session."""
        loop = asyncio.get_running_loop()
        speech, pace = self.speech, engine.real_time_only or self._manner.backlog == "pace"
        at, due = self._answered, loop.time()
        self._finishing = False
        while True:
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
        self._finishing = True
        await session.finish()

    async def _send_piece(self, engine: Engine, session: Session, pcm: bytes) -> None:
        secs, sent = len(pcm) / SAMPLE_BYTES / RATE, False
        try:
            async with asyncio.timeout(SEND_SECS):
                await session.send(pcm)
            sent = True
        except TimeoutError:
            raise EngineLost(f"{engine.name} took no sound for {SEND_SECS:g} s") from None
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
