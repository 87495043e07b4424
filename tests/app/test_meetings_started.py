"""When a meeting begins to stream, and why it does not: the stories of the start, over real sockets, in fast time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fast_time import FastClock, run_fast
from running_daemon import manifest
from started_meetings import (
    ANN,
    BO,
    CONTROLLER,
    CY,
    DEPUTY,
    HOST,
    INVITEE,
    MANUAL,
    NOTES,
    SPEED,
    Scene,
    daemon,
    meeting,
    play,
)

from rtmsd.simulator import Drops, Ends
from rtmsd.simulator.cloud import Cloud, CloudApp, HostGrant
from rtmsd.simulator.cloud.world import START_SCOPE
from rtmsd.web.problems import problems

AUTO = MANUAL.replace('"manual"', '"auto"', 1)

PARTS_OF_THE_STORY = (
    "The meeting has started",
    "Request 1 to start the app, for the user ann-the-host: HTTP 204",
    "no stream came within 15 s",
    "The host is not in the meeting",
    "Zoom is asked to start the app (the host joined)",
    "The host joined.",
    "A guest joined before the host.",
    "The stream has started",
)


def test_guest_first_and_host_40_s_later(tmp_path: Path) -> None:
    """A guest alone: Zoom takes the request and nothing happens; within 2 s of the host's coming the stream starts."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await scene.until(lambda: scene.starts())
        await scene.wait(40)
        assert scene.announced(held) == []
        came_ms = scene.clock.wall_ms()
        held.join(ANN)
        await scene.streaming(held)
        [started_ms] = scene.announced(held)
        assert started_ms - came_ms < 2000
        await scene.wait(20)
        held.end()
        await held.settled()
        assert any("no stream came within 15 s" in one for one in scene.sentences(held, "armed"))
        assert "The stream has started." in scene.sentences(held, "confirmed")
        told = scene.why(held)
        for part in PARTS_OF_THE_STORY:
            assert part in told, f"{part}\n{told}"

    [recording] = play(story, tmp_path)
    about = manifest(recording)
    assert about["completeness"] == 1.0 and len(about["tracks"]) == 2


def test_guest_first_and_host_never(tmp_path: Path) -> None:
    """It is asked again and again, named at its deadline, and told in the end that no stream ever started."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await scene.wait(240)
        held.end()
        await scene.until(lambda: scene.sentences(held, "given_up"))
        assert 4 <= len(scene.starts()) <= 12
        [never] = scene.sentences(held, "never_started")
        assert "120 s" in never and "host is not in the meeting" in never
        assert "no stream ever started" in scene.sentences(held, "given_up")[0]

    assert play(story, tmp_path) == []


def test_host_only(tmp_path: Path) -> None:
    """A host who opens the meeting is streamed at once, by one request or two."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        came_ms = scene.clock.wall_ms()
        held.join(ANN)
        await scene.streaming(held)
        [started_ms] = scene.announced(held)
        assert started_ms - came_ms < 2000 and len(scene.starts()) <= 2
        await scene.wait(10)
        held.end()
        await held.settled()

    [recording] = play(story, tmp_path)
    assert manifest(recording)["completeness"] == 1.0


def test_host_leaves_and_returns(tmp_path: Path) -> None:
    """Where a stream stops with its user's leaving (before October 2026), their return starts another."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        held.join(BO)
        await scene.streaming(held)
        await scene.wait(10)
        held.leave(ANN)
        await scene.until(lambda: any("come back" in one for one in scene.sentences(held)))
        await scene.wait(30)
        held.join(ANN)
        await scene.streaming(held)
        await scene.wait(10)
        held.end()
        await held.settled()

    recordings = play(story, tmp_path, era="2026-07")
    assert sorted(manifest(one)["stop"]["reason"] for one in recordings) == [3, 6]


def test_alternative_host(tmp_path: Path) -> None:
    """An alternative host who opens the meeting is somebody for whom the app may be started."""

    async def story(scene: Scene) -> None:
        held = scene.plan(zoom_users={ANN: HOST, BO: DEPUTY}, alternative_hosts=[DEPUTY])
        held.join(BO)
        await scene.streaming(held, 30)
        await scene.wait(10)
        held.end()
        await held.settled()
        assert scene.starts()[-1]["participant_user_id"] == DEPUTY

    assert len(play(story, tmp_path)) == 1


def test_late_invitee(tmp_path: Path) -> None:
    """Guests and an invited user, but no host: Zoom wants somebody who may approve; the host's late coming starts it."""

    async def story(scene: Scene) -> None:
        held = scene.plan(zoom_users={ANN: HOST, CY: INVITEE}, invitees=[INVITEE])
        held.join(BO)
        await scene.until(lambda: len(scene.starts()) == 2, 40)
        held.join(CY)  # while an answer to the second request may still come
        await scene.until(
            lambda: any(one.get("participant_user_id") == INVITEE for one in scene.starts()), 60
        )
        await scene.wait(20)  # when no request is under way
        held.join(ANN)
        await scene.streaming(held, 30)
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


def test_waiting_room(tmp_path: Path) -> None:
    """Guests in a waiting room are no meeting: nothing is asked until the host opens it."""

    async def story(scene: Scene) -> None:
        held = scene.plan(waiting_room=True)
        held.join(BO)
        await scene.wait(30)
        assert scene.starts() == []
        held.join(ANN)
        await scene.streaming(held, 30)
        held.admit(BO)
        await scene.wait(10)
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


def test_without_join_before_host(tmp_path: Path) -> None:
    """A guest who waits for the host is no meeting either."""

    async def story(scene: Scene) -> None:
        held = scene.plan(join_before_host=False)
        held.join(BO)
        await scene.wait(30)
        assert scene.starts() == []
        held.join(ANN)
        await scene.streaming(held, 30)
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


def test_the_hosts_own_token_needs_nobody(tmp_path: Path) -> None:
    """With the host's authorisation a meeting of guests streams at once; the rotated token survives a restart."""
    config = 'start = "manual"\n[[apps.hosts]]\nuser_id = "ann-the-host"\nrefresh_token = { env = "REFRESH_TOKEN" }\n'
    grant = HostGrant(user_id=HOST, client_id=NOTES.client_id, refresh_token="refresh-token-1")

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await scene.streaming(held, 30)
        await scene.wait(10)
        held.end()
        await held.settled()
        assert all("participant_user_id" not in one for one in scene.starts())

    assert len(play(story, tmp_path, config=config, grants=[grant])) == 1
    journal = (tmp_path / "state" / "journal.sqlite3").read_bytes()
    assert b"refresh-token-1" not in journal


def test_auto_start_was_faster(tmp_path: Path) -> None:
    """Zoom's own start and ours at once: one stream, and "already started" is no problem."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.streaming(held)
        await scene.wait(60)
        assert len(scene.announced(held)) == 1
        assert not any(one.problem for one in scene.story(held).notes if one.kind != "answered")
        held.end()
        await held.settled()

    app = replace(NOTES, auto_start=True)
    assert len(play(story, tmp_path, apps=[app])) == 1


@pytest.mark.parametrize(
    ("force", "times", "problem"),
    [
        (2308, 2, "2308"),
        (3000, 3, "3000"),
        ("500", 2, "HTTP 500"),
        ("nothing", 2, "could not be reached"),
    ],
)
def test_what_passes_by_itself(tmp_path: Path, force: Any, times: int, problem: str) -> None:
    """An answer that time or somebody's coming mends is asked again, and the story tells of it."""

    async def story(scene: Scene) -> None:
        scene.cloud.face.force(force, times)
        held = scene.plan(zoom_users={ANN: HOST, BO: DEPUTY}, alternative_hosts=[DEPUTY])
        held.join(ANN)
        await scene.wait(5)
        held.join(BO)
        await scene.wait(5)
        held.join(CY)
        await scene.streaming(held, 60)
        assert any(problem in one for one in scene.sentences(held, "answered"))
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


def test_2310_that_heals_after_90_s(tmp_path: Path) -> None:
    """Credits that were just bought: asked for until they are there; somebody is told meanwhile."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.streaming(held, 150)
        assert any("Developer Pack" in one for one in scene.sentences(held))
        held.end()
        await held.settled()

    app = replace(NOTES, entitled_after_secs=90.0)
    assert len(play(story, tmp_path, apps=[app])) == 1


def test_13262_needs_an_administrator(tmp_path: Path) -> None:
    """An app that may not read meeting content is asked for once, and its remedy is told."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.until(lambda: scene.sentences(held, "refused"))
        await scene.wait(60)
        assert len(scene.starts()) == 1
        assert "Allow apps to access meeting content" in scene.sentences(held, "refused")[0]
        held.end()
        await held.settled()

    assert play(story, tmp_path, apps=[replace(NOTES, allow_listed=False)]) == []


def test_a_token_that_is_revoked_midway(tmp_path: Path) -> None:
    """Zoom forgets the token between two requests: another is fetched, and nobody notices."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(BO)
        await scene.until(scene.starts)
        scene.cloud.face.revoke_tokens()
        await scene.wait(5)
        held.join(ANN)
        await scene.streaming(held, 30)
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


@pytest.mark.parametrize("style", ["seconds", "date"])
def test_429_for_a_minute(tmp_path: Path, style: Any) -> None:
    """The account's calls are used up: nothing is asked until Zoom says, and then it starts."""

    async def story(scene: Scene) -> None:
        scene.cloud.face.limit_for(60.0, style)
        held = scene.plan()
        held.join(ANN)
        await scene.wait(50)
        assert len(scene.starts()) == 1
        await scene.streaming(held, 60)
        assert any("429" in one for one in scene.sentences(held, "answered"))
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


DEVELOPMENT = CloudApp(
    name="notes-development",
    client_id="receiver-development",
    client_secret="secret-of-the-development-pair",
    webhook_secret="secret-token-of-development",
    environment="development",
    auto_start=True,
)
PRODUCTION = replace(NOTES, auto_start=True)


@pytest.mark.parametrize("right", [False, True], ids=["wrong pair", "right pair"])
def test_two_apps_of_one_account(tmp_path: Path, right: bool) -> None:
    """With development's client id and production's webhook secret the stream stops with 18, once, and that is explained;
    with production's own it is recorded."""
    wrong = replace(DEVELOPMENT, webhook_secret=PRODUCTION.webhook_secret)

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        if right:
            await scene.streaming(held)
        else:
            await scene.until(lambda: any("18" in one for one in scene.sentences(held, "given_up")))
        await scene.wait(60)
        ours = [one for one in scene.cloud.sent if (one.app, one.event) == ("notes", "meeting.rtms_started")]
        assert len(ours) == 1, "it went on and on"
        if not right:
            [row] = scene.story(held).streams
            assert row.reason == 18 and "receiver" not in row.sentence and "environment" in row.sentence
        held.end()
        await held.settled()

    recordings = play(
        story,
        tmp_path,
        apps=[PRODUCTION, DEVELOPMENT],
        config=AUTO,
        client=PRODUCTION if right else wrong,
    )
    assert [manifest(one)["stop"]["reason"] for one in recordings] == ([6] if right else [18])


def test_an_external_account_that_never_starts(tmp_path: Path) -> None:
    """A host of another account who has not authorised the app: no event ever comes, and at the deadline that is said."""
    app = replace(NOTES, auto_start=True, installed_by=frozenset({"somebody-else"}))

    async def story(scene: Scene) -> None:
        held = scene.cloud.plan(meeting=meeting(), host_id="their-host", account_id="TheirFreeAccount")
        held.join(ANN)
        await scene.wait(200)
        held.end()
        [never] = scene.sentences(held, "never_started")
        assert "told nothing of this meeting" in never and "authorisation URL" in never

    soon = datetime.now(UTC).replace(microsecond=0).isoformat()
    config = f"[[apps.expected]]\nmeeting = 85746065432\nat = {soon}\n"
    assert play(story, tmp_path, apps=[app], config=config) == []


@pytest.mark.parametrize(
    "faults",
    [
        {"meeting.started": {"copies": 0}},
        {"meeting.participant_joined": {"copies": 2}},
        {"meeting.started": {"delay_secs": 20.0}},
        {"meeting.participant_joined": {"delay_secs": 6.0}, "meeting.rtms_started": {"copies": 2}},
    ],
    ids=["lost start", "doubled arrivals", "late start", "all in disorder"],
)
def test_events_lost_doubled_and_late(tmp_path: Path, faults: dict[str, Any]) -> None:
    """In whatever state the events of a meeting come, it is started, once."""

    async def story(scene: Scene) -> None:
        for event, fault in faults.items():
            scene.cloud.send_badly(event, **fault)
        held = scene.plan()
        held.join(BO)
        await scene.wait(3)
        held.join(ANN)
        await scene.streaming(held, 60)
        await scene.wait(30)
        assert len(scene.announced(held)) == 1
        held.end()
        await held.settled()

    assert len(play(story, tmp_path)) == 1


def test_a_meeting_that_begins_again(tmp_path: Path) -> None:
    """Everybody leaves and comes again: a new UUID under the old number is another meeting, and starts like the first."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        for _ in range(2):
            held.join(ANN)
            await scene.streaming(held, 30)
            await scene.wait(5)
            held.leave(ANN)
            await scene.until(lambda: not scene.live(held))
        assert len({one.uuid for one in scene.story(held).meetings}) == 2

    assert len(play(story, tmp_path)) == 2


def test_a_meeting_that_nobody_told_of_is_found(tmp_path: Path) -> None:
    """With no webhook at all, the meetings of known hosts are found by asking Zoom, and started."""
    config = MANUAL + 'look_every_secs = 20.0\n[apps.only]\nhosts = ["ann-the-host"]\n'

    async def story(scene: Scene) -> None:
        for event in ("meeting.started", "meeting.participant_joined"):
            scene.cloud.send_badly(event, copies=0)
        held = scene.plan()
        held.join(ANN)
        await scene.streaming(held, 60)
        held.end()
        await held.settled()

    assert len(play(story, tmp_path, config=config)) == 1


def test_events_by_websocket(tmp_path: Path) -> None:
    """A machine that no webhook reaches hears of everything by Zoom's event WebSocket, also after it was cut."""
    config = MANUAL + '[apps.events]\nsubscription_id = "sub-1"\nowner = "manual"\n'
    app = replace(NOTES, subscription_id="sub-1")

    async def story(scene: Scene) -> None:
        sockets = scene.cloud.event_sockets
        await scene.until(lambda: sockets.connections["sub-1"] == 1)
        sockets.drop()
        await scene.until(lambda: sockets.connections["sub-1"] == 2)
        held = scene.plan()
        held.join(BO)
        await scene.wait(3)
        held.join(ANN)
        await scene.streaming(held, 30)
        await scene.wait(5)
        held.end()
        await held.settled()

    [recording] = play(story, tmp_path, config=config, apps=[app], webhooks=False)
    assert manifest(recording)["stop"]["reason"] == 6


OF_THE_DEPUTY = replace(NOTES, auto_start=True, installed_by=frozenset({DEPUTY}))


@pytest.mark.parametrize(
    ("second_stream", "recorded"), [("both", {HOST, DEPUTY}), ("first", {DEPUTY}), ("host", {HOST, DEPUTY})]
)
def test_two_users_have_the_app(tmp_path: Path, second_stream: str, recorded: set[str]) -> None:
    """Both streams, the first, or the host's instead of the first: as configured, and the rule is named."""
    config = AUTO + f'[apps.only]\nsecond_stream = "{second_stream}"\nrefused = "stop"\n'

    async def story(scene: Scene) -> None:
        held = scene.plan(zoom_users={ANN: HOST, BO: DEPUTY}, alternative_hosts=[DEPUTY])
        held.join(BO)
        await scene.streaming(held)
        await scene.wait(5)
        held.join(ANN)
        held.start(OF_THE_DEPUTY, HOST)  # the host opens the app
        expected = 2 if second_stream == "both" else 1
        await scene.wait(20)
        assert len(scene.live(held)) == expected
        ignored = [one for one in scene.ready.report.streams() if one.state == "ignored"]
        assert [("second_stream" in one.sentence) for one in ignored] == [True] * (second_stream == "first")
        if second_stream == "first":
            assert any(one.action == "stop" for one in scene.cloud.face.requests)
        held.end()
        await held.settled()

    recordings = play(story, tmp_path, config=config, apps=[OF_THE_DEPUTY])
    assert len(recordings) == len(recorded)
    stops = sorted(manifest(one)["stop"]["reason"] for one in recordings)
    assert stops == {"both": [6, 6], "first": [6], "host": [6, 20]}[second_stream]


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        ('topics = ["*standup*"]', False),
        ('topics = ["week*"]', True),
        ('hosts = ["somebody"]', False),
        ('hosts = ["ann-the-host"]', True),
        ("meetings = [85746065432]", True),
        ("meetings = [99999999999]", False),
        ('accounts = ["SimulatedAccount"]', True),
        ('operators = ["somebody"]', False),
        ("original_host = true", True),
    ],
)
def test_which_meetings_are_taken(tmp_path: Path, rule: str, taken: bool) -> None:
    """Zoom starts the app everywhere; rtmsd takes what the rules allow, and names the rule for what it leaves."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        if taken:
            await scene.streaming(held)
        else:
            await scene.until(lambda: any(one.state == "ignored" for one in scene.ready.report.streams()))
            [ignored] = [one for one in scene.ready.report.streams() if one.state == "ignored"]
            assert f"only.{rule.split()[0]}" in ignored.sentence
        held.end()
        await held.settled()

    config = AUTO + f"[apps.only]\n{rule}\n"
    app = replace(NOTES, auto_start=True)
    assert len(play(story, tmp_path, config=config, apps=[app])) == int(taken)


def test_the_story_tells_of_a_hole(tmp_path: Path) -> None:
    """What is missing of a stream stands in the meeting's story, with its cause, beside the connection that was lost."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.streaming(held)
        await scene.wait(10)
        [stream_id] = scene.live(held)
        scene.cloud.find_play(stream_id).do(Drops(0, "audio", "reset", 1000, 61.5))
        await scene.until(lambda: scene.sentences(held, "gap"), 90)
        assert "audio are missing" in scene.sentences(held, "gap")[0]
        assert any("connection for audio was lost" in one for one in scene.sentences(held, "connection"))
        held.end()
        await held.settled()

    play(story, tmp_path)


def test_a_clock_that_is_ten_minutes_off(tmp_path: Path) -> None:
    """Every webhook is refused as too old, and what is on the page says that it is the clock."""

    async def story(scene: Scene) -> None:
        held = scene.plan()
        held.join(ANN)
        await scene.until(lambda: scene.ready.report.webhooks().last_refused_ms)
        webhooks = scene.ready.report.webhooks()
        now_ms = scene.clock.wall_ms() + 600_000
        wrong, _ = problems([], [], [], webhooks, now_ms=now_ms)
        assert ["clock" in one.sentence for one in wrong] == [True]
        held.end()

    assert play(story, tmp_path, clock_off_secs=600.0) == []


def test_a_refused_stream_is_not_called_missing(tmp_path: Path) -> None:
    """The deputy's stream is left alone by a rule; the meeting is not told as never started beside it."""
    config = AUTO + "[apps.only]\noriginal_host = true\n"

    async def story(scene: Scene) -> None:
        held = scene.plan(zoom_users={ANN: HOST, BO: DEPUTY}, alternative_hosts=[DEPUTY])
        held.join(BO)
        await scene.wait(200)
        assert scene.sentences(held, "never_started") == []
        held.end()
        await held.settled()

    assert play(story, tmp_path, config=config, apps=[OF_THE_DEPUTY]) == []


@asynccontextmanager
async def one_daemon(cloud: Cloud, tmp: Path, clock: FastClock) -> AsyncIterator[Scene]:
    """A daemon after which another may come, with the same state."""
    async with daemon(cloud, tmp, clock, config=MANUAL, app=NOTES) as ready:
        cloud.set_webhook("notes", f"http://{ready.webhook}/webhook")
        yield Scene(cloud, ready, tmp, clock)


@pytest.mark.parametrize("scopes", ["all", "start only"])
def test_a_restart_of_the_daemon_in_the_middle(tmp_path: Path, scopes: str) -> None:
    """The host comes while rtmsd is not there: the next daemon starts the meeting, also where it may not look."""
    controller = CONTROLLER if scopes == "all" else replace(CONTROLLER, scopes=(START_SCOPE,))
    clock = FastClock(SPEED)

    async def main() -> None:
        async with Cloud(
            apps=[NOTES], controllers=[controller], clock=clock, directory=tmp_path / "zoom"
        ) as cloud:
            held = cloud.plan(meeting=meeting(), host_id=HOST, zoom_users={ANN: HOST})
            async with one_daemon(cloud, tmp_path, clock) as scene:
                held.join(BO)
                await scene.until(scene.starts)
            held.join(ANN)
            await asyncio.sleep(20)
            async with one_daemon(cloud, tmp_path, clock) as scene:
                await scene.streaming(held, 60)
                held.end()
                await held.settled()

    run_fast(main(), SPEED)


def test_what_was_stopped_is_not_started_by_the_next_daemon(tmp_path: Path) -> None:
    """The host stopped the app (reason 1); rtmsd restarts; guests come: nothing is asked."""
    clock = FastClock(SPEED)

    async def main() -> None:
        async with Cloud(
            apps=[NOTES], controllers=[CONTROLLER], clock=clock, directory=tmp_path / "zoom"
        ) as cloud:
            held = cloud.plan(meeting=meeting(), host_id=HOST, zoom_users={ANN: HOST})
            async with one_daemon(cloud, tmp_path, clock) as scene:
                held.join(ANN)
                await scene.streaming(held)
                await asyncio.sleep(5)
                [stream_id] = scene.live(held)
                cloud.find_play(stream_id).do(Ends(0, 1))
                await scene.until(lambda: scene.sentences(held, "given_up"))
            async with one_daemon(cloud, tmp_path, clock) as scene:
                asked = len(scene.starts())
                held.join(BO)
                await asyncio.sleep(60)
                assert len(scene.starts()) == asked

    run_fast(main(), SPEED)
