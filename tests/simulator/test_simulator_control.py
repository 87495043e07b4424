"""The control URL: the timeline's actions as JSON, done now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from hand_client import until
from scenes import ANN, BO, MULTI, Playing, playing

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import Joins, Meeting, Person
from rtmsd.simulator.control import controlling

MEETING = Meeting(
    (Person(ANN, "Mira Tal"), Person(BO, "Tomas Vik")),
    (Joins(0, ANN),),
    60_000,
    media=MediaDataType.AUDIO | MediaDataType.TRANSCRIPT | MediaDataType.CHAT,
)


class Remote:
    """Somebody with the control URL."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def post(self, action: object) -> tuple[int, Any]:
        async with self.session.post(self.url, json=action) as answer:
            return answer.status, await answer.json()

    async def meeting(self) -> dict[str, Any]:
        async with self.session.get(self.url) as answer:
            [meeting] = (await answer.json())["meetings"]
        return dict(meeting)


@asynccontextmanager
async def controlled() -> AsyncIterator[tuple[Playing, Remote]]:
    async with (
        playing(MEETING) as scene,
        controlling(scene.simulator) as url,
        aiohttp.ClientSession() as session,
    ):
        [play] = scene.simulator.playing.values()
        await until(lambda: bool(play.stage.present))
        yield scene, Remote(session, url)


async def test_actions_are_done_and_the_state_shows_them() -> None:
    """People come, are muted, speak and write; the session pauses; a socket goes; the stream ends as asked."""
    async with controlled() as (scene, remote):
        signaling, audio, transcript = await scene.client.join(MULTI)
        chat = await scene.client.media(signaling, "chat", 16)
        await chat.next(4)
        await scene.client.ready(signaling)
        for action in (
            {"do": "join", "who": "Tomas Vik"},
            {"do": "mute", "who": "Tomas Vik"},
            {"do": "say", "who": "Mira Tal", "sentence": "begin"},
            {"do": "chat", "who": "Tomas Vik", "text": "hello"},
        ):
            assert await remote.post(action) == (200, {"done": action})
        await until(lambda: bool(audio.of(14)) and bool(chat.of(18)) and bool(transcript.of(17)))
        shown = await remote.meeting()
        assert shown["stream_id"] == scene.client.started["rtms_stream_id"]
        assert (shown["stream_state"], shown["session_state"], shown["paused"]) == (
            "ACTIVE",
            "STARTED",
            False,
        )
        assert shown["connections"] == ["signaling", "audio", "transcript", "chat"]
        assert [(p["name"], p["present"], p["muted"]) for p in shown["people"]] == [
            ("Mira Tal", True, False),
            ("Tomas Vik", True, True),
        ]
        assert (await remote.post({"do": "pause"}))[0] == 200
        assert (await remote.meeting())["session_state"] == "PAUSED"
        assert (await remote.post({"do": "drop", "socket": "audio", "how": "close", "code": 4001}))[0] == 200
        assert await audio.gone() == 4001
        assert (await remote.post({"do": "end", "reason": 8}))[0] == 200
        assert (await scene.over())["stop_reason"] == 8


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        ({"do": "dance"}, 'do: expected one of "join"'),
        ({"do": "join", "who": "Mira Tal"}, "Mira Tal is in the meeting already"),
        ({"do": "join", "who": "Mira"}, 'who: expected one of "Mira Tal", "Tomas Vik"; got "Mira"'),
        ({"do": "leave", "who": "Tomas Vik"}, "Tomas Vik is not in the meeting"),
        ({"do": "chat", "who": "Tomas Vik", "text": "hello"}, "Tomas Vik is not in the meeting"),
        ({"do": "drop", "socket": "audio"}, "no audio socket is connected"),
        ({"do": "pause", "at_secs": 3}, "at_secs: unknown key"),
        ({"do": "pause", "stream_id": "abc"}, "no stream 'abc' is playing"),
        ({"do": "pause", "stream_id": 7}, "stream_id: expected some text"),
        (["pause"], "expected a table, got an array"),
    ],
)
async def test_what_cannot_be_done_is_explained(action: object, complaint: str) -> None:
    """400 and a sentence, and nothing has happened."""
    async with controlled() as (_, remote):
        before = {**await remote.meeting(), "secs": 0}
        status, answer = await remote.post(action)
        assert status == 400 and list(answer) == ["problems"]
        assert complaint in answer["problems"][0]
        assert {**await remote.meeting(), "secs": 0} == before


async def test_nobody_says_two_things_at_once() -> None:
    """A second sentence has to wait for the first."""
    async with controlled() as (_, remote):
        say = {"do": "say", "who": "Mira Tal", "seconds": 500, "noise": 1}
        assert (await remote.post(say))[0] == 200
        assert (await remote.post(say))[0] == 400


async def test_only_who_knows_the_url_plays_with_it() -> None:
    """It is on loopback below a path that cannot be guessed; anything else is 404, and what is no JSON 400."""
    async with controlled() as (_, remote):
        parts = urlsplit(remote.url)
        assert parts.hostname == "127.0.0.1" and len(parts.path) > 16
        async with remote.session.post(f"http://{parts.netloc}/", json={"do": "pause"}) as answer:
            assert answer.status == 404
        async with remote.session.post(remote.url, data=b"pause") as answer:
            assert answer.status == 400 and "as JSON" in (await answer.json())["problems"][0]
