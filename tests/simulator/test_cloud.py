"""Zoom as a whole over real sockets: tokens, REST, webhooks, event WebSockets, and the streams that come of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gatherings import ANN, BOB, CONTROLLER, HOST, NOTES, ZOOM_USERS, held, joins, payloads, told
from hand_client import HandClient, audio_of, until
from rest_curl import Curl
from scenes import MULTI, noise

from rtmsd.errors import SimulatorError
from rtmsd.simulator import PRODUCTS, Meeting, Person, Says
from rtmsd.simulator.cloud import Cloud, CloudApp, Gathering, HostGrant


class Receiver:
    """Takes webhooks at a path for each app, and accepts those only that the app's secret has signed."""

    def __init__(self, apps: list[CloudApp]) -> None:
        self.secrets = {app.name: app.webhook_secret for app in apps}
        self.events: list[tuple[str, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        name, body = request.match_info["app"], await request.read()
        text = b"v0:" + request.headers["x-zm-request-timestamp"].encode() + b":" + body
        signature = "v0=" + hmac.new(self.secrets[name].encode(), text, hashlib.sha256).hexdigest()
        if request.headers["x-zm-signature"] != signature:
            return web.Response(status=401)
        event = json.loads(body)
        if event["event"] == "endpoint.url_validation":
            token = event["payload"]["plainToken"]
            proof = hmac.new(self.secrets[name].encode(), token.encode(), hashlib.sha256).hexdigest()
            return web.json_response({"plainToken": token, "encryptedToken": proof})
        self.events.append((name, event["event"].partition(".")[2]))
        return web.Response()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/{app}", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


class Caller:
    """A controller with curl: asks for a token and calls."""

    def __init__(self, cloud: Cloud, session: aiohttp.ClientSession) -> None:
        self.session, self.curl = session, curl(cloud, session)

    async def token(self) -> str:
        return await self.curl.token(
            CONTROLLER.client_id,
            CONTROLLER.client_secret,
            grant_type="account_credentials",
            account_id=CONTROLLER.account_id,
        )

    async def app(self, meeting: Gathering, action: str, app: CloudApp = NOTES) -> int:
        settings = {"client_id": app.client_id, "participant_user_id": HOST}
        status, _ = await self.curl.app(await self.token(), meeting.number, action, **settings)
        return status


def curl(cloud: Cloud, session: aiohttp.ClientSession) -> Curl:
    return Curl(session, ca_file=cloud.ca_file, oauth_url=cloud.oauth_url, api_url=cloud.api_url)


@asynccontextmanager
async def called(*apps: CloudApp, **plan: Any) -> AsyncIterator[tuple[Cloud, Gathering, Caller]]:
    async with held(*apps, **plan) as (cloud, meeting), aiohttp.ClientSession() as session:
        yield cloud, meeting, Caller(cloud, session)


def client(cloud: Cloud, app: CloudApp, *, secret: str | None = None) -> HandClient:
    about = SimpleNamespace(
        ca_file=cloud.ca_file, client_id=app.client_id, client_secret=secret or app.client_secret
    )
    return HandClient(about)  # type: ignore[arg-type]  # all that it looks at


async def started(cloud: Cloud, number: int = 1) -> dict[str, Any]:
    await until(lambda: len(payloads(cloud, "meeting.rtms_started")) == number)
    return dict(payloads(cloud, "meeting.rtms_started")[-1])


async def test_the_guest_first_story() -> None:
    """A start while only a guest is there is accepted and does nothing; when the host has come, it starts (140368)."""
    async with called() as (cloud, meeting, caller):
        assert await caller.app(meeting, "start") == 400, "not begun"
        meeting.join(BOB)
        assert await caller.app(meeting, "start") == 204
        assert meeting.streams == []
        meeting.join(ANN)
        assert await caller.app(meeting, "start") == 204
        payload = await started(cloud)
        assert payload["operator_id"] == HOST
        assert await caller.app(meeting, "start") == 400, "already started"
        assert await caller.app(meeting, "pause") == 204
        assert [one.paused for one in meeting.streams] == [True]
        assert await caller.app(meeting, "stop") == 204
        await until(lambda: "rtms_stopped" in told(cloud))
        assert meeting.streams == []


async def test_a_stream_that_begins_in_the_middle_is_like_any_other() -> None:
    """What is said before it begins is not in it; a client hears the rest, byte for byte, under a new id and the same UUID."""
    what = Meeting(
        (Person(ANN, "Ann Host"), Person(BOB, "Guest Bob")),
        (Says(0, ANN, noise(1000)), Says(12_000, ANN, noise(2000, seed=2))),
        60_000,
    )
    async with called(meeting=what) as (cloud, meeting, caller):
        meeting.join(ANN)
        assert await caller.app(meeting, "start") == 204
        async with client(cloud, NOTES) as zoom:
            zoom.started = await started(cloud)
            _, audio, _ = await zoom.join(MULTI)
            [truth] = meeting.truths.values()
            await until(lambda: len(audio.of(14)) == 20)
            meeting.end()
            await meeting.settled()
        assert audio_of(audio) == {ANN: truth.packets(ANN, 100)}
        assert bytes(truth.tracks[ANN][0].pcm) == noise(2000, seed=2).pcm
        assert truth.stop_reason == 6


async def test_the_wrong_pair_is_turned_away() -> None:
    """Development and production app in one account: signing with the other's pair is Close 1000, and 18 (142247)."""
    develop = replace(NOTES, name="develop", client_id="dev-id", client_secret="dev", webhook_secret="whdev")
    async with called(NOTES, replace(develop, environment="development")) as (cloud, meeting, caller):
        meeting.join(ANN)
        assert await caller.app(meeting, "start", NOTES) == 204
        async with client(cloud, develop) as zoom:
            zoom.started = await started(cloud)
            assert await (await zoom.signaling()).gone() == 1000
        await until(lambda: "rtms_stopped" in told(cloud))
        assert payloads(cloud, "meeting.rtms_stopped")[0]["stop_reason"] == 18
        assert not told(cloud, "develop").count("rtms_started")


async def test_each_app_has_its_own_webhook_and_secret() -> None:
    """Two apps of an account: both hear of the meeting, each of its own stream, each signed with its own secret."""
    more = replace(NOTES, name="more", client_id="more-id", webhook_secret="whmore", auto_start=True)
    async with held(NOTES, more) as (cloud, meeting), Receiver([NOTES, more]).listening() as receiver:
        for app in (NOTES, more):
            cloud.set_webhook(app.name, f"{receiver.url}/{app.name}")
        await cloud.validate()
        meeting.join(ANN)
        meeting.end()
        await meeting.settled()
        everybody = ["started", "participant_joined", "participant_left", "ended"]
        assert [event for app, event in receiver.events if app == "notes"] == everybody
        mine = [event for app, event in receiver.events if app == "more"]
        assert sorted(mine) == sorted([*everybody, "rtms_started", "rtms_stopped"])
        cloud.set_webhook("notes", f"{receiver.url}/more")
        with pytest.raises(SimulatorError, match="give the receiver the secret"):
            await cloud.validate()


async def test_webhooks_are_lost_late_and_doubled() -> None:
    """Of one event or of all, to one app or to all: also those of a meeting's life."""
    async with held(NOTES, replace(NOTES, name="lucky", client_id="lucky-id")) as (cloud, meeting):
        cloud.send_badly("meeting.started", copies=0, app_name="notes")
        cloud.send_badly("meeting.participant_joined", delay_secs=0.2, app_name="notes")
        cloud.send_badly("meeting.participant_left", copies=2)
        meeting.join(ANN)
        meeting.end()
        await meeting.settled()
        assert told(cloud) == ["participant_left", "participant_left", "ended", "participant_joined"]
        assert told(cloud, "lucky")[:3] == ["started", "participant_joined", "participant_left"]


async def test_events_come_over_the_event_websocket() -> None:
    """Instead of webhooks or beside them: the same JSON, and nothing again for who was not there."""
    app = replace(NOTES, subscription_id="sub-1", auto_start=True)
    async with called(app) as (cloud, meeting, caller):
        meeting.join(BOB)
        url = f"{cloud.events_url}?subscriptionId=sub-1&access_token={await caller.token()}"
        async with caller.session.ws_connect(url, ssl=caller.curl.tls) as events:
            assert (await events.receive_json())["module"] == "build_connection"
            meeting.join(ANN)
            message = await events.receive_json()
            assert message["module"] == "message"
            event = json.loads(message["content"])
            assert (event["event"], event["payload"]["account_id"]) == (
                "meeting.participant_joined",
                "SimulatedAccount",
            )
            assert event["payload"]["object"]["participant"]["id"] == HOST
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await caller.session.ws_connect(url.replace("sub-1", "sub-2"), ssl=caller.curl.tls)


async def test_a_hosts_own_token_needs_nobody_there() -> None:
    """With the host's refresh token the stream starts while only a guest is in the meeting (January 2026)."""
    grant = HostGrant(user_id=HOST, client_id=NOTES.client_id, refresh_token="refresh-1")
    async with (
        Cloud(apps=[NOTES], grants=[grant]) as cloud,
        aiohttp.ClientSession() as session,
    ):
        meeting = cloud.plan(meeting=joins(BOB), host_id=HOST, zoom_users=ZOOM_USERS)
        meeting.join(BOB)
        host = curl(cloud, session)
        token = await host.token(
            NOTES.client_id, NOTES.client_secret, grant_type="refresh_token", refresh_token="refresh-1"
        )
        status, _ = await host.app(token, meeting.number, "start", client_id=NOTES.client_id)
        assert status == 204
        assert [one.operator_id for one in meeting.streams] == [HOST]


async def test_a_script_is_performed_for_the_first_app() -> None:
    """Any product, from its first moment on and no longer, for one app; over the limit of its account nothing is played."""
    only_one = replace(NOTES, concurrency_limit=1)
    async with held(only_one, replace(NOTES, name="more", client_id="more-id")) as (cloud, _):
        script = replace(joins(ANN, ends_ms=1000), product=PRODUCTS["contact_center"])
        performed = asyncio.create_task(cloud.perform(script))
        await until(lambda: bool(cloud.playing))
        assert cloud.find_play(None).truth.stream_id in cloud.playing
        with pytest.raises(SimulatorError, match="may have 1 streams"):
            await cloud.perform(script)
        truth = await performed
        assert (truth.stop_reason, (truth.ended_ms or 0) - truth.started_ms) == (6, 1000)
        assert [(one.app, one.event) for one in cloud.sent if "concurrency" not in one.event] == [
            ("notes", "contact_center.voice_rtms_started"),
            ("notes", "contact_center.voice_rtms_stopped"),
        ]


async def test_leaving_a_cloud_ends_everything() -> None:
    """Streams that play and webhooks that wait are abandoned; an error inside is not hidden."""
    with pytest.raises(ZeroDivisionError):
        async with held(replace(NOTES, auto_start=True)) as (cloud, meeting):
            cloud.send_badly(delay_secs=1000)
            meeting.join(ANN)
            await asyncio.sleep(0.1)
            raise ZeroDivisionError
    assert meeting.streams == [] and not cloud.server.playing


async def test_apps_have_different_names() -> None:
    """Webhooks are set by name: two of one name would be one."""
    with pytest.raises(SimulatorError, match="different names"):
        Cloud(apps=[NOTES, NOTES])
