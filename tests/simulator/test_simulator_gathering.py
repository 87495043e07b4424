"""Meetings as people live them: who waits, what Zoom tells of it, when streams begin and end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gatherings import ANN, BOB, CY, HOST, NOTES, OTHER, held, payloads, soon, told
from hand_client import until

from rtmsd.errors import SimulatorError
from rtmsd.simulator import Joins, Leaves, Meeting, Person
from rtmsd.simulator.cloud import Cloud

AUTO = replace(NOTES, auto_start=True)


def stop_reasons(cloud: Cloud) -> list[object]:
    return [payload["stop_reason"] for payload in payloads(cloud, "meeting.rtms_stopped")]


async def test_a_host_begins_and_ends_the_meeting() -> None:
    """Begun, joined, left, ended, in this order; the last one who leaves ends it."""
    async with held() as (cloud, meeting):
        assert not meeting.in_progress and cloud.meeting(str(meeting.number)) is meeting
        meeting.join(ANN)
        meeting.join(BOB)
        assert meeting.in_progress and [one.role for one in meeting.attendees] == ["host", "attendee"]
        assert cloud.meetings_of(HOST) == [meeting]
        meeting.leave(ANN)
        assert meeting.in_progress
        meeting.leave(BOB)
        assert not meeting.in_progress and not cloud.meetings_of(HOST)
        await meeting.settled()
        assert told(cloud) == [
            "started",
            "participant_joined",
            "participant_joined",
            "participant_left",
            "participant_left",
            "ended",
        ]


async def test_events_are_written_as_zoom_writes_them() -> None:
    """Ids are strings but for one event, guests have no Zoom user id, times are to the second."""
    async with held(join_before_host=False, topic="Weekly sync") as (cloud, meeting):
        meeting.join(BOB)
        meeting.join(ANN)
        await soon()
        [waiting] = payloads(cloud, "meeting.participant_jbh_waiting")
        about = {
            "id": str(meeting.number),
            "uuid": meeting.uuid,
            "host_id": HOST,
            "topic": "Weekly sync",
            "type": 2,
            "timezone": "Europe/Paris",
            "duration": 60,
        }
        assert waiting == {
            "account_id": "SimulatedAccount",
            "object": {**about, "participant": {"user_name": "Guest Bob"}},
        }
        [started] = payloads(cloud, "meeting.started")
        start_time = started["object"]["start_time"]
        assert len(start_time) == 20 and start_time.endswith("Z")
        about["start_time"] = start_time
        assert started["object"] == about
        host, guest = payloads(cloud, "meeting.participant_joined")
        assert host["object"] == {
            **about,
            "participant": {
                "user_id": str(ANN),
                "user_name": "Ann Host",
                "id": HOST,
                "participant_uuid": host["object"]["participant"]["participant_uuid"],
                "participant_user_id": HOST,
                "email": f"{HOST}@example.com",
                "join_time": host["object"]["participant"]["join_time"],
            },
        }
        assert "id" not in guest["object"]["participant"] and guest["object"]["participant"]["email"] == ""
        [no_more] = payloads(cloud, "meeting.participant_jbh_waiting_left")
        assert no_more["object"] == {
            **about,
            "id": meeting.number,
            "participant": {"user_name": "Guest Bob"},
        }
        meeting.end()
        await soon()
        left = payloads(cloud, "meeting.participant_left")[0]["object"]["participant"]
        assert left["leave_reason"] and left["leave_time"].endswith("Z")
        assert payloads(cloud, "meeting.ended")[0]["object"].keys() == {*about, "end_time"}


async def test_without_join_before_host_guests_wait_for_the_host() -> None:
    """The meeting has not begun while they wait; one goes again, the other comes in with the host."""
    async with held(join_before_host=False) as (cloud, meeting):
        meeting.join(BOB)
        meeting.join(CY)
        assert not meeting.in_progress and all(one.waits for one in meeting.attendees)
        meeting.leave(CY)
        meeting.join(ANN)
        assert meeting.in_progress and not any(one.waits for one in meeting.attendees)
        await soon()
        assert told(cloud) == [
            "participant_jbh_waiting",
            "participant_jbh_waiting",
            "participant_jbh_waiting_left",
            "started",
            "participant_joined",
            "participant_jbh_waiting_left",
            "participant_joined",
        ]


async def test_with_join_before_host_the_first_guest_begins_the_meeting() -> None:
    """It is told of the scheduled host, who is not there; once the host has come nobody joins before them."""
    async with held() as (cloud, meeting):
        meeting.join(BOB)
        assert meeting.in_progress and [one.role for one in meeting.attendees] == ["attendee"]
        meeting.join(ANN)
        meeting.join(CY)
        await soon()
        joined = "participant_joined"
        assert told(cloud) == ["started", "participant_jbh_joined", joined, joined, joined]
        assert payloads(cloud, "meeting.started")[0]["object"]["host_id"] == HOST


async def test_a_waiting_room_overrides_join_before_host() -> None:
    """Guests alone begin nothing; they come in when they are admitted, or leave the door."""
    async with held(waiting_room=True) as (cloud, meeting):
        meeting.join(BOB)
        meeting.join(CY)
        assert not meeting.in_progress
        with pytest.raises(SimulatorError, match="has not begun"):
            meeting.admit(BOB)
        meeting.join(ANN)
        assert [one.waits for one in meeting.attendees] == [True, True, False]
        meeting.admit(BOB)
        meeting.leave(CY)
        meeting.put_in_waiting_room(BOB)
        await soon()
        assert told(cloud) == [
            "participant_joined_waiting_room",
            "participant_joined_waiting_room",
            "started",
            "participant_joined",
            "participant_admitted",
            "participant_left_waiting_room",
            "participant_joined",
            "participant_left_waiting_room",
            "participant_put_in_waiting_room",
        ]
        door = payloads(cloud, "meeting.participant_joined_waiting_room")[0]["object"]["participant"]
        assert door.keys() == {"user_id", "user_name", "participant_uuid", "email", "date_time"}


async def test_roles_change_hands() -> None:
    """The host hands over and leaves; an alternative host takes over from a host who just leaves."""
    async with held(alternative_hosts=[OTHER]) as (cloud, meeting):
        meeting.join(CY)
        assert [one.role for one in meeting.attendees] == ["host"], "an alternative host begins meetings"
        meeting.join(ANN)
        meeting.join(BOB)
        assert [one.role for one in meeting.attendees] == ["cohost", "host", "attendee"]
        meeting.make_host(BOB)
        assert [one.role for one in meeting.attendees] == ["cohost", "attendee", "host"]
        meeting.leave(BOB)
        assert [one.role for one in meeting.attendees] == ["host", "attendee"]
        await soon()
        changes = [
            (who["user_id"], who["old_role"], who["new_role"])
            for who in (
                payload["object"]["participant"]
                for payload in payloads(cloud, "meeting.participant_role_changed")
            )
        ]
        assert changes == [
            (str(CY), "host", "cohost"),
            (str(ANN), "host", "attendee"),
            (str(BOB), "attendee", "host"),
            (str(CY), "cohost", "host"),
        ]


async def test_who_comes_after_the_end_is_in_a_new_occurrence() -> None:
    """The number stays, the UUID does not; the old one is no meeting any more."""
    async with held() as (cloud, meeting):
        meeting.join(ANN)
        before = meeting.uuid
        meeting.leave(ANN)
        assert meeting.uuid == before
        meeting.join(ANN)
        assert meeting.in_progress and meeting.uuid != before
        await soon()
        first, second = payloads(cloud, "meeting.started")
        assert first["object"]["id"] == second["object"]["id"]
        assert (first["object"]["uuid"], second["object"]["uuid"]) == (before, meeting.uuid)
        assert cloud.meeting(meeting.uuid) is meeting and cloud.meeting(before) is None


async def test_only_those_hear_of_a_meeting_who_may() -> None:
    """Apps of other accounts do not, unless its host has authorised them; nor apps that have not subscribed."""
    foreign = replace(NOTES, name="foreign", account_id="Another")
    known = replace(foreign, name="known", installed_by=frozenset({HOST}))
    deaf = replace(NOTES, name="deaf", lifecycle=False)
    async with held(NOTES, foreign, known, deaf) as (cloud, meeting):
        meeting.join(ANN)
        await soon()
        assert {one.app for one in cloud.sent} == {"notes", "known"}


async def test_auto_start_does_not_wait_for_the_host() -> None:
    """Guests alone are enough, the operator is the host all the same; the host's coming begins no second stream."""
    async with held(AUTO) as (cloud, meeting):
        meeting.join(BOB)
        [stream] = meeting.streams
        assert (stream.client_id, stream.operator_id, stream.paused) == ("notes-id", HOST, False)
        meeting.join(ANN)
        assert meeting.streams == [stream]
        await until(lambda: bool(payloads(cloud, "meeting.rtms_started")))
        [started] = payloads(cloud, "meeting.rtms_started")
        assert {key: started[key] for key in started if key != "server_urls"} == {
            "account_id": "SimulatedAccount",
            "operator_id": HOST,
            "meeting_id": str(meeting.number),
            "meeting_uuid": meeting.uuid,
            "rtms_stream_id": stream.stream_id,
            "is_original_host": True,
        }


@pytest.mark.parametrize(
    "app",
    [
        replace(AUTO, entitled_after_secs=None),
        replace(AUTO, allow_listed=False),
        replace(AUTO, installed_by=frozenset({"somebody else"})),
        replace(AUTO, account_id="Another"),
        NOTES,
    ],
    ids=["no credits", "not allowed", "not installed", "external", "not automatic"],
)
async def test_what_is_not_enabled_does_not_start(app: object) -> None:
    """No credits, no leave to read content, nobody who installed it, another account: nothing, and not a word."""
    async with held(app) as (_, meeting):  # type: ignore[arg-type]
        meeting.join(ANN)
        meeting.join(BOB)
        assert meeting.streams == []


async def test_two_users_of_one_app_have_two_streams() -> None:
    """Named users each bring the app; the second is not the original host's (protocol.md §7.6)."""
    async with held(replace(AUTO, installed_by=frozenset({HOST, OTHER}))) as (cloud, meeting):
        meeting.join(ANN)
        meeting.join(CY)
        assert [one.operator_id for one in meeting.streams] == [HOST, OTHER]
        await until(lambda: len(payloads(cloud, "meeting.rtms_started")) == 2)
        assert [one["is_original_host"] for one in payloads(cloud, "meeting.rtms_started")] == [True, False]
        assert len(meeting.truths) == 2


@pytest.mark.parametrize(("era", "reasons"), [("2026-07", [3]), ("2026-10", [])])
async def test_the_operators_leaving_stops_a_stream_until_october(era: str, reasons: list[int]) -> None:
    """Reason 3 before continuous sharing; since then the app stays. Who comes back starts it again."""
    async with held(AUTO, era=era) as (cloud, meeting):
        meeting.join(ANN)
        meeting.join(BOB)
        [first] = meeting.streams
        meeting.leave(ANN)
        await until(lambda: stop_reasons(cloud) == reasons)
        meeting.join(ANN)
        [second] = meeting.streams
        assert (first == second) == (not reasons)


async def test_the_end_stops_all_streams() -> None:
    """With reason 6, or what the script says; the streams tell it, and their truths are complete."""
    ends_badly = Meeting((Person(ANN, "A"),), (), 60_000, reason=8)
    for meeting, reason in ((None, 6), (ends_badly, 8)):
        async with held(AUTO, replace(AUTO, name="more", client_id="more-id"), meeting=meeting) as (
            cloud,
            it,
        ):
            it.join(ANN)
            assert len(it.streams) == 2
            it.end()
            assert it.streams == []
            await it.settled()
            assert stop_reasons(cloud) == [reason, reason]
            assert [truth.stop_reason for truth in it.truths.values()] == [reason, reason]


async def test_streams_are_controlled_one_by_one() -> None:
    """Paused, resumed, stopped; what is over is not there any more, and cannot be stopped twice."""
    async with held(AUTO, replace(AUTO, name="more", client_id="more-id")) as (cloud, meeting):
        meeting.join(ANN)
        first, second = meeting.streams
        meeting.pause(first)
        assert [one.paused for one in meeting.streams] == [True, False]
        meeting.resume(meeting.streams[0])
        assert meeting.streams == [first, second]
        meeting.stop(first)
        meeting.stop(first)
        assert meeting.streams == [second]
        await until(lambda: stop_reasons(cloud) == [25])


async def test_an_account_has_only_so_many_streams() -> None:
    """Above 80 % a warning; at the limit no rtms_started, but an event that says so, with the meeting."""
    app = replace(AUTO, concurrency_limit=2)
    async with held(app) as (cloud, meeting):
        gatherings = [meeting, *(cloud.plan(meeting=meeting.meeting) for _ in range(2))]
        for one in gatherings:
            one.join(ANN)
        assert [len(one.streams) for one in gatherings] == [1, 1, 0]
        await until(lambda: len(payloads(cloud, "meeting.rtms_started")) == 2)
        assert payloads(cloud, "rtms.concurrency_near_limit") == [
            {"concurrency_limit": 2, "concurrency_number": 2, "percentage": 80}
        ]
        assert payloads(cloud, "rtms.concurrency_limited") == [
            {
                "operator_id": gatherings[2].host_id,
                "concurrency_number": 2,
                "id_field": {"meeting_uuid": gatherings[2].uuid},
            }
        ]
        gatherings[0].end()
        gatherings[2].start(app, HOST)
        assert len(gatherings[2].streams) == 1


async def test_streams_know_who_comes_and_goes() -> None:
    """A stream that begins in the middle begins with those who are there, and follows the others; not who waits."""
    async with held(waiting_room=True) as (cloud, meeting):
        meeting.join(ANN)
        meeting.join(BOB)
        meeting.start(NOTES, HOST)
        [truth] = meeting.truths.values()
        assert [one.user_id for one in truth.joins] == [ANN]
        meeting.admit(BOB)
        meeting.leave(BOB)
        assert [one.user_id for one in truth.joins] == [ANN, BOB]
        assert [one.user_id for one in truth.leaves] == [BOB]
        assert cloud.server.playing


async def test_a_timeline_is_played() -> None:
    """People come and go by it, an empty meeting ends and begins again, and at its end all is over."""
    timeline = (Joins(0, BOB), Joins(1000, ANN), Leaves(2000, BOB), Leaves(2000, ANN), Joins(3000, ANN))
    people = (Person(ANN, "A"), Person(BOB, "B"))
    async with held(AUTO, meeting=Meeting(people, timeline, 4000)) as (cloud, meeting):
        await meeting.play()
        assert told(cloud).count("started") == told(cloud).count("ended") == 2
        assert stop_reasons(cloud) == [6, 6]
        first, second = meeting.truths.values()
        assert [one.user_id for one in first.joins] == [BOB, ANN]
        assert [one.user_id for one in second.joins] == [ANN]


@pytest.mark.parametrize(
    ("does", "complaint"),
    [
        (lambda meeting: meeting.join(1), "nobody has the user id 1"),
        (lambda meeting: meeting.join(ANN), "Ann Host is here already"),
        (lambda meeting: meeting.leave(BOB), "Guest Bob has not come"),
        (lambda meeting: meeting.admit(ANN), "Ann Host is not in the waiting room"),
        (lambda meeting: meeting.make_host(BOB), "Guest Bob is not in the meeting"),
        (lambda meeting: (meeting.end(), meeting.end()), "not going on"),
    ],
)
async def test_what_cannot_be_is_said(does: object, complaint: str) -> None:
    """A test that asks for the impossible is told so."""
    async with held() as (_, meeting):
        meeting.join(ANN)
        with pytest.raises(SimulatorError, match=complaint):
            does(meeting)  # type: ignore[operator]
