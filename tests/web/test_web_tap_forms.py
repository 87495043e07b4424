"""What a tap says: phrases, JSON and samples."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest
from page_source import NOW_MS
from structlog.testing import capture_logs
from tapped_daemon import END, audio, daemon, info, phrase

from rtmsd.frames import AudioFormat, AudioFrame, ChatFrame, Event, Gap, Item, MediaKind, StreamEnd


def objects(answer: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines()]


async def test_phrases_are_lines() -> None:
    """Who said what when; corrections, other transcribers and what is missing are told, and the end."""
    items: list[Item] = [
        phrase("Good morning."),
        audio(0),
        phrase("Good evening.", operation="update"),
        phrase("Good evening.", operation="delete"),
        phrase("good morning", source="vosk", name=""),
        Gap("socket_down", NOW_MS, NOW_MS + 2000),
        Gap("socket_down", NOW_MS, NOW_MS + 2000, MediaKind.AUDIO),
        Event("participant_joined", NOW_MS),
        END,
    ]
    async with daemon() as one:
        route = one.begin()
        async with one.listening() as reading:
            for item in items:
                route.offer(item)
        assert reading.result().decode() == (
            "06:40:34  Mira Tal: Good morning.\n"
            "06:40:34  Mira Tal, corrected: Good evening.\n"
            "06:40:34  Mira Tal, taken back: Good evening.\n"
            "06:40:34  user 1 [vosk]: good morning\n"
            "-- from 06:40:34 to 06:40:36 phrases may be missing (socket_down)\n"
            "-- 06:40:43  the stream has ended: The meeting ended.\n"
        )


async def test_a_line_holds_nothing_but_text() -> None:
    """What people call themselves and say can neither begin another line nor move a terminal's cursor."""
    async with daemon() as one:
        route = one.begin()
        async with one.listening() as reading:
            route.offer(phrase("one\ntwo\x1b[2J \ud800", name="Ann\r\u202eBob"))
            route.offer(END)
        [line, _] = reading.result().decode().splitlines()
        assert line == "06:40:34  Ann��Bob: one�two�[2J �"


async def test_json_holds_nothing_that_moves_a_cursor() -> None:
    """Controls, marks of direction and ends of lines are escaped, and are there again when it is read; words stay words."""
    text, name = "Grüße 你好 \x1b\x7f\x9b2J\x85\u2028\u2029", "A\u202e\u2066nn"
    async with daemon() as one:
        route = one.begin()
        async with one.listening(**{"as": "json"}) as reading:
            route.offer(phrase(text, name=name))
            route.offer(END)
        line = reading.result().decode().split("\n")[0]
    assert "Grüße 你好" in line and "\\u009b2J" in line and all(sign.isprintable() for sign in line)
    said = json.loads(line)
    assert (said["text"], said["user_name"]) == (text, name)


async def test_everything_is_json() -> None:
    """One object for each item, with its type; samples only if they are asked for."""
    chat = ChatFrame(1, "Ann", NOW_MS, "new", "m", "half \ud800", raw={"n": 2**70, "x": {"y": [1]}})
    gap = Gap("lane_full", 1, 2, MediaKind.AUDIO, 1)
    items: list[Item] = [audio(0), phrase("Hello."), chat, Event("stream_paused", 5), gap, END]
    async with daemon() as one:
        route = one.begin()
        async with (
            one.listening(**{"as": "json"}) as bare,
            one.listening(**{"as": "json", "audio": "1"}) as full,
        ):
            for item in items:
                route.offer(item)
        said = objects(bare.result())
        assert [line["type"] for line in said] == ["audio", "transcript", "chat", "event", "gap", "end"]
        sound, words, written, _, missing, end = said
        assert sound == {
            "type": "audio",
            "user_id": 1,
            "user_name": "Ann",
            "timestamp_ms": NOW_MS,
            "format": {"codec": "L16", "rate": 16_000, "channels": 1, "per_participant": True},
            "bytes": 3200,
            "duration_ms": 100.0,
        }
        assert (words["text"], words["start_ms"], words["words"]) == ("Hello.", NOW_MS, [])
        assert written["text"] == "half ?" and written["raw"]["x"] == {"y": [1]}
        assert (missing["cause"], missing["media"], missing["user_id"]) == ("lane_full", "audio", 1)
        assert end["sentence"] == "The meeting ended."
        assert base64.b64decode(objects(full.result())[0]["data"]) == audio(0).data


async def test_one_participant_alone() -> None:
    """With `user` the others' frames are left out, and nothing that concerns the stream."""
    async with daemon() as one:
        route = one.begin()
        async with one.listening(**{"as": "json", "user": "2"}) as reading:
            for item in (audio(0), audio(0, user_id=2), phrase("of 1"), Gap("socket_down", 1, 2), END):
                route.offer(item)
        assert [(line["type"], line.get("user_id")) for line in objects(reading.result())] == [
            ("audio", 2),
            ("gap", None),
            ("end", None),
        ]


async def test_samples_tell_what_they_are() -> None:
    """The head names rate, channels, byte order and when sample 0 was; the body is samples and nothing else."""
    async with daemon() as one:
        route = one.begin()
        async with one.listening(**{"as": "pcm"}) as reading:
            for item in (audio(0), audio(100), StreamEnd(6, "", "", NOW_MS + 300)):
                route.offer(item)
        assert reading.result() == b"\x01\x02" * 3200 + bytes(3200)
        other = one.begin(info("other"))
        waiting = asyncio.create_task(one.session.get("/tap", params={"as": "pcm", "meeting": "other"}))
        await one.listened_to()
        other.offer(audio(40))
        async with await waiting as answer:
            assert (
                answer.headers["Content-Type"] == "audio/L16;rate=16000;channels=1;endianness=little-endian"
            )
            assert answer.headers["Rtmsd-Zero-Ms"] == str(NOW_MS + 40)
            other.offer(END)


@pytest.mark.parametrize(
    ("frame", "heard", "user", "says"),
    [
        (audio(0), (1, 2), "", "Several have spoken; name one of them with --user (user=): 1, 2."),
        (audio(0, form=AudioFormat("OPUS", 48_000, 2, True)), (1,), "1", "The sound of this stream is OPUS"),
        (audio(0, user_id=0, form=AudioFormat("L16", 16_000, 1, False)), (0,), "7", "Zoom mixes all voices"),
    ],
)
async def test_sound_that_cannot_be_given(
    frame: AudioFrame, heard: tuple[int, ...], user: str, says: str
) -> None:
    """What only the first packet tells is refused then, and the tap is gone."""
    async with daemon() as one:
        route = one.begin(heard=heard)
        query = {"as": "pcm"} | ({"user": user} if user else {})
        asking = asyncio.create_task(one.refusal(**query))
        await one.listened_to()
        route.offer(frame)
        status, text = await asking
        assert status == 409 and says in text and len(one.taps) == 0


async def test_a_stream_that_ends_in_silence_has_no_samples() -> None:
    """Nothing was heard, so nobody knows what sound would have been like."""
    async with daemon() as one:
        route = one.begin()
        asking = asyncio.create_task(one.refusal(**{"as": "pcm"}))
        await one.listened_to()
        route.offer(END)
        assert await asking == (409, "The stream ended before anything was heard.\n")


async def test_who_waits_for_sound_is_told_the_truth_of_a_stop() -> None:
    """The stream goes on, though nobody was heard: rtmsd stops, and says that."""
    async with aiohttp.ClientSession() as outside:
        async with daemon() as one:
            one.begin()
            asking = asyncio.create_task(outside.get(f"http://{one.bound}/tap", params={"as": "pcm"}))
            await one.listened_to()
        async with await asking as answer:
            assert (answer.status, await answer.text()) == (503, "rtmsd stops.\n")


async def test_samples_break_off_when_the_daemon_stops() -> None:
    """They have no last line: an answer that is not whole says that the stream may go on; what came is there."""
    async with aiohttp.ClientSession() as outside:
        with capture_logs() as logs:
            async with daemon() as one:
                route = one.begin()
                asking = asyncio.create_task(outside.get(f"http://{one.bound}/tap", params={"as": "pcm"}))
                await one.listened_to()
                route.offer(audio(0))
                answer = await asking
                assert await answer.content.readexactly(3200) == audio(0).data
        async with answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
    assert logs[-1]["why"] == "rtmsd stops"
