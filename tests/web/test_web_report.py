"""When a sink is in trouble, as the page and the problems on it are told."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from page_source import NOW_MS, SetClock

from rtmsd import report as module
from rtmsd.delivery.pump import DeliveryRules
from rtmsd.delivery.router import LaneRules, Outlet, Router
from rtmsd.report import Report
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.status import OwnNumber

UNUSED = cast(Any, None)


def told_of(outlet: Outlet, clock: SetClock) -> Report:
    return Report(
        apps=(),
        streams=UNUSED,
        coordinator=UNUSED,
        starters={},
        event_sockets={},
        router=Router([outlet], clock=clock),
        counters=WebhookCounters(),
        clock=clock,
    )


@pytest.fixture
def outlet() -> Outlet:
    return Outlet(
        name="slow",
        type_name="test",
        sink=UNUSED,
        wants=frozenset(),
        lane_rules=LaneRules(limit_bytes=1000, batch_secs=0.1, drop_oldest=False),
        rules=DeliveryRules(write_timeout_secs=1.0, drain_secs=1.0),
    )


def test_trouble_lasts_until_it_writes_again(outlet: Outlet) -> None:
    """A loss is a problem for a minute, and longer while nothing was written since; after that it was one."""
    clock = SetClock()
    report = told_of(outlet, clock)
    [sink] = report.sinks()
    assert (sink.problem, sink.last_trouble_ms, sink.sentence) == (False, None, "")
    outlet.counters.dropped = 5
    [sink] = report.sinks()
    assert (sink.problem, sink.last_trouble_ms) == (True, NOW_MS)
    assert sink.drops == {"lane_full": 0, "not_written": 5} and sink.dropped == 5
    assert "5 frames did not reach this sink" in sink.sentence
    clock.now += 61
    assert report.sinks()[0].problem
    outlet.counters.last_success_ms = clock.wall_ms()
    [sink] = report.sinks()
    assert (sink.problem, sink.last_trouble_ms) == (False, NOW_MS)
    outlet.counters.errors = 1
    assert report.sinks()[0].problem


async def test_trouble_is_noticed_when_nobody_looks(outlet: Outlet, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was is known also to who looks an hour later."""
    monkeypatch.setattr(module, "WATCH_SECS", 0.01)
    clock = SetClock()
    report = told_of(outlet, clock)
    watching = asyncio.create_task(report.watch())
    outlet.counters.errors = 1
    await asyncio.sleep(0.1)
    clock.now += 3600
    await asyncio.sleep(0.1)
    watching.cancel()
    assert report.sinks()[0].last_trouble_ms == NOW_MS


def test_what_the_sink_counts_is_told(outlet: Outlet) -> None:
    """The page and the metrics get the sink's own numbers as they stand when somebody looks."""
    report = told_of(outlet, SetClock())
    assert report.sinks()[0].numbers == []
    outlet.numbers.count("sent_seconds", 1.5, engine="x")
    outlet.numbers.measure("spool_bytes", 7)
    assert report.sinks()[0].numbers == [
        OwnNumber("sent_seconds", (("engine", "x"),), 1.5, True),
        OwnNumber("spool_bytes", (), 7.0, False),
    ]
