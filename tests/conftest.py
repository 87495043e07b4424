"""What holds for every test: no task may outlive it, and logs are plain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files

import jsonschema
import pytest
import pytest_asyncio
import structlog

from rtmsd.recording.manifest import Manifest


@pytest.fixture(autouse=True)
def _plain_logs() -> None:
    """Undo what a test configured; drawing tracebacks in boxes would take longer than most tests."""
    structlog.reset_defaults()
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
    )


@pytest.fixture(scope="session", autouse=True)
def _manifests_fit_their_schema() -> Iterator[None]:
    """Hold every manifest that any test writes against the schema that the package has."""
    schema = json.loads(files("rtmsd.recording").joinpath("manifest.schema.json").read_text())
    validator, encode = jsonschema.Draft202012Validator(schema), Manifest.encode

    def checked(manifest: Manifest) -> bytes:
        data = encode(manifest)
        validator.validate(json.loads(data))
        return data

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Manifest, "encode", checked)
        yield


@pytest_asyncio.fixture(autouse=True, loop_scope="function")
async def _no_task_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves tasks running: they would die unseen, with what they hold."""
    yield
    for _ in range(3):  # tasks that are just ending
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not left, f"tasks left running: {left}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what Zoom's own client did. Here, since pytest-xdist's first process knows no conftest.py further down.

    The tests ran in other processes: what they have to say travels with their reports.
    """
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, line in report.user_properties:
                    if name == "interop":
                        terminalreporter.write_line(f"interop: {line}")
