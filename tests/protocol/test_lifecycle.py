"""What Zoom tells of a meeting's life is read, whatever the types of its ids."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.protocol.lifecycle import Lifecycle, lifecycle
from rtmsd.protocol.webhook import WebhookEvent, kept_body, parse

HOST = "30R7kT7bTIKSNUFEuH_Qlg"
MEETING: dict[str, Any] = {
    "id": "85746065432",
    "uuid": "4444AAAiAAAAAiAiAiiAii==",
    "host_id": HOST,
    "topic": "Weekly sync",
    "type": 2,
}


def read(event: str, meeting: dict[str, Any]) -> Lifecycle | None:
    return lifecycle(event, 1738392030000, {"account_id": "AAAAAABBBB", "object": meeting})


@pytest.mark.parametrize(
    ("event", "participant", "happening", "user_id"),
    [  # the examples of protocol.md §2.6
        ("meeting.started", None, "started", ""),
        (
            "meeting.participant_joined",
            {"user_id": "16778240", "id": HOST, "user_name": "Ann"},
            "joined",
            HOST,
        ),
        ("meeting.participant_joined", {"user_id": "16778240", "user_name": "Guest"}, "joined", ""),
        ("meeting.participant_joined", {"id": "", "participant_user_id": HOST}, "joined", HOST),
        ("meeting.participant_left", {"id": HOST, "leave_reason": "left the meeting"}, "left", HOST),
        ("meeting.participant_jbh_waiting", {"user_name": "Guest"}, "waits", ""),
        ("meeting.participant_jbh_waiting_left", {"user_name": "Guest"}, "waits_no_more", ""),
        ("meeting.participant_jbh_joined", {"user_name": "Guest"}, "jbh_joined", ""),
        ("meeting.participant_joined_waiting_room", {"user_id": "16779264"}, "waits", ""),
        ("meeting.participant_put_in_waiting_room", {"user_id": "16779264"}, "waits", ""),
        ("meeting.participant_left_waiting_room", {"user_id": "16779264"}, "waits_no_more", ""),
        ("meeting.participant_admitted", {"user_id": "16779264"}, "admitted", ""),
        ("meeting.ended", None, "ended", ""),
        ("webinar.started", None, "started", ""),
        ("webinar.ended", None, "ended", ""),
    ],
)
def test_every_event_of_a_meeting_is_read(
    event: str, participant: dict[str, Any] | None, happening: str, user_id: str
) -> None:
    """With the meeting's ids, the host, and who it is about."""
    found = read(event, MEETING if participant is None else MEETING | {"participant": participant})
    assert found is not None
    assert (found.happening, found.user_id) == (happening, user_id)
    assert (found.meeting_id, found.meeting_uuid) == ("85746065432", "4444AAAiAAAAAiAiAiiAii==")
    assert (found.host_id, found.account_id, found.at_ms) == (HOST, "AAAAAABBBB", 1738392030000)


def test_a_new_role_is_read() -> None:
    """Who became host or co-host."""
    found = read(
        "meeting.participant_role_changed",
        MEETING | {"participant": {"old_role": "attendee", "new_role": "Host"}},
    )
    assert found is not None and (found.happening, found.role) == ("role", "host")


@pytest.mark.parametrize("number", [85746065432, "85746065432", " 857 4606 5432 "])
def test_the_meetings_number_is_a_number_or_a_string(number: object) -> None:
    """Some events write a number, people write spaces (§2.6)."""
    found = read("meeting.participant_jbh_waiting_left", MEETING | {"id": number})
    assert found is not None and found.meeting_id == "85746065432"


def test_what_names_no_meeting_is_nothing() -> None:
    """Other events, broken bodies, and events without ids."""
    assert read("meeting.sharing_started", MEETING) is None
    assert read("meeting.started", {"topic": "Weekly sync"}) is None


def test_nothing_personal_is_kept() -> None:
    """What goes to the journal says the same again, without names and addresses."""
    ann = {"id": HOST, "user_name": "Ann Host", "email": "ann@example.com", "phone_number": "+49"}
    document = {
        "event": "meeting.participant_joined",
        "event_ts": 1738392030000,
        "payload": {"account_id": "AAAAAABBBB", "object": MEETING | {"participant": ann}},
    }
    body = json.dumps(document).encode()
    event = parse(body)
    assert isinstance(event, WebhookEvent) and event.kind == "lifecycle"
    stored = kept_body(event, body)
    assert parse(stored) == event
    for personal in (b"Ann", b"example.com", b"+49"):
        assert personal not in stored


@given(st.sampled_from(["meeting.started", "meeting.participant_joined"]), st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["payload", "object", "participant", "id", "uuid", "host_id"]), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_no_body_breaks_it(event: str, payload: object) -> None:
    """Whatever was signed is read or is nothing; and what is kept of it says the same."""
    body = json.dumps({"event": event, "event_ts": 5, "payload": payload}).encode()
    found = parse(body)
    assert isinstance(found, WebhookEvent)
    assert parse(kept_body(found, body)) == found
