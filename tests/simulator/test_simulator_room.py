"""What people do beside talking, over real sockets: cameras, screens, chat, corrections, languages."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hand_client import Socket, until
from scenes import noise, playing

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import (
    ChangesGroup,
    Chats,
    Corrects,
    Joins,
    Leaves,
    Meeting,
    Person,
    Says,
    Shares,
    Truth,
    TurnsCamera,
    read_truth,
    write_truth,
)
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.pictures import SCREEN, camera, pictures
from rtmsd.simulator.refusal import Strictness

ANN, BO = 16778240, 16779264
PEOPLE = (Person(ANN, "Ann"), Person(BO, "Bo"))
EVERYTHING = ~MediaDataType.ALL & MediaDataType(63)


def scene_of(*timeline: object, ends_ms: int = 20_000, **knobs: Any) -> Meeting:
    inside = (Joins(0, ANN), Joins(0, BO))
    return Meeting(PEOPLE, (*inside, *timeline), ends_ms, media=EVERYTHING, **knobs)  # type: ignore[arg-type]


async def subscribe(signaling: Socket, *kinds: int) -> None:
    events = [{"event_type": kind, "subscribe": True} for kind in kinds]
    await signaling.say({"msg_type": 5, "events": events})


def events_of(signaling: Socket) -> list[tuple[int, int | None]]:
    """Every event's number, and whom it is about."""
    events = [message["event"] for message in signaling.of(6)]
    about = [(event.get("participants") or [event])[0].get("user_id") for event in events]
    return list(zip([event["event_type"] for event in events], about, strict=True))


def shown(socket: Socket, msg_type: int) -> list[tuple[int, int, str]]:
    """Every picture that came: (user id, timestamp, SHA-256)."""
    contents = [message["content"] for message in socket.of(msg_type)]
    datas = [base64.b64decode(content["data"]) for content in contents]
    assert [content["length"] for content in contents] == [len(data) for data in datas]
    return [
        (content["user_id"], content["timestamp"], hashlib.sha256(data).hexdigest())
        for content, data in zip(contents, datas, strict=True)
    ]


def truth_of(truth: Truth, kind: str) -> list[tuple[int, int, str]]:
    return [(one.user_id, one.timestamp_ms, one.sha256) for one in truth.pictures if one.kind == kind]


async def test_the_active_speaker_is_seen_and_the_screen_is_shared() -> None:
    """Video goes to whoever speaks with a camera on, the share comes from who shares; all of it is in the truth."""
    happens = (
        TurnsCamera(3_000, ANN, on=True),
        TurnsCamera(3_000, BO, on=True),
        Shares(4_000, BO, on=True),
        Says(5_000, BO, noise(1_000)),
        Shares(7_000, BO, on=False),
        TurnsCamera(7_000, BO, on=False),
        Leaves(8_000, ANN),
    )
    async with playing(scene_of(*happens)) as scene:
        signaling = await scene.client.signaling()
        video = await scene.client.media(signaling, "video", 2, {"video": {"codec": 7, "fps": 25}})
        share = await scene.client.media(signaling, "deskshare", 4, {"deskshare": {"codec": 6, "fps": 5}})
        assert (await video.next(4))["media_params"]["video"]["fps"] == 25
        assert (await share.next(4))["media_params"]["deskshare"]["codec"] == 6
        await scene.client.ready(signaling)
        await subscribe(signaling, 5, 6, 8, 9)
        await until(lambda: (9, ANN) in events_of(signaling))
        seen, screen = shown(video, 15), shown(share, 16)
        truth = scene.simulator.truth
    assert seen == truth_of(truth, "video") and screen == truth_of(truth, "share")
    whose = [user_id for user_id, _, _ in seen]
    changes = [user_id for number, user_id in enumerate(whose) if number == 0 or whose[number - 1] != user_id]
    assert changes == [ANN, BO, ANN]
    for user_id, number in ((ANN, 0), (BO, 1)):
        own = {one.sha256 for one in pictures(camera(number), 7)}
        assert {digest for user, _, digest in seen if user == user_id} <= own
    assert {user for user, _, _ in screen} == {BO} and 14 <= len(screen) <= 16
    assert {digest for _, _, digest in screen} == {one.sha256 for one in pictures(SCREEN, 6)}
    assert events_of(signaling) == [(8, ANN), (8, BO), (5, BO), (6, None), (9, BO), (9, ANN)]


async def test_individual_video_comes_when_it_was_subscribed_to() -> None:
    """Nothing flows before 28; 44 for the same again; another replaces it; nobody's id and the end of it are answered."""
    cameras = (TurnsCamera(0, ANN, on=True), TurnsCamera(0, BO, on=True))
    async with playing(scene_of(*cameras, ends_ms=60_000)) as scene:
        signaling = await scene.client.signaling()

        async def ask(user_id: object, on: bool = True) -> int:
            before = len(signaling.of(29))
            await signaling.say({"msg_type": 28, "user_id": user_id, "subscribe": on, "timestamp": 7})
            await until(lambda: len(signaling.of(29)) > before)
            answer = signaling.of(29)[-1]
            assert answer["user_id"] == user_id
            return int(answer["status_code"])

        assert await ask(ANN) == 29, "there is no socket for it"
        params = {"video": {"codec": 5, "fps": 5, "data_opt": 4}}
        video = await scene.client.media(signaling, "video", 2, params)
        await video.next(4)
        await scene.client.ready(signaling)
        await subscribe(signaling, 8)
        await until(lambda: events_of(signaling) == [(8, ANN), (8, BO)])
        assert video.of(15) == []
        assert [await ask(BO), await ask(BO), await ask(4711)] == [0, 44, 4]
        await until(lambda: len(video.of(15)) >= 3)
        assert await ask(ANN) == 0
        await until(lambda: shown(video, 15)[-1][0] == ANN)
        assert await ask(ANN, on=False) == 0
        seen = shown(video, 15)
        assert seen == truth_of(scene.simulator.truth, "video")[: len(seen)]
    whose = [user_id for user_id, _, _ in seen]
    assert whose == sorted(whose, reverse=True)


async def test_a_video_subscription_ends_with_its_signaling_connection() -> None:
    """Who comes back has to subscribe again, to events and to video alike, and is not told that it is a duplicate."""
    async with playing(scene_of(TurnsCamera(0, BO, on=True), ends_ms=60_000)) as scene:
        params = {"video": {"codec": 5, "fps": 5, "data_opt": 4}}
        for _ in range(2):
            signaling = await scene.client.signaling()
            video = await scene.client.media(signaling, "video", 2, params)
            await video.next(4)
            await scene.client.ready(signaling)
            await signaling.say({"msg_type": 28, "user_id": BO, "subscribe": True, "timestamp": 7})
            assert (await signaling.next(29))["status_code"] == 0
            await until(lambda: len(video.of(15)) >= 2)  # noqa: B023  # awaited at once
            await scene.simulator.drop("signaling")


@pytest.mark.parametrize(
    ("media_params", "asked", "status", "confirmed"),
    [
        ("zoom", {"channel": 2}, 0, {"channel": 2}),
        ("strict", {"channel": 2}, 21, {}),
        ("zoom", {"content_type": 1}, 19, {}),
        ("lenient", {"content_type": 1}, 0, {"content_type": 2}),
        ("lenient", {"codec": 99, "channel": 2}, 0, {"codec": 1, "channel": 1}),
    ],
)
async def test_the_handshake_is_as_strict_as_the_scenario_says(
    media_params: Strictness, asked: dict[str, int], status: int, confirmed: dict[str, int]
) -> None:
    """`behaviour.media_params` decides what message 4 says to what the documents disagree about."""
    meeting = scene_of(behaviour=Behaviour(media_params=media_params))
    async with playing(meeting) as scene:
        signaling = await scene.client.signaling()
        audio = await scene.client.media(signaling, "audio", 1, {"audio": asked})
        answer = await audio.next(4)
        assert answer["status_code"] == status
        assert confirmed.items() <= answer["media_params"].get("audio", {}).items()


async def test_the_chat_has_all_its_operations() -> None:
    """New, update, emoji and delete name the same message, an answer its parent; group and individual say to whom."""
    happens = (
        Chats(3_000, ANN, "Hello", label="hello"),
        Chats(3_200, BO, "Hi", of="hello"),
        Chats(3_400, ANN, "Hello all", "update", of="hello"),
        Chats(3_600, BO, "👍", "add_emoji", of="hello"),
        Chats(3_800, BO, "👍", "remove_emoji", of="hello"),
        Chats(4_000, ANN, "", "delete", of="hello"),
        Chats(4_200, ANN, "Between us", to=BO),
        ChangesGroup(4_300, ANN, "create", "crew", (ANN, BO)),
        Chats(4_400, ANN, "Crew only", group="crew"),
        ChangesGroup(4_600, ANN, "member_status", "crew", (BO,), 4),
    )
    async with playing(scene_of(*happens)) as scene:
        signaling = await scene.client.signaling()
        chat = await scene.client.media(signaling, "chat", 16)
        await chat.next(4)
        await scene.client.ready(signaling)
        await subscribe(signaling, *range(10, 15))
        await until(lambda: len(signaling.of(6)) >= 2)
        said = [json.loads(message["content"]["data"]) for message in chat.of(18)]
        truth = scene.simulator.truth
    hello = said[0]["message_id"]
    assert [one["operation_type"] for one in said] == [1, 1, 3, 4, 5, 2, 1, 1]
    assert [one["message_id"] == hello for one in said] == [True, False, True, True, True, True, False, False]
    assert said[1]["parent_message_id"] == hello and said[2]["text"] == "Hello all"
    assert said[3]["emoji"] == "👍" and said[0]["chat_session"] == {"type": 1}
    assert said[6]["chat_session"] == {"type": 2} and said[6]["receiver"] == {
        "user_id": BO,
        "user_name": "Bo",
    }
    assert said[7]["chat_session"] == {"type": 3, "id": "group-crew"}
    assert [one.message_id for one in truth.chats] == [one["message_id"] for one in said]
    created, changed = [message["event"] for message in signaling.of(6)]
    assert (created["event_type"], changed["event_type"]) == (10, 14)
    assert [member["user_id"] for member in created["members"]] == [ANN, BO]
    assert [member["status"] for member in changed["members"]] == [4]


async def test_transcripts_are_corrected_and_taken_back() -> None:
    """An update and a deletion carry the same user and start as the phrase, and attributes 2 and 3."""
    happens = (
        Says(3_000, ANN, noise(500)),
        Corrects(6_000, ANN, "better words"),
        Corrects(7_000, ANN, None),
    )
    async with playing(scene_of(*happens)) as scene:
        _, _, transcript = await scene.client.join()
        await until(lambda: len(transcript.of(17)) == 3)
        contents = [message["content"] for message in transcript.of(17)]
        truth = scene.simulator.truth
    assert [(one["attribute"], one["data"]) for one in contents] == [
        (1, "some words"), (2, "better words"), (3, "")
    ]  # fmt: skip
    assert len({(one["user_id"], one["timestamp"], one["start_time"]) for one in contents}) == 1
    assert [(one.attribute, one.text) for one in truth.transcripts] == [
        (one["attribute"], one["data"]) for one in contents
    ]
    assert len(truth.phrases) == 1, "what was said was said once"


async def test_languages_are_told_apart_after_a_while() -> None:
    """English first, the person's own after the switch; with enable_lid false the one asked for stays."""
    french = (Person(ANN, "Ann", language=13), Person(BO, "Bo"))
    says = tuple(Says(at_ms, ANN, noise(300)) for at_ms in (3_000, 7_000))
    meeting = replace(scene_of(*says, language_after_secs=6.0), people=french)
    for params, languages in (
        (None, [9, 13]),
        ({"src_language": 28, "enable_lid": True}, [28, 13]),
        ({"src_language": 28, "enable_lid": False}, [28, 28]),
    ):
        async with playing(meeting) as scene:
            signaling = await scene.client.signaling()
            transcript = await scene.client.media(signaling, "transcript", 8, {"transcript": params})
            await transcript.next(4)
            await scene.client.ready(signaling)
            await until(lambda: len(transcript.of(17)) == 2)  # noqa: B023  # awaited at once
            assert [one["content"]["language"] for one in transcript.of(17)] == languages
            assert [one.language for one in scene.simulator.truth.transcripts] == languages


async def test_the_truth_survives_its_files(tmp_path: Any) -> None:
    """Pictures, corrections, chats and the steps of encoded sentences are read as they were written."""
    happens = (
        TurnsCamera(1_000, ANN, on=True),
        Says(1_000, ANN, noise(600)),
        Chats(2_000, ANN, "a", label="x"),
        Chats(2_200, BO, "b", "update", of="x", to=ANN),
    )
    async with playing(scene_of(*happens, ends_ms=5_000)) as scene:
        signaling = await scene.client.signaling()
        video = await scene.client.media(signaling, "all", 32, {"video": {"codec": 6}})
        await video.next(4)
        await scene.client.ready(signaling)
        await scene.over()
        truth = scene.simulator.truth
    assert truth.pictures and truth.transcripts and truth.tracks[ANN][0].runs
    write_truth(tmp_path, truth)
    assert read_truth(tmp_path / truth.stream_id) == truth
