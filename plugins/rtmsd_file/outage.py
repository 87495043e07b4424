"""A full disk: since when, and which gaps are its doing."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import msgspec

from rtmsd.api import Gap, Item

CAUSE = "disk_full"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# The queue begins to drop later than the disk is full, and goes on for a while when it is not any more.
_AFTER_MS = 5000


def is_full(error: OSError) -> bool:
    """Say whether an error means that there is no room: on the disk, in the user's quota, or in one file."""
    return error.errno in _FULL


class Outage:
    """What of one stream's time the disk was full. Times: `secs` on the loop's clock, `_ms` in the meeting's."""

    def __init__(self) -> None:
        self._since: tuple[float, int] | None = None
        self._spans: list[tuple[int, int]] = []

    @property
    def lasting(self) -> bool:
        return self._since is not None

    def begins(self, secs: float, newest_ms: int) -> None:
        """Note a refusal; only the first one counts."""
        if self._since is None:
            self._since = secs, newest_ms

    def ends(self, secs: float) -> None:
        """Note that something could be written."""
        if self._since is not None:
            since, from_ms = self._since
            self._spans.append((from_ms, from_ms + round((secs - since) * 1000) + _AFTER_MS))
            self._since = None

    def named(self, batch: Sequence[Item]) -> Sequence[Item]:
        """Give what the queue dropped meanwhile its true cause."""
        if not self._spans and self._since is None:
            return batch
        return [self._named(item) if isinstance(item, Gap) else item for item in batch]

    def _named(self, gap: Gap) -> Gap:
        if gap.cause not in ("lane_full", "sink_failed"):
            return gap
        spans = [*self._spans, *([(self._since[1], gap.from_ms)] if self._since else [])]
        if any(start <= gap.from_ms <= end for start, end in spans):
            return msgspec.structs.replace(gap, cause=CAUSE)
        return gap
