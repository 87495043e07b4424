"""Arithmetic on spans: half-open integer intervals, sorted and disjoint. The unit is the caller's."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Sort and merge spans that overlap or touch; empty ones vanish."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what of `spans` lies outside `holes`; both sorted and disjoint."""
    cuts = list(holes)
    left: list[Span] = []
    first = 0
    for start, end in spans:
        while first < len(cuts) and cuts[first][1] <= start:
            first += 1
        at = first
        while at < len(cuts) and cuts[at][0] < end:
            if cuts[at][0] > start:
                left.append((start, cuts[at][0]))
            start = max(start, cuts[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left


def clip(spans: Iterable[Span], start: int, end: int) -> list[Span]:
    """Return what of `spans` lies in [start, end)."""
    return [(max(a, start), min(b, end)) for a, b in spans if a < end and b > start]


def total(spans: Iterable[Span]) -> int:
    """Add up the lengths."""
    return sum(end - start for start, end in spans)
