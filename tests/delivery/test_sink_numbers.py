"""What a sink counts of itself stays within bounds, whatever a plugin says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.delivery.numbers import MOST_NUMBERS, Number, SinkNumbers


def told(refusals: list[str]) -> SinkNumbers:
    return SinkNumbers(refused=refusals.append)


def test_sums_grow_and_levels_are_set() -> None:
    """Each name with its labels is a number of its own; the order of the labels does not matter."""
    refusals: list[str] = []
    numbers = told(refusals)
    for secs in (0.5, 1, 0):
        numbers.count("sent_seconds", secs, engine="x")
    numbers.count("sent_seconds", 2.0, engine="y", kind="live")
    numbers.count("sent_seconds", 2.0, kind="live", engine="y")
    for size in (5, 3):
        numbers.measure("spool_bytes", size)
    assert list(numbers) == [
        Number("sent_seconds", (("engine", "x"),), 1.5, True),
        Number("sent_seconds", (("engine", "y"), ("kind", "live")), 4.0, True),
        Number("spool_bytes", (), 3.0, False),
    ]
    assert refusals == []


@pytest.mark.parametrize(
    ("name", "value", "labels", "why"),
    [
        ("sent_seconds", -0.1, {}, "not negative"),
        ("sent_seconds", math.nan, {}, "finite"),
        ("sent_seconds", math.inf, {}, "finite"),
        ("sent_seconds", 10**400, {}, "finite"),
        ("sent_seconds", "7", {}, "finite"),
        ("sent_seconds", None, {}, "finite"),
        ("Sent", 1, {}, "a-z"),
        ("sent seconds", 1, {}, "a-z"),
        ("sent\n", 1, {}, "a-z"),
        ("", 1, {}, "a-z"),
        ("x" * 61, 1, {}, "a-z"),
        ("sent_total", 1, {}, "endings"),
        (["sent"], 1, {}, "a-z"),
        ("sent", 1, {"Engine": "x"}, "a-z"),
        ("sent", 1, {"__name__": "x"}, "a-z"),
        ("sent", 1, {"sink": "another"}, "a-z"),
        ("sent", 1, {"engine": 7}, "printable"),
        ("sent", 1, {"engine": ["x"]}, "printable"),
        ("sent", 1, {"engine": "x" * 61}, "printable"),
        ("sent", 1, {"engine": "\ud800"}, "printable"),
        ("sent", 1, {"engine": ""}, "printable"),
        ("errors", 1, {}, "itself"),
    ],
)
def test_what_is_no_number_is_left_out(name: Any, value: Any, labels: dict[str, Any], why: str) -> None:
    """It raises nothing, is told once however often it comes, and does not keep the others from being counted."""
    refusals: list[str] = []
    numbers = told(refusals)
    for _ in range(3):
        numbers.count(name, value, **labels)
    numbers.count("sent_seconds", 2)
    assert [one.value for one in numbers] == [2]
    assert len(refusals) == 1 and why in refusals[0]


def test_a_number_is_a_sum_or_a_level() -> None:
    """Under one name only what came first is kept, whatever the labels; that is told once."""
    refusals: list[str] = []
    numbers = told(refusals)
    numbers.count("calls", 1)
    numbers.measure("load", 2, of="a")
    for _ in range(2):
        numbers.measure("calls", 9, of="x")
        numbers.count("load", 9)
    numbers.count("calls", 1, of="y")
    assert list(numbers) == [
        Number("calls", (), 1.0, True),
        Number("calls", (("of", "y"),), 1.0, True),
        Number("load", (("of", "a"),), 2.0, False),
    ]
    assert len(refusals) == 1 and "counted or measured" in refusals[0]


def test_a_thousand_labels_are_not_a_thousand_numbers() -> None:
    """The first hundred are kept and go on, the others are left out, and that is told once."""
    refusals: list[str] = []
    numbers = told(refusals)
    for _ in range(2):
        for number in range(1000):
            numbers.count("calls", 1, of=f"stream {number}")
            numbers.measure(f"level_{number}", 1)
    found = list(numbers)
    assert len(found) == MOST_NUMBERS and sum(one.value for one in found if one.grows) == MOST_NUMBERS
    assert len(refusals) == 1


@given(
    calls=st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(st.text(max_size=70), st.integers()),
            st.one_of(st.floats(), st.integers(), st.text(), st.none()),
            st.dictionaries(st.text(max_size=9), st.one_of(st.text(), st.integers()), max_size=3),
        )
    )
)
def test_nothing_raises(calls: list[tuple[bool, Any, Any, dict[str, Any]]]) -> None:
    """Whatever is said, what can be read is finite."""
    numbers = SinkNumbers()
    for sums, name, value, labels in calls:
        (numbers.count if sums else numbers.measure)(name, value, **labels)
    assert all(math.isfinite(one.value) for one in numbers)
