"""What each distortion makes of a message, and what Zoom's own client would throw away."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.protocol.codes import EventType, SessionState, StatusCode, StreamState
from rtmsd.simulator import messages
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.distortions import FRAMES, MESSAGES, ORDER
from rtmsd.simulator.fault_actions import Delays, Distorts, Refuses
from rtmsd.simulator.faults import Faults
from rtmsd.simulator.fragments import fragments
from rtmsd.simulator.official_client import rejection

AT_MS = 1_700_000_000_000
AUDIO: dict[str, Any] = {
    "msg_type": 14,
    "content": {"user_id": 16778240, "user_name": "A", "data": "AAA=", "length": 2, "timestamp": AT_MS},
}
LEAVE = messages.event(EventType.PARTICIPANT_LEAVE, AT_MS, participants=[{"user_id": 16778240}])
STOPPED = messages.session_state("s1", SessionState.STOPPED, 6, AT_MS)
EVERY = [
    AUDIO,
    LEAVE,
    STOPPED,
    messages.keep_alive(3, AT_MS),
    messages.signaling_response(StatusCode.STATUS_OK, {"audio": "wss://a"}),
    messages.data_response(StatusCode.STATUS_OK, {"audio": {}}),
    messages.stream_state(StreamState.ACTIVE, 0, AT_MS),
    messages.stream_state_response("id", StreamState.ACTIVE, AT_MS),
]


class Still:
    """A clock that stands, until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def faults(behaviour: Behaviour | None = None) -> tuple[Faults, Still]:
    clock = Still()
    return Faults(behaviour or Behaviour(), seed=1, clock=clock), clock  # type: ignore[arg-type]


def one(word: str, message: dict[str, Any]) -> dict[str, Any]:
    [sent] = MESSAGES[word](message, Random(1))
    assert isinstance(sent, dict)
    return sent


@pytest.mark.parametrize(
    ("word", "message", "path", "value"),
    [
        ("no_status", EVERY[4], ("status_code",), None),
        ("no_sequence", EVERY[3], ("sequence",), None),
        ("null_params", EVERY[5], ("media_params",), None),
        ("names", EVERY[6], ("state",), "ACTIVE"),
        ("names", STOPPED, ("state",), "STOPPED"),
        ("names", LEAVE, ("event", "event_type"), "PARTICIPANT_LEAVE"),
        ("strings", AUDIO, ("content", "user_id"), "16778240"),
        ("strings", LEAVE, ("event", "participants", 0, "user_id"), "16778240"),
        ("seconds", AUDIO, ("content", "timestamp"), AT_MS // 1000),
        ("microseconds", LEAVE, ("event", "timestamp"), AT_MS * 1000),
        ("backwards", AUDIO, ("content", "timestamp"), AT_MS - 5000),
        ("no_padding", AUDIO, ("content", "data"), "AAA"),
        ("lying_length", AUDIO, ("content", "length"), 11),
        ("bare_ids", LEAVE, ("event", "participants"), [16778240]),
        ("reason_only", STOPPED, ("stop_reason",), None),
        ("reason_only", STOPPED, ("reason",), 6),
        ("stop_reason_only", STOPPED, ("reason",), None),
        (
            "old_statuses",
            messages.signaling_response(StatusCode.INVALID_SIGNATURE, {}),
            ("status_code",),
            15,
        ),
        (
            "old_statuses",
            messages.signaling_response(StatusCode.DUPLICATE_SIGNAL_REQUEST, {}),
            ("reason",),
            "Duplicate signal request",
        ),
    ],
)
def test_a_distortion_changes_what_it_says(
    word: str, message: dict[str, Any], path: tuple[Any, ...], value: object
) -> None:
    """The field has the other value, or is not there; everything else is as it was, and so is the message itself."""
    before = repr(message)
    found: Any = one(word, message)
    for key in path:
        found = found.get(key) if isinstance(found, dict) else found[key]
    assert found == value
    assert repr(message) == before


@pytest.mark.parametrize("word", MESSAGES)
def test_every_distortion_takes_every_message(word: str) -> None:
    """None fails, and each message is sent in some form."""
    for message in EVERY:
        sent = list(MESSAGES[word](message, Random(2)))
        assert any(isinstance(thing, dict) and thing["msg_type"] == message["msg_type"] for thing in sent)


@pytest.mark.parametrize("first", MESSAGES)
def test_distortions_may_be_combined(first: str) -> None:
    """Each can distort what any other has made."""
    for second in MESSAGES:
        fault, _ = faults(Behaviour(distort=(first, second)))
        assert all(fault.distorted(message, ["signaling"]) for message in EVERY)


def test_words_are_of_one_kind() -> None:
    """No name is both a distortion of messages and one of frames or order."""
    assert not set(MESSAGES) & {*FRAMES, *ORDER}


@given(st.binary(max_size=200_000), st.booleans(), st.integers())
def test_fragments_make_up_the_message(data: bytes, text: bool, seed: int) -> None:
    """Read as RFC 6455 says, the frames are one message of the right kind; only the last is final."""
    raw = b"".join(fragments(data, text=text, chance=Random(seed)))
    parts, heads = [], []
    while raw:
        first, length = raw[0], raw[1]
        start = 2
        if length == 126:
            (length,), start = struct.unpack("!H", raw[2:4]), 4
        elif length == 127:
            (length,), start = struct.unpack("!Q", raw[2:10]), 10
        heads.append(first)
        parts.append(raw[start : start + length])
        raw = raw[start + length :]
    assert b"".join(parts) == data
    assert [head & 0x0F for head in heads] == [1 if text else 2] + [0] * (len(heads) - 1)
    assert [bool(head & 0x80) for head in heads] == [False] * (len(heads) - 1) + [True]


def test_a_distortion_holds_for_its_seconds_its_sockets_and_its_share() -> None:
    """Another socket, a later time and the messages that are spared are as they should be."""
    fault, clock = faults()
    fault.add(Distorts(0, "twice", "audio", seconds=5, share=0.5))
    hit = sum(len(fault.distorted(AUDIO, ["audio"])) == 2 for _ in range(1000))
    assert 400 < hit < 600
    assert fault.distorted(AUDIO, ["transcript"]) == [AUDIO]
    clock.now += 5
    assert all(fault.distorted(AUDIO, ["audio"]) == [AUDIO] for _ in range(50))


def test_the_same_seed_makes_the_same_faults() -> None:
    """Twice the same scenario is twice the same messages."""
    runs = []
    for _ in range(2):
        fault, _ = faults(Behaviour(distort=("missing_fields",)))
        runs.append([fault.distorted(AUDIO, ["audio"]) for _ in range(20)])
    assert runs[0] == runs[1] and len({repr(sent) for sent in runs[0]}) > 1


def test_refusals_and_delays_are_used_up() -> None:
    """So many handshakes of that kind, no others; with 0 all of them."""
    fault, _ = faults()
    fault.add(Refuses(0, "audio", status=16, times=2))
    fault.add(Delays(0, "all", 2.5))
    assert fault.refusal(["signaling"]) is None
    assert [fault.refusal(["audio"]) is not None for _ in range(3)] == [True, True, False]
    assert [fault.delay_secs(["chat"]) for _ in range(2)] == [2.5, 0.0]
    fault.add(Refuses(0, "signaling", times=0))
    assert all(fault.refusal(["signaling"]) for _ in range(5))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("no_sequence", EVERY[3]),
        ("no_status", EVERY[4]),
        ("null_params", EVERY[5]),
        ("names", STOPPED),
        ("strings", AUDIO),
        ("stop_reason_only", STOPPED),
        ("rubbish", AUDIO),
    ],
)
def test_nothing_is_sent_that_the_official_client_throws_away(word: str, message: dict[str, Any]) -> None:
    """With `official_client_strict` it is counted by its reason instead."""
    fault, _ = faults(Behaviour(distort=(word,), official_client_strict=True))
    sent = fault.distorted(message, ["signaling"])
    assert all(not rejection(thing) for thing in sent)
    assert sum(fault.refused_to_send.values()) >= 1


def test_what_the_simulator_sends_suits_the_official_client() -> None:
    """Undistorted, nothing is held back."""
    fault, _ = faults(Behaviour(official_client_strict=True))
    assert all(fault.distorted(message, ["audio"]) == [message] for message in EVERY)
    assert not fault.refused_to_send
