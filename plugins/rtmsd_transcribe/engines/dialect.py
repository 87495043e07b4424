"""What the messages of a live service mean, without sockets: each WebSocket engine has one of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from rtmsd_transcribe.engine import RATE, EngineLost, Heard, Word

SAMPLE_BYTES = 2
BYTES_PER_SECOND = RATE * SAMPLE_BYTES

Message = TypeVar("Message")


class Dialect:
    """One session's conversation. What the services have in common is here, what differs in their own files.

    `done`: everything that was sent has been answered; the socket may go.
    """

    name = "engine"
    keep_alive: str | None = None  # what to say when there is no sound
    goodbye = ""  # ends the session
    lock_step = False  # each message with sound gets exactly one answer

    def __init__(self) -> None:
        self.done = False
        self.ending = False

    def opening(self) -> str | None:
        """Give what is said first."""
        return None

    def sound(self, pcm: bytes) -> bytes:
        """Take sound; give what may be sent of it now."""
        return pcm

    def rest(self) -> bytes:
        """Give the sound that was held back, once nothing follows, and expect the end."""
        self.ending = True
        return b""

    def received(self, text: str) -> list[Heard]:
        """Understand a message. Unknown ones mean nothing. Raises EngineLost and EngineRefused."""
        raise NotImplementedError

    def closed(self, code: int | None) -> list[Heard]:
        """The socket was closed and `done` is not set: give what that ended well, or raise what it means."""
        raise EngineLost(f"{self.name} closed the session before everything was answered ({said(code)}).")

    def decode(self, text: str, type: type[Message]) -> Message:
        try:
            return msgspec.json.decode(text, type=type)
        except (msgspec.MsgspecError, ValueError):
            pass
        # Outside of the handler: the error of the decoder may hold what was said.
        raise EngineLost(f"{self.name} sent a message that is not as its documentation says.")


def said(code: int | None) -> str:
    """Name a close code for people."""
    return f"close code {code}" if code else "without a close code"


def joined(pieces: Sequence[Heard], *, final: bool) -> Heard:
    """Make one of several pieces that follow each other; at least one."""
    words = tuple(word for piece in pieces for word in piece.words)
    return Heard(
        text=" ".join(piece.text for piece in pieces),
        start_secs=pieces[0].start_secs,
        end_secs=pieces[-1].end_secs,
        final=final,
        words=words,
        confidence=mean_confidence(words) if words else pieces[0].confidence,
    )


def mean_confidence(words: Sequence[Word]) -> float | None:
    """Average over words; None unless every one has a confidence."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if words and len(known) == len(words) else None
