"""A small world for the simulated cloud: meetings that note what is done to them, served over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.cloud.face import CloudFace
from rtmsd.simulator.cloud.limits import Plan
from rtmsd.simulator.cloud.world import Attendee, CloudApp, Controller, Era, HostGrant, RunningStream

HOST, COHOST, INVITEE, STRANGER, OUTSIDER = "HostAnn", "CohostCid", "InviteeIda", "StrangerStu", "OutsiderOda"
NUMBER, UUID = 85746065432, "/ajXp112+muoKj//854875=="

APP = CloudApp(name="notes", client_id="receiver", client_secret="receiver-secret", webhook_secret="hook")
CONTROLLER = Controller(
    account_id="SimulatedAccount", client_id="controller", client_secret="controller-secret"
)


def attendee(user: str, *, role: str = "attendee", invited: bool = False, waits: bool = False) -> Attendee:
    """Somebody with a Zoom account, or a guest: ""."""
    return Attendee(16778240, user or "Guest", user, role, invited, waits)  # type: ignore[arg-type]


@dataclass
class SmallMeeting:
    """A meeting that changes only when a test changes it; `done` is what the cloud did to it."""

    number: int = NUMBER
    uuid: str = UUID
    account_id: str = "SimulatedAccount"
    host_id: str = HOST
    topic: str = "Weekly sync"
    in_progress: bool = True
    alternative_hosts: list[str] = field(default_factory=list)
    attendees: list[Attendee] = field(default_factory=list)
    streams: list[RunningStream] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)

    def start(self, app: CloudApp, operator_id: str) -> None:
        self.done.append(("start", operator_id))
        self.streams.append(RunningStream(f"s{len(self.done)}", app.client_id, operator_id, False))

    def stop(self, stream: RunningStream) -> None:
        self.done.append(("stop", stream.stream_id))
        self.streams.remove(stream)

    def pause(self, stream: RunningStream) -> None:
        self.done.append(("pause", stream.stream_id))

    def resume(self, stream: RunningStream) -> None:
        self.done.append(("resume", stream.stream_id))


@dataclass
class SmallWorld:
    """One app, one controller, one meeting with its host in it."""

    era: Era = "2026-10"
    apps: list[CloudApp] = field(default_factory=lambda: [APP])
    controllers: list[Controller] = field(default_factory=lambda: [CONTROLLER])
    grants: list[HostGrant] = field(default_factory=list)
    age_secs: float = 1000.0
    all_meetings: list[SmallMeeting] = field(
        default_factory=lambda: [SmallMeeting(attendees=[attendee(HOST, role="host")])]
    )

    def meeting(self, number_or_uuid: str) -> SmallMeeting | None:
        return next((one for one in self.all_meetings if number_or_uuid in (str(one.number), one.uuid)), None)

    def meetings_of(self, user_id: str) -> Sequence[SmallMeeting]:
        return [one for one in self.all_meetings if one.host_id == user_id and one.in_progress]


class SteppedClock(Clock):
    """Time stands still until it is moved; the wall clock goes with it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.monotonic = lambda: self.now
        self.wall = lambda: 1_795_000_000.0 + self.now


class Visitor:
    """Asks a face over HTTP, as anybody could; `told` is what the face told."""

    def __init__(self, world: SmallWorld, face: CloudFace, clock: SteppedClock, told: list[str]) -> None:
        self.world, self.face, self.clock, self.told = world, face, clock, told
        self.base = ""
        self.session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: object
    ) -> aiohttp.ClientResponse:
        """Ask, and read the answer to its end."""
        url = URL(self.base + path, encoded=True)
        async with self.session.request(method, url, headers=headers, **more) as response:  # type: ignore[arg-type]
            await response.read()
        return response

    async def ask_token(
        self, form: dict[str, str], *, client_id: str = "controller", client_secret: str = "controller-secret"
    ) -> aiohttp.ClientResponse:
        basic = aiohttp.encode_basic_auth(client_id, client_secret)
        return await self.call("POST", "/oauth/token", data=form, headers={"Authorization": basic})

    async def token(self) -> str:
        """Get a token of the account."""
        response = await self.ask_token(
            {"grant_type": "account_credentials", "account_id": "SimulatedAccount"}
        )
        return str((await response.json())["access_token"])

    async def control(
        self, token: str, action: str = "start", *, number: object = NUMBER, **settings: object
    ) -> aiohttp.ClientResponse:
        body = {"action": action, "settings": {"client_id": "receiver", **settings}}
        path = f"/v2/live_meetings/{number}/rtms_app/status"
        return await self.call("PATCH", path, json=body, headers={"Authorization": f"Bearer {token}"})

    async def get(self, token: str, path: str) -> aiohttp.ClientResponse:
        return await self.call("GET", path, headers={"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def small_cloud(world: SmallWorld | None = None, *, plan: Plan | None = None) -> AsyncIterator[Visitor]:
    """Serve a small world on a port of its own."""
    told: list[str] = []
    world, clock = world or SmallWorld(), SteppedClock()
    face = CloudFace(world, clock, told.append, plan=plan)
    runner = web.AppRunner(face.app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        visitor = Visitor(world, face, clock, told)
        visitor.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as visitor.session:
            yield visitor
    finally:
        await runner.cleanup()
