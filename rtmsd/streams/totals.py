"""What all streams since the start come to, although only the latest are remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rtmsd.protocol.codes import StopReason
from rtmsd.streams.activity import Activity


class Totals:
    """Sums of what streams counted. Those that are forgotten are `add`ed; their kinds are few, whatever Zoom sends."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        """The StreamMachine's."""
        self.gaps: Counter[str] = Counter()
        self.gap_ms: Counter[str] = Counter()
        self.reconnects: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        """Streams that ended, by Zoom's reason as it was known then, or by our own outcome; in small letters."""

    def ended(self, reason: int | None, outcome: str) -> None:
        """Count the end of a stream."""
        if reason is None:
            self.stops[outcome] += 1
        else:
            self.stops[StopReason(reason).name.lower() if reason in list(StopReason) else "unknown"] += 1

    def add(self, counters: Mapping[str, int], activity: Activity) -> None:
        """Add what one stream counted."""
        self.counters.update(counters)
        self.gaps.update(activity.gaps)
        self.gap_ms.update(activity.gap_ms)
        self.reconnects.update(activity.reconnects)
