"""Carries one speech to engines until everything is answered, whatever becomes of their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from structlog.typing import FilteringBoundLogger

from rtmsd.api import TranscriptFrame
from rtmsd_transcribe.account import Account, OpenSession
from rtmsd_transcribe.conversation import PIECE, Conversation, Manner
from rtmsd_transcribe.engine import RATE, Engine, EngineLost, EngineRefused, EngineStalled, Session
from rtmsd_transcribe.lineup import Lineup, Seat
from rtmsd_transcribe.meter import Meter
from rtmsd_transcribe.outcome import Outcome
from rtmsd_transcribe.patience import open_secs
from rtmsd_transcribe.speech import Speech

__all__ = ["Manner", "Talk"]


class Talk:
    """One speech on its way; `waits`: for an engine to ask."""

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
        self.waits = False
        self._stream_id = stream_id
        self._lineup = lineup
        self._account = account
        self._manner = manner
        self._publish = publish
        self._log = log
        self._outcome = Outcome()
        self._opened = False  # the present session
        self._full = False  # the ceiling is reached

    @property
    def lost_secs(self) -> float:
        """What no engine got, or none answered."""
        return self._outcome.lost_secs

    async def run(self) -> None:
        """Carry the speech to its end. Cancelling ends the session, and what was not answered is lost."""
        try:
            while await self._goes_on():
                seat = await self._next()
                try:
                    await self._try(seat)
                    self._lineup.answered(seat)
                except EngineRefused as error:
                    self._lineup.refused(seat, error)
                except EngineLost as error:
                    self._lineup.lost(seat, error, opened=self._opened)
                except Exception as error:  # noqa: BLE001  # supervision: any fault of an engine's author
                    self._log.error(
                        "a transcription engine broke", engine=seat.engine.name, error=type(error).__name__
                    )
                    fault = EngineLost(f"{type(error).__name__} in the engine")
                    self._lineup.lost(seat, fault, opened=self._opened)
                self._outcome.give_up(self.speech.first)  # what had to be forgotten can be sent to nobody
                self.speech.forget(self._outcome.answered)
        finally:
            self.speech.finish()
            self._outcome.give_up(self.speech.end)
            self.speech.forget(self.speech.end)

    async def _goes_on(self) -> bool:
        """Wait until there is something to be heard; False when nothing follows, or nothing may be sent."""
        while self._outcome.answered >= self.speech.end and not self.speech.ended:
            if not await self.speech.changed(self._manner.silence_secs):
                self.speech.finish()  # no frames: who is silent or muted sends none
        answered = self._outcome.answered
        some = answered < self.speech.end and not self._full
        return some and self._account.allows(PIECE / RATE, self.speech.media_ms(answered))

    async def _next(self) -> Seat:
        self.waits = True
        try:
            return await self._lineup.next()
        finally:
            self.waits = False

    async def _try(self, seat: Seat) -> None:
        """Let a session hear what is not answered; return when it has answered all that it got."""
        name, since_ms = seat.engine.name, round(self.speech.media_ms(self._outcome.answered))
        journal = OpenSession(name, self._stream_id, self.speech.user_id, since_ms)
        one: Conversation | None = None
        self._opened = False
        try:
            async with self._account.session(journal), AsyncExitStack() as stack:
                session = await self._open(stack, seat.engine)
                self._opened = True
                stack.enter_context(self._lineup.opened(seat))
                one = self._conversation(session, seat)
                await one.run()
        except Exception as error:
            if one is not None:
                one.close()
                stalled = isinstance(error, EngineStalled)
                self._outcome.fail(one.at_fault(error), stalled=stalled, engines=len(self._lineup))
            raise
        finally:
            if one is not None:
                one.close()
                self._full = one.full
        # The engine has said that this is all: what it passed over in silence is answered too.
        self._outcome.answer(one.sent)

    async def _open(self, stack: AsyncExitStack, engine: Engine) -> Session:
        secs = open_secs(engine, hurried=len(self._lineup) > 1 and not self._manner.recorded)
        try:
            async with asyncio.timeout(secs):
                return await stack.enter_async_context(engine.session(language=self._manner.language))
        except TimeoutError:
            raise EngineLost(f"{engine.name} did not open a session within {secs:g} s") from None

    def _conversation(self, session: Session, seat: Seat) -> Conversation:
        return Conversation(
            session,
            seat,
            speech=self.speech,
            outcome=self._outcome,
            meter=Meter(self._account, session, engine=seat.engine.name, stream_id=self._stream_id),
            manner=self._manner,
            lineup=self._lineup,
            publish=self._publish,
        )
