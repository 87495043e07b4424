"""Zoom moves a stream to another server: what becomes of it when that one may not be used."""

from __future__ import annotations

import pytest
from stream_bench import Bench

from rtmsd.frames import AudioFrame
from rtmsd.protocol.link import LINGER_SECS

FORBIDDEN = "wss://rtms.zoom.example:443"
ELSEWHERE = "wss://zoomiad2.iad.zoom.us"


@pytest.mark.parametrize("under_another_id", [False, True])
def test_a_move_to_a_forbidden_server_ends_the_stream(under_another_id: bool) -> None:
    """It is said why as soon as the last media are read, also when the old sockets were well until then."""
    bench = Bench()
    bench.join()
    bench.later(5.0)
    if under_another_id:
        bench.do(bench.machine.continued("another", "its signature", [FORBIDDEN], bench.now))
    else:
        bench.do(bench.machine.started_again([FORBIDDEN], bench.now))
    before_ms = bench.wall_ms
    bench.audio(before_ms)
    bench.later(LINGER_SECS)
    assert bench.finished is not None and bench.finished.outcome == "bad_url"
    assert "zoom.allowed_hosts" in bench.finished.detail
    assert [one.timestamp_ms for one in bench.items if isinstance(one, AudioFrame)] == [before_ms]


def test_a_second_move_is_followed_while_the_first_is_awaited() -> None:
    """The new server counts, not the one that was to be opened after the lingering."""
    bench = Bench()
    bench.join()
    bench.later(5.0)
    bench.do(bench.machine.started_again(["wss://a.zoom.us"], bench.now))
    bench.do(bench.machine.started_again([ELSEWHERE], bench.now))
    bench.later(LINGER_SECS)
    assert bench.urls[bench.live["signaling"]] == ELSEWHERE
    bench.greet()
    assert bench.machine.connected


@pytest.mark.parametrize("every", [0.3, 7.0, 20.0, 59.0])
def test_the_machine_is_never_left_without_a_timer(every: float) -> None:
    """A timer goes off once. However often it is looked at in between, what is due is done: a lost stream ends."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    for _ in range(int(200 / every)):
        bench.do(bench.machine.woken(bench.now))
        bench.later(every)
        if "signaling" in bench.live:
            bench.open_failed("signaling")
        if bench.finished is not None:
            break
    assert bench.finished is not None and bench.finished.outcome == "lost"
