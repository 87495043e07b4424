"""Spans behave as the sets of integers that they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rtmsd.recording.spans import clip, subtract, total, union

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def points(some):
    return {n for a, b in some for n in range(a, b)}


@given(spans, spans, st.integers(0, 40), st.integers(0, 40))
def test_spans_are_sets(some, others, start, end):
    """Union, difference, clipping and length agree with sets."""
    one, two = union(some), union(others)
    assert points(one) == points(some)
    assert all(a[1] < b[0] for a, b in pairwise(one))
    assert points(subtract(one, two)) == points(one) - points(two)
    assert points(clip(one, start, end)) == points(one) & set(range(start, end))
    assert total(one) == len(points(one))
