"""How long Zoom waits for a client, and with which reason it stops the stream when that was too long (protocol.md §7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtmsd.protocol.codes import MediaDataType, StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.admission import Timings
from rtmsd.simulator.behaviour import Behaviour

_REASONS = {
    "timeout": (StopReason.AWAIT_RECONNECTION_TIMEOUT, StopReason.AWAIT_RECONNECTION_TIMEOUT),
    "interrupted": (StopReason.SIGNAL_CONNECTION_INTERRUPTED, StopReason.DATA_CONNECTION_INTERRUPTED),
    "closed": (
        StopReason.SIGNAL_CONNECTION_CLOSED_ABNORMALLY,
        StopReason.DATA_CONNECTION_CLOSED_ABNORMALLY,
    ),
}
"""With which reasons the windows of signaling and of media end, by the behaviour's `window_reason`."""


@dataclass(frozen=True)
class _Deadline:
    at: float
    reason: StopReason


class Patience:
    """The deadlines of one stream: first for anybody to connect, then one for each connection that was lost."""

    def __init__(self, timings: Timings, behaviour: Behaviour, clock: Clock) -> None:
        self._timings = timings
        self._signaling_reason, self._media_reason = _REASONS[behaviour.window_reason]
        self._clock = clock
        self._media: dict[MediaDataType, _Deadline] = {}
        self._signaling: _Deadline | None = self._in(timings.connect_secs, StopReason.CONNECTION_TIMEOUT)

    def signaling_came(self) -> None:
        self._signaling = None

    def signaling_lost(self, reason: StopReason | None = None) -> None:
        """Wait for both kinds of socket; `reason` if it is other than that of a window that passed."""
        self._signaling = self._in(self._timings.signaling_window_secs, reason or self._signaling_reason)
        self._media.clear()

    def refused(self) -> None:
        """Somebody came with wrong credentials."""
        self._signaling = self._in(self._timings.refusal_secs, StopReason.AUTHENTICATION_FAILURE)

    def media_came(self, kinds: Iterable[MediaDataType]) -> None:
        for kind in kinds:
            self._media.pop(kind, None)

    def media_lost(self, kinds: Iterable[MediaDataType], reason: StopReason | None = None) -> None:
        for kind in kinds:
            self._media[kind] = self._in(self._timings.media_window_secs, reason or self._media_reason)

    @property
    def misses_media(self) -> bool:
        return bool(self._media)

    def overdue(self, now: float) -> StopReason | None:
        """Give the reason of what has been waited for too long."""
        for deadline in [self._signaling, *self._media.values()]:
            if deadline is not None and now >= deadline.at:
                return deadline.reason
        return None

    def _in(self, seconds: float, reason: StopReason) -> _Deadline:
        return _Deadline(self._clock.monotonic() + seconds, reason)
