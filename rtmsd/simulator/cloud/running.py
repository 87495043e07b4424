"""The streams that apps have in one meeting: begun in the middle of it, controlled, counted, and ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import Action, Ends, Joins
from rtmsd.simulator.cloud.outlet import Outlet
from rtmsd.simulator.cloud.world import CloudApp, RunningStream, World
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.play import Play
from rtmsd.simulator.products import Payload
from rtmsd.simulator.socket_server import SocketServer
from rtmsd.simulator.truth import Truth

_NEAR = 0.8

Spawn = Callable[[Coroutine[object, object, object]], "asyncio.Task[object]"]


API_STOPPED = StopReason.MANUAL_API_TRIGGERED
"""What a stop by REST ends a meeting's stream with is not known for certain; 25 is called so (protocol.md §6.6, §15)."""


@dataclass(frozen=True, kw_only=True)
class Backstage:
    """What a meeting needs of the cloud: where streams live, where each app's events go (by its name), and who does what
    takes time. `running` counts the streams of all apps of an account."""

    world: World
    server: SocketServer
    outlets: Mapping[str, Outlet]
    running: Callable[[str], int]
    spawn: Spawn
    clock: Clock
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """A stream that was begun; whether it lives still is the play's to say."""

    app: CloudApp
    operator_id: str
    play: Play

    @property
    def lives(self) -> bool:
        return self.play.stream.stop_reason is None

    @property
    def shown(self) -> RunningStream:
        stream_id = self.play.stream.identity.stream_id
        return RunningStream(stream_id, self.app.client_id, self.operator_id, self.play.stage.paused)


class MeetingStreams:
    """The streams of a meeting. `truths` are those of all that there were, by the stream ids that they began with."""

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self._all: list[Running] = []

    @property
    def truths(self) -> dict[str, Truth]:
        return {one.play.truth.stream_id: one.play.truth for one in self._all}

    @property
    def alive(self) -> list[Running]:
        return [one for one in self._all if one.lives]

    @property
    def latest(self) -> Running:
        return self._all[-1]

    def start(
        self, app: CloudApp, operator_id: str, rest: Meeting, *, uuid: str, number: int, about: Payload
    ) -> asyncio.Task[object] | None:
        """Begin a stream of the rest of a meeting; None when the account has as many as it may (§2.5.5).

        `about` is what `rtms_started` tells beside what is the stream's own. Those who join at the first moment are there
        when this returns.
        """
        backstage = self._backstage
        if not self._allowed(app, operator_id, uuid):
            return None
        present = [action for action in rest.timeline if isinstance(action, Joins) and not action.at_ms]
        play = backstage.server.prepare(
            rest.without(present),
            client_id=app.client_id,
            client_secret=app.client_secret,
            uuid=uuid,
            started=lambda stream_id: {
                **rest.product.started(uuid, stream_id, number, backstage.server.gateway.signaling_url(0)),
                **about,
            },
            posting={},  # the outlet knows how badly events are sent
            webhooks=backstage.outlets[app.name],
        )
        for action in present:  # now, for they may leave before the first step
            play.do(action)
        self._all.append(Running(app, operator_id, play))
        return backstage.spawn(backstage.server.run(play))

    def find(self, stream: RunningStream) -> Play | None:
        """Give the play of a stream that lives."""
        return next((one.play for one in self.alive if one.shown.stream_id == stream.stream_id), None)

    def do(self, action: Action) -> None:
        """Let somebody come or go in every stream."""
        for one in self.alive:
            try:
                one.play.do(action)
            except SimulatorError as error:
                self._backstage.tell(str(error))

    def stop(self, reason: int, *, operator_id: str | None = None) -> None:
        """End all streams, or those of one operator."""
        for one in self.alive:
            if operator_id in (None, one.operator_id):
                one.play.do(Ends(0, reason))

    def _allowed(self, app: CloudApp, operator_id: str, uuid: str) -> bool:
        """Count the streams of the app's account, and say in events when that is much or too many."""
        backstage, limit = self._backstage, app.concurrency_limit
        number = backstage.running(app.account_id)
        if number >= limit:
            self._post(
                app,
                "rtms.concurrency_limited",
                operator_id=operator_id,
                concurrency_number=number,
                id_field={"meeting_uuid": uuid},
            )
            return False
        if number <= _NEAR * limit < number + 1:
            self._post(
                app,
                "rtms.concurrency_near_limit",
                concurrency_limit=limit,
                concurrency_number=number + 1,
                percentage=int(_NEAR * 100),
            )
        return True

    def _post(self, app: CloudApp, event: str, **payload: object) -> None:
        outlet, now_ms = self._backstage.outlets[app.name], self._backstage.clock.wall_ms()
        self._backstage.spawn(outlet.send(event, now_ms, payload))


class HasStreams:
    """The part of a meeting that is its streams. `truths` are those of all that there were, by stream id."""

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self._streams = MeetingStreams(backstage)
        self._clock = backstage.clock
        self._began: float | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def streams(self) -> Sequence[RunningStream]:
        return [one.shown for one in self._streams.alive]

    @property
    def truths(self) -> Mapping[str, Truth]:
        return self._streams.truths

    def running(self, account_id: str) -> int:
        """Count the living streams of an account's apps."""
        return sum(one.app.account_id == account_id for one in self._streams.alive)

    def stop(self, stream: RunningStream) -> None:
        if play := self._streams.find(stream):
            play.stream.stop(API_STOPPED)

    def pause(self, stream: RunningStream) -> None:
        if play := self._streams.find(stream):
            play.stream.pause()

    def resume(self, stream: RunningStream) -> None:
        if play := self._streams.find(stream):
            play.stream.resume()

    async def settled(self) -> None:
        """Wait until every stream is over and every webhook was sent, for the last time if need be."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _elapsed_ms(self) -> int:
        """Say how long ago its script began."""
        return int((self._clock.monotonic() - self._began) * 1000) if self._began is not None else 0

    def _keep(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
