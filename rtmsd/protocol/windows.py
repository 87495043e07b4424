"""How long Zoom waits for a lost connection, and therefore how long we try (protocol.md §7.1, §7.2, §7.8)."""

from __future__ import annotations

import msgspec

ANSWER_SECS = 10.0
"""For a connection to open, and again for the handshake to be answered; the SDK waits as long (§9.2)."""

SIGNALING_SECS = 60.0
"""Zoom waits so long for the first connection, and for signaling to come back (§7.1, §8)."""

MEDIA_SECS = 65.0
"""Zoom waits so long for a medium; older documents say 30 (§10 C9)."""

WORD_SECS = 90.0
"""So long after a loss Zoom may still say how the stream ended; then it ended for a reason unknown (§7.8)."""

REASON_SECS = 5.0
"""How long after Zoom turned us away its stop webhook may come and say why; it takes a second (§5.2)."""

LAST_TRY_SECS = 0.75
"""A last try is made so long before a window closes: enough for TLS and a handshake."""

AGAIN_SECS = 0.25
"""What fails after that is tried again so soon while the window is open: there is nothing to save up for."""

SIGNALING_WINDOWS = (SIGNALING_SECS,)
MEDIA_WINDOWS = (30.0, 60.0, MEDIA_SECS)
"""Plan for the shorter, tolerate the longer, and mind the minute for which audio is kept (§5.6.2): there is a try just
before each of them closes."""

RETRY_DELAYS_SECS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between the tries of one outage; the last goes on (§7.2)."""

_TOO_SHORT_SECS = 2.0


def next_try(now: float, delay: float, since: float, windows: tuple[float, ...]) -> float:
    """When to try again, `delay` from now or earlier: no window closes between the last try in it and the next."""
    for window in windows:
        closes = since + window
        last = closes - LAST_TRY_SECS
        if now < last < now + delay:
            return last
        if last <= now < closes - AGAIN_SECS:
            return now + min(delay, AGAIN_SECS)
    return now + delay


def answer_by(now: float, since: float, windows: tuple[float, ...]) -> float:
    """Until when to wait for an answer: a server that says nothing does not cost the last try in a window."""
    for window in windows:
        cut = since + window - 2 * LAST_TRY_SECS
        if now + _TOO_SHORT_SECS < cut < now + ANSWER_SECS:
            return cut
    return now + ANSWER_SECS


class Verdict(msgspec.Struct, frozen=True):
    """What is said of a stream at a time, unless its connections come back or Zoom says how it ended before."""

    at: float
    outcome: str
    status: int | None = None
    detail: str = ""


class Patience:
    """What a stream waits for while it is not joined: the media that are not yet accepted, signaling, Zoom's word."""

    def __init__(self) -> None:
        self.since: float | None = None
        """Since when the stream is not joined; None while it is."""
        self.settle_at: float | None = None
        """When it is joined without the media that are not accepted by then; None without signaling."""
        self.verdict: Verdict | None = None

    def left(self, now: float) -> None:
        """The stream is not joined, or not any more."""
        self.settle_at = None
        if self.since is None:
            self.since = now

    def anew(self, now: float) -> None:
        """Zoom announces the stream (again): it waits from now on."""
        self.since, self.settle_at, self.verdict = now, None, None

    def answered(self, now: float) -> None:
        """Signaling is accepted: the media are to follow."""
        self.settle_at = now + ANSWER_SECS

    def joined(self) -> None:
        self.since = self.verdict = None

    def judge(self, verdict: Verdict) -> None:
        """Say this, if nothing is to be said already."""
        self.verdict = self.verdict or verdict

    def closed(self, now: float) -> bool:
        """Whether Zoom's window has closed, and nothing is to be said yet."""
        return self.since is not None and self.verdict is None and now >= self.since + SIGNALING_SECS

    def word_by(self, now: float) -> float:
        """Until when Zoom may say how the stream ended."""
        return (now if self.since is None else self.since) + WORD_SECS

    def next(self, now: float) -> float | None:
        """When something is due here."""
        times = [self.verdict.at] if self.verdict else []
        if self.since is not None and not self.verdict:
            times.append(self.since + SIGNALING_SECS)
        if self.settle_at is not None and self.settle_at > now and self.since is not None:
            times.append(self.settle_at)
        return min(times, default=None)
