"""What a running daemon tells of the starts of real meetings: the report, the JSON and the metrics, in fast time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families
from started_meetings import ANN, BO, DEPUTY, HOST, MANUAL, NOTES, Scene, play

from rtmsd.web.status import MeetingStatus

AUTO = 'start = "auto"\n'


def only(scene: Scene) -> MeetingStatus:
    [meeting] = scene.ready.report.meetings()
    return meeting


async def reaches(scene: Scene, state: str, secs: float = 60.0) -> None:
    """Wait until the only meeting that is known has come to this state."""
    await scene.until(lambda: [one.state for one in scene.ready.report.meetings()] == [state], secs)


async def got(scene: Scene, path: str) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(f"http://{scene.ready.admin}{path}") as answer:
        assert answer.status == 200
        return await answer.read()


async def numbers(scene: Scene) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families((await got(scene, "/metrics")).decode())
    return {(one.name, *one.labels.values()): one.value for each in families for one in each.samples}


def test_a_guest_first_meeting_from_its_request_to_its_stream(tmp_path: Path) -> None:
    """It is pending, then in trouble in the machine's own words, which stays so while it is asked again, then streams."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await reaches(scene, "accepted")
        assert not only(scene).problem and only(scene).streams == ()
        assert (await numbers(scene))["rtmsd_start_pending",] == 1
        await reaches(scene, "armed")
        silent = only(scene)
        assert silent.problem and silent.trouble == silent.sentence
        await scene.until(lambda: silent.sentence in scene.sentences(held, "armed"))
        await reaches(scene, "accepted")
        assert only(scene).problem and only(scene).trouble == silent.sentence
        held.join(ANN)
        await scene.streaming(held)
        streams = only(scene)
        assert streams.state == "confirmed" and not streams.problem and not streams.over
        assert list(streams.streams) == scene.live(held)
        assert (streams.number, streams.uuid, streams.app) == (str(held.number), held.uuid, "notes")
        text = await got(scene, "/api/v1/meetings")
        [document] = orjson.loads(text)["meetings"]
        assert document["streams"] == scene.live(held) and document["state"] == "confirmed"
        for private in (held.topic, HOST, "Mira Tal"):
            assert private.encode() not in text
        values = await numbers(scene)
        assert values["rtmsd_start_attempts_total", "accepted"] == len(scene.starts()) >= 3
        assert values["rtmsd_start_confirm_seconds_count",] == 1
        assert 0 < values["rtmsd_start_confirm_seconds_sum",] < 15
        assert values["rtmsd_start_pending",] == values["rtmsd_start_never_started_total",] == 0
        assert values["rtmsd_start_meetings", "confirmed"] == 1
        held.end()
        await held.settled()
        await scene.until(lambda: only(scene).over)
        assert not only(scene).problem
        assert (await numbers(scene))["rtmsd_start_meetings", "confirmed"] == 0

    play(story, tmp_path)


def test_a_meeting_that_never_starts(tmp_path: Path) -> None:
    """From its deadline on it is so named, with the sentence that says most, also when it has ended; it counts once."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await reaches(scene, "never_started", 150)
        trouble = only(scene).trouble
        assert "has gone on for 120 s without a stream" in trouble
        await scene.wait(90)  # in which it is asked again
        assert (only(scene).state, only(scene).trouble) == ("never_started", trouble)
        held.end()
        await scene.until(lambda: only(scene).over)
        ended = only(scene)
        assert (ended.state, ended.problem, ended.trouble) == ("given_up", True, trouble)
        assert "no stream ever started" in ended.sentence
        assert (await numbers(scene))["rtmsd_start_never_started_total",] == 1

    assert play(story, tmp_path) == []


def test_an_expected_meeting_that_nobody_tells_of(tmp_path: Path) -> None:
    """It stands there without an occurrence's UUID; when it comes after all, only that is told."""
    config = (
        AUTO
        + f"""start_deadline_secs = 10
[[apps.expected]]
meeting = "85746065432"
at = {datetime.now(UTC).isoformat()}
"""
    )

    async def story(scene: Scene) -> None:
        held = scene.plan()
        assert str(held.number) == "85746065432"
        await scene.until(scene.ready.report.meetings)
        missing = only(scene)
        assert (missing.state, missing.uuid, missing.number) == ("never_started", "", str(held.number))
        assert missing.problem and missing.over and "Zoom has told nothing" in missing.trouble
        held.join(ANN)
        await scene.until(lambda: only(scene).uuid == held.uuid)
        assert only(scene).state == "armed" and not only(scene).problem
        held.end()
        await held.settled()

    assert play(story, tmp_path, config=config) == []


def test_rules_that_refuse_are_named(tmp_path: Path) -> None:
    """A stream that a rule does not take, and a meeting that one does not, each say which."""
    deputy = replace(NOTES, auto_start=True, installed_by=frozenset({DEPUTY}))

    async def of_streams(scene: Scene) -> None:
        held = scene.plan(zoom_users={ANN: HOST, BO: DEPUTY}, alternative_hosts=[DEPUTY])
        held.join(ANN)
        held.join(BO)
        await scene.until(scene.ready.report.streams)
        [stream] = scene.ready.report.streams()
        assert stream.state == "ignored" and "(only.original_host)" in stream.sentence
        assert b"(only.original_host)" in await got(scene, "/")
        held.end()
        await held.settled()

    async def of_meetings(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.until(scene.ready.report.meetings)
        assert only(scene).state == "not_taken" and "(only.topics)" in only(scene).sentence
        assert not only(scene).problem and only(scene).changed_ms > 0
        assert b"(only.topics)" in await got(scene, "/")
        held.end()
        await held.settled()

    one, other = tmp_path / "streams", tmp_path / "meetings"
    one.mkdir()
    other.mkdir()
    assert play(of_streams, one, config=AUTO + "[apps.only]\noriginal_host = true\n", apps=[deputy]) == []
    assert play(of_meetings, other, config=MANUAL + '[apps.only]\ntopics = ["Board*"]\n') == []


def test_an_event_websocket_that_is_lost_and_found(tmp_path: Path) -> None:
    """It says that it is connected, why it was not, and how many events came."""
    app: Any = replace(NOTES, subscription_id="sub-1")
    config = MANUAL + '[apps.events]\nsubscription_id = "sub-1"\nowner = "manual"\n'

    async def story(scene: Scene) -> None:
        [socket] = scene.ready.report.event_sockets()
        assert (socket.app, socket.problem) == ("notes", "")
        await scene.until(lambda: scene.ready.report.event_sockets()[0].state == "connected")
        scene.cloud.event_sockets.drop()
        await scene.until(lambda: scene.ready.report.event_sockets()[0].state == "disconnected")
        [lost] = scene.ready.report.event_sockets()
        assert "was closed" in lost.problem and lost.problem_ms is not None
        assert b"was closed" in await got(scene, "/")
        await scene.until(lambda: scene.ready.report.event_sockets()[0].state == "connected")
        held = scene.plan()
        held.join(BO)
        await scene.until(lambda: scene.ready.report.event_sockets()[0].events >= 2)
        await scene.until(scene.ready.report.meetings)
        held.end()
        await held.settled()

    assert play(story, tmp_path, config=config, apps=[app], webhooks=False) == []
