"""From a signed webhook to a verified recording of a spoken meeting, over real sockets, with what can go wrong."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import aiohttp
import pytest
from running_daemon import assert_equals_truth, finished, json_lines, manifest, running, samples, webhook_url

from rtmsd.errors import SinkError
from rtmsd.recording import verify
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Simulator, default_meeting


@pytest.mark.parametrize(("seconds", "send_rate_ms"), [(20.0, 100), (7.0, 20)])
async def test_a_meeting_without_faults_is_recorded_to_the_sample(
    tmp_path: Path, seconds: float, send_rate_ms: int
) -> None:
    """Each track equals what was said, at its place; the transcript has its true times; nothing is missing."""
    async with Simulator(meeting=default_meeting(seconds), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path, send_rate_ms=send_rate_ms) as ready:
            await zoom.play(webhook=webhook_url(ready))
            recording = await finished(tmp_path)
    assert_equals_truth(recording, zoom.truth)
    about = manifest(recording)
    assert about["completeness"] == 1.0 and about["gaps"] == [] and about["stop"]["reason"] == 6
    assert [
        (line["user_id"], line["start_ms"], line["end_ms"], line["text"])
        for line in json_lines(recording / "transcript.jsonl")
    ] == [(one.user_id, one.start_ms, one.end_ms, one.text) for one in zoom.truth.phrases]
    assert verify(recording).problems == []
    assert zoom.connections == {"signaling": 1, "audio": 1, "transcript": 1}
    assert not list(tmp_path.rglob("*.part"))


async def test_mixed_audio_is_recorded_as_it_comes(tmp_path: Path) -> None:
    """With `audio = "mixed"` there is one track, the mix, and nobody's own."""
    async with Simulator(meeting=default_meeting(6.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path, audio="mixed") as ready:
            await zoom.play(webhook=webhook_url(ready))
            recording = await finished(tmp_path)
    assert [path.name for path in recording.glob("audio/*")] == ["mixed.wav"]
    assert samples(recording / "audio" / "mixed.wav").any()
    assert verify(recording).problems == []


@pytest.mark.parametrize("which", ["signaling", "audio"])
async def test_a_dropped_socket_costs_nothing_that_zoom_keeps(tmp_path: Path, which: str) -> None:
    """One recording, whole: what was said while we were away is replayed, and no gap is ledgered for audio."""
    async with Simulator(meeting=default_meeting(12.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await asyncio.sleep(4.0)
            await zoom.drop("signaling" if which == "signaling" else "audio")
            recording = await finished(tmp_path)
    assert_equals_truth(recording, zoom.truth)
    about = manifest(recording)
    assert [gap for gap in about["gaps"] if gap["media"] != "transcript"] == []
    assert about["completeness"] == 1.0 and about["reconnects"] == 1
    assert verify(recording).problems == []
    assert zoom.connections[which] == 2


async def test_a_restart_continues_the_same_recording(tmp_path: Path) -> None:
    """Stopped and started again in the middle of a meeting: one recording, and all that Zoom kept is in it."""
    async with Simulator(meeting=default_meeting(14.0), directory=tmp_path / "zoom") as zoom:
        async with asyncio.TaskGroup() as tasks:
            async with running(zoom, tmp_path) as ready:
                playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
                await asyncio.sleep(4.0)
            assert not list(tmp_path.glob("recordings/*/*/*/manifest.json"))
            await asyncio.sleep(1.0)
            async with running(zoom, tmp_path):
                recording = await finished(tmp_path)
            playing.cancel()  # its stop webhook has nobody to go to
    assert_equals_truth(recording, zoom.truth)
    assert manifest(recording)["completeness"] == 1.0
    assert verify(recording).problems == []


async def test_a_pause_is_neither_present_nor_missing(tmp_path: Path) -> None:
    """What Zoom does not send during a pause does not count against the recording."""
    async with Simulator(meeting=default_meeting(8.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await asyncio.sleep(3.0)
            await zoom.pause()
            await asyncio.sleep(1.5)
            await zoom.resume()
            recording = await finished(tmp_path)
    assert_equals_truth(recording, zoom.truth)
    about = manifest(recording)
    assert about["completeness"] == 1.0
    [pause] = zoom.truth.pauses
    assert pause.end_ms is not None
    for track in about["tracks"]:
        assert track["paused_secs"] == pytest.approx((pause.end_ms - pause.start_ms) / 1000, abs=0.002)


async def test_doubled_webhooks_make_one_connection(tmp_path: Path) -> None:
    """Zoom's repeats are recognised: one join, one recording."""
    meeting = default_meeting(6.0)
    async with Simulator(meeting=meeting, directory=tmp_path / "zoom", webhook_copies=5) as zoom:
        async with running(zoom, tmp_path) as ready:
            await zoom.play(webhook=webhook_url(ready))
            recording = await finished(tmp_path)
            async with aiohttp.ClientSession() as http, http.get(f"http://{ready.admin}/readyz") as answer:
                assert answer.status == 200
            assert ready.report.webhooks().by_result() == {"taken": 2, "duplicate": 8}
    assert zoom.connections["signaling"] == 1
    assert_equals_truth(recording, zoom.truth)


async def test_wrong_credentials_are_explained_and_not_hammered(tmp_path: Path) -> None:
    """One connection, then Zoom's reason 18: a sentence that names the app, on the page and in the manifest."""
    async with Simulator(meeting=default_meeting(5.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path, client_secret="another-secret-altogether") as ready:
            await zoom.play(webhook=webhook_url(ready))
            recording = await finished(tmp_path)
            [stream] = ready.report.streams()
            async with aiohttp.ClientSession() as http, http.get(f"http://{ready.admin}/") as answer:
                page = await answer.text()
    assert stream.state == "failed" and stream.problem
    assert "app notes" in stream.sentence and "18" in stream.sentence
    assert stream.stream_id in page and "app notes" in page
    assert zoom.connections["signaling"] <= 2 and zoom.connections["audio"] == 0
    about = manifest(recording)
    assert about["stop"]["reason"] == 18 and "another-secret" not in page + str(about)
    assert about["gaps"] and verify(recording).problems == []


async def test_a_directory_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    """The daemon does not start, and says which path it is."""
    (tmp_path / "recordings").write_text("a file where a directory should be")
    async with Simulator(meeting=default_meeting(5.0), directory=tmp_path / "zoom") as zoom:
        with pytest.raises(ExceptionGroup) as caught:
            async with running(zoom, tmp_path):
                pytest.fail("it started")
    assert caught.group_contains(SinkError, match=str(tmp_path / "recordings"))


async def test_what_does_not_connect_is_said_while_it_does_not(tmp_path: Path) -> None:
    """A stream that cannot be joined is a problem on the page at once, with the reason, not after a minute."""
    async with Simulator(meeting=default_meeting(8.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            nobody = zoom.signaling_url
            tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await asyncio.sleep(2.0)
            await zoom.__aexit__(None, None, None)  # Zoom is gone
            async with asyncio.timeout(10):
                while not (stream := ready.report.streams()[0]).sentence:
                    await asyncio.sleep(0.1)
            assert stream.state == "reconnecting" and stream.problem and "no connection" in stream.sentence, (
                nobody
            )


async def test_a_stream_lost_for_too_long_is_closed_and_shown(tmp_path: Path) -> None:
    """After more than Zoom's 60 s: its recording is completed with the gap, and the page says why."""
    clock = Clock()
    async with Simulator(meeting=default_meeting(20.0), directory=tmp_path / "zoom") as zoom:
        async with asyncio.TaskGroup() as tasks:
            async with running(zoom, tmp_path) as ready:
                playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
                await asyncio.sleep(4.0)
            playing.cancel()
        with sqlite3.connect(tmp_path / "state" / "journal.sqlite3") as journal:
            [column] = [
                name
                for _, name, *_ in journal.execute("pragma table_info(streams)")
                if name.startswith("last_contact")
            ]
            journal.execute(f"update streams set {column} = {column} - 70000")
        async with running(zoom, tmp_path) as ready:
            recording = await finished(tmp_path)
            [stream] = ready.report.streams()
    about = manifest(recording)
    assert about["stop"]["name"] == "LOST" and about["gaps"][0]["cause"] == "daemon_restart"
    assert stream.problem and "60 s" in stream.sentence and clock.wall_ms() > about["zero_ms"]
    assert verify(recording).problems == []
