"""The simulator plays every product: its webhooks, its ids, its scopes and its events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hand_client import until
from scenes import Playing, noise, playing

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import ContactCenterEventType, MediaDataType
from rtmsd.simulator import (
    PRODUCTS,
    Holds,
    Joins,
    Leaves,
    Meeting,
    Person,
    Says,
    TurnsCamera,
    VoiceEvent,
)

ANN, BO = 16778240, 16779264
STARTED = {
    "meeting": ({"account_id", "operator_id", "meeting_id", "is_original_host"}, "meeting_uuid"),
    "webinar": ({"account_id", "operator_id", "webinar_id", "is_original_host"}, "webinar_uuid"),
    "video_sdk": ({"account_id", "session_key"}, "session_id"),
    "contact_center": ({"account_id", "operator_id"}, "engagement_id"),
    "phone": ({"account_id", "operator_id"}, "call_id"),
}
EVENTS = {
    "meeting": "meeting.rtms_",
    "webinar": "webinar.rtms_",
    "video_sdk": "session.rtms_",
    "contact_center": "contact_center.voice_rtms_",
    "phone": "phone.rtms_",
}


def short(product: str, *more: object, ends_ms: int = 12_000, **knobs: Any) -> Meeting:
    people = (Person(ANN, "Ann", role="consumer"), Person(BO, "Bo"))
    timeline = (Joins(0, ANN), Joins(0, BO), Says(200, ANN, noise(3_000)), *more)
    return Meeting(people, timeline, ends_ms, product=PRODUCTS[product], **knobs)  # type: ignore[arg-type]


def sent(scene: Playing) -> list[tuple[str, dict[str, Any]]]:
    bodies = [json.loads(body) for _, body in scene.webhooks]
    return [(body["event"], body["payload"]) for body in bodies]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_each_product_has_its_webhooks_and_its_id(product: str) -> None:
    """Names and payloads are those of §2.5.4; the handshake's signature is over the same id, under any of five keys."""
    more, id_key = STARTED[product]
    async with playing(short(product)) as scene:
        event, payload = sent(scene)[0]
        assert event == EVENTS[product] + "started"
        assert payload.keys() == {*more, id_key, "rtms_stream_id", "server_urls"}
        scene.client.started = payload | {"meeting_uuid": payload[id_key]}
        handshake = scene.client.handshake(1)
        handshake[id_key] = handshake.pop("meeting_uuid")
        signaling = await scene.client.socket(payload["server_urls"])
        await signaling.say(handshake)
        assert (await signaling.next(2))["status_code"] == 0
        await scene.simulator.drop("signaling")
        await until(lambda: len(scene.webhooks) > 1)
        await scene.simulator.end()
        await asyncio.wait_for(scene.play, 5)
    session = {"session_key": payload["session_key"]} if product == "video_sdk" else {}
    ids = {id_key: payload[id_key], "rtms_stream_id": payload["rtms_stream_id"], **session}
    assert sent(scene)[1:] == [
        (EVENTS[product] + "interrupted", ids),
        (EVENTS[product] + "stopped", {**ids, "stop_reason": 6}),
    ]


async def test_payloads_can_be_nested() -> None:
    """With `nested` all that a webhook tells stands in `payload.object`, as some of Zoom's samples have it (C1)."""
    async with playing(short("meeting", nested=True)) as scene:
        (event, payload) = sent(scene)[0]
        assert event == "meeting.rtms_started" and payload.keys() == {"object"}
        assert payload["object"]["server_urls"] == scene.simulator.signaling_url


def test_a_product_cannot_have_what_is_not_its_own() -> None:
    """Calls are put on hold in a contact centre only, and a meeting without video has no cameras."""
    with pytest.raises(SimulatorError, match="contact_center"):
        short("meeting", Holds(0, ANN, on=True))
    with pytest.raises(SimulatorError, match="this meeting has no video"):
        short("contact_center", TurnsCamera(0, ANN, on=True))


async def test_a_contact_centre_knows_people_by_their_channels() -> None:
    """Sound carries a channel_id and no user_id, transcripts both, and nobody on hold is heard."""
    held = (Holds(1_000, ANN, on=True), Holds(2_000, ANN, on=False))
    async with playing(short("contact_center", *held)) as scene:
        payload = sent(scene)[0][1]
        scene.client.started = payload | {"meeting_uuid": payload["engagement_id"]}
        params = {"audio": {"data_opt": 2, "send_rate": 20}}
        _, audio, transcript = await scene.client.join(params)
        truth = scene.simulator.truth
        await until(lambda: len(audio.of(14)) >= 100)
        contents = [message["content"] for message in audio.of(14)]
        assert {content.get("channel_id") for content in contents} == {f"sip-channel-{ANN:08x}"}
        assert all("user_id" not in content and content["user_name"] == "Ann" for content in contents)
        first, second = truth.tracks[ANN]
        assert second.timestamp_ms - first.end_ms == 1_000
        assert transcript.of(17) == [], "it was not heard from its first word to its last"


async def test_a_contact_centre_has_events_of_its_own() -> None:
    """Joining, leaving, holding and a transfer are the events of §6.3, with the misspelt `paticipant_info`."""
    transfer = ContactCenterEventType.TRANSFER_INITIATED
    happens = (Holds(2_000, BO, on=True), VoiceEvent(2_200, BO, transfer), Leaves(2_400, ANN))
    async with playing(short("contact_center", *happens)) as scene:
        payload = sent(scene)[0][1]
        scene.client.started = payload | {"meeting_uuid": payload["engagement_id"]}
        signaling = await scene.client.signaling()
        await signaling.next(2)
        wanted = [{"event_type": kind, "subscribe": True} for kind in range(8, 30)]
        await signaling.say({"msg_type": 5, "events": wanted})
        await until(lambda: any(one["event"]["event_type"] == 9 for one in signaling.of(6)))
        events = [message["event"] for message in signaling.of(6)]
        assert [event["event_type"] for event in events] == [8, 10, 12, 18, 9]
        assert all(event.keys() == {"event_type", "event_ts", "paticipant_info"} for event in events)
        assert events[0]["paticipant_info"]["channel_id"] == f"sip-channel-{ANN:08x}"
        assert events[0]["paticipant_info"]["participant_mode"] == "consumer"
        assert events[1]["paticipant_info"]["display_name"] == "Bo"


async def test_a_product_without_scopes_has_no_urls_for_them() -> None:
    """A contact centre's signaling offers audio and transcripts alone; video is refused with its own status."""
    async with playing(short("contact_center")) as scene:
        payload = sent(scene)[0][1]
        scene.client.started = payload | {"meeting_uuid": payload["engagement_id"]}
        signaling = await scene.client.signaling()
        urls = (await signaling.next(2))["media_server"]["server_urls"]
        assert urls.keys() == {"audio", "transcript", "all"}
        video = await scene.client.media(signaling, "all", int(MediaDataType.VIDEO))
        assert (await video.next(4))["status_code"] == 10


async def test_zoom_phone_has_no_events_of_the_first_version() -> None:
    """Sound flows and states are told, but no event: those of Phone have codes that are not published."""
    async with playing(short("phone")) as scene:
        payload = sent(scene)[0][1]
        scene.client.started = payload | {"meeting_uuid": payload["call_id"]}
        signaling, audio, _ = await scene.client.join()
        await until(lambda: len(audio.of(14)) > 10)
        await scene.simulator.end()
        await signaling.gone()
        assert signaling.of(6) == [] and signaling.of(8)
