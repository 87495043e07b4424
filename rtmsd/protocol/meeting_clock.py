"""What time it is in the meeting, as far as the timestamps of what comes tell."""

from __future__ import annotations

WINDOW_SECS = 60.0
"""The quickest message of this minute and the one before counts: a server may be replaced by one with another clock."""

_MAX_SKEW_MS = 600_000
"""A packet from further in the future than this says nothing about the meeting's time."""

_AHEAD_MS = 5_000
"""Packets that are further ahead of our clock, and of what is known, must come for a while before they are believed."""

BELIEVED_SECS = 3.0
"""So long; with nothing else in between."""

_LATEST_AUDIO_MS = 3000
"""Audio that is later than other messages by more than this was kept for us: it does not tell what time it is."""

_UNKNOWN = float("inf")


class MeetingClock:
    """Learns how far the meeting's time is behind ours: as far as the quickest message, since all others travelled longer.

    `now` is monotonic seconds; `wall_offset` is what to add for Unix seconds.
    """

    def __init__(self, *, wall_offset: float) -> None:
        self._wall_offset = wall_offset
        self._audio = _Lag()
        self._other = _Lag()
        self._ahead_since: float | None = None

    def arrived(self, timestamp_ms: int, now: float) -> None:
        """Learn from a packet of audio."""
        self._learn(self._audio, timestamp_ms, now)

    def told(self, timestamp_ms: int, now: float) -> None:
        """Learn the same from a message that is sent at once, unlike audio that Zoom kept for us."""
        self._learn(self._other, timestamp_ms, now)

    def media_ms(self, now: float) -> int:
        """What time it is in the meeting, in Unix milliseconds; ours while nothing is known."""
        lag = self._lag_ms(now)
        return int((now + self._wall_offset) * 1000 - (0 if lag == _UNKNOWN else lag))

    def _lag_ms(self, now: float) -> float:
        audio, other = self._audio, self._other
        if audio.ms == _UNKNOWN:
            return other.ms
        told_lately = now - other.heard <= 2 * WINDOW_SECS
        return other.ms if told_lately and audio.ms > other.ms + _LATEST_AUDIO_MS else audio.ms

    def _learn(self, which: _Lag, timestamp_ms: int, now: float) -> None:
        lag = (now + self._wall_offset) * 1000 - timestamp_ms
        if lag <= -_MAX_SKEW_MS:
            return
        if self._believed(lag, now):
            which.learn(lag, now)

    def _believed(self, lag: float, now: float) -> bool:
        """One wrong timestamp must not move everything that is measured by this clock for two minutes."""
        known = self._lag_ms(now)
        if known == _UNKNOWN or lag >= min(known, 0.0) - _AHEAD_MS:
            self._ahead_since = None
            return True
        if self._ahead_since is None:
            self._ahead_since = now
        return now - self._ahead_since >= BELIEVED_SECS


class _Lag:
    """How late the quickest message of this minute and the one before was, in milliseconds. Minutes without any do not
    count."""

    __slots__ = ("_before", "_recent", "_until", "heard", "ms")

    def __init__(self) -> None:
        self.ms = self._recent = self._before = _UNKNOWN
        self.heard = -_UNKNOWN
        self._until = -_UNKNOWN

    def learn(self, lag: float, now: float) -> None:
        if now >= self._until:
            self._before, self._recent, self._until = self._recent, _UNKNOWN, now + WINDOW_SECS
        self.heard = now
        self._recent = min(self._recent, lag)
        self.ms = min(self._before, self._recent)
