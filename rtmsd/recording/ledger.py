"""The gaps of a recording while it grows: what was reported, what was refused, what came after all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from rtmsd.frames import Gap, MediaKind
from rtmsd.recording.spans import Span, union

# Jitter moves packets by up to this much.
JITTER_MS = 10
# Refused packets beyond that many entries of one cause are only counted.
MOST_REFUSALS = 1000


class OpenGap(msgspec.Struct, frozen=True, gc=False):
    """A gap, and the spans (Unix ms) of it in which somebody's sound came after it had been reported."""

    gap: Gap
    recovered: tuple[Span, ...] = ()


def concerns_audio(gap: Gap, user_id: int | None = None) -> bool:
    """Say whether a gap concerns sound, of that participant if one is given."""
    return gap.media in (None, MediaKind.AUDIO) and (user_id is None or gap.user_id in (None, user_id))


class Ledger:
    """An ordered list of gaps. Entries are immutable: a changed one is another object at the same place."""

    __slots__ = ("_entries", "counts", "recoverable_ms")

    def __init__(self) -> None:
        self._entries: list[OpenGap] = []
        self.counts: dict[str, int] = {}
        # Packets from before this time may fill a gap of all participants: the server had buffered them.
        self.recoverable_ms = 0

    def __iter__(self) -> Iterator[OpenGap]:
        return iter(self._entries)

    def copy(self) -> Ledger:
        ledger = Ledger()
        ledger._entries, ledger.counts = list(self._entries), dict(self.counts)
        ledger.recoverable_ms = self.recoverable_ms
        return ledger

    def put(self, index: int, opened: OpenGap) -> None:
        """Set an entry that has been stored; the next free index adds it."""
        self._entries[index : index + 1] = [opened]
        self._watch(opened.gap)

    def report(self, gap: Gap) -> None:
        """Add a gap; one that continues the last entry extends it. An end before its start counts as the start."""
        gap = msgspec.structs.replace(gap, to_ms=max(gap.from_ms, gap.to_ms))
        self._watch(gap)
        if (
            self._entries
            and not self._entries[-1].recovered
            and _continues(self._entries[-1].gap, gap, within_ms=0)
        ):
            self._entries[-1] = OpenGap(_joined(self._entries[-1].gap, gap))
        else:
            self._entries.append(OpenGap(gap))

    def refuse(self, gap: Gap) -> None:
        """Count and add a refused packet; one that follows its predecessor makes one entry with it."""
        self.count(gap.cause)
        same = [index for index, opened in enumerate(self._entries) if opened.gap.cause == gap.cause]
        latest = next((i for i in reversed(same) if self._entries[i].gap.user_id == gap.user_id), None)
        if latest is not None and _continues(self._entries[latest].gap, gap, within_ms=JITTER_MS):
            self._entries[latest] = OpenGap(_joined(self._entries[latest].gap, gap))
        elif len(same) < MOST_REFUSALS:
            self._entries.append(OpenGap(gap))

    def count(self, what: str, by: int = 1) -> None:
        """Count what the manifest tells as a number only."""
        self.counts[what] = self.counts.get(what, 0) + by

    def recover(self, from_ms: int, to_ms: int) -> None:
        """Note that sound of a time in some reported gap has come: nobody's sound of that time was lost."""
        for index, opened in enumerate(self._entries):
            gap = opened.gap
            a, b = max(from_ms, gap.from_ms), min(to_ms, gap.to_ms)
            if a < b and gap.user_id is None and concerns_audio(gap):
                self._entries[index] = OpenGap(gap, tuple(union([*opened.recovered, (a, b)])))

    def _watch(self, gap: Gap) -> None:
        if gap.user_id is None and concerns_audio(gap):
            self.recoverable_ms = max(self.recoverable_ms, gap.to_ms)


def unflushed(kept: Iterable[int], known: Span, media: MediaKind, user_id: int | None = None) -> Gap:
    """Make the gap of what was written and is no longer on the disk, when nothing tells its times.

    It lasts from the latest time that was `kept` to the end of `known`: the times from the first item to the newest.
    """
    first, newest = known
    from_ms = max((stamp for stamp in kept if first <= stamp <= newest), default=first)
    return Gap("unflushed", from_ms, newest, media, user_id)


def _continues(last: Gap, gap: Gap, *, within_ms: int) -> bool:
    same = (last.cause, last.media, last.user_id) == (gap.cause, gap.media, gap.user_id)
    return same and last.from_ms <= gap.from_ms <= last.to_ms + within_ms


def _joined(last: Gap, gap: Gap) -> Gap:
    return msgspec.structs.replace(last, to_ms=max(last.to_ms, gap.to_ms))
