"""`rtmsd tap` and what it asks: a real daemon, a simulated Zoom, and listeners of every kind."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson
import pytest
from running_daemon import assert_equals_truth, expected, finished, manifest, running, webhook_url
from structlog.testing import capture_logs
from tapped_daemon import ask_by_hand, hold_little

from rtmsd import app
from rtmsd.app import Ready
from rtmsd.delivery import tapping
from rtmsd.delivery.tapping import Taps
from rtmsd.runtime.clock import iso_utc
from rtmsd.simulator import Simulator, Truth, default_meeting

ROOT = Path(__file__).parents[2]
SMALL = 65_536


async def get(ready: Ready, **query: str) -> tuple[int, bytes]:
    """Listen to the end: where sample 0 is, if there are samples, and everything that came."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{ready.admin}/tap", params=query) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return int(answer.headers.get("Rtmsd-Zero-Ms", "0")), await answer.read()


def assert_samples(truth: Truth, user_id: int, zero_ms: int, pcm: bytes) -> None:
    """They are what this participant said from `zero_ms` on, each at its place, and all of it."""
    got = np.frombuffer(pcm, dtype="<i2")
    last = max(span.timestamp_ms + len(span.pcm) // 32 for span in truth.tracks[user_id])
    assert len(got) >= (last - zero_ms) * 16
    first = min(span.timestamp_ms for spans in truth.tracks.values() for span in spans)
    before = (zero_ms - first) * 16
    track = expected(truth, user_id, zero_ms=first, length=before + len(got))[before:]
    assert track.any()
    np.testing.assert_array_equal(got, track, err_msg=f"user {user_id}")


async def speaking(ready: Ready) -> None:
    """Wait until somebody has been heard."""
    async with asyncio.timeout(10):
        while not any(one.speakers for one in ready.report.streams()):
            await asyncio.sleep(0.02)


async def test_phrases_and_samples_equal_the_truth(tmp_path: Path) -> None:
    """From the beginning of the stream, and of one participant from the middle, through a lost socket, to the sample."""
    async with Simulator(meeting=default_meeting(12.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            text = tasks.create_task(get(ready, wait="1"))
            await asyncio.sleep(0.1)
            playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await speaking(ready)
            users = list(zoom.truth.names)
            whole = {
                user: tasks.create_task(get(ready, **{"as": "pcm", "user": str(user)})) for user in users
            }
            await asyncio.sleep(4.0)
            await zoom.drop("audio")
            await asyncio.sleep(2.0)
            late = tasks.create_task(get(ready, **{"as": "pcm", "user": str(users[-1])}))
            await playing
            recording = await finished(tmp_path)
    for user, task in whole.items():
        assert_samples(zoom.truth, user, *task.result())
    assert_samples(zoom.truth, users[-1], *late.result())
    *lines, end = text.result()[1].decode().splitlines()
    assert [line for line in lines if not line.startswith("--")] == [
        f"{iso_utc(one.start_ms)[11:19]}  {zoom.truth.names[one.user_id]}: {one.text}"
        for one in zoom.truth.phrases
    ]
    assert "the stream has ended: The meeting ended" in end
    assert_equals_truth(recording, zoom.truth)


async def stalled(ready: Ready) -> socket.socket:
    """Ask for everything, and read nothing."""
    host, _, port = str(ready.admin).rpartition(":")
    return await ask_by_hand(host, int(port), "/tap?as=json&audio=1")


async def read_rest(deaf: socket.socket) -> list[dict[str, Any]]:
    """Read what came after all: the objects of a chunked answer."""
    reader, writer = await asyncio.open_connection(sock=deaf)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    body, rest = b"", answer.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return [orjson.loads(line) for line in body.splitlines()]


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> list[Taps]:
    """The taps of each daemon that a test runs, with small lanes."""
    made: list[Taps] = []

    class Seen(Taps):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(app, "Taps", Seen)
    monkeypatch.setattr(tapping, "LANE_BYTES", SMALL)
    return made


@pytest.fixture
def _small_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_little(monkeypatch)


async def come_and_go(ready: Ready, user_id: int) -> None:
    """Begin to listen twenty times, in every form, and hang up at once."""
    async with aiohttp.ClientSession() as http:
        for number in range(20):
            form = ("text", "json", "pcm")[number % 3]
            answer = await http.get(f"http://{ready.admin}/tap?as={form}&user={user_id}")
            assert answer.status == 200
            answer.close()
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("_small_kernel")
async def test_bad_listeners_cost_the_recording_nothing(tmp_path: Path, registries: list[Taps]) -> None:
    """One that reads nothing, and twenty that come and go: the recording is the truth, and nothing is left of them."""
    async with Simulator(meeting=default_meeting(10.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path, send_rate_ms=20) as ready, asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await speaking(ready)
            deaf = await stalled(ready)
            [taps] = registries
            while not len(taps):
                await asyncio.sleep(0.01)
            [stuck] = taps._taps
            await come_and_go(ready, min(zoom.truth.names))
            await playing
            recording = await finished(tmp_path)
            assert taps._taps == {stuck} and stuck.dropped > 0
            assert stuck._lane.queued_bytes < SMALL + 20_000  # events, gaps and the end are never dropped
            heard = await read_rest(deaf)
            assert len(taps) == 0
    assert_equals_truth(recording, zoom.truth)
    assert manifest(recording)["completeness"] == 1.0 and manifest(recording)["gaps"] == []
    assert heard[-1]["type"] == "end"
    assert_heard_or_told(zoom.truth, heard)


def assert_heard_or_told(truth: Truth, heard: list[dict[str, Any]]) -> None:
    """Each packet since the tap began is there, or in a gap; never both."""
    gaps = [one for one in heard if one["type"] == "gap" and one["media"] == "audio"]
    assert gaps and {one["cause"] for one in gaps} == {"lane_full"}
    got = {(one["user_id"], one["timestamp_ms"]) for one in heard if one["type"] == "audio"}
    began = min(at for _, at in got)
    for user_id in truth.tracks:
        for at, _ in truth.packets(user_id, 20):
            told = any(one["user_id"] == user_id and one["from_ms"] <= at < one["to_ms"] for one in gaps)
            assert at < began or told != ((user_id, at) in got), "neither heard nor told, or both"


@pytest.mark.usefixtures("_small_kernel")
async def test_a_daemon_that_stops_waits_for_no_listener(tmp_path: Path, registries: list[Taps]) -> None:
    """Who reads is told that more may come; who does not is broken off, which is not the same as an end."""
    async with (
        Simulator(meeting=default_meeting(20.0), directory=tmp_path / "zoom") as zoom,
        asyncio.TaskGroup() as tasks,
    ):
        with capture_logs() as logs:
            async with running(zoom, tmp_path, send_rate_ms=20) as ready:
                playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
                await speaking(ready)
                deaf = await stalled(ready)
                text = tasks.create_task(get(ready))
                [taps] = registries
                async with asyncio.timeout(15):
                    while not any(one.dropped for one in taps._taps):
                        await asyncio.sleep(0.05)
        assert len(taps) == 0
        playing.cancel()
    assert text.result()[1].decode().splitlines()[-1] == "-- rtmsd stops here; the stream may go on"
    reader, writer = await asyncio.open_connection(sock=deaf)
    assert not (await reader.read()).endswith(b"\r\n0\r\n\r\n")
    writer.close()
    ends = {line["form"]: line["why"] for line in logs if line["event"] == "tap closed"}
    # It was given up by us: to be cancelled by the server takes two seconds and more.
    assert ends == {
        "text": "the stream ended, or rtmsd stops",
        "json": "the listener took nothing any more",
    }
