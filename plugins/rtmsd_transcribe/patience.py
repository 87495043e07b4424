"""How long engines may take, and what is made of their silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rtmsd_transcribe.engine import Engine

OPEN_SECS = 20.0
"""How long opening a session may take, unless the engine has an `open_secs` of its own."""

ANSWER_SECS = 1200.0
"""How long an engine that is not live may answer nobody while somebody waits for it: twice what the longest `answer_secs` allows
for a piece. Its own bounds, which know the piece, come first; speeches that queue for it wait as long as others are answered."""

STALL_SECS, QUIET_SECS, LAST_WORD_SECS = 30.0, 10.0, 10.0
"""A live engine that says nothing for QUIET_SECS, while STALL_SECS of sound wait for its answer, is asked to finish.

An engine need not say anything of music and noise. Only one that cannot even finish, within LAST_WORD_SECS, has stalled:
the next one hears what it did not answer. From one that can, no words are still to come: what it got is answered, is not
sent again, and another session hears what follows. Of the sound that is kept there is still room when the next one begins."""

WHY_SECS = 1.0
"""When sending fails: how long is waited for what the engine itself says of it, such as that it refuses the key."""


def is_live(engine: Engine) -> bool:
    """Say whether an engine answers while sound comes."""
    return bool(getattr(engine, "live", False))


def open_secs(engine: Engine, *, hurried: bool) -> float:
    """Say how long an engine may take to open a session; `hurried`: another one should have the sound before it is forgotten."""
    secs = float(getattr(engine, "open_secs", OPEN_SECS))
    return min(secs, OPEN_SECS) if hurried else secs


@asynccontextmanager
async def silence_of(secs: float, heard_at: Callable[[], float]) -> AsyncIterator[None]:
    """As asyncio.timeout, but the time begins anew at `heard_at`, a moment of the event loop, whenever that is later."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as bound:
        timer = loop.call_later(secs, lambda: look())

        def look() -> None:
            nonlocal timer
            due = heard_at() + secs
            if due <= loop.time():
                bound.reschedule(due)
            else:
                timer = loop.call_at(due, look)

        try:
            yield
        finally:
            timer.cancel()
