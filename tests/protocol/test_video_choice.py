"""Whose camera is looked at when only one can be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from product_bench import ProductBench
from stream_bench import WALL_MS

from rtmsd.frames import MediaKind
from rtmsd.protocol.link import LINGER_SECS
from rtmsd.protocol.video_choice import VideoChoice

ON, OFF, LEFT, SPEAKS = (
    "participant_video_on",
    "participant_video_off",
    "participant_left",
    "active_speaker_changed",
)


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        (
            "first",
            [(ON, 1, (1, True)), (ON, 2, None), (SPEAKS, 2, None), (OFF, 1, (2, True)), (ON, 1, None), (LEFT, 2, (1, True))],
        ),
        ("first", [(ON, 1, (1, True)), (OFF, 1, (1, False)), (OFF, 1, None), (ON, 1, (1, True))]),
        (
            "active_speaker",
            [
                (SPEAKS, 2, None), (ON, 1, (1, True)), (ON, 2, (2, True)), (SPEAKS, 3, None), (SPEAKS, 1, (1, True)),
                (OFF, 1, (2, True)), (ON, 1, (1, True)), (SPEAKS, None, None), ("first_packet", 2, None),
            ],
        ),
    ],
)  # fmt: skip
def test_the_policies(policy: Any, steps: list[tuple[str, int | None, tuple[int, bool] | None]]) -> None:
    """After each event it is known whom to ask for, and it is asked once."""
    choice = VideoChoice(policy)
    for name, user, change in steps:
        choice.observe(name, user)
        assert choice.change() == change, (name, user)
        assert choice.change() is None


def test_who_cannot_be_looked_at_is_left_out() -> None:
    """Until the camera goes on again."""
    choice = VideoChoice("first")
    for user in (1, 2):
        choice.observe(ON, user)
    assert choice.change() == (1, True)
    choice.refused(1)
    assert choice.change() == (2, True)
    choice.observe(OFF, 2)
    choice.observe(ON, 1)
    assert choice.change() == (1, True)


@given(
    st.sampled_from(["first", "active_speaker"]),
    st.lists(
        st.tuples(st.sampled_from([ON, OFF, LEFT, SPEAKS, "renew", "refused"]), st.integers(1, 4)),
        max_size=40,
    ),
)
def test_who_is_looked_at_has_the_camera_on(policy: Any, steps: list[tuple[str, int]]) -> None:
    """Always one of those with the camera on, as long as there is one; and Zoom is told of every change."""
    choice, cameras, told = VideoChoice(policy), set(), None
    for name, user in steps:
        if name == "renew":
            choice.renew()
            told = None
        elif name == "refused":
            choice.refused(user)
            told = None if told == user else told
        else:
            choice.observe(name, user)
        if name == ON:
            cameras.add(user)
        elif name in (OFF, LEFT, "refused"):
            cameras.discard(user)
        if (change := choice.change()) is not None:
            told = change[0] if change[1] else None
        assert told == choice.chosen and (choice.chosen in cameras if cameras else choice.chosen is None)


VIDEO = frozenset({MediaKind.VIDEO})


def asked(bench: ProductBench) -> list[tuple[int, bool]]:
    return [(one["user_id"], one["subscribe"]) for one in bench.said(28)]


def test_the_subscription_goes_with_the_cameras() -> None:
    """Message 28 on signaling, with the meeting's time; nothing before somebody has the camera on."""
    bench = ProductBench(kinds=VIDEO, video="individual", video_participant="first")
    assert asked(bench) == []
    bench.event(event_type=8, participants=[{"user_id": 5}])
    bench.event(event_type=8, participants=[6])
    bench.event(event_type=9, participants=[5])
    assert asked(bench) == [(5, True), (6, True)]
    assert bench.said(28)[0]["timestamp"] == WALL_MS


def test_the_subscription_is_made_again_on_a_new_connection() -> None:
    """Subscriptions belong to the signaling connection."""
    bench = ProductBench(kinds=VIDEO, video="individual")
    bench.event(event_type=8, participants=[5])
    bench.closed("signaling")
    bench.later(LINGER_SECS + 0.5)
    bench.greet()
    assert asked(bench) == [(5, True), (5, True)]
    assert bench.sent_types()[-3:] == [7, 5, 28]


@pytest.mark.parametrize(
    ("status", "then"), [(0, []), (44, []), ("DUPLICATE_VIDEO_SUBSCRIPTION", []), (45, [(6, True)])]
)
def test_answers_to_a_subscription(status: object, then: list[tuple[int, bool]]) -> None:
    """That we look already is no harm; who cannot be shown is left out, and counted."""
    bench = ProductBench(kinds=VIDEO, video="individual", video_participant="first")
    for user in (5, 6):
        bench.event(event_type=8, participants=[user])
    bench.receive(
        "signaling", {"msg_type": 29, "user_id": 5, "status_code": status, "reason": "", "timestamp": 1}
    )
    assert asked(bench) == [(5, True), *then]
    assert bench.counters["video_refused_45"] == len(then) and bench.finished is None


def test_the_active_speakers_video_needs_no_choice() -> None:
    """Zoom chooses: neither 28 nor the events of cameras are asked for."""
    bench = ProductBench(kinds=VIDEO)
    bench.event(event_type=8, participants=[5])
    assert asked(bench) == [] and [one["event_type"] for one in bench.said(5)[0]["events"]] == [2, 3, 4]
