"""Says at the end of the run what Zoom's own client did, so that a log proves that it ran."""

from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def proof(record_property: Callable[[str, object], None]) -> Iterator[list[str]]:
    """Lines for the end of the run."""
    lines: list[str] = []
    yield lines
    for line in lines:
        record_property("interop", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # The tests may have run in other processes: what they have to say travels with their reports.
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, line in report.user_properties:
                    if name == "interop":
                        terminalreporter.write_line(f"interop: {line}")
