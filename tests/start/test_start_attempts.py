"""Starting an app in a meeting: asked at the right time, believed only when the stream is there."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtmsd.protocol.lifecycle import Happening, Lifecycle
from rtmsd.start.attempts import CONFIRM_SECS, MOST_REQUESTS, MOST_RESTARTS, StartMachine
from rtmsd.start.values import Action, Ask, Means, State, Tell, WakeAt, Worked
from rtmsd.zoom.replies import Meaning, Reply, meaning

HOST, GUEST, INVITEE = "30R7kT7bTIKSNUFEuH_Qlg", "", "invitee"
TAKEN = meaning(Reply(204))


class Meeting:
    """Drives a StartMachine in virtual time and answers its requests."""

    def __init__(
        self,
        *,
        reply: Meaning | None = TAKEN,
        has_host_token: bool = False,
        first_trigger: str = "",
        auto: bool = False,
        **means: Any,
    ) -> None:
        tokens = frozenset({HOST} if has_host_token else ())
        self.machine = StartMachine(
            Means(auto=auto, host_tokens=tokens, **means), first_trigger=first_trigger
        )
        self.reply = reply
        self.now = 0.0
        self.asked: list[tuple[float, Ask]] = []
        self.told: list[Tell] = []
        self.worked: list[str] = []
        self.wake_at: float | None = None

    def do(self, actions: list[Action]) -> None:
        before = len(self.asked)
        for action in actions:
            match action:
                case Ask():
                    self.asked.append((self.now, action))
                case WakeAt(at):
                    assert at is None or at >= self.now
                    self.wake_at = at
                case Tell():
                    self.told.append(action)
                case Worked(trigger):
                    self.worked.append(trigger)
        for _, ask in self.asked[before:]:
            if self.reply is not None:
                self.do(self.machine.replied(ask.number, self.reply, self.now))

    def happens(self, what: Happening, user_id: str = "", role: str = "") -> None:
        event = Lifecycle(what, 0, "857", "4444==", HOST, user_id=user_id, role=role)
        self.do(self.machine.happened(event, self.now))

    def later(self, secs: float) -> None:
        end = self.now + secs
        for _ in range(500):
            if self.wake_at is None or self.wake_at > end:
                break
            self.now = max(self.now, self.wake_at)
            self.do(self.machine.woken(self.now))
        else:
            raise AssertionError("it wants to be woken again and again")
        self.now = end

    def stream(self, stream_id: str = "s1") -> None:
        self.do(self.machine.stream_started(stream_id))

    def stops(self, reason: int | None, stream_id: str = "s1") -> None:
        self.do(self.machine.stream_stopped(stream_id, reason, HOST, self.now))

    @property
    def requests(self) -> int:
        return len(self.asked)


def test_a_host_who_starts_the_meeting_gets_the_stream_at_once() -> None:
    """One request, for the host; `rtms_started` confirms it, and nothing is asked afterwards."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.happens("joined", HOST)
    [(_, asked)] = meeting.asked[:1]
    assert (asked.as_host, asked.participant_user_id, asked.trigger) == (False, HOST, "started")
    meeting.later(1.4)
    meeting.stream()
    requests = meeting.requests
    meeting.happens("joined", INVITEE)
    meeting.later(600)
    assert meeting.machine.state is State.CONFIRMED and meeting.requests == requests


def test_a_guest_first_and_the_host_forty_seconds_later() -> None:
    """Report 140368: Zoom takes the request and does nothing; the host's coming is asked about at that moment."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.happens("jbh_joined", GUEST)
    meeting.later(40.0)
    assert meeting.machine.state is not State.CONFIRMED
    assert any("no stream came" in one.sentence and one.problem for one in meeting.told)
    before = meeting.requests
    meeting.happens("joined", HOST)
    assert meeting.requests == before + 1
    at, asked = meeting.asked[-1]
    assert (at, asked.trigger, asked.participant_user_id) == (40.0, "host_joined", HOST)
    meeting.later(1.0)
    meeting.stream()
    assert meeting.worked == ["host_joined"]


def test_a_guest_first_and_the_host_never() -> None:
    """It is asked again and again, less and less often; at the meeting's end it is said that nothing ever started."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.happens("joined", GUEST)
    meeting.later(3600)
    assert 10 < meeting.requests <= MOST_REQUESTS
    times = [at for at, _ in meeting.asked]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= CONFIRM_SECS
    meeting.happens("ended")
    assert meeting.machine.state is State.GIVEN_UP
    assert meeting.told[-1].problem and "no stream ever started" in meeting.told[-1].sentence
    meeting.later(3600)
    assert meeting.wake_at is None


def test_with_the_hosts_own_token_nobody_needs_to_be_there() -> None:
    """The request is the host's, without a participant, and the host's coming is no reason to repeat it (§4.3)."""
    meeting = Meeting(has_host_token=True)
    meeting.happens("started")
    meeting.happens("joined", HOST)
    [(_, asked)] = meeting.asked
    assert asked.as_host and asked.participant_user_id == ""


def test_nobody_is_asked_while_people_only_wait() -> None:
    """Whoever waits before the host has no meeting yet: a request would be answered with 3000 (§2.6)."""
    meeting = Meeting()
    meeting.happens("waits", GUEST)
    meeting.later(600)
    assert meeting.requests == 0 and meeting.machine.state is State.ARMED


def test_auto_start_was_faster() -> None:
    """A stream that Zoom started by itself is as good; nothing is asked."""
    meeting = Meeting(first_trigger="joined")
    meeting.happens("started")
    meeting.stream()
    meeting.happens("joined", HOST)
    assert meeting.requests == 0 and meeting.machine.state is State.CONFIRMED and meeting.worked == []


def test_what_worked_before_is_tried_first() -> None:
    """Where only the host's coming helped before, the meeting's start is not asked about."""
    meeting = Meeting(first_trigger="joined")
    meeting.happens("started")
    assert meeting.requests == 0
    meeting.happens("joined", HOST)
    assert meeting.requests == 1


def test_not_allowed_waits_for_somebody_who_is() -> None:
    """2308: a guest's coming changes nothing, an invitee's or a new host's does."""
    meeting = Meeting(reply=meaning(Reply(400, code=2308)))
    meeting.happens("started")
    meeting.happens("joined", GUEST)
    meeting.later(600)
    assert meeting.requests == 1
    meeting.happens("joined", INVITEE)
    meeting.happens("role", role="host")
    assert meeting.requests == 3


@pytest.mark.parametrize("code", [13262, 4711, 300])
def test_what_needs_a_person_is_not_repeated(code: int) -> None:
    """One request, and a problem with its remedy."""
    meeting = Meeting(reply=meaning(Reply(400, code=code)))
    meeting.happens("started")
    meeting.happens("joined", HOST)
    meeting.later(3600)
    assert meeting.requests == 1 and meeting.machine.state is State.REFUSED and meeting.told[-1].problem


@pytest.mark.parametrize("code", [2310, 3000])
def test_what_passes_is_tried_again_until_it_has(code: int) -> None:
    """2310 right after a purchase, 3000 right after the start: it heals within two minutes and works."""
    meeting = Meeting(reply=meaning(Reply(400, code=code)))
    meeting.happens("started")
    meeting.later(90)
    assert 4 <= meeting.requests <= 8
    meeting.reply = TAKEN
    meeting.later(60)
    meeting.stream()
    assert meeting.machine.state is State.CONFIRMED


def test_what_should_pass_and_does_not_is_given_up() -> None:
    """The requests of a meeting are used up: then somebody has to look, and is told at what."""
    meeting = Meeting(reply=meaning(Reply(400, code=2310)))
    meeting.happens("started")
    meeting.later(3 * 3600)
    assert meeting.machine.state is State.GIVEN_UP and "Developer Pack" in meeting.machine.sentence


def test_zoom_says_when() -> None:
    """A 429 that asks for half a minute gets it."""
    meeting = Meeting(reply=None)
    meeting.happens("started")
    meeting.do(meeting.machine.replied(1, meaning(Reply(429)), 0.0, wait_secs=30.0))
    meeting.later(29)
    assert meeting.requests == 1
    meeting.later(2)
    assert meeting.requests == 2


@pytest.mark.parametrize("reason", [10, 11, 12, 13, 14, 15, 16, 17, 19, 24])
def test_a_stream_that_broke_is_started_again_five_times(reason: int) -> None:
    """While the meeting lives, with growing pauses; then never."""
    meeting = Meeting()
    meeting.happens("started")
    for number in range(MOST_RESTARTS + 1):
        meeting.stream(f"s{number}")
        before = meeting.requests
        meeting.stops(reason, f"s{number}")
        meeting.later(61)
        assert (meeting.requests > before) is (number < MOST_RESTARTS)
    assert meeting.machine.state is State.GIVEN_UP


@pytest.mark.parametrize("reason", [1, 2, 4, 5, 7, 8, 9, 18, 20, 23, 25, 26, None])
def test_a_stream_that_was_stopped_on_purpose_stays_stopped(reason: int | None) -> None:
    """Neither time nor people start it again; with 18 the same credentials would only fail again (§10 C36)."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.stream()
    before = meeting.requests
    meeting.stops(reason)
    meeting.later(600)
    meeting.happens("joined", INVITEE)
    assert meeting.requests == before


def test_a_user_who_left_is_waited_for() -> None:
    """Stop reason 3: others who come do not matter, the user who comes back does."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.happens("joined", HOST)
    meeting.stream()
    meeting.happens("left", HOST)
    before = meeting.requests
    meeting.stops(3)
    meeting.happens("joined", INVITEE)
    meeting.later(600)
    assert meeting.requests == before
    meeting.happens("joined", HOST)
    assert meeting.requests == before + 1


def test_a_second_stream_of_the_meeting_keeps_it_confirmed() -> None:
    """Two users with the app: the end of one stream is not the end of all."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.stream("a")
    meeting.stream("b")
    meeting.stops(13, "a")
    assert meeting.machine.state is State.CONFIRMED and meeting.wake_at is None


_steps = st.one_of(
    st.tuples(
        st.sampled_from(
            ["started", "ended", "joined", "left", "jbh_joined", "waits", "waits_no_more", "admitted", "role"]
        ),
        st.sampled_from([HOST, GUEST, INVITEE]),
    ),
    st.tuples(st.just("later"), st.floats(0, 300)),
    st.tuples(st.just("stream"), st.sampled_from("ab")),
    st.tuples(st.just("stop"), st.sampled_from([None, 1, 3, 6, 8, 13, 18, 19, 24])),
    st.tuples(st.just("reply"), st.sampled_from([204, 400, 401, 403, 404, 429, 500])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_steps, max_size=40))
def test_no_order_of_events_makes_it_ask_too_much(steps: list[tuple[str, object]]) -> None:
    """Never two requests at once, never one without a meeting, never more than the budget, always a sentence."""
    meeting = Meeting()
    for name, value in steps:
        if name == "later":
            meeting.later(float(str(value)))
        elif name == "stream":
            meeting.stream(str(value))
        elif name == "stop":
            meeting.do(
                meeting.machine.stream_stopped(
                    "a", value if isinstance(value, int) else None, HOST, meeting.now
                )
            )
        elif name == "reply":
            meeting.reply = meaning(Reply(int(str(value))))
        else:
            meeting.happens(name, str(value), role="host")  # type: ignore[arg-type]  # drawn from the names
        assert meeting.requests <= MOST_REQUESTS
    assert all(one.sentence for one in meeting.told)
    meeting.happens("ended")
    asked = meeting.requests
    meeting.later(3600)
    assert meeting.requests == asked


def test_the_host_who_comes_while_zoom_answers_is_asked_for_at_once() -> None:
    """A request that was made without the host is followed by one with them, as soon as it is answered."""
    meeting = Meeting(reply=None)
    meeting.happens("started")
    meeting.later(1)
    meeting.happens("joined", HOST)
    assert meeting.requests == 1
    meeting.reply = TAKEN
    meeting.do(meeting.machine.replied(1, TAKEN, meeting.now))
    assert [(at, ask.participant_user_id, ask.trigger) for at, ask in meeting.asked] == [
        (0.0, HOST, "started"),
        (1.0, HOST, "host_joined"),
    ]


def test_without_the_host_it_is_asked_for_an_invitee_who_came() -> None:
    """Somebody who is invited and there may have the app started for themselves; the host's coming takes precedence."""
    meeting = Meeting(reply=meaning(Reply(400, code=2308)))
    meeting.happens("started")
    meeting.happens("joined", GUEST)
    meeting.happens("joined", INVITEE)
    meeting.happens("joined", HOST)
    assert [ask.participant_user_id for _, ask in meeting.asked] == [HOST, INVITEE, HOST]


def test_it_is_not_started_for_users_whose_streams_would_not_be_taken() -> None:
    """Where only some users' streams are taken, others' coming does not start one in their name."""
    meeting = Meeting(only_host=True)
    meeting.happens("started")
    meeting.happens("joined", INVITEE)
    meeting.later(600)
    assert {ask.participant_user_id for _, ask in meeting.asked} == {HOST}


def test_an_app_that_zoom_starts_is_asked_for_only_when_it_broke() -> None:
    """With start = "auto" nothing is asked of Zoom, until a stream that was there is lost."""
    meeting = Meeting(auto=True)
    meeting.happens("started")
    meeting.happens("joined", HOST)
    meeting.do(meeting.machine.found_living(HOST, meeting.now))
    assert meeting.requests == 0
    meeting.stream()
    meeting.stops(13)
    meeting.later(1)
    assert [ask.trigger for _, ask in meeting.asked] == ["restart"]


def test_a_stream_that_a_restart_of_ours_lost_is_started_again() -> None:
    """A meeting that is found going on, and whose stream we lost, is asked for in either mode."""
    for auto in (True, False):
        meeting = Meeting(auto=auto)
        meeting.do(meeting.machine.found_living(HOST, meeting.now, had_stream=True))
        assert [ask.trigger for _, ask in meeting.asked] == ["found"]


@pytest.mark.parametrize("reason", [3, 13])
def test_without_a_controller_nothing_is_asked(reason: int) -> None:
    """A stream that broke, or whose user left, stays so; the sentence says what would help."""
    meeting = Meeting(auto=True, controller=False)
    meeting.happens("started")
    meeting.stream()
    meeting.stops(reason)
    meeting.later(600)
    assert meeting.requests == 0
    assert "[apps.manual]" in meeting.told[-1].sentence


def test_a_host_who_has_not_authorised_is_told_where_no_controller_is() -> None:
    """With hosts' own tokens only, another host's meeting cannot be started, and that is said."""
    meeting = Meeting(controller=False)
    meeting.happens("started")
    assert (meeting.requests, meeting.machine.state) == (0, State.REFUSED)
    assert "[[apps.hosts]]" in meeting.told[-1].sentence


def test_a_bad_token_of_the_host_leaves_the_controller() -> None:
    """When the host's own authorisation is gone, the controller asks, for the host by name."""
    meeting = Meeting(has_host_token=True, reply=meaning(Reply(0)))
    meeting.happens("started")
    meeting.machine.host_token_failed()
    meeting.later(1)
    assert [(ask.as_host, ask.participant_user_id) for _, ask in meeting.asked] == [(True, ""), (False, HOST)]


@pytest.mark.parametrize(
    ("means", "says"),
    [
        ({"auto": True}, "Share realtime meeting content with apps"),
        ({"auto": True, "account_id": "ours"}, "belongs to another account (theirs)"),
        ({"auto": False}, "no stream came within 15 s"),
    ],
)
def test_a_meeting_that_never_starts_is_named_at_its_deadline(means: dict[str, Any], says: str) -> None:
    """Once, at the deadline, with what is usually to blame; a stream that comes after all is confirmed."""
    meeting = Meeting(deadline_secs=100.0, **means)
    event = Lifecycle("started", 0, "857", "4444==", HOST, account_id="theirs")
    meeting.do(meeting.machine.happened(event, meeting.now))
    meeting.later(99)
    assert not any(one.never_started for one in meeting.told)
    meeting.later(1000)
    [told] = [one for one in meeting.told if one.never_started]
    assert told.problem and says in told.sentence and "100 s" in told.sentence
    meeting.stream()
    assert meeting.machine.state is State.CONFIRMED


def test_a_meeting_that_streams_or_ends_in_time_is_not_called_missing() -> None:
    """The deadline counts for meetings that go on without a stream, and for nothing else."""
    for early in ("stream", "end"):
        meeting = Meeting(auto=True)
        meeting.happens("started")
        meeting.stream() if early == "stream" else meeting.happens("ended")
        meeting.later(1000)
        assert not any(one.never_started for one in meeting.told)


def test_what_zoom_says_of_a_failed_start_is_told_and_tried_again() -> None:
    """A failed or limited start is asked for again later; in a meeting that streams it is nothing."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.do(meeting.machine.noticed("rtms.start_failed", "Zoom could not start it.", meeting.now))
    assert (meeting.machine.state, meeting.told[-1].sentence) == (State.ARMED, "Zoom could not start it.")
    meeting.later(5)
    assert meeting.requests == 2
    meeting.stream()
    meeting.do(meeting.machine.noticed("rtms.start_failed", "Zoom could not start it.", meeting.now))
    assert meeting.machine.state is State.CONFIRMED


LIMITED = meaning(Reply(429, code=429))


def test_guests_who_come_while_zoom_wants_to_be_left_alone_change_nothing() -> None:
    """A 429 that asks for a minute gets a minute, whoever joins; the host who came meanwhile is asked for at its end."""
    meeting = Meeting(reply=None)
    meeting.happens("started")
    meeting.do(meeting.machine.replied(1, LIMITED, meeting.now, wait_secs=60.0))
    for _ in range(30):
        meeting.later(1)
        meeting.happens("joined")
    meeting.happens("joined", HOST)
    meeting.later(60)
    assert [(at, ask.trigger) for at, ask in meeting.asked] == [(0.0, "started"), (60.0, "host_joined")]


def test_guests_do_not_use_up_the_requests() -> None:
    """What should pass by itself is asked for by the clock, not by each guest; and never gives up for good."""
    meeting = Meeting(reply=meaning(Reply(400, code=3000)))
    meeting.happens("started")
    for _ in range(100):
        meeting.later(0.1)
        meeting.happens("joined")
    assert meeting.requests <= 5
    meeting.later(300)
    assert meeting.machine.state is State.ARMED


def test_some_requests_are_kept_for_the_host() -> None:
    """Guests alone for hours use the requests up, and it is said; the host who comes after all is asked for."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.later(3 * 3600)
    assert meeting.machine.state is State.GIVEN_UP and "unless its host comes" in meeting.told[-1].sentence
    before = meeting.requests
    meeting.happens("joined", HOST)
    assert meeting.requests == before + 1


def test_a_stream_that_runs_is_not_asked_for_again() -> None:
    """The meeting's start that comes after the stream's, or twice, changes nothing; nor does "already started"."""
    meeting = Meeting(reply=meaning(Reply(400, message="RTMS already started for this meeting.")))
    meeting.stream()
    meeting.happens("started")
    assert meeting.requests == 0
    other = Meeting(reply=meaning(Reply(400, message="RTMS already started for this meeting.")))
    other.do(other.machine.found_living(HOST, other.now))
    other.later(3600)
    assert other.requests <= 13 and not any(one.problem for one in other.told if not one.never_started)


def test_the_user_who_is_back_before_the_stop_is_told() -> None:
    """Webhooks have no order: who left and came again is not waited for."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.happens("joined", HOST)
    meeting.stream()
    meeting.happens("left", HOST)
    meeting.happens("joined", HOST)
    before = meeting.requests
    meeting.stops(3)
    assert [ask.trigger for _, ask in meeting.asked[before:]] == ["rejoined"]


def test_a_stop_that_is_told_before_the_start() -> None:
    """A stream that is over does not come to life by its late start; the meeting is asked for on."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.stops(11)
    meeting.stream()
    assert meeting.machine.state is not State.CONFIRMED
    meeting.happens("joined", HOST)
    assert meeting.requests == 2


def test_the_host_who_comes_while_it_is_asked_for_another() -> None:
    """The other's stream may start now that the host is there: it is waited for, for a moment, before asking again."""
    meeting = Meeting(reply=None)
    meeting.happens("started")
    meeting.do(meeting.machine.replied(1, meaning(Reply(400, code=2308)), meeting.now))
    meeting.happens("joined", INVITEE)
    meeting.happens("joined", HOST)
    meeting.do(meeting.machine.replied(2, TAKEN, meeting.now))
    meeting.later(1.9)
    assert meeting.requests == 2
    meeting.later(0.1)
    assert [ask.participant_user_id for _, ask in meeting.asked] == [HOST, INVITEE, HOST]


def test_a_stream_that_the_rules_refuse_is_not_missing() -> None:
    """Where Zoom starts the app, a stream that came and was not taken is no meeting that never started."""
    meeting = Meeting(auto=True)
    meeting.happens("started")
    meeting.do(meeting.machine.left_alone("Not the host's."))
    meeting.later(1000)
    assert not any(one.never_started for one in meeting.told)
    assert (meeting.machine.state, meeting.machine.sentence) == (State.GIVEN_UP, "Not the host's.")


def test_a_stream_that_runs_unheard_and_breaks_is_asked_for() -> None:
    """Zoom's "already started" of a stream that was never announced to us: when that breaks, ours is started."""
    meeting = Meeting(reply=meaning(Reply(400, message="RTMS already started for this meeting.")))
    meeting.happens("started")
    meeting.reply = TAKEN
    meeting.stops(13, "theirs")
    meeting.later(1)
    assert meeting.requests == 2


@pytest.mark.parametrize(("reason", "asked"), [(1, 0), (2, 0), (6, 0), (20, 0), (3, 0), (13, 1), (19, 1)])
def test_what_was_stopped_before_a_restart_of_ours_stays_so(reason: int, asked: int) -> None:
    """Only what broke is started again by the next daemon; what somebody stopped is not, whoever joins."""
    meeting = Meeting()
    meeting.machine.resume_after(reason, INVITEE, "It was stopped.")
    meeting.do(meeting.machine.found_living(HOST, meeting.now))
    meeting.happens("joined", GUEST)
    meeting.later(60)
    assert min(meeting.requests, 1) == asked
    if reason == 3:
        meeting.happens("joined", INVITEE)
        assert meeting.requests == 1


@pytest.mark.parametrize("event", ["rtms.start_failed", "rtms.concurrency_limited", "rtms.request_status"])
def test_a_notice_does_not_bring_back_what_is_over(event: str) -> None:
    """What was stopped on purpose, or refused, is not asked for because of somebody else's notice."""
    meeting = Meeting(reply=meaning(Reply(403, code=13262)))
    meeting.happens("started")
    assert meeting.machine.state is State.REFUSED
    meeting.do(meeting.machine.noticed(event, "Zoom says so.", meeting.now))
    meeting.happens("joined", GUEST)
    assert (meeting.requests, meeting.machine.state) == (1, State.REFUSED)


def test_it_is_started_for_the_operators_whose_streams_are_taken() -> None:
    """With only.operators the host is not asked for; the named user is, once they are there."""
    meeting = Meeting(only_operators=frozenset({INVITEE}))
    meeting.happens("started")
    meeting.happens("joined", HOST)
    assert meeting.requests == 0 and "only.operators" in meeting.told[-1].sentence
    meeting.happens("joined", INVITEE)
    assert [ask.participant_user_id for _, ask in meeting.asked] == [INVITEE]


def test_a_stream_that_goes_on_under_another_id_is_restarted_when_it_breaks() -> None:
    """After a failover the new id is the stream; its end is the end."""
    meeting = Meeting()
    meeting.happens("started")
    meeting.stream("s1")
    meeting.stream("s2")
    meeting.machine.stream_replaced("s1", "s2")
    before = meeting.requests
    meeting.stops(12, "s2")
    meeting.later(1)
    assert meeting.requests == before + 1


def test_what_is_told_late_of_a_meeting_that_is_over_changes_nothing() -> None:
    """Zoom repeats after minutes: a coming that was before the end does not bring the meeting back, a new one does."""
    meeting = Meeting()
    for what, at_ms in (("started", 1000), ("ended", 9000), ("joined", 5000)):
        event = Lifecycle(what, at_ms, "857", "4444==", HOST)  # type: ignore[arg-type]
        meeting.do(meeting.machine.happened(event, meeting.now))
        if what == "started":
            meeting.stream()
    meeting.stops(6)
    meeting.later(600)
    assert meeting.requests == 1
    meeting.do(meeting.machine.happened(Lifecycle("joined", 9500, "857", "4444==", HOST), meeting.now))
    assert meeting.requests == 2


def test_a_host_with_two_devices_is_there_until_both_are_gone() -> None:
    """The second device's leaving, or a coming that is told before the old going, does not take the host away."""
    meeting = Meeting(reply=meaning(Reply(400, code=2308)))
    for what in ("started", "joined", "joined", "left"):
        meeting.happens(what, "" if what == "started" else HOST)  # type: ignore[arg-type]
    meeting.happens("joined", INVITEE)
    assert meeting.asked[-1][1].participant_user_id == HOST
    meeting.happens("left", HOST)
    meeting.happens("joined", INVITEE)
    assert meeting.asked[-1][1].participant_user_id == INVITEE
