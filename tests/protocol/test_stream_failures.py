"""Every failure of protocol.md §7, driven by hand: what is done at once, what is waited for, what is said at the end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_bench import HOST, URLS, WALL_MS, Bench

from rtmsd.frames import MediaKind
from rtmsd.protocol.link import LINGER_SECS
from rtmsd.protocol.windows import LAST_TRY_SECS, MEDIA_WINDOWS, answer_by, next_try

ALIVE = {"msg_type": 12, "sequence": 1, "timestamp": 1}
ELSEWHERE = "wss://zoomiad2.iad.zoom.us"


def keep_alive(bench: Bench, secs: float, *, but: str = "") -> None:
    """Let time pass with a keep-alive every ten seconds on every live socket but one; what opens is refused."""
    end = bench.now + secs
    while bench.now < end and bench.finished is None:
        bench.later(min(1.0, end - bench.now))
        if but in bench.live:
            bench.open_failed(but)
        if int(bench.now) % 10 == 0:
            for kind in [kind for kind in bench.live if kind != but]:
                bench.receive(kind, ALIVE)


def session(bench: Bench, name: str, state: int) -> None:
    bench.receive("signaling", {"msg_type": 9, "rtms_session_id": name, "state": state, "timestamp": WALL_MS})


def stream_state(bench: Bench, state: int, reason: int = 0) -> None:
    bench.receive("signaling", {"msg_type": 8, "state": state, "reason": reason, "timestamp": WALL_MS})


# Windows


@given(st.lists(st.floats(0.4, 18.0), min_size=200, max_size=200), st.sampled_from([(60.0,), MEDIA_WINDOWS]))
def test_no_window_closes_between_two_tries(delays: list[float], windows: tuple[float, ...]) -> None:
    """Whatever the jitter, there is a try just before each window closes, and never one twice at once."""
    now, tries = 1000.0, []
    for delay in delays:
        now = next_try(now, delay, 1000.0, windows)
        tries.append(now)
    assert all(1000.0 + window - LAST_TRY_SECS in tries for window in windows)
    assert all(later > earlier for earlier, later in itertools.pairwise(tries))


@pytest.mark.parametrize("windows", [(60.0,), MEDIA_WINDOWS])
@pytest.mark.parametrize("failed", [59.25, 59.3, 59.6])
def test_a_try_that_fails_just_before_a_window_closes_is_repeated_in_it(
    windows: tuple[float, ...], failed: float
) -> None:
    """The last moment is used: whoever was turned away at 59.3 s may be taken at 59.7, and not at 74."""
    at = next_try(1000 + failed, 15.0, 1000.0, windows)
    assert 0 < at - 1000 - failed <= 0.5 and at < 1060


@given(st.floats(0, 100))
def test_an_answer_is_not_waited_for_beyond_the_last_try(after: float) -> None:
    """A server that says nothing is left in time for the last try, and given ten seconds otherwise."""
    by = answer_by(1000 + after, 1000.0, (60.0,))
    assert 1000 + after < by <= 1010.0 + after + 1e-6
    assert by == pytest.approx(1010 + after) or by < 1060 - LAST_TRY_SECS


def test_a_medium_that_does_not_come_back_is_done_without() -> None:
    """After 65 s Zoom does not wait any more: the medium is refused with a gap, and the rest goes on."""
    bench = Bench()
    bench.join()
    lost_ms = bench.wall_ms
    bench.closed("transcript")
    keep_alive(bench, 66.0, but="transcript")
    assert bench.machine.refused == {MediaKind.TRANSCRIPT: (None, "not regained within 65 s")}
    assert bench.machine.state == "streaming" and bench.finished is None
    keep_alive(bench, 60.0)
    bench.do(bench.machine.stopped(6, bench.wall_ms, bench.now))
    bench.later(LINGER_SECS)
    [gap] = bench.gaps()
    assert (gap.media, gap.cause, gap.from_ms, gap.to_ms) == (
        MediaKind.TRANSCRIPT,
        "socket_down",
        lost_ms,
        bench.finished.end_ms if bench.finished else 0,
    )


@pytest.mark.parametrize(
    "message",
    [{"msg_type": 6, "event": {"event_type": 7, "timestamp": WALL_MS}}, {"msg_type": 8, "state": 2}],
)
def test_zooms_word_brings_back_a_medium_that_was_given_up(message: dict[str, object]) -> None:
    """Event 7 or state INTERRUPTED means that Zoom waits for it again."""
    bench = Bench()
    bench.join()
    bench.closed("transcript")
    keep_alive(bench, 66.0, but="transcript")
    bench.receive("signaling", message)
    bench.later(0.1)
    bench.opened("transcript")
    bench.receive("transcript", {"msg_type": 4, "status_code": 0})
    assert bench.machine.refused == {} and bench.machine.state == "streaming"


def test_without_any_medium_zooms_word_is_awaited() -> None:
    """All media given up: signaling stays for Zoom's reason until 90 s after the loss, then the stream is lost."""
    bench = Bench(kinds=frozenset({MediaKind.AUDIO}))
    bench.join()
    bench.closed("audio")
    keep_alive(bench, 89.0, but="audio")
    assert bench.finished is None and "signaling" in bench.live
    keep_alive(bench, 3.0, but="audio")
    assert bench.finished is not None and bench.finished.outcome == "lost"
    assert "not regained within 65 s" in bench.finished.detail


@pytest.mark.parametrize(("code", "outcome"), [(None, "lost"), (1000, "ended_unknown")])
def test_silence_after_the_window_is_an_end_for_unknown_reasons(code: int | None, outcome: str) -> None:
    """Tries stop after 60 s; Zoom may say why until 90 s; then the stream is over."""
    bench = Bench()
    bench.join()
    bench.closed("signaling", code)
    begun = bench.now
    tried = 0.0
    while bench.finished is None:
        if "signaling" in bench.live:
            tried = bench.now - begun
            if code is None:
                bench.open_failed("signaling")
            else:
                bench.opened("signaling")
                bench.closed("signaling", code)
        bench.later(0.5)
    assert 58 < tried <= 60 and 90 <= bench.now - begun < 91
    assert bench.finished.outcome == outcome


def test_a_late_stop_webhook_is_in_time_until_then() -> None:
    """The reason that comes after the window has closed is the stream's."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    keep_alive(bench, 75.0, but="signaling")
    bench.do(bench.machine.stopped(19, bench.wall_ms, bench.now))
    assert bench.finished is not None and (bench.finished.outcome, bench.finished.reason) == ("ended", 19)


def test_a_failover_after_the_window_is_followed() -> None:
    """Zoom announces the stream again while we wait for its word: it is joined."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    keep_alive(bench, 75.0, but="signaling")
    assert "signaling" not in bench.live
    bench.do(bench.machine.started_again([ELSEWHERE], bench.now))
    bench.greet()
    assert bench.machine.connected


# Statuses


@pytest.mark.parametrize(("status", "outcome"), [(2, "ended_unknown"), (3, "rejected")])
def test_a_fatal_status_on_the_way_back_waits_for_zooms_word(status: int, outcome: str) -> None:
    """A stream that we were in has ended or moved: no second try, no end before Zoom can have said so."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    bench.later(1.0)
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": status, "reason": ""})
    opened = len(bench.urls)
    bench.later(80.0)
    assert bench.finished is None and len(bench.urls) == opened
    bench.later(15.0)
    assert bench.finished is not None and (bench.finished.outcome, bench.finished.status) == (outcome, status)


def test_a_server_that_accepts_and_drops_is_not_hammered() -> None:
    """The back-off goes on when a connection does not last: a dozen tries in two minutes, not two in a second."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    while bench.now < 1120.0:
        bench.later(0.25)
        if "signaling" in bench.live:
            bench.greet()
            bench.closed("signaling")
    assert len([socket for socket in bench.urls if socket.kind == "signaling"]) < 16


# Losses that nobody reports


def test_a_medium_that_died_silently_is_missing_since_it_was_heard() -> None:
    """65 s without a word: what may be missing begins where it was last heard, not where it was noticed."""
    bench = Bench()
    bench.join()
    bench.audio(bench.wall_ms)
    heard_ms = bench.wall_ms
    for _ in range(7):
        bench.later(10.0)
        bench.receive("signaling", ALIVE)
        bench.receive("transcript", ALIVE)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.receive("signaling", ALIVE)
    bench.later(3.0)
    assert [gap.from_ms for gap in bench.gaps()] == [heard_ms]


def test_a_medium_does_not_flow_while_signaling_is_deaf() -> None:
    """The acknowledgement was sent into the void: nothing is called recovered before signaling is heard again."""
    bench = Bench(kinds=frozenset({MediaKind.AUDIO}))
    bench.join()
    bench.audio(bench.wall_ms)
    bench.later(1.0)
    bench.closed("audio")
    bench.later(1.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.later(20.0)
    assert bench.gaps() == []
    bench.do(bench.machine.stopped(6, bench.wall_ms, bench.now))
    bench.later(LINGER_SECS)
    [gap] = bench.gaps()
    assert bench.finished is not None and gap.to_ms == bench.finished.end_ms


def test_what_is_missing_begins_where_it_was_lost_first() -> None:
    """A new connection that was accepted and has not flowed does not shorten what the one before it missed."""
    bench = Bench()
    bench.join()
    bench.audio(bench.wall_ms)
    heard_ms = bench.wall_ms
    bench.later(19.0)
    bench.do(bench.machine.started_again([ELSEWHERE], bench.now))
    bench.later(LINGER_SECS)
    bench.opened("signaling")
    bench.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.later(3.0)
    bench.do(bench.machine.stopped(6, bench.wall_ms, bench.now))
    bench.later(LINGER_SECS)
    assert [gap.from_ms for gap in bench.gaps() if gap.media is MediaKind.AUDIO] == [heard_ms]


# Pauses and states


def test_a_pause_restarts_nothing() -> None:
    """Ten minutes without media, with keep-alives: the same sockets, and no gap."""
    bench = Bench()
    bench.join()
    sockets = dict(bench.live)
    session(bench, "a", 3)
    keep_alive(bench, 600.0)
    session(bench, "a", 4)
    assert bench.live == sockets and bench.machine.state == "streaming" and bench.gaps() == []


def pauses(bench: Bench) -> list[str]:
    return [name for name in bench.events() if name in ("session_paused", "session_resumed")]


def test_the_streams_own_pause_counts_like_a_sessions() -> None:
    """States 5 and 6 begin and end a pause for the recording, once, also when the sessions say the same."""
    bench = Bench()
    bench.join()
    session(bench, "a", 2)
    stream_state(bench, 5)
    assert bench.machine.state == "paused"
    session(bench, "a", 3)
    stream_state(bench, 6)
    assert bench.machine.state == "streaming"
    assert {"stream_paused", "stream_resumed"} <= set(bench.events())
    assert pauses(bench)[0] == "session_paused" and pauses(bench)[-1] == "session_resumed"


def test_one_session_that_pauses_is_no_pause() -> None:
    """The recording's pause begins when the last one that can be heard pauses or stops."""
    bench = Bench()
    bench.join()
    session(bench, "a", 2)
    session(bench, "b", 2)
    session(bench, "a", 3)
    assert pauses(bench) == [] and "one_session_paused" in bench.events()
    session(bench, "b", 5)
    assert pauses(bench) == ["session_paused"] and bench.machine.state == "paused"
    session(bench, "a", 4)
    assert pauses(bench) == ["session_paused", "session_resumed"]


@pytest.mark.parametrize("code", [None, 1000])
def test_a_stream_that_was_terminating_has_ended_when_it_closes(code: int | None) -> None:
    """After state TERMINATING the end of signaling is the end, with the reason given there."""
    bench = Bench()
    bench.join()
    stream_state(bench, 3, reason=6)
    bench.closed("signaling", code)
    bench.later(LINGER_SECS)
    assert bench.finished is not None and (bench.finished.outcome, bench.finished.reason) == ("ended", 6)


# Moves


def test_a_contact_centre_transfer_is_followed_at_once() -> None:
    """Close 1000 on signaling of a contact centre: the same URL, without waiting."""
    bench = Bench(product="contact_center")
    bench.join()
    keep_alive(bench, 10.0)
    bench.closed("signaling", 1000)
    bench.later(0.01)
    assert bench.urls[bench.live["signaling"]] == HOST
    bench.greet()
    assert bench.machine.connected


def test_another_product_waits_after_a_close() -> None:
    """Elsewhere Zoom may still say why, for two seconds."""
    bench = Bench()
    bench.join()
    keep_alive(bench, 10.0)
    bench.closed("signaling", 1000)
    bench.later(1.9)
    assert "signaling" not in bench.live
    bench.later(0.2)
    assert "signaling" in bench.live


def test_a_stream_goes_on_under_another_id() -> None:
    """New id, new signature, new server: handshakes and acknowledgements bear them, the recording keeps its own."""
    bench = Bench()
    bench.join()
    bench.closed("signaling")
    bench.later(LINGER_SECS)
    assert bench.machine.silent(bench.now)
    before = len(bench.sent)
    bench.do(bench.machine.continued("another", "its signature", [ELSEWHERE], bench.now))
    bench.greet()
    said = [message for _, message in bench.sent[before:]]
    hellos = [one for one in said if one["msg_type"] in (1, 3)]
    assert {(one["rtms_stream_id"], one["signature"]) for one in hellos} == {("another", "its signature")}
    assert [one["rtms_stream_id"] for one in said if one["msg_type"] == 7] == ["another"]
    assert bench.machine.zoom_id == "another" and bench.machine.info.stream_id != "another"
    assert "socket_reopened" in bench.events() and not bench.machine.silent(bench.now)


def test_a_burst_of_old_audio_does_not_turn_the_clock_back() -> None:
    """Kept audio is late; the state messages say how late the meeting really is."""
    bench = Bench()
    bench.start()
    bench.later(8.0)
    bench.greet()
    stream_state_now = {"msg_type": 8, "state": 1, "timestamp": bench.wall_ms - 200}
    bench.receive("signaling", stream_state_now)
    bench.audio(WALL_MS)
    assert bench.machine.media_ms(bench.now) == bench.wall_ms - 200


def test_a_gap_begins_where_the_last_sound_ended() -> None:
    """A break is noticed late: somebody who was speaking is missed since their last packet, not since the notice."""
    bench = Bench(kinds=frozenset({MediaKind.AUDIO}))
    bench.join()
    bench.later(2.0)
    last = bench.wall_ms
    bench.audio(last)
    bench.later(0.8)
    bench.closed("audio")
    bench.later(5.0)
    bench.opened("audio")
    bench.receive("audio", {"msg_type": 4, "status_code": 0})
    bench.receive("signaling", ALIVE)
    back = bench.wall_ms
    bench.audio(back)
    [gap] = bench.gaps()
    assert (gap.cause, gap.from_ms) == ("socket_down", last + bench.machine.request.send_rate_ms)
    assert gap.to_ms >= back - 200
