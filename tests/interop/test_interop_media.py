"""Zoom's own client judges the simulator's media and products: what its callbacks get is the truth, byte for byte."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sdk_process import SdkRun, Webhooks, needs_sdk, sdk

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import (
    PRODUCTS,
    AudioParams,
    Joins,
    Leaves,
    Meeting,
    Person,
    Says,
    Shares,
    Simulator,
    Truth,
    TurnsCamera,
    load_sentences,
    sent_audio,
)

pytestmark = needs_sdk

ANN, BO = 16778240, 16779264
EVERYTHING = ~MediaDataType.ALL & MediaDataType(63)
MULTI = 2


def meeting(product: str = "meeting", *, ends_ms: int = 7_500) -> Meeting:
    """Two who speak after each other, with cameras and a shared screen where the product has them."""
    sentences = load_sentences()
    seen = (
        TurnsCamera(0, ANN, on=True),
        TurnsCamera(3_000, BO, on=True),
        Shares(3_200, BO, on=True),
        Shares(4_600, BO, on=False),
        TurnsCamera(5_800, BO, on=False),
    )
    granted = PRODUCTS[product].media
    return Meeting(
        (Person(ANN, "Ann", role="consumer"), Person(BO, "Bo")),
        (
            Joins(0, ANN),
            Joins(0, BO),
            Says(700, ANN, sentences["open"]),  # until 2 480
            Says(3_400, BO, sentences["names"]),  # until 5 480
            Leaves(7_000, BO),
            *(seen if MediaDataType.VIDEO in granted else ()),
        ),
        ends_ms,
        media=granted,
        product=PRODUCTS[product],
    )


@asynccontextmanager
async def heard_by_sdk(what: Meeting, tmp: Path, **options: object) -> AsyncIterator[tuple[SdkRun, Truth]]:
    """Play a meeting to the SDK, to its end."""
    webhooks = Webhooks()
    async with Simulator(meeting=what, on_webhook=webhooks) as simulator, asyncio.TaskGroup() as group:
        play = group.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp, **options) as run:
            await run.ended()
        await play
        yield run, simulator.truth


def audio_of(run: SdkRun) -> dict[int, list[tuple[int, bytes]]]:
    heard: dict[int, list[tuple[int, bytes]]] = {}
    for entry in run.of("audio"):
        heard.setdefault(entry["user"], []).append((entry["timestamp"], base64.b64decode(entry["data"])))
    return heard


def pictures_of(run: SdkRun, kind: str) -> list[tuple[int, int, str]]:
    return [(entry["user"], entry["timestamp"], entry["sha256"]) for entry in run.of(kind)]


def shown(truth: Truth, kind: str) -> list[tuple[int, int, str]]:
    return [(one.user_id, one.timestamp_ms, one.sha256) for one in truth.pictures if one.kind == kind]


async def test_the_sdk_gets_everything_with_its_own_defaults(tmp_path: Path, proof: list[str]) -> None:
    """Opus at 48 kHz in stereo, H.264 video and share, transcripts and events of cameras and screens reach its callbacks."""
    options = {"codec": "default", "video": True, "share": True, "transcript": "default"}
    async with heard_by_sdk(meeting(), tmp_path, **options, subscribe=[5, 6, 8, 9]) as (run, truth):
        pass
    assert [entry["reason"] for entry in run.of("join_confirm")] == [0]
    heard = audio_of(run)
    assert heard == sent_audio(truth, AudioParams(sample_rate=3, channel=2, data_opt=MULTI, codec=4))
    assert {user for user, _, _ in shown(truth, "video")} == {ANN, BO}
    assert pictures_of(run, "video") == shown(truth, "video")
    assert pictures_of(run, "share") == shown(truth, "share") and {BO} == {
        user for user, _, _ in shown(truth, "share")
    }
    read = [(entry["user"], entry["start"], entry["end"], entry["text"]) for entry in run.of("transcript")]
    assert read == [(one.user_id, one.start_ms, one.end_ms, one.text) for one in truth.transcripts]
    assert len(read) == 2
    events = [entry["event"] for entry in run.of("event")]
    kinds = [event["event_type"] for event in events if event["event_type"] in (5, 6, 8, 9)]
    assert kinds == [8, 8, 5, 6, 9]
    assert [e["user_id"] for e in events if e["event_type"] == 5] == [BO]
    proof.append(
        f"Zoom's SDK received {sum(map(len, heard.values()))} Opus packets, {len(run.of('video'))} pictures of video and"
        f" {len(run.of('share'))} of a shared screen byte for byte, {len(read)} transcripts and {len(kinds)} events"
        " of cameras and screens"
    )


async def test_the_sdk_subscribes_to_one_person_s_video(tmp_path: Path, proof: list[str]) -> None:
    """Its message 28 is answered with 29 and OK; that person's pictures come, and the cameras' events."""
    async with heard_by_sdk(meeting(), tmp_path, video=BO) as (run, truth):
        pass
    answers = [(entry["user"], entry["status"]) for entry in run.of("video_subscribed")]
    assert answers == [(BO, 0)]
    seen = pictures_of(run, "video")
    assert seen == shown(truth, "video") and {user for user, _, _ in seen} == {BO} and len(seen) > 60
    cameras = [(entry["users"], entry["on"]) for entry in run.of("participant_video")]
    assert cameras == [([ANN], True), ([BO], True), ([BO], False)]
    proof.append(f"Zoom's SDK subscribed to one person's video and received its {len(seen)} pictures")


@pytest.mark.parametrize(("codec", "number", "rate"), [("G711", 2, 0), ("G722", 3, 1), ("OPUS", 4, 3)])
async def test_the_sdk_hears_every_codec(
    codec: str, number: int, rate: int, tmp_path: Path, proof: list[str]
) -> None:
    """G.711, G.722 and Opus in mono reach its callback as they were sent."""
    async with heard_by_sdk(meeting(ends_ms=5_600), tmp_path, codec=codec) as (run, truth):
        pass
    heard = audio_of(run)
    assert heard == sent_audio(truth, AudioParams(sample_rate=rate, data_opt=MULTI, codec=number))
    assert heard.keys() == {ANN, BO}
    proof.append(f"Zoom's SDK received {sum(map(len, heard.values()))} packets of {codec} byte for byte")


@pytest.mark.parametrize("product", ["webinar", "video_sdk", "contact_center", "phone"])
async def test_the_sdk_joins_every_product(product: str, tmp_path: Path, proof: list[str]) -> None:
    """With the product's id, which it sends as `meeting_uuid`, it is let in and hears what was said."""
    voice = {"subscribe": [8, 9, 10, 11]} if product == "contact_center" else {}
    what = meeting(product, ends_ms=7_200)
    async with heard_by_sdk(what, tmp_path, transcript="default", **voice) as (run, truth):
        pass
    assert [entry["reason"] for entry in run.of("join_confirm")] == [0]
    assert [entry["reason"] for entry in run.of("leave")] == [6]
    heard = sorted(packet for packets in audio_of(run).values() for packet in packets)
    said = sent_audio(truth, AudioParams(data_opt=MULTI))
    assert heard == sorted(packet for packets in said.values() for packet in packets) and heard
    proof.append(
        f"Zoom's SDK joined a {product} stream and received {len(heard)} audio packets byte for byte"
    )
