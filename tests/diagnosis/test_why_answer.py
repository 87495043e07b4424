"""One answer to why a meeting did not start, stopped, or has a hole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from past_rows import HOST, NUMBER, SILENT, UUID, T, meeting, note, stream, webhook

from rtmsd.diagnosis.answer import CONTACT_MS, SILENT_MS, Answer, answer
from rtmsd.protocol.lifecycle import Lifecycle
from rtmsd.start.attempts import CONFIRM_SECS, Means, StartMachine, Tell
from rtmsd.state import StreamRow
from rtmsd.state.past import PastWebhook, Story
from rtmsd.state.rows import MeetingRow, NoteRow
from rtmsd.zoom.replies import Reply, meaning


def asked(*rows: object, now: int = 700) -> Answer:
    """Answer for a story that has these rows."""
    story = Story(
        [row for row in rows if isinstance(row, MeetingRow)],
        [row for row in rows if isinstance(row, PastWebhook)],
        [row for row in rows if isinstance(row, NoteRow)],
        [row for row in rows if isinstance(row, StreamRow)],
    )
    return answer(story, now_ms=T + now * 1000, when=lambda ms: f"T+{(ms - T) // 1000}")


@pytest.mark.parametrize(
    ("rows", "problem", "words"),
    [
        # streams
        ([stream()], False, ["It was recorded until T+600. The meeting ended (stop reason 6)."]),
        ([stream(reason=None)], False, ["recorded until T+600"]),
        ([stream(until=None, contact=650)], False, ["It is being recorded, since T+0."]),
        ([stream(until=None, contact=10)], True, ["last connected at T+10", "rtmsd does not run"]),
        ([stream(reason=14)], True, ["until T+600", "media connection", "network"]),
        ([stream(until=2, reason=18)], True, ["It was not recorded.", "of app notes", "development or production"]),
        ([stream(until=60, reason=None, outcome="unreachable")], True, ["It was not recorded.", "could not be reached"]),
        ([stream(reason=None, outcome="lost")], True, ["until T+600", "lost and not regained"]),
        (
            [stream("a", until=100, reason=10), stream("b", at=105)],
            True,
            ["The meeting ended", "1 stream of this meeting broke off", "internal fault"],
        ),
        (
            [stream(), note("gap", "Missing: 2 s, no connection.", at=50)],
            True,
            ["The meeting ended", "It has 1 hole; the last: Missing: 2 s"],
        ),
        (
            [stream(reason=10), note("given_up", "The stream broke 6 times.", at=601, problem=True)],
            True,
            ["internal fault", "broke 6 times"],
        ),
        (
            [meeting(), note("armed", SILENT, at=15, problem=True), stream(at=41)],
            False,
            ["The meeting ended", "It began 41 s after the meeting. Before: Zoom took the request"],
        ),
        # no stream: what was announced
        (
            [webhook("meeting.rtms_started", "The stream is not taken: its user is not named there (only.operators).")],
            False,
            ["The stream is not taken"],
        ),
        (
            [webhook("meeting.rtms_started", "The stream is not taken: … and Zoom did not say its host.")],
            True,
            ["Zoom did not say"],
        ),
        (
            [meeting(until=9), webhook("meeting.rtms_started", "Zoom announced a stream without server_urls.")],
            True,
            ["It was not recorded. Zoom announced a stream without server_urls."],
        ),
        ([webhook("meeting.rtms_started", "")], True, ["is rtmsd running?"]),
        # no stream: its start
        (
            [
                meeting(until=600),
                note("armed", SILENT, at=16, problem=True),
                note("given_up", "The meeting ended, and no stream ever started. The last answer: x.", at=600, problem=True),
            ],
            True,
            ["It was not recorded. Zoom took the request"],
        ),
        (
            [
                note("answered", "Request 1: HTTP 403, code 13262.", at=1, problem=True),
                note("refused", "The app may not read meeting content (13262).", at=1, problem=True),
            ],
            True,
            ["It was not recorded. The app may not read meeting content"],
        ),
        ([note("answered", "Request 1: HTTP 500.", at=1, problem=True)], True, ["not recorded yet. Request 1"]),
        (
            [note("armed", SILENT, problem=True), note("given_up", "60 requests did not start it.", at=9, problem=True)],
            True,
            ["It was not recorded. Zoom took the request", "60 requests"],
        ),
        (
            [note("given_up", "The meeting ended, and no stream ever started.", at=60, problem=True)],
            True,
            ["no stream ever started. Either the app does not start by itself", "no-webhook"],
        ),
        ([meeting(), note("armed", SILENT, at=15, problem=True)], True, ["It is not recorded yet. Zoom took"]),
        ([meeting(), note("requested", "Zoom is asked.", at=1)], False, ["not recorded yet. Zoom is asked."]),
        ([note("rule", "The meeting is not taken: (only.hosts).")], False, ["It was not recorded. The meeting is not"]),
        # no stream: as Zoom told
        ([webhook("meeting.rtms_stopped")], True, ["never its start"]),
        ([meeting(), webhook("meeting.started")], True, ["began at T+0", "setting-hidden", "no-webhook", "doctor"]),
        ([webhook("meeting.started"), webhook("meeting.ended", at=60)], True, ["Zoom never announced a stream"]),
        ([webhook("meeting.participant_jbh_waiting")], False, ["has not started", "waiting-room"]),
    ],
)  # fmt: skip
def test_the_answer(rows: list[object], problem: bool, words: list[str]) -> None:
    """Why it was (not) recorded, stopped, or has a hole: with the remedy where there is one."""
    found = asked(*rows)
    assert found.problem is problem, found
    assert all(word in found.sentence for word in words), found.sentence
    assert ".." not in found.sentence and "None" not in found.sentence


def test_the_app_with_the_problem_answers() -> None:
    """With a development and a production build in one account, the one that was refused is told first."""
    found = asked(stream("a", app="dev"), stream("b", app="prod", until=1, reason=18))
    assert found.problem and found.sentence.startswith("App prod: It was not recorded.")
    assert found.sentence.endswith("(dev: all is well.)")
    assert asked(stream("a", app="dev"), stream("b", app="prod")).sentence.startswith(
        "App dev: It was recorded"
    )


def test_contact_is_not_missed_too_soon() -> None:
    """A living stream is called so until nobody has been in contact for a while."""
    living = stream(until=None, contact=0)
    assert not asked(living, now=CONTACT_MS // 1000).problem
    assert asked(living, now=CONTACT_MS // 1000 + 1).problem


def test_what_nobody_ended_is_over_after_a_while() -> None:
    """An app that is not subscribed to the end of meetings does not leave them open for ever."""
    waiting = note("requested", "Zoom is asked.")
    assert asked(waiting, now=SILENT_MS // 1000).sentence.startswith("It is not recorded yet.")
    assert asked(waiting, now=SILENT_MS // 1000 + 1).sentence.startswith("It was not recorded")


def test_a_silent_start_is_told_looking_back() -> None:
    """The coordinator's own sentence for a silent start: once the meeting is over, what to do before the next one."""
    machine = StartMachine(Means())
    machine.happened(Lifecycle("started", T, NUMBER, UUID, HOST), 0.0)
    machine.replied(1, meaning(Reply(204)), 1.0)
    told = [one for one in machine.woken(1.0 + CONFIRM_SECS) if isinstance(one, Tell)]
    silent = note("armed", told[-1].sentence, at=16, problem=True)
    going_on, over = asked(meeting(), silent), asked(meeting(until=600), silent)
    assert "It is asked again" in going_on.sentence and "silent-start" not in going_on.sentence
    assert "asked again" not in over.sentence and over.sentence.endswith("rtmsd explain silent-start.")
    assert "[[apps.hosts]]" in over.sentence and ".." not in over.sentence


ROWS = st.lists(
    st.one_of(
        st.builds(
            stream,
            st.sampled_from(["a", "b"]),
            app=st.sampled_from(["x", "y"]),
            until=st.none() | st.integers(0, 900),
            reason=st.none() | st.integers(0, 26),
        ),
        st.builds(
            note,
            st.sampled_from(["armed", "answered", "gap", "rule", "given_up", "never_started"]),
            st.just("A note."),
            at=st.integers(0, 900),
            problem=st.booleans(),
            app=st.sampled_from(["x", "y"]),
        ),
        st.builds(
            webhook,
            st.sampled_from(["meeting.started", "meeting.rtms_started", "meeting.rtms_stopped", "meeting.ended"]),
            app=st.sampled_from(["x", "y"]),
        ),
        st.builds(meeting, app=st.sampled_from(["x", "y"]), until=st.none() | st.integers(0, 900)),
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@given(ROWS)
def test_every_story_has_an_answer(rows: list[object]) -> None:
    """Whatever is known, in whatever combination, the answer is prose without holes."""
    sentence = asked(*rows).sentence
    assert sentence.startswith(("It ", "Its ", "App ")) and sentence.endswith((".", ".)"))
    assert "None" not in sentence and "  " not in sentence
