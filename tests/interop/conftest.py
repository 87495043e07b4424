"""Says at the end of the run what Zoom's own client did, so that a log proves that it ran."""

import pytest

_LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def proof(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the run."""
    return pytestconfig.stash.setdefault(_LINES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(f"interop: {line}")
