"""Where on its track a packet belongs, and which samples of the track have been received.

A track stands wherever a run of received samples ends. A packet whose place is within the tolerance of such an end is
appended there, so that jitter makes no clicks; any other lies where its timestamp says, so that drift cannot grow.
Samples that are there already are kept: the first one wins.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from rtmsd.recording.spans import Span, subtract


class Track:
    """The runs of one track, in samples from the common zero. `stamps` is the timestamp that ended each run."""

    __slots__ = ("ends", "stamps", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.stamps: list[int] = []

    @property
    def end(self) -> int:
        return self.ends[-1] if self.ends else 0

    @property
    def runs(self) -> list[Span]:
        return list(zip(self.starts, self.ends, strict=True))

    def reach(self, start: int, stop: int) -> int:
        """Return where the last run between two places ends; `start` when there is none."""
        at = bisect_left(self.starts, stop) - 1
        return max(start, min(self.ends[at], stop)) if at >= 0 else start

    def copy(self) -> Track:
        track = Track()
        track.starts, track.ends, track.stamps = self.starts.copy(), self.ends.copy(), self.stamps.copy()
        return track

    def append(self, stamp: int, position: int, count: int, tolerance: int) -> int | None:
        """Extend the last run if the packet belongs to its end and return where; None: ask `place`."""
        if self.ends:
            start = self.ends[-1]
            if -tolerance <= position - start <= tolerance and stamp > self.stamps[-1]:
                self.ends[-1] = start + count
                self.stamps[-1] = stamp
                return start
        return None

    def place(self, stamp: int, position: int, count: int, tolerance: int) -> tuple[int, list[Span]]:
        """Place a packet anywhere: return its first sample's place and the spans that it newly fills."""
        start = self.stand(stamp, position, tolerance)
        return start, self.fill(stamp, start, start + count)

    def fill(self, stamp: int, start: int, end: int) -> list[Span]:
        """Mark a span as received and return the parts of it that were not."""
        first, last = bisect_left(self.ends, start), bisect_right(self.starts, end)
        touched = list(zip(self.starts[first:last], self.ends[first:last], strict=True))
        fresh = subtract([(start, end)], touched)
        if not fresh:
            return fresh
        if touched and touched[-1][1] >= end:
            stamp = self.stamps[last - 1]
        self.stamps[first:last] = [stamp]
        self.ends[first:last] = [max(end, touched[-1][1]) if touched else end]
        self.starts[first:last] = [min(start, touched[0][0]) if touched else start]
        return fresh

    def cut(self, end: int) -> list[Span]:
        """Forget what lies from `end` on and return it."""
        lost = [(max(a, end), b) for a, b in self.runs if b > end]
        keep = bisect_left(self.starts, end)
        del self.starts[keep:], self.ends[keep:], self.stamps[keep:]
        if self.ends:
            self.ends[-1] = min(self.ends[-1], end)
        return lost

    def free(self, start: int, end: int) -> list[Span]:
        """Return the parts of a span that have not been received."""
        first, last = bisect_left(self.ends, start), bisect_right(self.starts, end)
        return subtract([(start, end)], zip(self.starts[first:last], self.ends[first:last], strict=True))

    def stand(self, stamp: int, position: int, tolerance: int) -> int:
        """Return the latest run's end within the tolerance, or the position itself.

        A packet older than the one that ended the run does not follow it: it is a repetition.
        """
        at = bisect_right(self.ends, position + tolerance) - 1
        if at >= 0 and self.ends[at] >= position - tolerance and stamp > self.stamps[at]:
            return self.ends[at]
        return position
