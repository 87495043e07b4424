"""Events: what their numbers mean for each product, and which are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from product_bench import ProductBench
from stream_bench import WALL_MS

from rtmsd.frames import Event, MediaKind
from rtmsd.protocol.codes import ContactCenterEventType, EventType
from rtmsd.protocol.events import TABLES, read_events, table_of
from rtmsd.protocol.people import People, channel_number

AUDIO = frozenset({MediaKind.AUDIO})


def read(product: str, body: dict[str, Any]) -> list[Event]:
    return read_events({"timestamp": WALL_MS} | body, table_of(product), People(), now_ms=5)


@pytest.mark.parametrize(
    ("product", "number", "name"),
    [
        ("meeting", 8, "participant_video_on"),
        ("webinar", 9, "participant_video_off"),
        ("video_sdk", 5, "sharing_started"),
        ("meeting", 10, "chat_group_create"),
        ("meeting", 14, "chat_group_member_status_update"),
        ("contact_center", 8, "consumer_answered"),
        ("contact_center", 12, "user_hold"),
        ("contact_center", 29, "conference_participant_left"),
        ("contact_center", 7, "media_interrupted"),
        ("meeting", 15, None),
        ("contact_center", 30, None),
        ("meeting", 0, None),
        ("phone", 3, None),
    ],
)
def test_a_number_means_what_it_means_for_the_product(product: str, number: int, name: str | None) -> None:
    """Numbers from 8 are others in a contact centre (§10 C41)."""
    assert [one.name for one in read(product, {"event_type": number})] == ([name] if name else [])


def test_every_number_of_the_tables_has_a_name() -> None:
    """What stands in `codes` reaches the recording under its own name, or under its past tense."""
    for number in EventType:
        assert bool(read("meeting", {"event_type": int(number)})) == bool(number)
    for code in ContactCenterEventType:
        found = read("contact_center", {"event_type": int(code)})
        assert [one.name for one in found] == ([code.name.lower()] if code else [])
    assert {product for product, _ in TABLES} >= {
        "meeting",
        "webinar",
        "video_sdk",
        "contact_center",
        "phone",
    }


@pytest.mark.parametrize("key", ["paticipant_info", "participant_info"])
def test_a_party_of_a_contact_centre(key: str) -> None:
    """Both spellings, the channel's number, the queue in the details, and no phone number (§10 C39)."""
    party = {
        "channel_id": "sip-1",
        "participant_mode": "agent",
        "queue_id": "q",
        "queue_name": "Sales",
        "phone_number": "+15550100",
        "user_id": "Zk3-GUID",
        "display_name": "Ann",
    }
    bench = ProductBench("contact_center", kinds=AUDIO)
    bench.receive(
        "signaling", {"msg_type": 6, "event": {"event_type": 8, "event_ts": WALL_MS + 7, key: party}}
    )
    appeared, answered = [item for item in bench.items if isinstance(item, Event)][-2:]
    assert (appeared.name, appeared.user_id) == ("channel_appeared", channel_number("sip-1"))
    assert answered == Event(
        "consumer_answered",
        WALL_MS + 7,
        channel_number("sip-1"),
        "Ann",
        {
            "channel_id": "sip-1",
            "participant_mode": "agent",
            "queue_id": "q",
            "queue_name": "Sales",
            "user_id": "Zk3-GUID",
        },
    )


@pytest.mark.parametrize(
    ("body", "users"),
    [
        (
            {"event_type": 4, "participants": [{"user_id": 5}, 6, "7", {"user_id": "8"}, None]},
            [5, 6, 7, 8, None],
        ),
        ({"event_type": "4", "participants": []}, [None]),
        ({"event_type": "PARTICIPANT_LEAVE", "user_id": "9"}, [9]),
        ({"event_type": 4, "participants": "all"}, [None]),
    ],
)
def test_participants_in_every_form(body: dict[str, Any], users: list[int | None]) -> None:
    """Objects, bare ids, ids in text, or none (§10 C25, C28)."""
    assert [one.user_id for one in read("meeting", body)] == users


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"event_ts": WALL_MS}, WALL_MS),
        ({"timestamp": WALL_MS * 1000}, WALL_MS),
        ({"timestamp": str(WALL_MS)}, WALL_MS),
        ({"timestamp": None, "event_ts": 0}, 5),
        ({"timestamp": 10**30}, 5),
        ({"timestamp": -4}, 5),
    ],
)
def test_the_time_of_an_event_in_every_form(body: dict[str, Any], at: int) -> None:
    """Either key, any unit; what is no time is now (§10 C27, C39)."""
    table = table_of("meeting")
    assert [one.timestamp_ms for one in read_events({"event_type": 1} | body, table, People(), now_ms=5)] == [
        at
    ]


@pytest.mark.parametrize(
    ("product", "request_fields", "expected"),
    [
        ("meeting", {"kinds": AUDIO}, [2, 3, 4]),
        ("webinar", {}, [2, 3, 4, 5, 6]),
        ("video_sdk", {"video": "individual"}, [2, 3, 4, 5, 6, 8, 9]),
        ("contact_center", {"kinds": AUDIO}, list(range(8, 30))),
        ("phone", {"kinds": AUDIO}, None),
    ],
)
def test_what_is_subscribed_to(
    product: str, request_fields: dict[str, Any], expected: list[int] | None
) -> None:
    """5 and 6 with shared screens, 8 and 9 with individual video, a contact centre's own; nothing for phone (§5.3)."""
    bench = ProductBench(product, **request_fields)
    asked = bench.said(5)
    assert [[one["event_type"] for one in message["events"]] for message in asked] == (
        [expected] if expected else []
    )
    assert all(one["subscribe"] is True for message in asked for one in message["events"])


def test_an_event_with_a_code_only_is_counted() -> None:
    """V2 and Zoom Phone have `event_code`, of which the numbers are not published (§12)."""
    bench = ProductBench("phone", kinds=AUDIO)
    assert bench.event(event_code=30_001) == [] and bench.counters["unhandled_events"] == 1
    meeting = ProductBench(kinds=AUDIO)
    assert [one.name for one in meeting.event(event_type=1, event_code=20_001)] == ["first_packet"]


def test_an_unknown_event_is_counted_by_its_number() -> None:
    """So that it can be seen what Zoom has added."""
    bench = ProductBench(kinds=AUDIO)
    for number in (40, 40, 4_000_000):
        bench.event(event_type=number)
    assert (bench.counters["unhandled_event_40"], bench.counters["unhandled_events"]) == (2, 1)


def test_groups_of_a_chat_keep_what_zoom_says() -> None:
    """The shape of events 10 to 14 is not published: all of it stays in the details, unless it is enormous."""
    [event] = read("meeting", {"event_type": 12, "group_id": "g", "members": [{"user_id": 5}]})
    assert event.details == {"group_id": "g", "members": [{"user_id": 5}]}
    [large] = read("meeting", {"event_type": 12, "group_id": "g" * 5000})
    assert large.details == {}


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted({product for product, _ in TABLES})),
    st.integers(-1, 32),
    st.dictionaries(
        st.sampled_from(
            [
                "timestamp",
                "event_ts",
                "user_id",
                "user_name",
                "participants",
                "paticipant_info",
                "channel_id",
                "x",
            ]
        ),
        _json | st.dictionaries(st.sampled_from(["channel_id", "user_id", "display_name"]), _json),
    ),
)
def test_no_event_breaks_anything(product: str, number: int, body: dict[str, Any]) -> None:
    """Any JSON gives events that can be written down, or none."""
    for event in read_events({"event_type": number} | body, table_of(product), People(), now_ms=5):
        assert isinstance(event.user_id, int | None) and isinstance(event.user_name, str | None)
        assert event.timestamp_ms > 0 and "phone_number" not in event.details
