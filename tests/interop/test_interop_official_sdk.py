"""Zoom's own client judges the simulator: it shares no code and no reading of the protocol with us."""

import asyncio
import base64
import importlib.metadata
from pathlib import Path

from sdk_process import Webhooks, needs_sdk, sdk

from rtmsd.simulator import Joins, Leaves, Meeting, Mutes, Person, Says, Simulator, Unmutes, load_sentences

pytestmark = needs_sdk

ANN, BO, CY = 16778240, 16779264, 16780288


def meeting() -> Meeting:
    """Nine seconds: two speak, one of them muted for a while, a third joins late and leaves."""
    sentences = load_sentences()
    return Meeting(
        people=(Person(ANN, "Mira Tal"), Person(BO, "Tomás Vík"), Person(CY, "Ines Roy")),
        timeline=(
            Joins(0, ANN),
            Joins(0, BO),
            Says(1_500, ANN, sentences["begin"]),  # until 3 800
            Says(3_000, BO, sentences["mine"]),  # until 5 500, together with Mira at first
            Joins(3_400, CY),
            Says(5_600, CY, sentences["names"]),  # until 7 680; paused before its end
            Mutes(5_600, BO),
            Says(5_620, BO, sentences["open"]),  # on mute
            Unmutes(7_600, BO),
            Leaves(8_600, CY),
        ),
        ends_ms=9_000,
    )


async def test_the_official_sdk_receives_the_whole_meeting(tmp_path: Path, proof: list[str]) -> None:
    """Zoom's SDK hears each participant byte for byte, reads each phrase, and is told of people, pause and end."""
    webhooks = Webhooks()
    async with Simulator(meeting=meeting(), on_webhook=webhooks) as simulator, asyncio.TaskGroup() as group:
        play = group.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path, transcript="default") as run:
            await run.until(lambda: any(entry["user"] == CY for entry in run.of("audio")))
            await simulator.pause()
            await asyncio.sleep(1)
            await simulator.resume()
            await run.ended()
        await play
    truth = simulator.truth
    assert [entry["reason"] for entry in run.of("join_confirm")] == [0]

    heard: dict[int, list[tuple[int, bytes]]] = {}
    for entry in run.of("audio"):
        heard.setdefault(entry["user"], []).append((entry["timestamp"], base64.b64decode(entry["data"])))
    assert heard == {user_id: truth.packets(user_id, 20) for user_id in (ANN, BO, CY)}

    read = [(entry["user"], entry["start"], entry["end"], entry["text"]) for entry in run.of("transcript")]
    assert read == [(phrase.user_id, phrase.start_ms, phrase.end_ms, phrase.text) for phrase in truth.phrases]
    assert [phrase.user_id for phrase in truth.phrases] == [ANN, BO], "the third was paused in mid-sentence"

    events = [entry["event"] for entry in run.of("event")]
    joined = [who["user_id"] for event in events if event["event_type"] == 3 for who in event["participants"]]
    left = [who["user_id"] for event in events if event["event_type"] == 4 for who in event["participants"]]
    spoke = [(event["timestamp"], event["user_id"]) for event in events if event["event_type"] == 2]
    assert (joined, left) == ([ANN, BO, CY], [CY])
    assert spoke == [(change.timestamp_ms, change.user_id) for change in truth.speakers]
    assert [entry["id"] for entry in run.of("user")] == [ANN, BO, CY]
    assert [e["timestamp"] for e in events if e["event_type"] == 1] == [truth.tracks[ANN][0].timestamp_ms]

    assert [entry["operation"] for entry in run.of("session")] == [1, 3, 4, 2]
    assert len({entry["id"] for entry in run.of("session")}) == 1
    assert [entry["reason"] for entry in run.of("leave")] == [6]
    assert webhooks.events[-1][0] == "meeting.rtms_stopped" and webhooks.events[-1][1]["stop_reason"] == 6
    version = importlib.metadata.version("rtms")
    proof.append(
        f"Zoom's SDK rtms {version} received {sum(map(len, heard.values()))} audio packets byte for byte,"
        f" {len(read)} transcripts and {len(events)} events"
    )


async def test_the_official_sdk_reports_960_for_a_wrong_secret(tmp_path: Path, proof: list[str]) -> None:
    """A wrong secret makes the SDK's join fail with 960, and the simulator stop the stream with reason 18."""
    webhooks = Webhooks()
    async with Simulator(meeting=meeting(), on_webhook=webhooks) as simulator, asyncio.TaskGroup() as group:
        play = group.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path, secret="the secret of another app") as run:
            await run.ended()
        await play
    assert [(entry["callback"], entry["reason"]) for entry in run.said] == [("join_confirm", 960)]
    assert webhooks.events[-1][0] == "meeting.rtms_stopped" and webhooks.events[-1][1]["stop_reason"] == 18
    proof.append("Zoom's SDK reported join reason 960 for a wrong secret")


async def test_the_official_sdk_comes_back_after_a_lost_connection(tmp_path: Path, proof: list[str]) -> None:
    """When TCP is dropped the SDK joins again, and with the buffer no packet of the meeting is missing."""
    webhooks = Webhooks()
    async with Simulator(meeting=meeting(), on_webhook=webhooks) as simulator, asyncio.TaskGroup() as group:
        play = group.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path, transcript="default") as run:
            await run.until(lambda: len(run.of("audio")) > 50)
            await simulator.drop("signaling")
            await run.ended()
        await play
    assert simulator.connections["signaling"] == 2
    assert [event for event, _ in webhooks.events] == [
        "meeting.rtms_started",
        "meeting.rtms_interrupted",
        "meeting.rtms_stopped",
    ]
    for user_id in (ANN, BO, CY):
        heard = {
            (entry["timestamp"], base64.b64decode(entry["data"]))
            for entry in run.of("audio")
            if entry["user"] == user_id
        }
        assert heard == set(simulator.truth.packets(user_id, 20))
    proof.append("Zoom's SDK came back after a dropped connection and missed no packet")
