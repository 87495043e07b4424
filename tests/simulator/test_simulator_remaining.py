"""The rest of a meeting, for a stream that begins in the middle of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scenes import ANN, BO, noise

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import (
    Chats,
    Drops,
    Joins,
    Leaves,
    Meeting,
    Mutes,
    Person,
    PostsWebhooks,
    Says,
    Shares,
    Truth,
    TurnsCamera,
    Unmutes,
)
from rtmsd.simulator.actions import Action
from rtmsd.simulator.stage import Stage

PEOPLE = (Person(ANN, "A"), Person(BO, "B"))
MEDIA = MediaDataType(31)
ENDS_MS = 2000


def meeting(*timeline: Action) -> Meeting:
    return Meeting(PEOPLE, timeline, ENDS_MS, media=MEDIA)


def stage_of(meeting: Meeting, zero_ms: int = 0) -> tuple[Stage, Truth]:
    truth = Truth()
    return Stage(meeting, zero_ms=zero_ms, truth=truth), truth


def state(stage: Stage) -> object:
    people = {user_id: (part.present, part.muted) for user_id, part in stage.parts.items()}
    return people, {person.user_id for person in stage.view.cameras}, stage.view.sharer


MOMENTS = st.integers(0, ENDS_MS // 20 - 1).map(lambda step: step * 20)
WHO = st.sampled_from((ANN, BO))
DONE = st.one_of(
    *(st.builds(kind, MOMENTS, WHO) for kind in (Joins, Joins, Leaves, Mutes, Unmutes)),
    *(st.builds(kind, MOMENTS, WHO, st.booleans()) for kind in (TurnsCamera, Shares)),
)
SPOKEN = st.lists(st.tuples(st.integers(0, 9), WHO), unique=True).map(
    lambda turns: [Says(turn * 200, user_id, noise(180)) for turn, user_id in turns]
)


@given(st.lists(DONE, max_size=12), SPOKEN, MOMENTS)
def test_the_rest_goes_on_as_the_whole_does(done: list[Action], said: list[Says], from_ms: int) -> None:
    """From then on the same people are there, muted, filmed, sharing; and what is begun to be said is heard alike."""
    all_of_it = meeting(*done, *said)
    whole, whole_truth = stage_of(all_of_it)
    rest, rest_truth = stage_of(all_of_it.rest(from_ms), from_ms)
    for _ in range(from_ms // 20):
        whole.step()
    while not whole.over:
        assert whole.now_ms == rest.now_ms
        whole.step()
        rest.step()
        assert state(whole) == state(rest)
    assert rest.over
    later = [phrase for phrase in whole_truth.phrases if phrase.start_ms >= from_ms]
    assert rest_truth.phrases == later


def test_the_rest_from_the_first_moment_is_the_meeting() -> None:
    """Nothing is lost, nothing added."""
    one = meeting(Joins(0, ANN), Says(0, ANN, noise(100)), Leaves(500, ANN))
    assert one.rest(0) == one
    assert one.rest(515) == one.rest(500) and one.rest(500).ends_ms == ENDS_MS - 500
    assert (one.rest(5000).timeline, one.rest(5000).ends_ms) == ((), 0)


def test_presence_can_be_somebody_elses_business() -> None:
    """With `present` these are there from the first moment, and the timeline lets nobody come or go."""
    one = meeting(
        Joins(0, ANN), Mutes(100, BO), TurnsCamera(200, ANN, True), Leaves(500, ANN), Joins(600, BO)
    )
    assert one.rest(300, present=[BO]).timeline == (Joins(0, BO), Mutes(0, BO))
    assert one.rest(0, present=[ANN]).timeline == (
        Joins(0, ANN),
        Mutes(100, BO),
        TurnsCamera(200, ANN, True),
    )
    assert one.rest(300, present=[ANN]).timeline == (Joins(0, ANN), Mutes(0, BO), TurnsCamera(0, ANN, True))


def test_faults_that_are_over_do_not_come_again() -> None:
    """A dropped socket was another stream's; how webhooks are sent holds on."""
    late = PostsWebhooks(100, copies=2)
    one = meeting(Drops(0, "audio"), late, Drops(700, "audio"))
    assert one.rest(500).timeline == (PostsWebhooks(0, copies=2), Drops(200, "audio"))


def test_answers_to_messages_that_nobody_has_seen_are_left_out() -> None:
    """What changes an earlier message is, and what answers one, and what answers that; other messages are not."""
    one = meeting(
        Joins(0, ANN),
        Chats(100, ANN, "hello", label="first"),
        Chats(600, ANN, "an answer", label="second", of="first"),
        Chats(700, ANN, "", operation="delete", of="second"),
        Chats(800, ANN, "new", label="third"),
        Chats(900, ANN, "newer", operation="update", of="third"),
    )
    kept = [action.text for action in one.rest(500).timeline if isinstance(action, Chats)]
    assert kept == ["new", "newer"]
