"""What holds for a stream whatever comes, in whatever order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from stream_bench import HOST, URLS, WALL_MS, Bench

from rtmsd.protocol.actions import Socket
from rtmsd.protocol.link import LINGER_SECS
from rtmsd.protocol.messages import Malformed, Message, decode

_ids = (
    st.integers(-5, 2**40)
    | st.text(max_size=6)
    | st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
_scalars = _ids | st.sampled_from(["TERMINATED", "6", WALL_MS, WALL_MS * 1000, 10**30])
_content = st.fixed_dictionaries(
    {},
    optional={
        "user_id": _ids | st.just(16778240),
        "user_name": _scalars,
        "data": _scalars | st.just("AAAA"),
        "timestamp": _scalars,
        "start_time": _scalars,
        "end_time": _scalars,
        "language": _scalars,
    },
)
_event = st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.integers(-1, 30) | _scalars,
        "timestamp": _scalars,
        "user_id": _ids,
        "participants": _scalars
        | st.lists(_ids | st.fixed_dictionaries({"user_id": _ids, "user_name": _scalars}), max_size=3),
    },
)
_messages = st.fixed_dictionaries(
    {"msg_type": st.integers(-1, 30) | st.sampled_from([2, 4, 8, 9, 12]) | _scalars},
    optional={
        "status_code": st.sampled_from([0, 0, 0, 3, 8, 16, 45]) | _scalars,
        "reason": _scalars,
        "state": st.integers(-1, 7) | _scalars,
        "sequence": _scalars,
        "timestamp": _scalars,
        "content": _content | _scalars,
        "event": _event | _scalars,
        "rtms_session_id": _scalars,
        "media_params": st.none() | st.just({"audio": {"sample_rate": 3}}) | _scalars,
        "media_server": st.just({"server_urls": URLS})
        | st.just({"server_urls": {"audio": URLS["audio"]}})
        | _scalars,
    },
)
_keep_alives = st.fixed_dictionaries(
    {"msg_type": st.just(12), "sequence": st.integers(0, 2**31), "timestamp": st.integers(0, 2**42)}
)
_good_answers = st.sampled_from(
    [
        {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}},
        {"msg_type": 4, "status_code": 0, "media_params": None},
        {"msg_type": 4, "status_code": 12},
        {"msg_type": 8, "state": 1, "reason": 0, "timestamp": WALL_MS},
        {"msg_type": 6, "event": {"event_type": 7, "timestamp": WALL_MS}},
    ]
)
_kinds = st.sampled_from(["signaling", "audio", "transcript"])
_steps = st.one_of(
    st.tuples(st.just("advance"), st.just("")),
    st.tuples(st.just("advance"), st.just("")),  # twice: or streams seldom get anywhere
    st.tuples(st.just("open_failed"), _kinds),
    st.tuples(st.just("closed"), st.tuples(_kinds, st.none() | st.sampled_from([0, 1000, 1006, 1011]))),
    st.tuples(
        st.just("receive"),
        st.tuples(_kinds, _messages | _keep_alives | _good_answers | st.binary(max_size=40)),
    ),
    st.tuples(st.just("later"), st.floats(0, 70)),
    st.tuples(st.just("started_again"), st.sampled_from([[HOST], ["wss://b.zoom.us"], []])),
    st.tuples(st.just("interrupted"), st.just([])),
    st.tuples(st.just("stale"), st.tuples(_kinds, st.integers(0, 20))),
    st.tuples(st.just("woken"), st.just("")),
)
_ends = st.sampled_from([None, ("stopped", 6), ("stopped", None)])


def advance(bench: Bench) -> None:
    """Do what a well-meaning server would do next on each socket."""
    phases = {link.kind: link.phase.name for link in bench.machine._links.values()}
    for kind in list(bench.live):
        if kind not in bench.live:
            continue
        if phases[kind] == "OPENING":
            bench.opened(kind)
        elif phases[kind] == "GREETING":
            answer: dict[str, Any] = {"msg_type": 4, "status_code": 0}
            if kind == "signaling":
                answer = {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}}
            bench.receive(kind, answer)


def step(bench: Bench, name: str, value: Any) -> None:
    machine, now = bench.machine, bench.now
    match name:
        case "advance":
            advance(bench)
        case "open_failed" if value in bench.live:
            if machine._links[value].phase.name == "OPENING":
                bench.open_failed(value)
        case "closed" if value[0] in bench.live:
            bench.closed(*value)
        case "receive" if value[0] in bench.live:
            bench.receive(*value)
        case "later":
            bench.later(value)
        case "started_again":
            bench.do(machine.started_again(value, now))
        case "interrupted":
            bench.do(machine.interrupted(value, now))
        case "woken":
            bench.do(machine.woken(now))
        case "stale":
            socket = Socket(*value)
            if bench.live.get(socket.kind) != socket:
                bench.do(machine.received(socket, b'{"msg_type":12,"sequence":1,"timestamp":1}', now))
                bench.do(machine.closed(socket, 1000, now))
                bench.do(machine.open_failed(socket, "late", now))
                bench.do(machine.opened(socket, now))


@settings(max_examples=400, deadline=None)
@given(st.lists(_steps, max_size=40), _ends)
def test_no_order_of_inputs_breaks_the_invariants(
    steps: list[tuple[str, Any]], end: tuple[str, int | None] | None
) -> None:
    """Never two sockets of a kind, no ACK too early, every keep-alive answered, nothing after the end (see Bench)."""
    bench = Bench()
    bench.start()
    for name, value in steps:
        step(bench, name, value)
        if bench.finished is not None:
            break
    if end is not None and bench.finished is None:
        _, reason = end
        bench.do(bench.machine.stopped(reason, WALL_MS, bench.now))
        bench.later(LINGER_SECS)
        assert bench.finished is not None and not bench.live
    if bench.finished is not None:  # and stays so
        for name, value in steps[-10:]:
            step(bench, name, value)


@settings(max_examples=100, deadline=None)
@given(st.lists(_steps, max_size=25))
def test_every_stream_ends_when_nothing_comes_any_more(steps: list[tuple[str, Any]]) -> None:
    """Without a server there is an end with an outcome within a few minutes, whatever was before."""
    bench = Bench()
    bench.start()
    for name, value in steps:
        step(bench, name, value)
    bench.later(400)
    assert bench.finished is not None


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200) | _messages.map(lambda one: json.dumps(one).encode()))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    """Any bytes are a message or malformed."""
    assert isinstance(decode(data), Message | Malformed)


def test_deep_nesting_is_malformed() -> None:
    """A message made to exhaust the stack is counted like any other nonsense."""
    assert isinstance(decode(b'{"msg_type":6,"event":' + b'{"a":' * 100_000), Malformed)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_make_the_machine_raise(data: bytes) -> None:
    """On every socket of a running stream, any bytes are taken."""
    bench = Bench()
    bench.join()
    for kind in ("signaling", "audio", "transcript"):
        if kind in bench.live:
            bench.receive(kind, data)
