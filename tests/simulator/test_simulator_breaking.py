"""What a broken server, and a Zoom that behaves otherwise, look like to a client."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from hand_client import audio_of, until
from scenes import ANN, MULTI, Playing, meeting, playing

from rtmsd.simulator import Drops, Ends, Meeting, PostsWebhooks, Timings
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.control import controlling
from rtmsd.simulator.fault_actions import (
    Blackholes,
    Delays,
    Distorts,
    FailsOver,
    Refuses,
    Replays,
    SessionChanges,
)


def behaving(*, ends_ms: int = 30_000, pace: float = 1.0, **behaviour: Any) -> Meeting:
    return replace(meeting(ends_ms=ends_ms), behaviour=Behaviour(**behaviour), pace=pace)


def named(scene: Playing, name: str) -> list[dict[str, Any]]:
    return [payload for event, payload in scene.events() if event == name]


async def test_a_second_signaling_connection_kicks_out_the_first() -> None:
    """The older gets Close 1000, the newer is served; nobody is told of an interruption (protocol.md §10 C15)."""
    async with playing(behaving(second_signaling="kick")) as scene:
        first, audio, _ = await scene.client.join(MULTI)
        second = await scene.client.signaling()
        assert (await second.next(2))["status_code"] == 0
        assert await first.gone() == 1000
        await audio.gone()
        back = await scene.client.media(second, "audio", 1, MULTI)
        await back.next(4)
        await scene.client.ready(second)
        await until(lambda: len(back.of(14)) > 3)
        assert named(scene, "interrupted") == []


async def test_a_wrong_signature_may_be_answered() -> None:
    """Status 3 before the Close frame, and reason 18 as ever (§10 C42)."""
    async with playing(behaving(wrong_signature="status"), secret="another app's") as scene:
        signaling = await scene.client.signaling()
        assert (await signaling.next(2))["status_code"] == 3
        assert await signaling.gone() == 1000
        assert (await scene.over())["stop_reason"] == 18


async def test_lenient_media_params_become_the_defaults() -> None:
    """What would be refused is replaced (§10 C22)."""
    rtp = {"audio": {"content_type": 1, "codec": 99}}
    async with playing(behaving(media_params="lenient")) as scene:
        audio = await scene.client.media(await scene.client.signaling(), "audio", 1, rtp)
        answer = await audio.next(4)
        assert answer["status_code"] == 0 and answer["media_params"]["audio"]["content_type"] == 2


@pytest.mark.parametrize(
    ("socket", "window_reason", "reason"),
    [
        ("signaling", "interrupted", 13),
        ("audio", "interrupted", 14),
        ("signaling", "closed", 15),
        ("audio", "closed", 16),
    ],
)
async def test_a_window_may_end_with_other_reasons(socket: str, window_reason: str, reason: int) -> None:
    """19 is not the only one that is documented (§6.6); the pace shortens the windows."""
    async with playing(behaving(ends_ms=60_000, window_reason=window_reason, pace=20)) as scene:
        await scene.client.join(MULTI)
        scene.simulator.do(Drops(0, socket))  # type: ignore[arg-type]  # the two above
        assert (await scene.over())["stop_reason"] == reason


def test_the_pace_leaves_media_time_alone() -> None:
    """Windows and keep-alives are shorter; the buffer and what is replayed are not."""
    slow = Timings()
    fast = slow.behaving(Behaviour(media_window_secs=30), 20)
    assert (fast.connect_secs, fast.keep_alive_secs) == (3.0, 0.5)
    assert (fast.signaling_window_secs, fast.media_window_secs) == (3.0, 1.5)
    assert (fast.buffer_secs, fast.replay_secs) == (slow.buffer_secs, slow.replay_secs)


@pytest.mark.parametrize("socket", ["signaling", "audio"])
@pytest.mark.parametrize("how", ["status", "close", "reset", "never"])
async def test_handshakes_are_refused_as_asked(socket: str, how: str) -> None:
    """With a status, a Close frame, a reset or not at all; the next one is let in."""
    async with playing(meeting(ends_ms=120_000)) as scene:
        scene.simulator.do(Refuses(0, socket, how, 45))  # type: ignore[arg-type]  # one of each
        signaling = await scene.client.signaling()
        refused = signaling if socket == "signaling" else await scene.client.media(signaling, "audio", 1)
        if how == "status":
            assert (await refused.next(2 if socket == "signaling" else 4))["status_code"] == 45
        if how == "never":
            await asyncio.sleep(0.2)
            assert not refused.of(2, 4) and refused.websocket.close_code is None
        else:
            assert await refused.gone() == (1006 if how == "reset" else 1000)
        again = await scene.client.signaling() if socket == "signaling" else signaling
        assert (await again.next(2))["status_code"] == 0
        audio = await scene.client.media(again, "audio", 1)
        assert (await audio.next(4))["status_code"] == 0


async def test_a_delayed_handshake_is_answered_late() -> None:
    """Not before its seconds have passed."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        [play] = scene.simulator.playing.values()
        scene.simulator.do(Delays(0, "signaling", 5))
        began_ms = play.stage.now_ms
        signaling = await scene.client.signaling()
        await signaling.next(2)
        assert play.stage.now_ms - began_ms >= 4900


async def test_a_blackhole_keeps_tcp_and_lets_nothing_through() -> None:
    """No packet, no pong and no answer to a new handshake for its seconds; then everything."""
    async with playing(meeting(ends_ms=40_000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        [play] = scene.simulator.playing.values()
        await until(lambda: len(audio.of(14)) > 20)
        scene.simulator.do(Blackholes(0, "all", 8))
        await asyncio.sleep(0.05)  # what was on its way
        began_ms, heard = play.stage.now_ms, len(audio.of(14))
        await signaling.say({"msg_type": 19, "rtms_stream_id": scene.client.started["rtms_stream_id"]})
        newcomer = await scene.client.signaling()
        await until(lambda: play.stage.now_ms > began_ms + 5000)
        assert len(audio.of(14)) == heard and not signaling.of(20) and not newcomer.of(2)
        assert audio.websocket.close_code is None
        assert (await newcomer.next(2))["status_code"] == 8
        await signaling.next(20)
        await scene.over()
        assert audio_of(audio) == {ANN: scene.simulator.truth.packets(ANN, 100)}


async def test_no_reset_comes_out_of_the_dark() -> None:
    """A client that Zoom gives up meanwhile hears of it when the line is back."""
    timings = Timings(keep_alive_secs=1)
    async with playing(meeting(ends_ms=60_000), timings=timings) as scene:
        signaling, _, _ = await scene.client.join(MULTI)
        scene.simulator.do(Blackholes(0, "all", 12))
        await until(lambda: bool(named(scene, "interrupted")))
        assert signaling.websocket.close_code is None
        assert await signaling.gone() == 1006


async def test_who_comes_back_too_early_is_reset() -> None:
    """A drop with seconds: TCP and TLS come about, and end with the handshake; afterwards all is well."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        [play] = scene.simulator.playing.values()
        signaling, audio, _ = await scene.client.join(MULTI)
        scene.simulator.do(Drops(0, "audio", seconds=5))
        await audio.gone()
        began_ms = play.stage.now_ms
        early = await scene.client.media(signaling, "audio", 1, MULTI)
        assert await early.gone() == 1006 and not early.of(4)
        await until(lambda: play.stage.now_ms > began_ms + 5100)
        late = await scene.client.media(signaling, "audio", 1, MULTI)
        assert (await late.next(4))["status_code"] == 0


@pytest.mark.parametrize("stream_id", ["same", "new"])
async def test_another_server_takes_the_stream_over(stream_id: str) -> None:
    """rtms_started comes again, with another URL; the old one resets whoever comes; no packet is missing."""
    async with playing(meeting(ends_ms=20_000)) as scene:
        first = scene.client.started
        signaling, audio, _ = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 30)
        scene.simulator.do(FailsOver(0, stream_id))  # type: ignore[arg-type]  # the two above
        await signaling.gone()
        await until(lambda: len(named(scene, "started")) == 2)
        second = named(scene, "started")[1]
        assert (second["rtms_stream_id"] == first["rtms_stream_id"]) == (stream_id == "same")
        assert second["server_urls"] != first["server_urls"]
        assert second["meeting_uuid"] == first["meeting_uuid"]
        old = await scene.client.signaling()
        assert await old.gone() == 1006 and not old.heard
        scene.client.started = second
        _, back, _ = await scene.client.join(MULTI)
        assert (await scene.over())["rtms_stream_id"] == second["rtms_stream_id"]
        heard = {**dict(audio_of(audio)[ANN]), **dict(audio_of(back)[ANN])}
        assert sorted(heard.items()) == scene.simulator.truth.packets(ANN, 100)


async def test_a_dead_server_may_just_be_silent() -> None:
    """Its sockets stay open, and nothing comes over them any more."""
    async with playing(meeting(ends_ms=30_000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 10)
        scene.simulator.do(FailsOver(0, old="silent"))
        await asyncio.sleep(0.05)
        heard = len(audio.of(14))
        await asyncio.sleep(0.3)
        assert len(audio.of(14)) == heard and signaling.websocket.close_code is None


@pytest.mark.parametrize(("urls", "same"), [("none", None), ("same", True), ("fresh", False)])
async def test_an_interruption_may_carry_urls(urls: str, same: bool | None) -> None:
    """None, the known one, or that of the only server that still answers (§10 C2)."""
    async with playing(behaving(interrupted_urls=urls)) as scene:
        signaling, _, _ = await scene.client.join(MULTI)
        scene.simulator.do(Drops(0, "signaling"))
        await signaling.gone()
        await until(lambda: bool(named(scene, "interrupted")))
        [payload] = named(scene, "interrupted")
        known = scene.client.started["server_urls"]
        assert ("server_urls" in payload) == (same is not None)
        if same is not None:
            assert (payload["server_urls"] == known) == same
            scene.client.started = {**scene.client.started, "server_urls": payload["server_urls"]}
        again = await scene.client.signaling()
        assert (await again.next(2))["status_code"] == 0


async def test_a_replay_brings_the_last_packets_again() -> None:
    """As they were, in a burst."""
    async with playing(meeting(ends_ms=30_000)) as scene:
        _, audio, _ = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 40)
        scene.simulator.do(Replays(0, 2))
        await asyncio.sleep(0.1)
        packets = audio_of(audio)[ANN]
        again = {packet for packet in packets if packets.count(packet) == 2}
        assert 15 <= len(again) <= 21 and again <= set(scene.simulator.truth.packets(ANN, 100))


@pytest.mark.parametrize(
    ("pauses", "session", "stream"), [("stream", [2], [1, 5, 6]), ("both", [2, 3, 4], [1, 5, 6])]
)
async def test_a_pause_may_be_told_on_the_stream(pauses: str, session: list[int], stream: list[int]) -> None:
    """Stream states 5 and 6, with or without the session's 3 and 4 (§5.7)."""
    async with playing(behaving(pauses=pauses)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        await until(lambda: len(audio.of(14)) > 3)
        await scene.simulator.pause()
        await scene.simulator.resume()
        await until(lambda: len(signaling.of(8)) == 3)
        assert [message["state"] for message in signaling.of(9)] == session
        assert [message["state"] for message in signaling.of(8)] == stream


async def test_another_session_has_states_of_its_own() -> None:
    """It is told, and answered for when asked (§5.7)."""
    async with playing(meeting(ends_ms=30_000)) as scene:
        signaling, _, _ = await scene.client.join(MULTI)
        await signaling.next(9)
        scene.simulator.do(SessionChanges(0, "second", 3))
        await until(lambda: len(signaling.of(9)) == 2)
        assert signaling.of(9)[1]["rtms_session_id"] == "second"
        await signaling.say({"msg_type": 10, "rtms_session_id": "second"})
        assert (await signaling.next(11))["state"] == 3


async def test_the_stop_webhook_may_come_first_and_the_sockets_say_nothing() -> None:
    """The webhook names the reason two seconds before the sockets are closed without a word."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        signaling, audio, _ = await scene.client.join(MULTI)
        scene.simulator.do(Ends(0, 2, webhook_early_secs=2, in_band=False))
        await until(lambda: bool(named(scene, "stopped")))
        heard = len(audio.of(14))
        assert signaling.websocket.close_code is None
        assert await signaling.gone() == 1000
        assert len(audio.of(14)) > heard and [message["state"] for message in signaling.of(9)] == [2]
        await scene.over()
        assert [payload["stop_reason"] for payload in named(scene, "stopped")] == [2]


async def test_webhooks_of_one_kind_are_lost_alone() -> None:
    """The others come."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        scene.simulator.do(PostsWebhooks(0, 0, event="interrupted"))
        signaling, _, _ = await scene.client.join(MULTI)
        scene.simulator.do(Drops(0, "signaling"))
        await signaling.gone()
        scene.simulator.do(Ends(0))
        await scene.over()
        assert [name for name, _ in scene.events()] == ["started", "stopped"]


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("text_frames", {aiohttp.WSMsgType.TEXT}),
        ("mixed_frames", {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}),
        ("fragments", {aiohttp.WSMsgType.BINARY}),
    ],
)
async def test_frames_are_other_than_usual(word: str, kinds: set[aiohttp.WSMsgType]) -> None:
    """Text, both, or in pieces: the messages are the same."""
    async with playing(behaving(ends_ms=6000, distort=(word,))) as scene:
        _, audio, _ = await scene.client.join(MULTI)
        await scene.over()
        assert audio_of(audio) == {ANN: scene.simulator.truth.packets(ANN, 100)}
        assert audio.kinds == kinds


async def test_messages_come_in_another_order_and_none_is_missing() -> None:
    """Also the last, which nothing follows."""
    async with playing(behaving(ends_ms=6000)) as scene:
        scene.simulator.do(Distorts(0, "reordered", "audio", share=0.3))
        _, audio, _ = await scene.client.join(MULTI)
        await scene.over()
        heard, whole = audio_of(audio)[ANN], scene.simulator.truth.packets(ANN, 100)
        assert sorted(heard) == whole and heard != whole


async def test_the_control_url_takes_every_fault() -> None:
    """What a timeline may say can be done at any moment, by its words."""
    async with playing(meeting(ends_ms=60_000)) as scene:
        await scene.client.join(MULTI)
        async with controlling(scene.simulator) as url, aiohttp.ClientSession() as session:
            for action in (
                {"do": "refuse", "socket": "audio", "how": "close", "times": 2},
                {"do": "delay", "seconds": 1},
                {"do": "distort", "what": "twice", "seconds": 1},
                {"do": "replay", "seconds": 1},
                {"do": "session", "id": "s2", "state": "paused"},
                {"do": "webhooks", "event": "stopped", "delay_secs": 0.1},
                {"do": "drop", "socket": "transcript", "seconds": 1},
                {"do": "blackhole", "socket": "audio", "seconds": 1},
                {"do": "failover", "old": "silent", "id": "new"},
                {"do": "end", "reason": 10, "in_band": False},
            ):
                async with session.post(url, json=action) as answer:
                    assert answer.status == 200, json.loads(await answer.read())
        assert (await scene.over())["stop_reason"] == 10
