"""One meeting that plays: from `rtms_started` to `rtms_stopped`."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import sabotage
from rtmsd.simulator.actions import (
    Action,
    Drops,
    Ends,
    FallsSilent,
    Pauses,
    PostsWebhooks,
    Resumes,
)
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.fault_actions import (
    Blackholes,
    Delays,
    Distorts,
    FailsOver,
    Refuses,
    Replays,
    SessionChanges,
)
from rtmsd.simulator.faults import Faults
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.speech import STEP_MS
from rtmsd.simulator.stage import Stage
from rtmsd.simulator.stream import Stream
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import WEBHOOK_PACE, SendsWebhooks


class Play:
    """Moves a meeting on in real time, and does to it what its timeline says and what is asked with `do`.

    `started` is the payload of `rtms_started`; `posting` how webhooks are sent until something else is said, by kind;
    `url_of` gives the signaling URL of a server by its number; `moved` is called with the old id when the stream gets
    another.
    """

    def __init__(
        self,
        *,
        meeting: Meeting,
        identity: Identity,
        started: Mapping[str, object],
        posting: Mapping[str, PostsWebhooks],
        webhooks: SendsWebhooks,
        url_of: Callable[[int], str],
        moved: Callable[[str], None],
        timings: Timings,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self.truth = Truth(stream_id=identity.stream_id)
        self.meeting = meeting
        self.stage = Stage(meeting, zero_ms=clock.wall_ms(), truth=self.truth, tell=tell)
        self.stream = Stream(
            identity=identity,
            stage=self.stage,
            truth=self.truth,
            granted=meeting.media,
            faults=Faults(meeting.behaviour, seed=meeting.seed, clock=clock),
            timings=timings.behaving(meeting.behaviour, meeting.pace),
            clock=clock,
            interrupted=self._interrupted,
            tell=tell,
        )
        self._product = identity.product
        self._ids = self._product.ids_of(started)
        self._started = dict(started)
        self._posting: dict[str, PostsWebhooks] = dict(posting)
        self._webhooks = webhooks
        self._url_of = url_of
        self._moved = moved
        self._left: list[Connection] = []  # of servers that have died
        self._end: Ends | None = None  # announced already
        self._timings = timings
        self._clock = clock
        self._tell = tell
        self._posts = asyncio.TaskGroup()

    async def run(self) -> None:
        """Play; returns when the client has been told of the end and every webhook was sent. Called once.

        Cancelling drops the client and sends no more webhooks.
        """
        try:
            async with self._posts:
                self._do_what_is_due()  # webhooks may be late from the first on
                self._announce("started", self._started)
                try:
                    await self._go_on()
                finally:
                    self.stream.stop(
                        StopReason.UNDEFINED
                    )  # cancelled: what its sockets do now concerns nobody
                await self._part()
                if self._end is None:
                    self._announce(
                        "stopped",
                        {**self._ids, "stop_reason": self.stream.stop_reason},
                        event_ms=self.truth.ended_ms,
                    )
        finally:
            for connection in [*self.stream.connections, *self._left]:
                connection.cut()

    def do(self, action: Action) -> list[Connection]:
        """Do something now; gives the sockets that it takes away. Raises SimulatorError when it cannot be done now."""
        if self.stream.stop_reason is not None:
            raise SimulatorError("this meeting is over")
        match action:
            case Pauses():
                self.stream.pause()
            case Resumes():
                self.stream.resume()
            case Drops():
                return sabotage.drop(self.stream, action)
            case FallsSilent():
                sabotage.fall_silent(self.stream, action.seconds)
            case Blackholes():
                sabotage.go_dark(self.stream, action)
            case Distorts() | Refuses() | Delays():
                self.stream.faults.add(action)
            case Replays():
                self.stream.replay(action.seconds)
            case SessionChanges():
                self.stream.change_session(action)
            case FailsOver():
                return self._fail_over(action)
            case PostsWebhooks():
                self._post_from_now_on(action)
            case Ends():
                self._end_with(action)
            case _:
                self.stage.perform(action)
        return []

    async def _go_on(self) -> None:
        began = self._clock.monotonic()
        steps = 0
        while self.stream.stop_reason is None:
            due = int((self._clock.monotonic() - began) * 1000) // STEP_MS
            while steps < due and self.stream.stop_reason is None:
                if self.stage.over:
                    self.stream.stop(self._end.reason if self._end else self.meeting.reason)
                    return
                if self._end is not None and self.stage.now_ms >= self._end.at_ms:
                    self.stream.stop(self._end.reason, in_band=self._end.in_band)
                    return
                self._do_what_is_due()
                if self.stream.stop_reason is None:
                    self.stream.advance(self.stage.step())
                    steps += 1
            await asyncio.sleep(STEP_MS / 1000)

    def _do_what_is_due(self) -> None:
        for action in self.stage.due():
            try:
                self.do(action)
            except SimulatorError as error:
                self._tell(f"the timeline's {action} could not be done: {error}")

    def _end_with(self, action: Ends) -> None:
        """End now, or announce the end by webhook first."""
        if not action.webhook_early_secs:
            self.stream.stop(action.reason, in_band=action.in_band)
        elif self._end is None:
            self._end = replace(action, at_ms=self.stage.now_ms + int(action.webhook_early_secs * 1000))
            self._announce("stopped", {**self._ids, "stop_reason": action.reason})

    def _fail_over(self, action: FailsOver) -> list[Connection]:
        """Let the server die and the next one announce that it has the stream; gives the sockets that are taken away."""
        old = self.stream.identity
        identity = old
        if action.stream_id == "new":
            identity = replace(old, stream_id=secrets.token_hex(16), session_id=secrets.token_hex(8))
        left = self.stream.move(identity, server=self.stream.server + 1)
        self._left += left
        for connection in left:
            if action.old == "silent":
                connection.darken(math.inf)
            else:
                connection.abort()
        self._started |= {
            "rtms_stream_id": identity.stream_id,
            "server_urls": self._url_of(self.stream.server),
        }
        self._ids = self._product.ids_of(self._started)
        if identity is not old:
            self._moved(old.stream_id)
        self._tell(f"the server has died; another has stream {identity.stream_id}")
        self._announce("started", dict(self._started), after_secs=action.after_secs)
        return left if action.old == "reset" else []

    def _interrupted(self) -> None:
        urls = self.meeting.behaviour.interrupted_urls
        if urls == "fresh":
            self.stream.server += 1
        more = {} if urls == "none" else {"server_urls": self._url_of(self.stream.server)}
        self._announce("interrupted", {**self._ids, **more})

    async def _part(self) -> None:
        """Give the client time to close, then close."""
        self._tell(f"the stream has ended, reason {self.stream.stop_reason}")
        connections = self.stream.connections
        if not await _all_gone(connections, self._timings.goodbye_secs):
            for connection in connections:
                connection.close()
            await _all_gone(connections, self._timings.goodbye_secs)

    def _post_from_now_on(self, action: PostsWebhooks) -> None:
        if action.event == "all":
            self._posting.clear()
        self._posting[action.event] = action

    def _announce(
        self,
        what: str,
        payload: Mapping[str, object],
        *,
        event_ms: int | None = None,
        after_secs: float = 0.0,
    ) -> None:
        event_ms = event_ms or self._clock.wall_ms()
        posting = self._posting.get(what) or self._posting.get("all") or PostsWebhooks(0)
        for _ in range(posting.copies):
            self._posts.create_task(
                self._post(self._product.event(what), event_ms, payload, after_secs + posting.delay_secs)
            )

    async def _post(
        self, event: str, event_ms: int, payload: Mapping[str, object], delay_secs: float
    ) -> None:
        await asyncio.sleep(delay_secs)
        self._tell(f"webhook {event}")
        payload = {"object": payload} if self.meeting.nested else payload
        behaviour, pace = self.meeting.behaviour, self.meeting.pace
        await self._webhooks.send(
            event,
            event_ms,
            payload,
            pace=pace if pace != 1 else WEBHOOK_PACE,
            retry_refused=behaviour.retried_webhooks == "refused",
        )


async def _all_gone(connections: Iterable[Connection], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for connection in connections:
                await connection.gone.wait()
    except TimeoutError:
        return False
    return True
