"""What a scenario can do to the connections, to webhooks and to the meeting, as a client sees it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hand_client import HandClient, audio_of, until
from scenes import ANN, BO, MULTI, meeting, noise, playing

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import (
    Chats,
    Drops,
    Ends,
    FallsSilent,
    Joins,
    Leaves,
    Meeting,
    Pauses,
    Person,
    PostsWebhooks,
    Resumes,
    Says,
    Simulator,
    Timings,
    read_truth,
    write_truth,
)

PEOPLE = (Person(ANN, "A"), Person(BO, "B"))


@pytest.mark.parametrize("socket", ["signaling", "audio", "transcript"])
@pytest.mark.parametrize(("how", "close_code"), [("reset", 1006), ("close", 4001), ("eof", 1006)])
async def test_a_socket_is_dropped_as_asked(socket: str, how: str, close_code: int) -> None:
    """With a Close frame the client reads its code, otherwise none came; the stream waits for the client to come back."""
    async with playing(meeting(ends_ms=30_000)) as scene:
        sockets = dict(zip(("signaling", "audio", "transcript"), await scene.client.join(MULTI), strict=True))
        await scene.simulator.drop(socket, how, 4001)  # type: ignore[arg-type]  # the three above
        assert await sockets[socket].gone() == close_code
        other = "audio" if socket == "transcript" else "transcript"
        if socket == "signaling":
            await sockets["audio"].gone()
        else:
            assert sockets[other].websocket.close_code is None
            await until(lambda: any(m["event"]["event_type"] == 7 for m in sockets["signaling"].of(6)))


async def test_all_sockets_are_dropped_at_once() -> None:
    """`all` leaves none."""
    async with playing(meeting(ends_ms=30_000)) as scene:
        sockets = await scene.client.join(MULTI)
        await scene.simulator.drop("all")
        for socket in sockets:
            await socket.gone()
        with pytest.raises(SimulatorError, match="no all socket"):
            await scene.simulator.drop("all")


async def test_a_silence_holds_everything_back_and_then_gives_it() -> None:
    """For so long not even a keep-alive comes; afterwards nothing is missing and all is in order."""
    async with playing(meeting(ends_ms=30_000), timings=Timings(keep_alive_secs=2)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        [play] = scene.simulator.playing.values()
        await until(lambda: len(audio.of(14)) > 20)
        scene.simulator.do(FallsSilent(0, 4))
        await asyncio.sleep(0.05)  # what was on its way
        began_ms, heard, asked = play.stage.now_ms, len(audio.of(14)), len(signaling.of(12))
        await until(lambda: play.stage.now_ms > began_ms + 2500)
        assert (len(audio.of(14)), len(signaling.of(12))) == (heard, asked)
        await scene.over()
        assert audio_of(audio) == {ANN: scene.simulator.truth.packets(ANN, 100)}
        assert len(signaling.of(12)) > asked


async def test_a_silence_longer_than_three_keep_alives_costs_the_socket() -> None:
    """As Zoom would, the simulator gives up a client whose answers do not come."""
    timings = Timings(keep_alive_secs=1, signaling_window_secs=2)
    async with playing(meeting(ends_ms=60_000), timings=timings) as scene:
        await scene.client.join(MULTI)
        scene.simulator.do(FallsSilent(0, 60))
        assert (await scene.over())["stop_reason"] == 24


async def test_webhooks_change_from_the_moment_that_is_said() -> None:
    """At 0 s it holds for rtms_started; 0 copies are a webhook that is lost."""
    timeline = (PostsWebhooks(0, copies=3, delay_secs=0.05), PostsWebhooks(500, copies=0), Joins(0, ANN))
    async with playing(Meeting(PEOPLE, timeline, 1000)) as scene:
        async with asyncio.timeout(10):
            await scene.play
        assert [name for name, _ in scene.events()] == ["started"] * 3
        assert len({body for _, body in scene.webhooks}) == 1, "each copy is the same webhook"


async def test_a_timeline_pauses_resumes_and_ends_the_stream() -> None:
    """To the step: nobody hears what is said from the pause to the resume, and the end has the reason given."""
    timeline = (Joins(0, ANN), Says(0, ANN, noise(8000)), Pauses(2000), Resumes(3000), Ends(5000, 8))
    async with playing(Meeting(PEOPLE, timeline, 9000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        assert (await scene.over())["stop_reason"] == 8
        truth = scene.simulator.truth
        spans = [(s.timestamp_ms - truth.started_ms, s.end_ms - truth.started_ms) for s in truth.tracks[ANN]]
        assert spans == [(0, 2000), (3000, 5000)]
        assert [message["state"] for message in signaling.of(9)] == [2, 3, 4, 5]
        assert audio_of(audio) == {ANN: truth.packets(ANN, 100)}


async def test_what_cannot_be_done_is_told_and_the_meeting_goes_on() -> None:
    """A drop of a socket that is not there is a sentence, not an end."""
    told: list[str] = []
    timeline = (Joins(0, ANN), Drops(100, "audio"))
    async with playing(Meeting(PEOPLE, timeline, 1000), tell=told.append) as scene:
        assert (await scene.over())["stop_reason"] == 6
    assert any("no audio socket is connected" in sentence for sentence in told)


async def test_chat_is_granted_sent_and_silenced_by_a_pause() -> None:
    """Its own URL and media type 16; JSON in `data`, as protocol.md §5.6 has it; nothing of a pause."""
    timeline = (
        Joins(0, ANN),
        Joins(0, BO),
        Chats(2000, ANN, "hello"),
        Chats(2000, ANN, "again"),
        Pauses(3000),
        Chats(3500, BO, "unseen"),
        Resumes(4000),
        Leaves(4500, BO),
        Chats(5000, BO, "from outside"),
    )
    media = MediaDataType.AUDIO | MediaDataType.CHAT
    async with playing(Meeting(PEOPLE, timeline, 6000, media=media)) as scene:
        signaling = await scene.client.signaling()
        urls = (await signaling.next(2))["media_server"]["server_urls"]
        assert set(urls) == {"audio", "chat", "all"}
        refused = await scene.client.media(signaling, "all", 8)
        assert (await refused.next(4))["status_code"] == 12
        chat = await scene.client.media(signaling, "chat", 16)
        assert (await chat.next(4))["media_params"] == {"chat": {"content_type": 5}}
        await scene.client.ready(signaling)
        await scene.over()
        truth = scene.simulator.truth
        assert [one.text for one in truth.chats] == ["hello", "again"]
        messages = [message["content"] for message in chat.of(18)]
        assert [content["timestamp"] for content in messages] == [truth.started_ms + 2000] * 2
        bodies = [json.loads(content["data"]) for content in messages]
        assert [body["text"] for body in bodies] == ["hello", "again"]
        assert bodies[0]["sender"] == {"user_id": ANN, "user_name": "A"}
        assert bodies[0]["message_id"] != bodies[1]["message_id"]
        assert (bodies[0]["chat_session"], bodies[0]["operation_type"]) == ({"type": 1}, 1)


async def test_a_chat_without_the_medium_is_refused() -> None:
    """The timeline and the grant must agree."""
    with pytest.raises(SimulatorError, match="chat is not among the media"):
        Meeting(PEOPLE, (Chats(0, ANN, "hello"),), 1000)


@pytest.mark.parametrize(("params", "status"), [("no object", 38), ({"content_type": 2}, 39)])
async def test_wrong_chat_parameters_have_their_own_status(params: object, status: int) -> None:
    """38 and 39 of protocol.md §6.4."""
    what = Meeting(PEOPLE, (Joins(0, ANN),), 30_000, media=MediaDataType.CHAT)
    async with playing(what) as scene:
        signaling = await scene.client.signaling()
        chat = await scene.client.media(signaling, "chat", 16, {"chat": params})
        assert (await chat.next(4))["status_code"] == status


async def test_several_meetings_play_at_once_and_do_not_mix(tmp_path: Path) -> None:
    """Each has its own stream, client and truth; ending one, or dropping its sockets, leaves the others alone."""
    started: list[dict[str, str]] = []

    def seen(_: object, body: bytes) -> None:
        webhook = json.loads(body)
        if webhook["event"] == "meeting.rtms_started":
            started.append(webhook["payload"])

    def says(seed: int) -> Meeting:
        return Meeting(PEOPLE, (Joins(0, ANN), Says(200, ANN, noise(1000, seed))), 2500)

    timings = Timings(goodbye_secs=0.1)
    async with Simulator(on_webhook=seen, timings=timings) as simulator, asyncio.TaskGroup() as tasks:
        plays = [tasks.create_task(simulator.play(meeting=says(seed))) for seed in (1, 2, 3)]
        await until(lambda: len(started) == 3)
        assert len(simulator.playing) == len({one["meeting_id"] for one in started}) == 3
        with pytest.raises(SimulatorError, match="say which one"):
            simulator.do(Ends(0))
        async with HandClient(simulator) as one, HandClient(simulator) as two, HandClient(simulator) as three:
            audio = []
            for client, payload in zip((one, two, three), started, strict=True):
                client.started = payload
                audio.append((await client.join(MULTI))[1])
            await until(lambda: all(len(socket.of(14)) > 3 for socket in audio))
            simulator.do(Ends(0, 8), stream_id=started[2]["rtms_stream_id"])
            truths = {
                play.result().stream_id: play.result() for play in [await _done(play) for play in plays]
            }
            for payload, socket in zip(started, audio, strict=True):
                truth = truths[payload["rtms_stream_id"]]
                assert audio_of(socket) == {ANN: truth.packets(ANN, 100)}
    last = truths[started[2]["rtms_stream_id"]]
    assert last.stop_reason == 8 and sorted(truth.stop_reason or 0 for truth in truths.values()) == [6, 6, 8]
    assert simulator.playing == {}
    write_truth(tmp_path, last)
    assert read_truth(tmp_path / last.stream_id) == last


async def _done(play: asyncio.Task[object]) -> asyncio.Task[object]:
    await asyncio.wait([play])
    return play


async def test_a_stream_that_is_not_playing_is_said() -> None:
    """An unknown stream id, and no meeting at all."""
    async with Simulator() as simulator:
        with pytest.raises(SimulatorError, match="no meeting is playing"):
            simulator.do(Pauses(0))
        with pytest.raises(SimulatorError, match="no stream 'abc'"):
            simulator.do(Pauses(0), stream_id="abc")
