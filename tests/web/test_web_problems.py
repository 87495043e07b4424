"""What stands first on the page: what is wrong now, and what was lately."""

from __future__ import annotations

from dataclasses import replace

import pytest
from page_source import DISK, FAILED, LIVE, NOW_MS, Source, page

from rtmsd.web.counters import Warned, WebhookCounters
from rtmsd.web.problems import problems
from rtmsd.web.status import SinkStatus, StreamStatus

HOUR_MS = 3_600_000
REFUSED = WebhookCounters(last_refused_ms=NOW_MS - 1000, last_refusal="bad_signature")
TROUBLED = replace(
    DISK, last_trouble_ms=NOW_MS - 5000, sentence="42 frames did not reach this sink.", problem=True
)


@pytest.mark.parametrize(
    ("counters", "now", "lately"),
    [
        (REFUSED, 1, 0),
        (replace(REFUSED, last_refusal="no_signature"), 0, 0),
        (replace(REFUSED, last_refused_ms=NOW_MS - 2 * HOUR_MS), 0, 1),
        (replace(REFUSED, last_refused_ms=NOW_MS - 25 * HOUR_MS), 0, 0),
        (replace(REFUSED, last_taken_ms=NOW_MS - 500), 0, 1),
    ],
)
def test_a_refused_webhook(counters: WebhookCounters, now: int, lately: int) -> None:
    """It is a problem when it points at our set-up, until one was taken or an hour has passed; then for a day it was."""
    found = problems([], [], [], counters, now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]


@pytest.mark.parametrize(
    ("sink", "now", "lately"),
    [
        (DISK, 0, 0),
        (TROUBLED, 1, 0),
        (replace(TROUBLED, problem=False), 0, 1),
        (replace(TROUBLED, problem=False, last_trouble_ms=NOW_MS - 25 * HOUR_MS), 0, 0),
    ],
)
def test_a_sink_in_trouble(sink: SinkStatus, now: int, lately: int) -> None:
    """It is a problem as long as the sink is in trouble, and for a day it was one."""
    found = problems([], [], [sink], WebhookCounters(), now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]


@pytest.mark.parametrize(
    ("streams", "now", "lately"),
    [
        ([FAILED], 1, 0),
        ([FAILED, LIVE], 1, 0),
        ([FAILED, replace(LIVE, started_ms=FAILED.started_ms + 1)], 0, 1),
        ([FAILED, replace(LIVE, started_ms=FAILED.started_ms + 1, app="other")], 1, 0),
        ([FAILED, replace(LIVE, started_ms=FAILED.started_ms + 1, state="joining")], 1, 0),
        ([replace(FAILED, ended_ms=NOW_MS - 2 * HOUR_MS)], 0, 1),
        ([replace(FAILED, state="ended")], 0, 1),
        ([replace(FAILED, state="reconnecting", ended_ms=None)], 1, 0),
        ([replace(FAILED, state="ignored", ended_ms=None)], 1, 0),
    ],
)
def test_a_stream_that_failed(streams: list[StreamStatus], now: int, lately: int) -> None:
    """It is a problem until a later stream of the same app has worked, for an hour at most; a gap that is over was one."""
    found = problems([], streams, [], WebhookCounters(), now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]


@pytest.mark.parametrize(
    ("streams", "age_ms", "now", "lately"),
    [
        ([], 1000, 1, 0),
        ([], 2 * HOUR_MS, 0, 1),
        ([], 25 * HOUR_MS, 0, 0),
        ([replace(LIVE, started_ms=NOW_MS)], 1000, 0, 1),
        ([replace(LIVE, started_ms=NOW_MS, app="other")], 1000, 1, 0),
    ],
)
def test_a_warning_of_zooms(streams: list[StreamStatus], age_ms: int, now: int, lately: int) -> None:
    """It is a problem for an hour, unless a stream of the app has worked since; then for a day it was one."""
    warned = Warned("notes", "rtms.concurrency_limited", 5, "The account is at its limit.", NOW_MS - age_ms)
    counters = WebhookCounters()
    counters.warned.append(warned)
    found = problems([], streams, [], counters, now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]
    assert all(one.sentence == warned.sentence for side in found for one in side)


async def test_what_is_over_has_its_age() -> None:
    """What was wrong is told after what is wrong, the latest first, each with how long ago it was."""
    text = await page(
        Source(
            all_streams=[replace(FAILED, state="ended", sentence="", gap_secs=3.4)],
            all_sinks=[replace(TROUBLED, problem=False)],
            counters=REFUSED,
        )
    )
    parts = (
        "1 thing to look at",
        "no webhook secret fits",
        "Lately: 2 things",
        "42 frames",
        "3.4 s are missing",
    )
    order = [text.index(part) for part in parts]
    assert order == sorted(order)
    assert "All is well" not in text
    lately = text[order[2] :]
    assert "5 s ago" in lately and "1 min 30 s ago" in lately
