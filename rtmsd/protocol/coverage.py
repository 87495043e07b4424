"""What of a stream's media could not be received, in the meeting's own time.

A medium is absent from the moment its socket is lost until it is accepted again. Zoom may then replay the audio it
kept meanwhile (protocol.md §5.6.2, §7.7): only what does not come back is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rtmsd.frames import Gap, MediaKind

REPLAY_SECS = 2.0
"""Buffered audio comes at once after a reconnect: by then its first packet is here, or none will come."""

BUFFER_MS = 60_000
"""How much audio Zoom keeps for a receiver that is away (§5.6.2)."""

_SLACK_MS = 500
"""A packet's timestamp is that of its first sample, and it travels: such a lateness is not yet a replay."""

_RESUME_SLACK_MS = 1000
"""Our clock may be that far ahead of the meeting's."""


class _Absence(msgspec.Struct):
    from_ms: int
    cause: str = "socket_down"
    regained_ms: int | None = None
    judge_at: float = 0.0  # only once regained


class Coverage:
    """Keeps, for one stream, the meeting's time and the absences of each medium.

    `now` is monotonic seconds; `wall_offset` is what to add for Unix seconds.
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
        self._started_ms = started_ms
        self._never_live = set(kinds) if resumed_ms is None else set()
        self._absences: dict[MediaKind, _Absence] = {}
        if resumed_ms is not None:
            # Earlier rather than later: what was received is no gap, whatever is said here.
            since = max(started_ms, resumed_ms - _RESUME_SLACK_MS)
            self._absences = {kind: _Absence(since, "daemon_restart") for kind in kinds}
        self._lag_ms = float("inf")
        self.judging = False
        """Whether some medium is back and it is not yet known what is replayed: then show every frame to `frame`."""

    def arrived(self, timestamp_ms: int, now: float) -> None:
        """Learn how far the meeting's time is behind ours: as far as the quickest packet."""
        lag = (now + self._wall_offset) * 1000 - timestamp_ms
        if lag < self._lag_ms:
            self._lag_ms = lag

    def media_ms(self, now: float) -> int:
        """What time it is in the meeting, as far as we know."""
        wall_ms = (now + self._wall_offset) * 1000
        return int(wall_ms - self._lag_ms) if self._lag_ms != float("inf") else int(wall_ms)

    @property
    def absent(self) -> bool:
        return bool(self._absences)

    def lost(self, kind: MediaKind, now: float) -> None:
        """The socket of a medium that was live is gone."""
        absence = self._absences.get(kind)
        if absence is None:
            self._absences[kind] = _Absence(self.media_ms(now))
        else:  # gone again before it was known what was replayed
            absence.regained_ms = None
        self._update_judging()

    def live(self, kind: MediaKind, now: float) -> list[Gap]:
        """A medium is accepted, for the first time or again."""
        self._never_live.discard(kind)
        absence = self._absences.get(kind)
        if absence is None:
            return []
        absence.regained_ms = self.media_ms(now)
        if kind is not MediaKind.AUDIO:  # only audio is kept for us
            return self._close(kind, absence.regained_ms)
        absence.judge_at = now + REPLAY_SECS
        self._update_judging()
        return []

    def frame(self, kind: MediaKind, timestamp_ms: int) -> list[Gap]:
        """The first frame after a reconnect shows whether Zoom replays what we missed, and from where."""
        absence = self._absences.get(kind)
        if absence is None or absence.regained_ms is None:
            return []
        outage = absence.regained_ms - absence.from_ms
        if timestamp_ms >= absence.regained_ms - min(_SLACK_MS, outage // 2):
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

    def end(self, end_ms: int) -> list[Gap]:
        """The stream is over: what is still absent never came."""
        gaps = []
        for kind, one in list(self._absences.items()):
            gaps += self._close(kind, one.regained_ms if one.regained_ms is not None else end_ms)
        for kind in sorted(self._never_live):
            if end_ms > self._started_ms:
                gaps.append(Gap("not_delivered", self._started_ms, end_ms, kind))
        return gaps

    def _close(self, kind: MediaKind, to_ms: int) -> list[Gap]:
        absence = self._absences.pop(kind)
        self._update_judging()
        return [Gap(absence.cause, absence.from_ms, to_ms, kind)] if to_ms > absence.from_ms else []

    def _update_judging(self) -> None:
        self.judging = any(one.regained_ms is not None for one in self._absences.values())
