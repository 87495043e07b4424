"""Speak to an engine as the sink does: in pieces of 100 ms, again from the last final on when a session is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from coded_speech import CodedWord

from rtmsd_transcribe.engine import RATE, Engine, EngineLost, Heard, Session

PIECE_BYTES = RATE // 10 * 2


@dataclass
class Told:
    """What came of it; `sent_secs` one number per session."""

    finals: list[Heard] = field(default_factory=list)
    interims: list[Heard] = field(default_factory=list)
    losses: list[EngineLost] = field(default_factory=list)
    sent_secs: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All finals, without what formatting did."""
        return " ".join(heard.text for heard in self.finals).lower().replace(".", "")

    def words(self) -> list[CodedWord]:
        return [
            CodedWord(int(word.text.partition("-")[2].strip(".")), word.start_secs, word.end_secs)
            for heard in self.finals
            for word in heard.words
        ]


async def talk(engine: Engine, pcm: bytes, *, real_time: bool = False, losses: int = 0) -> Told:
    """Say it all; so many sessions may be lost, then the error is raised. Times count from the beginning of `pcm`."""
    told, at = Told(), 0
    while True:
        try:
            async with asyncio.timeout(600), engine.session(language="en") as session:
                try:
                    await _converse(session, pcm[at:], told, at / 2 / RATE, real_time)
                finally:
                    told.sent_secs.append(getattr(session, "sent_secs", 0.0))
            return told
        except* EngineLost as group:
            told.losses += [error for error in group.exceptions if isinstance(error, EngineLost)]
        if len(told.losses) > losses:
            raise told.losses[-1]
        if told.finals:
            at = round(told.finals[-1].end_secs * RATE) * 2


async def _converse(session: Session, pcm: bytes, told: Told, offset: float, real_time: bool) -> None:
    hearing = asyncio.create_task(_hear(session, told, offset))
    sending = asyncio.create_task(_send(session, pcm, real_time))
    try:
        await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_EXCEPTION)
        if not hearing.done():
            with suppress(EngineLost):
                await sending
        await hearing
        await sending
    finally:
        for task in (hearing, sending):
            task.cancel()
        await asyncio.gather(hearing, sending, return_exceptions=True)


async def _hear(session: Session, told: Told, offset: float) -> None:
    async for heard in session.heard():
        if not heard.text:
            continue
        (told.finals if heard.final else told.interims).append(_moved(heard, offset))


async def _send(session: Session, pcm: bytes, real_time: bool) -> None:
    for piece in pieces(pcm):
        await session.send(piece)
        if real_time:
            await asyncio.sleep(len(piece) / 2 / RATE)
    await session.finish()


def pieces(pcm: bytes) -> Sequence[bytes]:
    return [pcm[at : at + PIECE_BYTES] for at in range(0, len(pcm), PIECE_BYTES)]


def _moved(heard: Heard, by: float) -> Heard:
    return Heard(
        heard.text, heard.start_secs + by, heard.end_secs + by, heard.final,
        tuple(type(word)(word.text, word.start_secs + by, word.end_secs + by, word.confidence) for word in heard.words),
        heard.confidence,
    )  # fmt: skip
