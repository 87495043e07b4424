"""What of a stream's media could not be received, in the meeting's own time.

A medium is absent from the stream's start until it is accepted, and from the moment its socket is lost until it is
accepted again. Zoom may then replay the audio it kept meanwhile (protocol.md §5.6.2, §7.7): only what does not come
back is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rtmsd.frames import Gap, MediaKind

REPLAY_SECS = 2.0
"""Buffered audio comes at once after a reconnect: by then its first packet is here, or none will come."""

BUFFER_MS = 60_000
"""How much audio Zoom keeps for a receiver that is away (§5.6.2)."""

JOIN_MS = 10_000
"""So long after its start a stream can still be joined without having missed a phrase worth the name: a transcript
comes when its sentence is over, up to 2 s later (§5.6)."""

CLOSING_MS = 2_000
"""Zoom closes the sockets of a stream that ends in any order, within such a time."""

_RESUME_SLACK_MS = 1000
"""Our clock may be that far ahead of the meeting's."""

_MAX_SKEW_MS = 600_000
"""A packet from further in the future than this says nothing about the meeting's time."""

NOT_DELIVERED, SOCKET_DOWN, DAEMON_RESTART = "not_delivered", "socket_down", "daemon_restart"


class _Absence(msgspec.Struct):
    from_ms: int
    cause: str
    regained_ms: int | None = None
    judge_at: float = 0.0  # only once regained


class Coverage:
    """Keeps, for one stream, the meeting's time and the absences of each medium.

    `now` is monotonic seconds; `wall_offset` is what to add for Unix seconds. `resumed_ms`: a daemon before this one
    was connected until then.
    """

    def __init__(
        self,
        *,
        kinds: Iterable[MediaKind],
        started_ms: int,
        wall_offset: float,
        resumed_ms: int | None = None,
    ) -> None:
        self._wall_offset = wall_offset
        if resumed_ms is None:
            since, cause = started_ms, NOT_DELIVERED
        else:
            # Earlier rather than later: what was received is no gap, whatever is said here.
            since, cause = max(started_ms, resumed_ms - _RESUME_SLACK_MS), DAEMON_RESTART
        self._absences = {kind: _Absence(since, cause) for kind in kinds}
        self._lag_ms = float("inf")
        self.judging = False
        """Whether some medium is back and it is not yet known what is replayed: then show every frame to `frame`."""

    def arrived(self, timestamp_ms: int, now: float) -> None:
        """Learn how far the meeting's time is behind ours: as far as the quickest packet."""
        lag = (now + self._wall_offset) * 1000 - timestamp_ms
        if -_MAX_SKEW_MS < lag < self._lag_ms:
            self._lag_ms = lag

    def media_ms(self, now: float) -> int:
        """What time it is in the meeting, as far as we know."""
        wall_ms = (now + self._wall_offset) * 1000
        return int(wall_ms - self._lag_ms) if self._lag_ms != float("inf") else int(wall_ms)

    @property
    def absent(self) -> bool:
        """Whether something that was there is not, or it is not yet known what was missed of it."""
        return any(one.cause != NOT_DELIVERED for one in self._absences.values())

    def lost(self, kind: MediaKind, now: float) -> None:
        """The socket of a medium that was live is gone."""
        absence = self._absences.get(kind)
        if absence is None:
            self._absences[kind] = _Absence(self.media_ms(now), SOCKET_DOWN)
        else:  # gone again before it was known what was replayed
            absence.regained_ms = None
        self._update_judging()

    def live(self, kind: MediaKind, now: float) -> list[Gap]:
        """A medium is accepted, for the first time or again."""
        absence = self._absences.get(kind)
        if absence is None:
            return []
        absence.regained_ms = regained_ms = self.media_ms(now)
        if absence.cause == NOT_DELIVERED:
            kept = BUFFER_MS if kind is MediaKind.AUDIO else JOIN_MS
            missed_until = regained_ms - kept if kind is MediaKind.AUDIO else regained_ms
            return self._close(
                kind, missed_until if regained_ms - absence.from_ms > kept else absence.from_ms
            )
        if kind is not MediaKind.AUDIO:  # only audio is kept for us
            return self._close(kind, regained_ms)
        absence.judge_at = now + REPLAY_SECS
        self._update_judging()
        return []

    def frame(self, kind: MediaKind, timestamp_ms: int) -> list[Gap]:
        """The first frame after a reconnect shows whether Zoom replays what we missed, and from where.

        A packet travels, and its timestamp is that of its first sample: to be a replay it must reach back further
        than lateness explains.
        """
        absence = self._absences.get(kind)
        if absence is None or absence.regained_ms is None:
            return []
        outage = absence.regained_ms - absence.from_ms
        lateness = min(outage // 2, max(500, min(outage // 4, 2000)))
        if timestamp_ms >= absence.regained_ms - lateness:
            return self._close(kind, absence.regained_ms)
        # Replayed. What lies before the first packet was silence, as long as the buffer reaches back so far.
        covered_from = absence.from_ms if outage <= BUFFER_MS else min(timestamp_ms, absence.regained_ms)
        return self._close(kind, covered_from)

    def settle(self, now: float) -> list[Gap]:
        """Give up waiting for replays that would have begun by now."""
        due = [
            (kind, one.regained_ms)
            for kind, one in self._absences.items()
            if one.regained_ms is not None and one.judge_at <= now
        ]
        return [gap for kind, regained_ms in due for gap in self._close(kind, regained_ms)]

    def next_settle(self) -> float | None:
        return min(
            (one.judge_at for one in self._absences.values() if one.regained_ms is not None), default=None
        )

    def end(self, end_ms: int, *, by_zoom: bool) -> list[Gap]:
        """The stream is over: what is still absent never came, unless Zoom was just closing everything."""
        gaps = []
        for kind, one in sorted(self._absences.items()):
            to_ms = one.regained_ms if one.regained_ms is not None else end_ms
            if by_zoom and one.cause == SOCKET_DOWN and to_ms - one.from_ms <= CLOSING_MS:
                to_ms = one.from_ms
            gaps += self._close(kind, to_ms)
        return gaps

    def _close(self, kind: MediaKind, to_ms: int) -> list[Gap]:
        absence = self._absences.pop(kind)
        self._update_judging()
        return [Gap(absence.cause, absence.from_ms, to_ms, kind)] if to_ms > absence.from_ms else []

    def _update_judging(self) -> None:
        self.judging = any(one.regained_ms is not None for one in self._absences.values())
