"""What of a stream's media could not be received, in the meeting's own time.

A medium is absent from the stream's start until it is accepted, and from the moment its socket is lost until it is
accepted again. Zoom may then replay the audio it kept meanwhile (protocol.md §5.6.2, §7.7): only what does not come
back is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from rtmsd.frames import Gap, MediaKind
from rtmsd.protocol.meeting_clock import MeetingClock

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

_ODD_MS = 60_000
"""What is said to have been so long before the stream's start, or so far in the future, was not then."""

_CRASH_MS = 7000
"""A daemon that dies noted its last contact up to 5 s before, and had up to 1 s unread; with the slack before that."""

NOTICED_MS = 2500
"""So much of what came last may be unread when a connection is reset, and is lost then: a bunch of two half seconds and the
longest packet. Somebody who spoke until then was not heard since their last packet."""

_PACKET_MS = 1000
"""The longest packet: where the buffer begins in the middle of one, that one is lost."""

NOT_DELIVERED, SOCKET_DOWN, DAEMON_RESTART = "not_delivered", "socket_down", "daemon_restart"


class _Absence(msgspec.Struct):
    from_ms: int
    cause: str
    noticed_ms: int = 0  # when it was later than from_ms
    awaited: bool = True
    unheard: bool = False  # what Zoom sent last may be lost for Zoom as well
    first: bool = True  # this is still the connection that was lost first
    regained_ms: int | None = None
    regained_at: float = 0.0
    judge_at: float = 0.0  # only once regained


class Coverage:
    """Keeps, for one stream, the meeting's time and the absences of each medium.

    `now` is monotonic seconds; `wall_offset` is what to add for Unix seconds. `resumed_ms`: a daemon before this one
    was connected until then; `crashed`: it had no time to read what had come, nor to note until when it was connected.
    `audio_until` tells where the newest audio ends.
    """

    def __init__(
        self,
        *,
        kinds: Iterable[MediaKind],
        started_ms: int,
        wall_offset: float,
        resumed_ms: int | None = None,
        crashed: bool = False,
        audio_until: Callable[[], int] = lambda: 0,
    ) -> None:
        self._audio_until = audio_until
        self._started_ms = started_ms
        self._clock = MeetingClock(wall_offset=wall_offset)
        # As if they were ours: the way of every 16th frame.
        self.arrived, self.told, self.media_ms = self._clock.arrived, self._clock.told, self._clock.media_ms
        if resumed_ms is None:
            since, cause = started_ms, NOT_DELIVERED
        else:
            # Earlier rather than later: what was received is no gap, whatever is said here.
            since, cause = max(started_ms, resumed_ms - _RESUME_SLACK_MS), DAEMON_RESTART
        self._absences = {kind: _Absence(since, cause, unheard=crashed) for kind in kinds}
        self.judging = False
        """Whether some medium is back and it is not yet known what is replayed: then show every frame to `frame`."""

    def believed_ms(self, said_ms: int, now: float) -> int:
        """Return the time that Zoom gives for something, or the present one if it cannot have been then."""
        now_ms = self.media_ms(now)
        return said_ms if self._started_ms - _ODD_MS <= said_ms <= now_ms + _ODD_MS else now_ms

    @property
    def absent(self) -> bool:
        """Whether something that was there is not, or it is not yet known what was missed of it."""
        return any(one.cause != NOT_DELIVERED and one.awaited for one in self._absences.values())

    def lost(self, kind: MediaKind, now: float, *, heard: float | None = None) -> None:
        """The socket of a medium that was live is gone. `heard`: it had been dead since then, and nobody noticed; what
        Zoom sent since may be lost for Zoom as well."""
        absence = self._absences.get(kind)
        if absence is None:
            since_ms = self.media_ms(now if heard is None else heard)
            noticed_ms = since_ms
            if kind is MediaKind.AUDIO and since_ms - NOTICED_MS <= (until_ms := self._audio_until()):
                since_ms = min(since_ms, until_ms)
            self._absences[kind] = _Absence(since_ms, SOCKET_DOWN, noticed_ms, unheard=heard is not None)
        else:  # gone again before it was known what was replayed
            absence.regained_ms, absence.first = None, False
            absence.unheard = absence.unheard or heard is not None
        self._update_judging()

    def opening(self, kind: MediaKind) -> None:
        """A medium is opened again: the connection that was lost is no more."""
        if absence := self._absences.get(kind):
            absence.first = False

    def heard_still(self, kind: MediaKind, heard: float) -> None:
        """A medium that seemed dead has brought something after all, while it was let go of."""
        absence = self._absences.get(kind)
        if absence is not None and absence.first and absence.unheard:
            absence.from_ms = max(absence.from_ms, self.media_ms(heard))

    def forgo(self, kind: MediaKind) -> None:
        """A medium is done without; it may come back all the same."""
        if absence := self._absences.get(kind):
            absence.awaited = False

    def live(self, kind: MediaKind, now: float) -> list[Gap]:
        """A medium is accepted, for the first time or again."""
        absence = self._absences.get(kind)
        if absence is None:
            return []
        absence.awaited = True
        absence.regained_ms = regained_ms = self.media_ms(now)
        if absence.cause == NOT_DELIVERED:
            kept = BUFFER_MS if kind is MediaKind.AUDIO else JOIN_MS
            missed_until = regained_ms - kept if kind is MediaKind.AUDIO else regained_ms
            return self._close(
                kind, missed_until if regained_ms - absence.from_ms > kept else absence.from_ms
            )
        if kind is not MediaKind.AUDIO:  # only audio is kept for us
            return self._close(kind, regained_ms)
        absence.regained_at, absence.judge_at = now, now + REPLAY_SECS
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
        outage = absence.regained_ms - max(absence.from_ms, absence.noticed_ms)
        lateness = min(outage // 2, max(500, min(outage // 4, 2000)))
        if timestamp_ms >= absence.regained_ms - lateness:
            return self._close(kind, absence.regained_ms)
        # Replayed. What lies before the first packet was silence, as long as the buffer reaches back so far.
        covered_from = min(timestamp_ms, absence.regained_ms)
        if outage <= BUFFER_MS and not absence.unheard:
            reach_ms = absence.regained_ms - BUFFER_MS
            # Sent before the break was noticed, and too long ago to be kept.
            beyond = absence.from_ms < reach_ms
            covered_from = min(covered_from, reach_ms + _PACKET_MS) if beyond else absence.from_ms
        elif outage <= BUFFER_MS and absence.cause == DAEMON_RESTART:
            covered_from = min(covered_from, absence.from_ms + _CRASH_MS)
        return self._close(kind, covered_from)

    def settle(self, now: float, signaling_heard: float) -> list[Gap]:
        """Give up waiting for replays that would have begun by now.

        A medium for which signaling may never have brought our acknowledgement does not flow: then wait on.
        """
        for one in self._absences.values():
            if one.judge_at <= now and one.regained_at > signaling_heard:
                one.judge_at = now + REPLAY_SECS
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

    def end(self, end_ms: int, *, by_zoom: bool, signaling_heard: float) -> list[Gap]:
        """The stream is over: what is still absent never came, unless Zoom was just closing everything."""
        gaps = []
        for kind, one in sorted(self._absences.items()):
            to_ms = end_ms
            if one.regained_ms is not None and one.regained_at <= signaling_heard:
                to_ms = one.regained_ms
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
