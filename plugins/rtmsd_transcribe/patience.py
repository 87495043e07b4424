"""How long engines may take, and what is made of their silence."""

from __future__ import annotations

from rtmsd_transcribe.engine import Engine

OPEN_SECS = 20.0
SEND_SECS = 300.0
ANSWER_SECS = 600.0
"""How long an engine may take to open a session, to take a piece, and to answer the rest once nothing follows."""

STALL_SECS, QUIET_SECS, LAST_WORD_SECS = 30.0, 10.0, 10.0
"""A live engine that says nothing for QUIET_SECS, while STALL_SECS of sound wait for its answer, is asked to finish.

An engine need not say anything of music and noise. Only one that cannot even finish, within LAST_WORD_SECS, has stalled:
the next one hears what it did not answer. From one that can, no words are still to come: what it got is answered, is not
sent again, and another session hears what follows. Of the sound that is kept there is still room when the next one begins."""

STALLED_TRIES = 2
"""How often the same sound is sent to engines that take it and never answer, if there are no more engines than that."""

WHY_SECS = 1.0
"""When sending fails: how long is waited for what the engine itself says of it, such as that it refuses the key."""


def is_live(engine: Engine) -> bool:
    """Say whether an engine answers while sound comes."""
    return bool(getattr(engine, "live", False))
