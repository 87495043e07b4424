"""One connection that should be there: its phases and its patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto

from rtmsd.protocol.actions import Socket
from rtmsd.protocol.windows import answer_by, next_try

SILENCE_SECS = 65.0
"""Without a message for so long a socket is dead: keep-alives come every 10 s (§5.4, §10 C10)."""

CLOSED_HOLD_SECS = 2.0
"""After a Close frame Zoom may still say why, by webhook or on the other socket (§7.3)."""

LINGER_SECS = 1.1
"""What a media socket has brought may still be unread when signaling ends: sockets have no order among each other (§7.7)."""

STEADY_SECS = 5.0
"""A connection that lasted so long was a good one: after it the back-off begins anew. One that is accepted and lost again
and again must not be made twice a second."""

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
    """The state of one kind of socket in one stream. It holds times and counts; the machine decides.

    `windows`: how long Zoom waits for it, in seconds, the shortest first.
    """

    def __init__(self, kind: str, backoff: Callable[[], Iterator[float]], windows: tuple[float, ...]) -> None:
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
        self.since: float | None = None  # since when it is missing
        self._windows = windows
        self._live_at: float | None = None
        self._hastened = False  # in this outage Zoom's word was heeded at once already
        self._backoff = backoff
        self._delays: Iterator[float] | None = None

    @property
    def socket(self) -> Socket:
        return Socket(self.kind, self.number)

    @property
    def settled(self) -> bool:
        return self.phase in (Phase.LIVE, Phase.REFUSED)

    @property
    def closes_at(self) -> float | None:
        """When Zoom does not wait for it any more; None while it is there."""
        return None if self.since is None else self.since + self._windows[-1]

    def missed(self, now: float) -> None:
        """It is to be there from now on, or is there no more."""
        if self.since is None:
            self.since = now

    def opening(self, number: int, now: float) -> None:
        self.missed(now)
        self.phase, self.number = Phase.OPENING, number
        self.deadline = self._answer_by(now)
        self.connected = True

    def greeting(self, now: float) -> None:
        self.phase, self.heard, self.deadline = Phase.GREETING, now, self._answer_by(now)

    def live(self, now: float) -> None:
        self.phase, self.heard, self.deadline = Phase.LIVE, now, now + SILENCE_SECS
        self.ever_live = True
        self.refusals = self.status_tries = 0
        self._live_at = now

    def forgive(self) -> None:
        """Begin anew with counting what went wrong."""
        self.refusals = self.status_tries = 0
        self.since = self._delays = None
        self._hastened = False

    def wanted_again(self, now: float) -> None:
        """It was done without, and Zoom waits for it from now on."""
        self.refusals = self.status_tries = 0
        self.since = None
        self.wait(now)

    def hasten(self, now: float) -> None:
        """Zoom says that it waits: try at once. But once in an outage: it says so after each connection that does not last."""
        if not self._hastened:
            self._hastened = True
            self.wait(now, 0.0)

    def wait(self, now: float, secs: float | None = None, *, hold: float = 0.0) -> None:
        """Try again after `secs`, or after the next back-off delay, which `hold` may lengthen; not after Zoom's window."""
        if self.lasted(now):
            self._delays, self._hastened = None, False
        self._live_at = None
        if secs is None:
            if self._delays is None:
                self._delays = self._backoff()
            secs = max(hold, next(self._delays))
        self.missed(now)
        assert self.since is not None
        at = next_try(now, secs, self.since, self._windows)
        self.phase, self.deadline = Phase.WAITING, min(at, max(now, self.since + self._windows[-1]))
        self.connected = False

    def lasted(self, now: float) -> bool:
        """Whether the connection that is lost now was a good one."""
        return self._live_at is not None and now - self._live_at >= STEADY_SECS

    def linger(self, now: float) -> None:
        """Read on for a moment, then let go."""
        self.phase, self.deadline = Phase.LINGERING, now + LINGER_SECS

    def rest(self, phase: Phase = Phase.IDLE) -> None:
        self.phase, self.deadline = phase, None
        self.connected = False

    def _answer_by(self, now: float) -> float:
        assert self.since is not None
        return answer_by(now, self.since, self._windows)
