"""Zoom as a whole: apps and who controls them, meetings that people hold, REST, OAuth, events, and the streams."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from rtmsd.errors import SimulatorError
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import PostsWebhooks
from rtmsd.simulator.admission import Timings
from rtmsd.simulator.cloud.face import CloudFace
from rtmsd.simulator.cloud.gathering import Gathering
from rtmsd.simulator.cloud.outlet import Outlet, Sent
from rtmsd.simulator.cloud.performance import Performance
from rtmsd.simulator.cloud.plan import Plan
from rtmsd.simulator.cloud.running import Backstage
from rtmsd.simulator.cloud.world import CloudApp, Controller, Era, HostGrant
from rtmsd.simulator.event_socket import EventSockets
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.play import Play
from rtmsd.simulator.products import ACCOUNT_ID
from rtmsd.simulator.socket_server import FIRST_MEETING_NUMBER, SocketServer, quiet
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import WEBHOOK_PACE, OnWebhook

HOST_ID = "SimulatedHostUserId001"
"""Who hosts a meeting of which nothing else is said."""


class Cloud:
    """Zoom for several apps: enter it, `plan` meetings, and let people come and go in them.

    It is the `World` of its REST and OAuth side: `oauth_url`, `api_url` and `events_url` are on one HTTPS server, `ca_file`
    vouches for it and for the sockets. `face` has that side's faults and its log; `event_sockets` those of the event
    WebSocket; `send_badly` those of webhooks. `sent` holds every event that was sent, `on_webhook(headers, body)` sees
    each webhook. Leaving it cuts every connection and abandons what was not sent yet.

    All times follow `clock`; `pace` is how much sooner than Zoom webhooks are sent again.
    """

    def __init__(
        self,
        *,
        apps: Sequence[CloudApp],
        controllers: Sequence[Controller] = (),
        grants: Sequence[HostGrant] = (),
        era: Era = "2026-10",
        listen: tuple[str, int] = ("127.0.0.1", 0),
        directory: Path | None = None,
        on_webhook: OnWebhook | None = None,
        clock: Clock | None = None,
        timings: Timings | None = None,
        pace: float = WEBHOOK_PACE,
        tell: Callable[[str], None] = quiet,
    ) -> None:
        if len({app.name for app in apps}) != len(apps):
            raise SimulatorError(f"the apps need different names, got {[app.name for app in apps]}")
        self.apps: Sequence[CloudApp] = tuple(apps)
        self.controllers: Sequence[Controller] = tuple(controllers)
        self.grants: Sequence[HostGrant] = tuple(grants)
        self.era: Era = era
        self.ca_file = Path()
        self.oauth_url = self.api_url = self.events_url = ""
        self.gatherings: list[Gathering] = []
        self.performances: list[Performance] = []
        self._numbers = itertools.count(FIRST_MEETING_NUMBER)
        self.sent: list[Sent] = []
        self._clock = clock or Clock()
        self._began = self._clock.monotonic()
        self.face = CloudFace(self, self._clock, tell)
        self.event_sockets = EventSockets(may_connect=self.face.may_connect)
        self.face.events = self.event_sockets.handle
        self.server = SocketServer(
            listen=listen,
            directory=directory,
            clock=self._clock,
            timings=timings or Timings(),
            text_frames=False,
            tell=tell,
        )
        self._outlets = {
            app.name: Outlet(
                app,
                sockets=self.event_sockets,
                clock=self._clock,
                on_webhook=on_webhook,
                sent=self.sent.append,
                tell=tell,
                pace=pace,
            )
            for app in apps
        }
        self._backstage = Backstage(
            world=self,
            server=self.server,
            outlets=self._outlets,
            running=lambda account_id: sum(one.running(account_id) for one in self._meetings),
            spawn=self._spawn,
            clock=self._clock,
            tell=tell,
        )
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Cloud:
        """Listen. Raises OSError when the address cannot be listened on."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.server.listening())
            self.ca_file = self.server.ca_file
            at = await stack.enter_async_context(self.server.serving(self.face.app))
            self.oauth_url, self.api_url = f"https://{at}/oauth/token", f"https://{at}/v2"
            self.events_url = f"wss://{at}/ws"
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(self._cancel)
            for outlet in self._outlets.values():
                self._spawn(outlet.webhooks.keep_validating())
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    @property
    def age_secs(self) -> float:
        return self._clock.monotonic() - self._began

    def meeting(self, number_or_uuid: str) -> Gathering | Performance | None:
        """Find a meeting by its number, or by the UUID of its latest occurrence."""
        for one in self._meetings:
            if number_or_uuid in (str(one.number), one.uuid):
                return one
        return None

    def meetings_of(self, user_id: str) -> Sequence[Gathering | Performance]:
        return [one for one in self._meetings if one.in_progress and one.host_id == user_id]

    async def perform(self, meeting: Meeting) -> Truth:
        """Play a meeting of any product as a `Simulator` does: its stream is there from its first moment, for the first app.

        Gives the truth of its latest stream when all is over. Cancelling does not end it; leaving the cloud does. Raises
        SimulatorError when the account may have no more streams.
        """
        performance = Performance(
            meeting, number=next(self._numbers), app=self.apps[0], backstage=self._backstage
        )
        self.performances.append(performance)
        try:
            await performance.run()
        finally:
            self.performances.remove(performance)
        return list(performance.truths.values())[-1]

    def plan(
        self,
        *,
        meeting: Meeting,
        host_id: str = HOST_ID,
        topic: str = "Weekly sync",
        account_id: str = ACCOUNT_ID,
        join_before_host: bool = True,
        waiting_room: bool = False,
        alternative_hosts: Collection[str] = (),
        invitees: Collection[str] = (),
        zoom_users: Mapping[int, str] | None = None,
    ) -> Gathering:
        """Plan a meeting, with a number of its own; nobody is there yet. Raises SimulatorError when it cannot be held.

        `zoom_users` gives the Zoom user ids of those of its people who have one; without it the first one is the host and
        the others are guests. `invitees` are Zoom user ids.
        """
        people = meeting.people[:1] if zoom_users is None else ()
        plan = Plan(
            number=next(self._numbers),
            host_id=host_id,
            topic=topic,
            account_id=account_id,
            join_before_host=join_before_host,
            waiting_room=waiting_room,
            alternative_hosts=tuple(alternative_hosts),
            invitees=tuple(invitees),
            zoom_users={person.user_id: host_id for person in people} | dict(zoom_users or {}),
        )
        self.gatherings.append(Gathering(meeting, plan, self._backstage))
        return self.gatherings[-1]

    def set_webhook(self, app_name: str, url: str) -> None:
        """Send an app's webhooks there from now on."""
        self._outlets[app_name].webhooks.url = url

    def send_badly(
        self, event: str = "all", *, copies: int = 1, delay_secs: float = 0.0, app_name: str | None = None
    ) -> None:
        """From now on send an event, by its whole name, so often and so late; 0 copies lose it. To one app, or to all."""
        for name, outlet in self._outlets.items():
            if app_name in (None, name):
                outlet.faults[event] = PostsWebhooks(0, copies, delay_secs)

    @property
    def signaling_url(self) -> str:
        return self.server.gateway.signaling_url(0)

    @property
    def playing(self) -> dict[str, Play]:
        """All streams that play, by their ids."""
        return self.server.playing

    def find_play(self, stream_id: str | None) -> Play:
        """Give a stream that plays; without `stream_id` the only one. Raises SimulatorError when there is none."""
        return self.server.find_play(stream_id)

    async def validate(self) -> None:
        """Send `endpoint.url_validation` to every webhook. Raises SimulatorError when one does not prove its secret."""
        for outlet in self._outlets.values():
            await outlet.webhooks.validate()

    @property
    def _meetings(self) -> list[Gathering | Performance]:
        return [*self.gatherings, *self.performances]

    def _spawn(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        assert self._group is not None, "enter the cloud first"
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
