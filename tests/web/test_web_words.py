"""Numbers as people read them."""

from __future__ import annotations

import pytest

from rtmsd.web.words import told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.4, "lag 0.4 s"),
        (0, "lag 0 s"),
        (12, "lag 12 s"),
        (59.96, "lag 60 s"),
        (61.5, "lag 1 min 1 s"),
        (-3.2, "lag -3.2 s"),
        (-90, "lag -1 min 30 s"),
    ],
)
def test_seconds_that_a_sink_tells_keep_what_matters(value: float, shown: str) -> None:
    """Less than a second is not nothing, and what is below zero is not zero."""
    assert told("lag_seconds", value) == shown
