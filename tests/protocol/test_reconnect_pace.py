"""How often a medium is tried again when Zoom says that it is interrupted, and what its word brings back (protocol.md §7.2)."""

from __future__ import annotations

import itertools

import pytest
from stream_bench import URLS, Bench

from rtmsd.frames import MediaKind
from rtmsd.protocol.link import STEADY_SECS

AUDIO = frozenset({MediaKind.AUDIO})
ALIVE = {"msg_type": 12, "sequence": 1, "timestamp": 1}


def interrupted(bench: Bench) -> None:
    """Zoom says so in both of its ways."""
    bench.receive("signaling", {"msg_type": 6, "event": {"event_type": 7, "timestamp": bench.wall_ms}})
    bench.receive("signaling", {"msg_type": 8, "state": 2, "reason": 14, "timestamp": bench.wall_ms})


def accept(bench: Bench) -> None:
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})


def audio_sockets(bench: Bench) -> int:
    return len([socket for socket in bench.urls if socket.kind == "audio"])


def test_a_medium_that_is_accepted_and_dropped_is_not_hammered() -> None:
    """Zoom reports each loss at once: the first time it is heeded at once, then the back-off goes on."""
    bench = Bench(kinds=AUDIO)
    bench.join()
    bench.later(10.0)
    bench.closed("audio")
    interrupted(bench)
    before, begun = audio_sockets(bench), bench.now
    while bench.now < begun + 60:
        bench.later(0.05)
        if "audio" in bench.live:
            accept(bench)
            bench.closed("audio")
            interrupted(bench)
    assert audio_sockets(bench) - before < 10


def test_each_outage_is_hastened_once() -> None:
    """A connection that has lasted is a new beginning: the next interruption is heeded at once again."""
    bench = Bench(kinds=AUDIO, backoff=lambda: itertools.repeat(3.0))
    bench.join()
    for _ in range(3):
        bench.later(STEADY_SECS)
        bench.closed("audio")
        interrupted(bench)
        bench.later(0.01)
        assert "audio" in bench.live
        accept(bench)


@pytest.mark.parametrize("times", [1, 3])
def test_a_medium_that_was_closed_before_its_first_answer_is_tried_again_on_zooms_word(times: int) -> None:
    """Zoom's event says that it waits for it: what was done without comes back, and is no burden when it does not."""
    bench = Bench()
    bench.start()
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("transcript")
    bench.receive("transcript", {"msg_type": 4, "status_code": 0})

    def turn_away() -> None:
        bench.later(2.5)
        bench.opened("audio")
        bench.closed("audio", 1001)

    turn_away()
    turn_away()
    for _ in range(times):
        assert bench.machine.refused == {MediaKind.AUDIO: (None, "closed_before_answer")}
        interrupted(bench)
        assert bench.machine.refused == {}
        if times > 1:
            turn_away()
            turn_away()
            bench.receive("signaling", ALIVE)
    if times == 1:
        bench.later(0.01)
        accept(bench)
        bench.receive("signaling", ALIVE)
        assert bench.machine.refused == {} and bench.machine.connected


def test_a_medium_that_turns_us_away_is_not_hammered_on_zooms_word() -> None:
    """However often the event comes, a server that closes before it answers is asked every few seconds at most."""
    bench = Bench()
    bench.join()
    bench.later(10.0)
    bench.machine._connections.media[MediaKind.AUDIO].ever_live = False  # as after a restart of the server
    bench.closed("audio")
    before, begun = audio_sockets(bench), bench.now
    while bench.now < begun + 60:
        bench.later(0.05)
        if "audio" in bench.live:
            bench.opened("audio")
            bench.closed("audio", 1001)
        interrupted(bench)
        bench.receive("transcript", ALIVE)
    assert 3 < audio_sockets(bench) - before < 15
