"""One connection that should be there: its phases and its patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto

from rtmsd.protocol.actions import Socket

ANSWER_SECS = 10.0
"""For a connection to open, and again for the handshake to be answered; the SDK waits as long (§9.2)."""

SILENCE_SECS = 65.0
"""Without a message for so long a socket is dead: keep-alives come every 10 s (§5.4, §10 C10)."""

CLOSED_HOLD_SECS = 2.0
"""After a Close frame Zoom may still say why, by webhook or on the other socket (§7.3)."""

LINGER_SECS = 0.4
"""What a media socket has brought may still be unread when signaling ends: sockets have no order among each other (§7.7)."""

STATUS_DELAYS = (1.5, 3.0, 6.0)
"""Between tries while the server still holds an old socket of ours (§6.4)."""


class Phase(Enum):
    IDLE = auto()
    OPENING = auto()
    GREETING = auto()  # the handshake is sent and not yet answered
    LIVE = auto()
    LINGERING = auto()  # not wanted any more, but what has come is still read
    WAITING = auto()  # for the next try
    REFUSED = auto()  # for good


class Link:
    """The state of one kind of socket in one stream. It holds times and counts; the machine decides."""

    def __init__(self, kind: str, backoff: Callable[[], Iterator[float]]) -> None:
        self.kind = kind
        self.phase = Phase.IDLE
        self.connected = False  # whether there is a socket, or one on its way
        self.url = ""
        self.number = 0
        self.deadline: float | None = None
        self.heard = 0.0
        self.refusals = 0  # Close frames where an answer was due
        self.status_tries = 0
        self.ever_live = False  # then its credentials are good: what fails is the network, or the server
        self._backoff = backoff
        self._delays: Iterator[float] | None = None

    @property
    def socket(self) -> Socket:
        return Socket(self.kind, self.number)

    @property
    def settled(self) -> bool:
        return self.phase in (Phase.LIVE, Phase.REFUSED)

    def opening(self, number: int, now: float) -> None:
        self.phase, self.number, self.deadline = Phase.OPENING, number, now + ANSWER_SECS
        self.connected = True

    def greeting(self, now: float) -> None:
        self.phase, self.heard, self.deadline = Phase.GREETING, now, now + ANSWER_SECS

    def live(self, now: float) -> None:
        self.phase, self.heard, self.deadline = Phase.LIVE, now, now + SILENCE_SECS
        self.ever_live = True
        self.forgive()

    def forgive(self) -> None:
        """Begin anew with counting what went wrong."""
        self.refusals = self.status_tries = 0
        self._delays = None

    def wait(self, now: float, secs: float | None = None) -> None:
        """Try again after `secs`, or after the next back-off delay."""
        if secs is None:
            if self._delays is None:
                self._delays = self._backoff()
            secs = next(self._delays)
        self.phase, self.deadline = Phase.WAITING, now + secs
        self.connected = False

    def linger(self, now: float) -> None:
        """Read on for a moment, then let go."""
        self.phase, self.deadline = Phase.LINGERING, now + LINGER_SECS

    def rest(self, phase: Phase = Phase.IDLE) -> None:
        self.phase, self.deadline = phase, None
        self.connected = False
