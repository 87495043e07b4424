"""What the log looks like, and what never stands in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging


class SetClock(Clock):
    def wall(self) -> float:
        return 1_738_392_034.5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("aiohttp.server").level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.getLogger("aiohttp.server").setLevel(before[2])
    structlog.reset_defaults()


def test_key_value_lines() -> None:
    """Without a terminal a record is one line of key=value, time first, also for the standard library's."""
    out = io.StringIO()
    set_up_logging(clock=SetClock(), stream=out)
    structlog.get_logger("x").info("webhook taken", app="notes", stream_id="s 1")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    structlog.get_logger("x").debug("not shown")
    assert out.getvalue().splitlines() == [
        'timestamp=2025-02-01T06:40:34.500Z level=info event="webhook taken" app=notes stream_id="s 1"',
        'timestamp=2025-02-01T06:40:34.500Z level=warning event="slow callback"',
    ]


def test_json_lines() -> None:
    """On request a record is one JSON object, a traceback inside it."""
    out = io.StringIO()
    set_up_logging(clock=SetClock(), stream=out, as_json=True)
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    [line] = out.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"]) == ("failed", "error")
    assert record["exception"][0]["exc_type"] == "ValueError"


def test_a_traceback_is_one_line() -> None:
    """A traceback in key=value lines does not break the line."""
    out = io.StringIO()
    set_up_logging(clock=SetClock(), stream=out)
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert len(out.getvalue().splitlines()) == 1
    assert "boom" in out.getvalue()


@pytest.mark.parametrize(
    ("out", "as_json"), [(io.StringIO(), True), (Terminal(), False), (io.StringIO(), False)]
)
def test_a_traceback_shows_no_variables(out: io.StringIO, as_json: bool) -> None:
    """They hold secrets, and what people said: neither JSON nor a terminal gets them."""

    def fails(heard: str) -> None:
        raise ValueError("boom")

    set_up_logging(clock=SetClock(), stream=out, as_json=as_json)
    try:
        fails("".join(["Thurs", "day"]))
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert "boom" in out.getvalue() and "fails" in out.getvalue()
    assert "Thursday" not in out.getvalue()


def test_terminal() -> None:
    """On a terminal the line is for people."""
    out = Terminal()
    set_up_logging(clock=SetClock(), stream=out, level="debug")
    structlog.get_logger("x").debug("hello", app="notes")
    assert "hello" in out.getvalue()
    assert "event=" not in out.getvalue()


@pytest.mark.parametrize("key", ["client_secret", "token", "authorization", "user_name", "text"])
def test_never_written(key: str) -> None:
    """Values under names of secrets and personal data are hidden, whoever logs them."""
    out = io.StringIO()
    set_up_logging(clock=SetClock(), stream=out)
    structlog.get_logger("x").info("oops", **{key: "hunter2"})
    assert "hunter2" not in out.getvalue()
    assert f"{key}=***" in out.getvalue()
