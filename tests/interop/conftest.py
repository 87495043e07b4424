"""What Zoom's own client did is said at the end of the run (tests/conftest.py), so that a log proves that it ran."""

from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def proof(record_property: Callable[[str, object], None]) -> Iterator[list[str]]:
    """Lines for the end of the run."""
    lines: list[str] = []
    yield lines
    for line in lines:
        record_property("interop", line)
