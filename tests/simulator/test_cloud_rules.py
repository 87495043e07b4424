"""Who may start and stop an app, in each era of Zoom's rules (protocol.md §4.2, §4.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import (
    APP,
    COHOST,
    HOST,
    INVITEE,
    OUTSIDER,
    STRANGER,
    SmallMeeting,
    SmallWorld,
    attendee,
)

from rtmsd.simulator.cloud.rules import (
    Caller,
    Controlled,
    Refused,
    Silent,
    Started,
    judge_control,
    judge_start,
)
from rtmsd.simulator.cloud.world import Attendee, CloudApp, Era, RunningStream

ACCOUNT = Caller(account_id="SimulatedAccount")
ERAS: tuple[Era, ...] = get_args(Era)

HOST_THERE = attendee(HOST, role="host")
HOST_WAITS = attendee(HOST, role="host", waits=True)
INVITED = attendee(INVITEE, invited=True)
UNINVITED = attendee(STRANGER)
GUEST = attendee("")


def user(user_id: str) -> Caller:
    """A user who authorised the app."""
    return Caller("", user_id, APP.client_id)


def judged(
    era: Era,
    caller: Caller,
    participant: str,
    there: list[Attendee],
    *,
    app: CloudApp = APP,
    meeting: SmallMeeting | None = None,
    client_id: str = "receiver",
) -> str:
    """Put a judgement into a word: whom it starts for, `silent`, or the code."""
    meeting = meeting or SmallMeeting(attendees=there, alternative_hosts=[COHOST])
    world = SmallWorld(era=era, apps=[app])
    found = judge_start(world, meeting, caller=caller, client_id=client_id, participant=participant)
    match found:
        case Started(operator_id=operator):
            return operator
        case Silent():
            return "silent"
        case Refused(code=code, message=message):
            return str(code or message)


# who asks, for whom (the participant named), who is there, and what comes of it in each era
TABLE = {
    # 140368: the account, for the host
    "account, host there": (ACCOUNT, HOST, [HOST_THERE], [HOST] * 4),
    "account, host away": (ACCOUNT, HOST, [GUEST], ["silent"] * 4),
    "account, host in the waiting room": (ACCOUNT, HOST, [GUEST, HOST_WAITS], ["silent"] * 4),
    "account, nobody there": (ACCOUNT, HOST, [], ["silent"] * 4),
    # the account, for somebody else
    "account, invitee there": (ACCOUNT, INVITEE, [HOST_THERE, INVITED], [INVITEE] * 4),
    "account, invitee not yet there": (ACCOUNT, INVITEE, [HOST_THERE], ["silent"] * 4),
    "account, by an anonymous link": (
        ACCOUNT,
        STRANGER,
        [HOST_THERE, UNINVITED],
        [STRANGER, STRANGER, "2308", "2308"],
    ),
    "account, invitee, nobody approves": (ACCOUNT, INVITEE, [INVITED, GUEST], ["silent"] * 4),
    "account, invitee, a co-host approves": (
        ACCOUNT,
        INVITEE,
        [INVITED, attendee("", role="cohost")],
        [INVITEE] * 4,
    ),
    "account, invitee, an alternative host approves": (
        ACCOUNT,
        INVITEE,
        [INVITED, attendee(COHOST)],
        [INVITEE] * 4,
    ),
    "account, invitee, the host waits": (ACCOUNT, INVITEE, [INVITED, HOST_WAITS], ["silent"] * 4),
    # the account, for nobody in particular
    "account alone, host there": (ACCOUNT, "", [HOST_THERE], ["2308", HOST, HOST, HOST]),
    "account alone, host away": (ACCOUNT, "", [GUEST], ["2308", "silent", "silent", "silent"]),
    # the host's own token
    "host, there": (user(HOST), "", [HOST_THERE], [HOST] * 4),
    "host, guests only": (user(HOST), "", [GUEST], ["silent", HOST, HOST, HOST]),
    "host, nobody there": (user(HOST), "", [], ["silent", HOST, HOST, HOST]),
    "host, names herself": (user(HOST), HOST, [GUEST], ["silent", HOST, HOST, HOST]),
    "host, for an invitee": (user(HOST), INVITEE, [HOST_THERE, INVITED], [INVITEE] * 4),
    "host, for a stranger": (
        user(HOST),
        STRANGER,
        [HOST_THERE, UNINVITED],
        [STRANGER, STRANGER, "2308", "2308"],
    ),
    # an alternative host must be in the meeting
    "alternative host, there": (user(COHOST), "", [attendee(COHOST)], [COHOST] * 4),
    "alternative host, away": (user(COHOST), "", [HOST_THERE], ["silent"] * 4),
    "alternative host, for the host who is away": (user(COHOST), HOST, [attendee(COHOST)], ["silent"] * 4),
    # other users
    "invitee, there": (user(INVITEE), "", [HOST_THERE, INVITED], [INVITEE] * 4),
    "invitee, away": (user(INVITEE), "", [HOST_THERE], ["2308"] * 4),
    "stranger, there": (
        user(STRANGER),
        "",
        [HOST_THERE, UNINVITED],
        [STRANGER, STRANGER, "2308", "2308"],
    ),
    "invitee, for the host": (user(INVITEE), HOST, [HOST_THERE, INVITED], ["2308"] * 4),
    "stranger, made host": (user(STRANGER), "", [attendee(STRANGER, role="host")], [STRANGER] * 4),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", TABLE)
def test_who_may_start_the_app(name: str, era: Era) -> None:
    """Each situation comes to what the rules of the era make of it."""
    caller, participant, there, expected = TABLE[name]
    assert judged(era, caller, participant, there) == expected[ERAS.index(era)]


NOT_FOR_THE_APP = {
    "credits never": (replace(APP, entitled_after_secs=None), "2310"),
    "credits later": (replace(APP, entitled_after_secs=1090.0), "2310"),
    "credits just come": (replace(APP, entitled_after_secs=1000.0), HOST),
    "not on the allow list": (replace(APP, allow_listed=False), "13262"),
    "installed by others": (replace(APP, installed_by=frozenset({INVITEE})), "silent"),
    "installed by the host": (replace(APP, installed_by=frozenset({HOST})), HOST),
    "of another account": (replace(APP, account_id="Elsewhere"), "silent"),
    "of another account, authorised": (
        replace(APP, account_id="Elsewhere", installed_by=frozenset({HOST})),
        HOST,
    ),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", NOT_FOR_THE_APP)
def test_what_the_app_must_have(name: str, era: Era) -> None:
    """Credits, a place on the allow list, and the user's authorisation, without which Zoom is silent."""
    app, expected = NOT_FOR_THE_APP[name]
    assert judged(era, ACCOUNT, HOST, [HOST_THERE], app=app) == expected


@pytest.mark.parametrize("era", ERAS)
def test_an_external_account_that_has_not_authorised_the_app_is_silent(era: Era) -> None:
    """A meeting of another account: its host's app does not start, an invitee's of the own account does."""
    meeting = SmallMeeting(account_id="External", attendees=[HOST_THERE, INVITED])
    assert judged(era, ACCOUNT, HOST, [], meeting=meeting) == "silent"
    assert judged(era, ACCOUNT, INVITEE, [], meeting=meeting) == INVITEE
    assert judged(era, ACCOUNT, "", [], meeting=meeting) == "2308"


@pytest.mark.parametrize("era", ERAS)
def test_an_account_that_owns_neither_app_nor_meeting_rules_nothing(era: Era) -> None:
    """Its token neither starts nor stops."""
    elsewhere, meeting = Caller(account_id="Elsewhere"), SmallMeeting(attendees=[HOST_THERE])
    assert judged(era, elsewhere, HOST, [], meeting=meeting) == "2308"
    meeting.streams.append(HOSTS)
    for participant in ("", HOST):
        found = judge_control(
            SmallWorld(era=era), meeting, caller=elsewhere, client_id="receiver", participant=participant
        )
        assert isinstance(found, Refused) and found.code == 2308


def test_a_user_who_authorised_the_app_needs_no_account() -> None:
    """The token says it: whoever's account it is."""
    meeting = SmallMeeting(account_id="External", attendees=[])
    assert judged("2026-10", user(HOST), "", [], meeting=meeting) == HOST
    other = Caller("", HOST, "another-app")
    assert judged("2026-10", other, "", [], meeting=meeting) == "silent"


def test_meetings_that_cannot_be_started_in() -> None:
    """None, one that has not begun, an unknown app, and one in which it runs already for this user, not for another."""
    world = SmallWorld()
    no_meeting = judge_start(world, None, caller=ACCOUNT, client_id="receiver")
    assert isinstance(no_meeting, Refused) and (no_meeting.status, no_meeting.code) == (404, 3001)
    waiting = SmallMeeting(in_progress=False, attendees=[])
    assert judged("2026-10", ACCOUNT, HOST, [], meeting=waiting) == "3000"
    assert judged("2026-10", ACCOUNT, HOST, [HOST_THERE], client_id="controller") == "13262"
    running = SmallMeeting(
        attendees=[HOST_THERE, INVITED], streams=[RunningStream("s", "receiver", HOST, False)]
    )
    assert "already started" in judged("2026-10", ACCOUNT, HOST, [], meeting=running)
    assert "already started" in judged("2026-10", user(HOST), "", [], meeting=running)
    assert judged("2026-10", ACCOUNT, INVITEE, [], meeting=running) == INVITEE


HOSTS = RunningStream("of-the-host", "receiver", HOST, False)
INVITEES = RunningStream("of-the-invitee", "receiver", INVITEE, False)
OTHERS = RunningStream("of-another-app", "other", HOST, False)
BOTH = ["of-the-host", "of-the-invitee"]

# who asks, the participant named, who is there, and which streams heed it in each era: "silent", or a code
CONTROL = {
    "account, all": (ACCOUNT, "", [HOST_THERE], [BOTH] * 4),
    "account, host away": (ACCOUNT, "", [GUEST], ["silent", BOTH, BOTH, BOTH]),
    "account, one user's": (ACCOUNT, INVITEE, [HOST_THERE], [["of-the-invitee"]] * 4),
    "account, of somebody who has none": (ACCOUNT, STRANGER, [HOST_THERE], ["2310"] * 4),
    "host, her own": (user(HOST), "", [HOST_THERE], [["of-the-host"]] * 4),
    "host, from outside": (user(HOST), "", [], ["silent", *[["of-the-host"]] * 3]),
    "host, an invitee's": (user(HOST), INVITEE, [HOST_THERE], [["of-the-invitee"]] * 4),
    "alternative host, there": (user(COHOST), "", [attendee(COHOST)], [BOTH] * 4),
    "alternative host, away": (user(COHOST), "", [HOST_THERE], ["silent"] * 4),
    "alternative host, away, an invitee's": (user(COHOST), INVITEE, [HOST_THERE], ["silent"] * 4),
    "invitee, there": (user(INVITEE), "", [HOST_THERE, INVITED], [["of-the-invitee"]] * 4),
    "invitee, has left": (user(INVITEE), "", [HOST_THERE], ["silent"] * 3 + [["of-the-invitee"]]),
    "invitee, the host's": (user(INVITEE), HOST, [HOST_THERE, INVITED], ["2308"] * 4),
    "outsider": (user(OUTSIDER), "", [HOST_THERE], ["2308"] * 4),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", CONTROL)
def test_who_may_stop_pause_and_resume(name: str, era: Era) -> None:
    """An owner's token keeps control after leaving since October 2026; a host's needs nobody since January."""
    caller, participant, there, expected = CONTROL[name]
    meeting = SmallMeeting(attendees=there, streams=[HOSTS, OTHERS, INVITEES], alternative_hosts=[COHOST])
    found = judge_control(
        SmallWorld(era=era), meeting, caller=caller, client_id="receiver", participant=participant
    )
    match found:
        case Controlled(streams=streams):
            assert [one.stream_id for one in streams] == expected[ERAS.index(era)]
        case Silent():
            assert expected[ERAS.index(era)] == "silent"
        case Refused(code=code):
            assert expected[ERAS.index(era)] == str(code)


def test_nothing_to_control() -> None:
    """No such meeting, one that has not begun, an unknown app."""
    world = SmallWorld()
    for meeting, client_id, code in (
        (None, "receiver", 3001),
        (SmallMeeting(in_progress=False), "receiver", 3000),
        (SmallMeeting(), "unknown", 13262),
        (SmallMeeting(), "receiver", 2310),
    ):
        found = judge_control(world, meeting, caller=ACCOUNT, client_id=client_id)
        assert isinstance(found, Refused) and found.code == code


PEOPLE = st.lists(
    st.builds(
        attendee,
        st.sampled_from(["", HOST, COHOST, INVITEE, STRANGER]),
        role=st.sampled_from(["host", "cohost", "attendee"]),
        invited=st.booleans(),
        waits=st.booleans(),
    ),
    max_size=5,
)


@given(
    there=PEOPLE,
    era=st.sampled_from(ERAS),
    asking=st.sampled_from(["", HOST, COHOST, INVITEE]),
    participant=st.sampled_from(["", HOST, INVITEE, STRANGER]),
)
def test_only_the_hosts_own_token_starts_for_somebody_who_is_not_there(
    there: list[Attendee], era: Era, asking: str, participant: str
) -> None:
    """Whoever is in the meeting in whatever role: a stream is somebody's who is there, or the host's who asked herself."""
    caller = user(asking) if asking else ACCOUNT
    word = judged(era, caller, participant, there)
    if word in (HOST, COHOST, INVITEE, STRANGER):
        present = {one.zoom_user_id for one in there if not one.waits}
        assert word in present or (word == asking == HOST and era != "2025")
