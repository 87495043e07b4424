"""Zoom's own client does against our simulator what it did when it was recorded; what differs has its reason here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_compared import Ids, Said, assert_explained, differences, fields_of, spread
from sdk_process import Webhooks, needs_sdk, sdk

from rtmsd.simulator import (
    Joins,
    Leaves,
    Meeting,
    Person,
    Received,
    Says,
    Sentence,
    Simulator,
    Timings,
)
from rtmsd.simulator.actions import DropHow
from rtmsd.simulator.fault_actions import SocketName

pytestmark = needs_sdk

TRACES = Path(__file__).parents[1] / "corpus" / "traces"
ADA, GRACE = 16778240, 16779264
MEDIA = ("audio", "video")
TRACED = Ids("cid", "csecret", "M+eet/Ing==uuid==", "stream-0001")

MESSAGES = {
    "* sequence": "the SDK's is a tick of its process, ours of the keep-alives counts from 1",
    "video *": "the simulator plays no video; a medium without a URL is left out by the SDK without a word",
}

CALLBACKS = {
    "event1[0] after": "our FIRST_PACKET_TIMESTAMP comes with the first audio, the recorded server's with its session",
    "session[0] after": "follows from it: nothing came before the session",
    "transcript[0] after": "follows from it: the first audio comes between the first speaker and their phrase",
    "event4[0] event.participants[0].user_name": "our LEAVE has ids only, as protocol.md §5.9 has it",
}


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TRACES / name).read_text().splitlines()]


def traced_messages(trace: Iterable[dict[str, Any]]) -> list[Said]:
    return [
        Said(line["ch"].removeprefix("media:"), line["frame"], line["msg"])
        for line in trace
        if line["dir"] == "c2s"
    ]


def traced_callbacks(trace: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bring the callbacks of a trace into the form in which sdk_client.py prints them."""
    said = []
    for line in trace:
        match line.get("ev"):
            case "on_join_confirm" | "on_leave" as name:
                said.append({"callback": name.removeprefix("on_"), "reason": line["reason"]})
            case "on_session_update":
                session = line["session"]["sessionId"]
                said.append({"callback": "session", "operation": line["op"], "id": session})
            case "on_user_update":
                said.append(
                    {"callback": "user", "operation": line["op"], "id": line["id"], "name": line["name"]}
                )
            case "on_event_ex":
                said.append({"callback": "event", "event": json.loads(line["data"])})
            case "on_transcript_data":
                who = line["metadata"]
                said.append(
                    {
                        "callback": "transcript",
                        "user": who["userId"],
                        "start": who["startTs"],
                        "end": who["endTs"],
                        "text": line["text"],
                    }
                )
    return said


def callback_fields(said: Iterable[dict[str, Any]], ids: Ids) -> dict[str, object]:
    """Spread out each callback but media: `user[1] name` → "Grace"; `user[1] after` → what was called before it."""
    fields: dict[str, object] = {}
    seen: dict[str, int] = {}
    before = "nothing"
    for one in said:
        name = one["callback"]
        if name in MEDIA:
            continue
        kind = f"event{one['event']['event_type']}" if name == "event" else name
        here = f"{kind}[{seen.setdefault(kind, 0)}]"
        seen[kind] += 1
        fields[f"{here} after"] = before
        spread(fields, here + " ", {key: value for key, value in one.items() if key != "callback"}, ids)
        before = here
    return fields


def noise(text: str, ms: int) -> Sentence:
    return Sentence(text, np.random.default_rng(5).integers(-9000, 9000, ms * 16, "<i2").tobytes())


def received(simulator: Simulator) -> list[Said]:
    return [Said(one.socket, one.frame, one.message) for one in simulator.received]


async def test_the_sdk_says_and_hears_what_it_did_when_it_was_recorded(tmp_path: Path) -> None:
    """Messages and callbacks: kinds, order, fields and values are those of the trace, or the tables say why not."""
    people = (Person(ADA, "Ada"), Person(GRACE, "Grace"))
    meeting = Meeting(people, (Joins(0, ADA), Joins(0, GRACE)), 60_000)
    webhooks = Webhooks()
    async with (
        Simulator(
            meeting=meeting, on_webhook=webhooks, client_id="cid", timings=Timings(keep_alive_secs=0.5)
        ) as simulator,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(simulator.play())
        await webhooks.started.wait()
        [play] = simulator.playing.values()
        asked: dict[str, object] = {"mixed": True, "transcript": "asked", "video": True}
        async with sdk(simulator, webhooks.events[0][1], tmp_path, **asked) as run:
            await run.until(lambda: len(run.of("user")) == 2)
            simulator.do(Says(0, ADA, noise("hello, this is a test", 800)))
            await run.until(lambda: bool(run.of("transcript")))
            simulator.do(Says(0, GRACE, noise("the second sentence", 800)))
            await run.until(lambda: any(event(one) == (2, GRACE) for one in run.said))
            await asyncio.sleep(0.9)  # said, and not yet transcribed
            await simulator.pause()
            await simulator.resume()
            await run.until(lambda: len(run.of("transcript")) == 2)
            simulator.do(Leaves(0, GRACE))
            await run.until(lambda: any(event(one)[0] == 4 for one in run.said))
            await simulator.end()
            await run.ended()
        identity = play.stream.identity
        ids = Ids(
            "cid", simulator.client_secret, identity.meeting_uuid, identity.stream_id, identity.session_id
        )
    trace = lines("normal.jsonl")
    expected, came = fields_of(traced_messages(trace), TRACED), fields_of(received(simulator), ids)
    assert_explained(differences(expected, came), MESSAGES)
    assert run.of("audio"), "which the SDK ascribes to whoever speaks, though it is mixed"
    expected, came = (
        callback_fields(traced_callbacks(trace), TRACED),
        callback_fields(run.said, ids),
    )
    assert_explained(differences(expected, came), CALLBACKS)


def event(one: dict[str, Any]) -> tuple[int, int]:
    body = one.get("event", {})
    return body.get("event_type", 0), body.get("user_id", 0)


def types(messages: Iterable[Said]) -> dict[str, list[int]]:
    """The types that were said on each kind of socket, in order."""
    said: dict[str, list[int]] = {}
    for one in messages:
        said.setdefault(one.socket, []).append(one.message["msg_type"])
    return said


@pytest.mark.parametrize(
    ("case", "socket", "how", "code"),
    [
        ("close-media-1000", "audio", "close", 1000),
        ("close-media-4000", "audio", "close", 4000),
        ("close-media-fin", "audio", "eof", 1000),
        ("close-media-abort", "audio", "reset", 1000),
        ("close-signaling-1000", "signaling", "close", 1000),
        ("close-signaling-fin", "signaling", "eof", 1000),
        ("close-signaling-abort", "signaling", "reset", 1000),
    ],
)
async def test_the_sdk_takes_a_drop_as_it_did_when_it_was_recorded(
    tmp_path: Path, case: str, socket: SocketName, how: DropHow, code: int
) -> None:
    """A Close frame: leave 960; TLS ended without one: 613; neither comes back. A reset: it joins again, and says
    nothing to anybody, nor subscribes again."""
    trace = [line for line in lines("drops.jsonl") if line["case"] == case]
    talk = Says(0, ADA, noise("", 60_000))
    meeting = Meeting((Person(ADA, "Ada"),), (Joins(0, ADA), talk), 60_000)
    webhooks = Webhooks()
    async with Simulator(meeting=meeting, on_webhook=webhooks) as simulator, asyncio.TaskGroup() as tasks:
        play = tasks.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path) as run:
            await run.until(lambda: len(run.of("audio")) > 5 and 5 in said(simulator, "signaling"))
            await simulator.drop(socket, how, code)
            if how == "reset":
                heard = len(run.of("audio"))
                await run.until(lambda: len(run.of("audio")) > heard + 20)
                first, second = (one.at for one in joined(simulator.received))
                assert second - first > 1, "it waits a second before it comes back"
            else:
                await run.ended()
            callbacks = [one for one in run.said if one["callback"] in ("join_confirm", "leave")]
            messages = received(simulator)
        play.cancel()
    assert callbacks == traced_callbacks(trace)
    assert types(messages) == types(traced_messages(trace))


def said(simulator: Simulator, socket: str) -> list[int]:
    return types(received(simulator)).get(socket, [])


def joined(messages: Iterable[Received]) -> list[Received]:
    return [one for one in messages if one.message.get("msg_type") == 1]
