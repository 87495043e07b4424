"""The arithmetic of presence: what of each gap still stands, and how the seconds of a track divide.

*Present*: samples received. *Silent*: connected, and no packet: muted, quiet, not yet there or already gone. *Missing*: a
gap that nothing filled. *Paused*: the session was paused and nothing was due; this outweighs a gap. The four add up to
the duration exactly, in samples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from rtmsd.frames import Gap
from rtmsd.recording.ledger import JITTER_MS, OpenGap, concerns_audio
from rtmsd.recording.spans import Span, clip, subtract, total, union


@dataclass(frozen=True)
class Sound:
    """What a track has: its runs in samples, from the recording's zero."""

    runs: Sequence[Span]
    rate: int

    def within(self, from_ms: int, to_ms: int) -> list[Span]:
        """Return the whole milliseconds of sound in and around a span of milliseconds."""
        start, end = from_ms * self.rate // 1000, -(-to_ms * self.rate // 1000)
        first = bisect_left(self.runs, start, key=lambda run: run[1])
        last = bisect_right(self.runs, end, key=lambda run: run[0])
        return [(-(-a * 1000 // self.rate), b * 1000 // self.rate) for a, b in self.runs[first:last]]


@dataclass(frozen=True)
class Account:
    """How the samples of a track divide; the sum is its length."""

    present: int
    silent: int
    missing: int
    paused: int


def remains(opened: OpenGap, sound: Sound | None, *, zero_ms: int, duration_ms: int) -> list[Span]:
    """Return which spans of a gap (ms from zero, within the duration) stay without sound on a track, or on none.

    Remains no longer than jitter, at the edges of what was recovered, are no loss.
    """
    gap = opened.gap
    inside = clip([(gap.from_ms - zero_ms, gap.to_ms - zero_ms)], 0, duration_ms)
    left = inside
    if gap.user_id is None:
        left = subtract(left, [(start - zero_ms, end - zero_ms) for start, end in opened.recovered])
    if sound is not None and inside:
        left = subtract(left, sound.within(*inside[0]))
    return [span for span in left if span in inside or span[1] - span[0] > JITTER_MS]


def account(
    user_id: int,
    sound: Sound,
    opened: Iterable[OpenGap],
    pauses: Iterable[Span],
    *,
    zero_ms: int,
    duration_ms: int,
) -> Account:
    """Divide a track's samples; `pauses` are Unix milliseconds."""
    length = duration_ms * sound.rate // 1000

    def samples(spans: Iterable[Span]) -> list[Span]:
        return clip(union((a * sound.rate // 1000, b * sound.rate // 1000) for a, b in spans), 0, length)

    silence = subtract([(0, length)], sound.runs)
    paused = subtract(samples((a - zero_ms, b - zero_ms) for a, b in pauses), sound.runs)
    lost = [
        span
        for item in opened
        if concerns_audio(item.gap, user_id)
        for span in remains(item, sound, zero_ms=zero_ms, duration_ms=duration_ms)
    ]
    missing = subtract(subtract(samples(lost), sound.runs), paused)
    present = length - total(silence)
    return Account(present, length - present - total(missing) - total(paused), total(missing), total(paused))


def standing(
    opened: Iterable[OpenGap], sounds: Mapping[int, Sound], *, zero_ms: int, duration_ms: int
) -> list[Gap]:
    """Return the gaps without what was recovered, ordered by time: the lines of `gaps.jsonl`.

    A gap of all participants stands where it does on at least one track. What lies outside the recording, or
    concerns other media than sound, stands as it was reported.
    """
    lines = []
    for item in opened:
        gap = item.gap
        if not concerns_audio(gap):
            lines.append(gap)
            continue
        concerned: list[Sound | None] = [
            sound for user_id, sound in sounds.items() if gap.user_id in (None, user_id)
        ]
        whole = [(gap.from_ms - zero_ms, gap.to_ms - zero_ms)]
        left = subtract(whole, [(0, duration_ms)])
        for sound in concerned or [None]:
            left += remains(item, sound, zero_ms=zero_ms, duration_ms=duration_ms)
        if gap.from_ms == gap.to_ms:
            left = whole
        else:
            left = union(left)
        lines += [msgspec.structs.replace(gap, from_ms=a + zero_ms, to_ms=b + zero_ms) for a, b in left]
    return sorted(lines, key=lambda gap: (gap.from_ms, gap.to_ms, gap.cause))


def completeness(accounts: Iterable[tuple[Account, int]]) -> float:
    """Return (present + silent) / (duration - paused) over all tracks, each given with its rate.

    Six digits, rounded down: only what misses nothing at all is 1. Nothing out of no time is 1 too.
    """
    kept = due = Fraction(0)
    for part, rate in accounts:
        kept += Fraction(part.present + part.silent, rate)
        due += Fraction(part.present + part.silent + part.missing, rate)
    return 1.0 if due == 0 else (kept * 1_000_000 // due) / 1_000_000
