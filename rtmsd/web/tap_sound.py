"""One participant's samples in a row, as somebody gets them who listens now: each where the meeting's clock says."""

from __future__ import annotations

from collections.abc import Sequence

from rtmsd.frames import AudioFormat, AudioFrame, Event, Item, StreamEnd

TOLERANCE_MS = 10
"""A packet so near to where the last one ended follows it: the rule of recordings."""

LATE_SECS = 1.5
"""So much later a packet may still come, since busy sockets are read in bunches; silence is made after that."""

FAR_MS = 120_000
"""No packet of a stream that lives is so far from the others: its timestamp is wrong."""

_HEARD_ON = ("signaling", "audio")
"""Without one of these sockets nobody can be heard, and what is said comes later."""


class FormatChangedError(Exception):
    """The samples that come now are of another kind than those before them."""


class MediaNow:
    """Tells how far the meeting's clock has come, by the last packet of anyone and the time since then.

    So it goes back while Zoom replays what was said during an outage, and stands still during one: what came late would
    otherwise find silence in its place.
    """

    def __init__(self) -> None:
        self._end_ms = 0.0
        self._at = 0.0
        self._heard = False
        self._away = False
        self._not_before = 0.0

    def believes(self, frame: AudioFrame, now: float) -> bool:
        """Note a packet; False for one whose timestamp cannot be right."""
        if self._heard and abs(frame.timestamp_ms - self._ms(now)) > FAR_MS:
            return False
        self._end_ms, self._at, self._heard = frame.timestamp_ms + frame.duration_ms, now, True
        return True

    def note(self, event: Event, now: float) -> None:
        """Note whether the stream is connected."""
        if event.details.get("socket") in _HEARD_ON:
            if event.name == "socket_lost":
                self._away = True
            elif event.name == "socket_reopened":
                self._away, self._not_before = False, now + LATE_SECS

    def settled_ms(self, now: float) -> float:
        """Say until when everything that was said has come."""
        if self._away or now < self._not_before or not self._heard:
            return 0.0
        return self._ms(now) - LATE_SECS * 1000

    def _ms(self, now: float) -> float:
        return self._end_ms + (now - self._at) * 1000


class Sound:
    """Makes one row of samples of what comes of a participant. `left_out` counts packets that have no place in it.

    Where nothing was said there is silence, made as time goes on: who waits for the end of a sentence learns of it. What
    comes twice, or too late, is cut. Sample 0 is that of `zero_ms`.
    """

    def __init__(self, form: AudioFormat, user_id: int, zero_ms: int) -> None:
        self.zero_ms = zero_ms
        self.left_out = 0
        self._form = form
        self._width = 2 * form.channels
        self._user_id = user_id
        self._written = 0  # in samples of all channels, as every place here
        self._now = MediaNow()

    def of(self, items: Sequence[Item], now: float) -> bytes:
        """Give the samples that are next. Raises FormatChangedError."""
        parts: list[bytes] = []
        for item in items:
            if isinstance(item, AudioFrame):
                parts.extend(self._place(item, now))
            elif isinstance(item, Event):
                self._now.note(item, now)
            elif isinstance(item, StreamEnd) and item.timestamp_ms - self._end_ms < FAR_MS:
                parts.append(self._silence(self._at(item.timestamp_ms)))
        parts.append(self._silence(self._at(self._now.settled_ms(now))))
        return b"".join(parts)

    def last(self) -> bytes:
        """Samples end where they end."""
        return b""

    @property
    def _end_ms(self) -> float:
        return self.zero_ms + self._written * 1000 / self._form.rate

    def _at(self, ms: float) -> int:
        return round((ms - self.zero_ms) * self._form.rate / 1000)

    def _silence(self, until: int) -> bytes:
        missing = max(0, until - self._written)
        self._written += missing
        return bytes(missing * self._width)

    def _place(self, frame: AudioFrame, now: float) -> Sequence[bytes]:
        if not self._now.believes(frame, now):
            self.left_out += 1
            return ()
        if frame.user_id != self._user_id:
            return ()
        if frame.format != self._form:
            raise FormatChangedError
        at = self._at(frame.timestamp_ms)
        if abs(at - self._written) <= TOLERANCE_MS * self._form.rate // 1000:
            at = self._written
        silence = self._silence(at)
        whole = len(frame.data) // self._width * self._width
        data = frame.data[(self._written - at) * self._width : whole]
        self.left_out += not data
        self._written += len(data) // self._width
        return silence, data
