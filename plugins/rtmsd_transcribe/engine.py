"""What a transcription engine is: the one thing that somebody who adds another has to write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from rtmsd.api import RtmsdError

RATE = 16_000
"""Samples per second of what engines get: mono, 16 bit, little-endian."""


class EngineLost(RtmsdError):
    """A session broke, or could not be opened just now. What was sent and not answered by a final is offered again.

    `retry_secs`: do not come back before that, if the engine said so. `until_secs`: what broke it lies before this second of
    the session, in sound that was sent to the service; when the same sound breaks sessions again and again, no more than that
    is given up. 0: no sound broke it, as when nobody could be reached. None: everything that the session took may have. The
    text is for people: neither keys nor words.
    """

    def __init__(self, sentence: str, *, retry_secs: float = 0.0, until_secs: float | None = None) -> None:
        self.retry_secs = retry_secs
        self.until_secs = until_secs
        super().__init__(sentence)


class EngineStalled(EngineLost):
    """A session took sound, and did not answer it in the time it had. The same sound is not offered to it for ever."""


class EngineRefused(RtmsdError):
    """The engine will not work until somebody changes something: a wrong key, an unknown model, no credit."""


@dataclass(frozen=True)
class Word:
    """One word; seconds from the first sample that the session got. `confidence` 0 to 1, None when nobody says."""

    text: str
    start_secs: float
    end_secs: float
    confidence: float | None = None


@dataclass(frozen=True)
class Heard:
    """What an engine understood; seconds from the first sample that the session got.

    `final`: it will not change, and nothing before `end_secs` is still to come. What is not final is replaced by what comes
    next. An empty text says that there are no words so far, and that somebody listens.
    """

    text: str
    start_secs: float
    end_secs: float
    final: bool
    words: tuple[Word, ...] = ()
    confidence: float | None = None


class Session(Protocol):
    """One speaker's sound, from the opening to `finish`. May raise EngineLost or EngineRefused from every method.

    A session may also have `sent_secs`, a float: how many seconds of sound the service really got so far, failed tries
    included. Without it, that is what `send` took.
    """

    async def send(self, pcm: bytes) -> None:
        """Take 100 ms of sound, or less at the end. Waits when the engine is behind; called by one task only."""

    async def finish(self) -> None:
        """Nothing follows: `heard` ends when all that was sent is answered."""

    def heard(self) -> AsyncIterator[Heard]:
        """Give what is understood, as it comes; read by another task than the one that sends."""
        ...


class Engine(Protocol):
    """Opens sessions. One for each configured engine, entered once; several sessions are open at the same time.

    `real_time_only`: sound must not be sent faster than it was spoken. An engine may also have `live`, which is taken for
    False where it is missing: it answers while sound comes, not piece by piece, and a few seconds after `finish` it is
    through. One that is live and silent for long is asked to finish, and left when it does not: before anything is forgotten
    that the next engine should hear. It may also have `open_secs`, a float: how long opening a session may take, where
    OPEN_SECS is not right for it.
    """

    name: str
    real_time_only: bool

    async def __aenter__(self) -> Engine: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def session(self, *, language: str) -> AbstractAsyncContextManager[Session]:
        """Open a session; `language` as a tag such as "en". Leaving it ends the session with the engine, always."""
        ...
