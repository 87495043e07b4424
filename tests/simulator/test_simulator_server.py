import asyncio
from typing import Any

import aiohttp
import pytest
from hand_client import Socket, audio_of, until
from scenes import ANN, BO, MULTI, meeting, noise, playing

from rtmsd.errors import SimulatorError
from rtmsd.protocol.signature import webhook_signature
from rtmsd.simulator import (
    Joins,
    Leaves,
    Meeting,
    Mutes,
    Person,
    Says,
    Timings,
    Unmutes,
    default_meeting,
)


def states(socket: Socket) -> list[tuple[int, int, int]]:
    return [(message["msg_type"], message["state"], message["reason"]) for message in socket.of(8, 9)]


def happened(socket: Socket, kind: int) -> list[dict[str, Any]]:
    return [message["event"] for message in socket.of(6) if message["event"]["event_type"] == kind]


async def test_a_meeting_is_received_whole() -> None:
    """Audio byte for byte, transcripts, events and states of a meeting are what the truth says, then all ends."""
    async with playing(default_meeting(8.5)) as scene:
        signaling, audio, transcript = await scene.client.join(MULTI)
        stopped = await scene.over()
        truth = scene.simulator.truth
        assert audio_of(audio) == {user: truth.packets(user, 100) for user in truth.tracks}
        said = [m["content"] for m in transcript.of(17)]
        assert [(c["user_id"], c["start_time"], c["end_time"], c["data"]) for c in said] == [
            (p.user_id, p.start_ms, p.end_ms, p.text) for p in truth.phrases
        ]
        assert len(said) == 2 and all(c["timestamp"] == c["start_time"] and c["user_name"] for c in said)
        (first,) = happened(signaling, 1)
        assert first["timestamp"] == truth.tracks[ANN][0].timestamp_ms
        joins = [person["user_id"] for event in happened(signaling, 3) for person in event["participants"]]
        assert joins == [change.user_id for change in truth.joins]
        spoke = [(event["timestamp"], event["user_id"]) for event in happened(signaling, 2)]
        assert spoke == [(change.timestamp_ms, change.user_id) for change in truth.speakers]
        assert states(signaling) == [(8, 1, 0), (9, 2, 0), (9, 5, 6), (8, 4, 6)]
        assert signaling.of(9)[-1]["stop_reason"] == 6
        assert stopped == {
            "meeting_uuid": scene.client.started["meeting_uuid"],
            "rtms_stream_id": scene.client.started["rtms_stream_id"],
            "stop_reason": 6,
        }
        assert [await socket.gone() for socket in (signaling, audio, transcript)] == [1000, 1000, 1000]
        assert scene.simulator.connections == {"signaling": 1, "audio": 1, "transcript": 1}
        assert {r.message["msg_type"] for r in scene.simulator.received if r.socket == "signaling"} == {
            1,
            7,
            5,
        }


async def test_webhooks_are_signed_and_complete() -> None:
    """rtms_started has all seven fields of a live payload, and its signature fits the raw body."""
    async with playing(meeting(ends_ms=1000)) as scene:
        headers, body = scene.webhooks[0]
        expected = webhook_signature(
            secret=scene.simulator.webhook_secret, timestamp=headers["x-zm-request-timestamp"], body=body
        )
        assert headers["x-zm-signature"] == expected
        assert set(scene.client.started) == {
            "account_id",
            "operator_id",
            "meeting_id",
            "meeting_uuid",
            "rtms_stream_id",
            "is_original_host",
            "server_urls",
        }
        assert scene.client.started["server_urls"] == scene.simulator.signaling_url


@pytest.mark.parametrize(
    ("text", "kind"), [(False, aiohttp.WSMsgType.BINARY), (True, aiohttp.WSMsgType.TEXT)]
)
async def test_frames_are_binary_unless_text_is_chosen(text: bool, kind: aiohttp.WSMsgType) -> None:
    """Every message comes in the kind of frame that was chosen."""
    async with playing(meeting(ends_ms=2000), text_frames=text) as scene:
        sockets = await scene.client.join(MULTI)
        await scene.over()
        assert [socket.kinds for socket in sockets[:2]] == [{kind}, {kind}]


async def test_a_wrong_secret_gets_a_bare_close_and_a_stop_with_reason_18() -> None:
    """No answer, Close 1000 "Normal close", and rtms_stopped 18 about a second later."""
    async with playing(meeting(ends_ms=60_000), secret="another app's") as scene:
        signaling = await scene.client.signaling()
        assert await signaling.gone() == 1000
        assert signaling.heard == []
        assert (await scene.over())["stop_reason"] == 18
        truth = scene.simulator.truth
        assert 1000 <= (truth.ended_ms or 0) - truth.started_ms < 5000


async def test_a_second_signaling_connection_is_refused_as_duplicate() -> None:
    """The first lives on; the second gets status 8 and a Close."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        first = await scene.client.signaling()
        await first.next(2)
        second = await scene.client.signaling()
        assert (await second.next(2))["status_code"] == 8
        assert await second.gone() == 1000
        assert first.websocket.close_code is None


async def test_media_handshakes_are_judged() -> None:
    """A kind without scope, the same kind twice, anything beside `all`, a strange stream: each has its status."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        client = scene.client
        signaling = await client.signaling()
        video = await client.media(signaling, "all", 2)
        assert (await video.next(4))["status_code"] == 10
        audio = await client.media(signaling, "audio", 1)
        assert (await audio.next(4))["status_code"] == 0
        again = await client.media(signaling, "audio", 1)
        assert (await again.next(4))["status_code"] == 16
        assert await again.gone() == 1000
        await audio.websocket.close()
        await until(lambda: bool(happened(signaling, 7)))
        everything = await client.media(signaling, "all", 32)
        assert set((await everything.next(4))["media_params"]) == {"audio", "transcript"}
        beside = await client.media(signaling, "transcript", 8)
        assert (await beside.next(4))["status_code"] == 15
        client.started = {**client.started, "rtms_stream_id": "0" * 32}
        stranger = await client.signaling()
        assert (await stranger.next(2))["status_code"] == 2


async def test_no_media_before_the_ready_ack_then_a_burst_from_the_start() -> None:
    """Everything since rtms_started waits for the ACK, and mixed audio of user 0 is the default."""
    async with playing(meeting(ends_ms=4000)) as scene:
        signaling = await scene.client.signaling()
        everything = await scene.client.media(signaling, "all", 32)
        await everything.next(4)
        await asyncio.sleep(0.1)
        assert not everything.of(14)
        await scene.client.ready(signaling)
        await scene.over()
        assert audio_of(everything) == {0: scene.simulator.truth.packets(ANN, 20)}


async def test_buffer_data_false_drops_what_was_before_signaling() -> None:
    """A client that does not want the buffer hears nothing from before it connected."""
    async with playing(meeting(ends_ms=6000)) as scene:
        await asyncio.sleep(0.1)
        signaling = await scene.client.signaling(buffer_data=False)
        audio = await scene.client.media(signaling, "audio", 1, MULTI)
        await audio.next(4)
        await scene.client.ready(signaling)
        await scene.over()
        heard = audio_of(audio)[ANN]
        whole = scene.simulator.truth.packets(ANN, 100)
        assert heard == whole[-len(heard) :] and len(whole) - len(heard) >= 9


async def test_the_buffer_holds_a_minute_and_no_more() -> None:
    """Who comes after 5 s to a buffer of 2 s hears the last 2 s first."""
    async with playing(meeting(ends_ms=8000), timings=Timings(buffer_secs=2.0)) as scene:
        await asyncio.sleep(0.5)
        _, audio, _ = await scene.client.join(MULTI)
        await scene.over()
        heard = audio_of(audio)[ANN]
        whole = scene.simulator.truth.packets(ANN, 100)
        assert heard == whole[-len(heard) :]
        assert 20 <= len(whole) - len(heard) <= 70


async def test_a_lost_audio_socket_is_told_and_its_audio_replayed() -> None:
    """Event 7 and state 2/14 on signaling; a new audio socket gets the missed packets, cut as before, then state 1."""
    async with playing(meeting(ends_ms=15_000)) as scene:
        client = scene.client
        signaling, audio, _ = await client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 40)
        await scene.simulator.drop("audio")
        await audio.gone()
        await until(lambda: bool(happened(signaling, 7)))
        assert states(signaling)[-1] == (8, 2, 14)
        await asyncio.sleep(0.2)
        back = await client.media(signaling, "audio", 1, MULTI)
        await back.next(4)
        await client.ready(signaling)
        await scene.over()
        assert (8, 1, 0) in states(signaling)[3:]
        before, after = audio_of(audio)[ANN], audio_of(back)[ANN]
        whole = scene.simulator.truth.packets(ANN, 100)
        assert sorted({*before, *after}) == whole
        assert set(before) & set(after), "the last seconds before the loss are sent again"
        assert scene.simulator.connections["signaling"] == 1


async def test_lost_signaling_takes_media_along_and_all_may_come_back() -> None:
    """Media sockets go too, rtms_interrupted is sent, and after a new handshake nothing of the audio is missing."""
    async with playing(meeting(ends_ms=15_000)) as scene:
        signaling, audio, transcript = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 40)
        await scene.simulator.drop("signaling")
        assert await signaling.gone() != 1000
        await audio.gone()
        await transcript.gone()
        assert [name for name, _ in scene.events()] == ["started", "interrupted"]
        signaling, back, _ = await scene.client.join(MULTI)
        assert (await scene.over())["stop_reason"] == 6
        assert states(signaling)[:2] == [(8, 1, 0), (9, 2, 0)]
        assert happened(signaling, 3), "who is present is told to the new subscription"
        whole = scene.simulator.truth.packets(ANN, 100)
        assert sorted({*audio_of(audio)[ANN], *audio_of(back)[ANN]}) == whole


@pytest.mark.parametrize(("what", "reason"), [("signaling", 19), ("audio", 19)])
async def test_a_window_that_passes_ends_the_stream(what: str, reason: int) -> None:
    """Who does not come back in time is told with reason 19."""
    timings = Timings(signaling_window_secs=3, media_window_secs=3)
    async with playing(meeting(ends_ms=60_000), timings=timings) as scene:
        await scene.client.join(MULTI)
        await scene.simulator.drop(what)
        assert (await scene.over())["stop_reason"] == reason


async def test_nobody_connects_in_time() -> None:
    """Without a signaling handshake the stream stops with reason 11 at its deadline."""
    async with playing(meeting(ends_ms=60_000), timings=Timings(connect_secs=3)) as scene:
        assert (await scene.over())["stop_reason"] == 11


async def test_keep_alives_come_and_are_answered() -> None:
    """Signaling is asked every interval, the idle transcript socket too, the busy audio socket never."""
    async with playing(meeting(ends_ms=10_000), timings=Timings(keep_alive_secs=1)) as scene:
        signaling, audio, transcript = await scene.client.join(MULTI)
        assert (await scene.over())["stop_reason"] == 6
        asked = signaling.of(12)
        assert len(asked) >= 5 and len(transcript.of(12)) >= 5 and not audio.of(12)
        assert [message["sequence"] for message in asked] == list(range(1, len(asked) + 1))
        assert all(isinstance(message["timestamp"], int) for message in asked)


@pytest.mark.parametrize("silent", ["signaling", "transcript"])
async def test_three_unanswered_keep_alives_end_in_reason_24(silent: str) -> None:
    """The silent socket is cut off after three, and after its window the stream stops with reason 24."""
    timings = Timings(keep_alive_secs=1, signaling_window_secs=2, media_window_secs=2)
    async with playing(meeting(ends_ms=60_000), timings=timings) as scene:
        signaling, _, transcript = await scene.client.join(MULTI)
        socket = signaling if silent == "signaling" else transcript
        socket.answers_keep_alives = False
        await socket.gone()
        assert len(socket.of(12)) == 3
        assert (await scene.over())["stop_reason"] == 24
        assert ("interrupted" in [name for name, _ in scene.events()]) == (silent == "signaling")


async def test_a_pause_is_told_and_brings_no_media() -> None:
    """Session 3, then no packet until session 4, on the same sockets; what was said meanwhile is not in the truth."""
    async with playing(meeting(ends_ms=12_000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 10)
        await scene.simulator.pause()
        await asyncio.sleep(0.1)
        heard = len(audio.of(14))
        await asyncio.sleep(0.2)
        assert len(audio.of(14)) == heard
        await scene.simulator.resume()
        await scene.over()
        assert [state for kind, state, _ in states(signaling) if kind == 9] == [2, 3, 4, 5]
        truth = scene.simulator.truth
        (pause,) = truth.pauses
        assert [m["timestamp"] for m in signaling.of(9)[1:3]] == [pause.start_ms, pause.end_ms]
        assert truth.tracks[ANN][0].end_ms == pause.start_ms
        assert truth.tracks[ANN][1].timestamp_ms == pause.end_ms
        assert audio_of(audio) == {ANN: truth.packets(ANN, 100)}
        assert scene.simulator.connections == {"signaling": 1, "audio": 1, "transcript": 1}


async def test_questions_about_states_and_the_wish_to_close_are_answered() -> None:
    """10, 19, 28 and 21 get 11, 20, 29 and 22, and a wished close ends the stream with reason 20."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        stream = scene.client.started["rtms_stream_id"]
        signaling, _, _ = await scene.client.join(MULTI)
        session = (await signaling.next(9))["rtms_session_id"]
        await signaling.say({"msg_type": 10, "rtms_session_id": session})
        assert (await signaling.next(11))["state"] == 2
        await signaling.say({"msg_type": 19, "rtms_stream_id": stream})
        assert (await signaling.next(20))["state"] == 1
        await signaling.say({"msg_type": 28, "user_id": ANN, "subscribe": True, "timestamp": 1})
        assert (await signaling.next(29))["status_code"] == 10
        await signaling.say({"msg_type": 21, "rtms_stream_id": stream})
        assert (await signaling.next(22))["status_code"] == 0
        assert (await scene.over())["stop_reason"] == 20
        assert states(signaling)[-2:] == [(9, 5, 20), (8, 4, 20)]


async def test_events_come_only_to_those_who_subscribed() -> None:
    """Without a subscription no join, leave or speaker is told; bare numbers subscribe as objects do."""
    async with playing(meeting(ends_ms=6000, joins_ms=3000)) as scene:
        signaling = await scene.client.signaling()
        await signaling.next(2)
        await scene.client.ready(signaling)
        await asyncio.sleep(0.1)
        assert not signaling.of(6)
        await signaling.say({"msg_type": 5, "events": [3]})
        await scene.over()
        assert [event["participants"] for event in happened(signaling, 3)] == [
            [{"user_id": ANN, "user_name": "A"}],
            [{"user_id": BO, "user_name": "B"}],
        ]
        assert not happened(signaling, 4) and not happened(signaling, 2)


async def test_who_is_muted_sends_no_packets() -> None:
    """Between mute and unmute the speaker's packets are missing, and only those."""
    timeline = (
        Joins(0, ANN),
        Says(100, ANN, noise(3000)),
        Mutes(1000, ANN),
        Unmutes(2000, ANN),
        Leaves(3500, ANN),
    )
    async with playing(Meeting((Person(ANN, "A"),), timeline, 4000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        await scene.over()
        zero = scene.simulator.truth.started_ms
        times = [timestamp - zero for timestamp, _ in audio_of(audio)[ANN]]
        assert times == [*range(100, 1000, 100), *range(2000, 3100, 100)]
        assert [event["participants"] for event in happened(signaling, 4)] == [[{"user_id": ANN}]]


async def test_rubbish_is_survived() -> None:
    """What is not JSON, not an object or of an unknown type is ignored after the handshake, refused before it."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        signaling, _, _ = await scene.client.join(MULTI)
        await signaling.websocket.send_bytes(b"\xff\x00")
        await signaling.websocket.send_str("[1]")
        await signaling.say({"msg_type": 99})
        await signaling.say({"msg_type": 5, "events": "all"})
        await signaling.say({"msg_type": 19, "rtms_stream_id": scene.client.started["rtms_stream_id"]})
        await signaling.next(20)
        nobody = await scene.client.socket(scene.simulator.signaling_url)
        await nobody.websocket.send_str("hello")
        assert (await nobody.next(2))["status_code"] == 4
        wrong = await scene.client.socket(scene.simulator.signaling_url)
        await wrong.say({"msg_type": 3})
        assert (await wrong.next(2))["status_code"] == 1


async def test_a_client_without_the_ca_is_turned_away_and_localhost_is_right() -> None:
    """The certificate is valid for both local names under its own CA, and for nobody who lacks it."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        local = scene.simulator.signaling_url.replace("127.0.0.1", "localhost")
        assert await scene.client.socket(local)
        assert scene.simulator.ca_file.is_absolute()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.ws_connect(scene.simulator.signaling_url)


async def test_doubled_webhooks_are_the_same_webhook() -> None:
    """Copies carry the same event time, so that they can be told from a new event."""
    async with playing(meeting(ends_ms=60_000), webhook_copies=2, webhook_delay_secs=0.05) as scene:
        await until(lambda: len(scene.webhooks) == 2)
        assert scene.webhooks[0][1] == scene.webhooks[1][1]


async def test_a_meeting_that_is_ended_stops_with_the_reason_given() -> None:
    """end(reason) is told on signaling and in the webhook, and another meeting can be played after it."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        signaling, _, _ = await scene.client.join(MULTI)
        await scene.simulator.end(reason=8)
        assert (await scene.over())["stop_reason"] == 8
        assert states(signaling)[-1] == (8, 4, 8)
        first = scene.client.started["rtms_stream_id"]
        scene.play = asyncio.create_task(scene.simulator.play())
        await until(lambda: scene.events()[-1][0] == "started")
        assert scene.events()[-1][1]["rtms_stream_id"] != first
        with pytest.raises(SimulatorError, match="no audio socket"):
            await scene.simulator.drop("audio")
