"""Why a stream ended, said by webhook while its last media are still read (protocol.md §2.5.2, §7.7)."""

from __future__ import annotations

from typing import Any

import pytest
from stream_bench import WALL_MS, Bench

from rtmsd.protocol.link import LINGER_SECS


def ending(**said: Any) -> Bench:
    """A stream that Zoom has just ended in-band."""
    bench = Bench()
    bench.join()
    bench.audio(bench.wall_ms)
    bench.later(5.0)
    bench.receive("signaling", {"msg_type": 8, "state": 4, "timestamp": WALL_MS + 5000} | said)
    bench.later(0.3)
    assert bench.finished is None
    return bench


def stop(bench: Bench, *reasons: int | None) -> None:
    for reason in reasons:
        bench.do(bench.machine.stopped(reason, bench.wall_ms, bench.now))


@pytest.mark.parametrize(
    ("in_band", "by_webhook", "reason"),
    [
        (None, [8], 8),
        (0, [8], 8),
        (6, [8], 8),
        (6, [8, 6], 8),
        (6, [6, 8], 8),
        (8, [6], 8),
        (8, [None], 8),
        (None, [6], 6),
        (0, [19], 19),
        (6, [19], 19),
        (6, [0], 6),
        (6, [None], 6),
        (None, [None], None),
    ],
)
def test_the_latest_reason_counts_and_a_revocation_more(
    in_band: int | None, by_webhook: list[int | None], reason: int | None
) -> None:
    """What says nothing changes nothing; after 8 nothing else counts. When the stream ended stays as it was."""
    bench = ending(**({} if in_band is None else {"reason": in_band}))
    stop(bench, *by_webhook)
    bench.later(LINGER_SECS)
    assert bench.finished is not None
    assert (bench.finished.outcome, bench.finished.reason) == ("ended", reason)
    assert bench.finished.end_ms == WALL_MS + 5000


def test_zooms_word_counts_more_than_ours() -> None:
    """A stream that goes on at a forbidden server is over by our doing, until Zoom says that it is over anyway."""
    bench = Bench()
    bench.join()
    bench.do(bench.machine.started_again(["wss://rtms.zoom.example"], bench.now))
    stop(bench, 6)
    bench.later(LINGER_SECS)
    assert bench.finished is not None
    assert (bench.finished.outcome, bench.finished.reason, bench.finished.detail) == ("ended", 6, "")


def test_a_revocation_after_the_end_is_kept_with_the_outcome() -> None:
    """Between the machine's end and the stream's there is a moment: what comes then is not lost."""
    bench = ending(reason=6)
    bench.later(LINGER_SECS)
    assert bench.finished is not None and bench.finished.reason == 6
    assert bench.machine.stopped(8, bench.wall_ms, bench.now) == []
    assert bench.machine.outcome is not None and bench.machine.outcome.reason == 8
