"""One participant's samples in a row, as somebody gets them who listens now: each where the meeting's clock says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rtmsd.frames import AudioFormat, AudioFrame, Event, Item, StreamEnd

TOLERANCE_MS = 10
"""A packet so near to where the last one ended follows it: the rule of recordings."""

LATE_SECS = 1.5
"""So much later a packet may still come, since busy sockets are read in bunches; silence is made after that."""

NEAR_MS = 5_000
"""A packet farther away than this from where the meeting's clock may be is believed when the next one agrees."""

FAR_MS = 120_000
"""Zoom replays no more than half of it: who is farther away has another clock."""

_HEARD_ON = ("signaling", "audio")
"""Without one of these sockets nobody can be heard, and what is said comes later."""


class BrokenOffError(Exception):
    """Nothing more comes, and the stream has not ended."""


class FormatChangedError(Exception):
    """The samples that come now are of another kind than those before them."""


class MediaNow:
    """Tells how far the meeting's clock has come, by the last packet of anyone and the time since then.

    So it goes back while Zoom replays what was said during an outage, and stands still during one: what came late would
    otherwise find silence in its place. `left_out` counts packets whose timestamps cannot be right. `step_ms` says by how
    much the clock was set since it was first looked at.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self.step_ms = 0.0
        self._end_ms = 0.0
        self._at = 0.0
        self._heard = False
        self._vouched = False  # for the first packet, by another one
        self._suspect: AudioFrame | None = None
        self._leap_ms = 0.0  # of the suspect, when it came
        self._away = False
        self._not_before = 0.0

    def believed(self, frame: AudioFrame, now: float) -> Sequence[AudioFrame]:
        """Note a packet; give what can be placed: it, none while it is doubted, or with it the one that was."""
        suspect, self._suspect = self._suspect, None
        stamp = frame.timestamp_ms
        if not self._heard or self._end_ms - NEAR_MS <= stamp <= self._ms(now) + NEAR_MS:
            self.left_out += suspect is not None
            self._vouched = self._heard
            self._heard = True
            believed = [frame]
        elif suspect is not None and abs(stamp - suspect.timestamp_ms) <= NEAR_MS:
            if abs(self._leap_ms) > FAR_MS or not self._vouched:
                # Else there were hours of silence, or all came too late for ever.
                self.step_ms += self._leap_ms
            self._vouched = True
            believed = [suspect, frame]
        else:
            self.left_out += suspect is not None
            expected = max(self._end_ms, self._ms(now) - frame.duration_ms)
            self._suspect, self._leap_ms = frame, stamp - expected
            return ()
        self._end_ms, self._at = stamp + frame.duration_ms, now
        return believed

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
    comes twice, or too late, is cut. Sample 0 is that of `zero_ms`. When the meeting's clock is set by minutes, the row goes on.
    """

    def __init__(self, form: AudioFormat, user_id: int, zero_ms: int) -> None:
        self._zero_ms = zero_ms
        self._too_late = 0
        self._ended = False
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
                for frame in self._now.believed(item, now):
                    parts.extend(self._place(frame))
            elif isinstance(item, Event):
                self._now.note(item, now)
            elif isinstance(item, StreamEnd):
                self._ended = True
                parts.append(self._silence(self._at(item.timestamp_ms), most_ms=FAR_MS))
        parts.append(self._silence(self._at(self._now.settled_ms(now))))
        return b"".join(parts)

    def last(self) -> bytes:
        """Samples end where they end. Raises BrokenOffError when that is not where the stream did."""
        if not self._ended:
            raise BrokenOffError
        return b""

    @property
    def left_out(self) -> int:
        return self._too_late + self._now.left_out

    def _at(self, ms: float) -> int:
        return round((ms - self._now.step_ms - self._zero_ms) * self._form.rate / 1000)

    def _silence(self, until: int, most_ms: float = math.inf) -> bytes:
        missing = max(0, until - self._written)
        if missing * 1000 >= most_ms * self._form.rate:
            return b""
        self._written += missing
        return bytes(missing * self._width)

    def _place(self, frame: AudioFrame) -> Sequence[bytes]:
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
        self._too_late += not data
        self._written += len(data) // self._width
        return silence, data
