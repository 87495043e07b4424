"""One meeting that plays: from `rtms_started` to `rtms_stopped`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import Action, Drops, Ends, FallsSilent, Pauses, PostsWebhooks, Resumes
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.speech import STEP_MS
from rtmsd.simulator.stage import Stage
from rtmsd.simulator.stream import Stream
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import Webhooks


class Play:
    """Moves a meeting on in real time, and does to it what its timeline says and what is asked with `do`.

    `started` is the payload of `rtms_started`; `posting` how webhooks are sent until something else is said.
    """

    def __init__(
        self,
        *,
        meeting: Meeting,
        identity: Identity,
        started: Mapping[str, object],
        posting: PostsWebhooks,
        webhooks: Webhooks,
        timings: Timings,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self.truth = Truth(stream_id=identity.stream_id)
        self.meeting = meeting
        self.stage = Stage(meeting, zero_ms=clock.wall_ms(), truth=self.truth)
        self.stream = Stream(
            identity=identity,
            stage=self.stage,
            truth=self.truth,
            granted=meeting.media,
            timings=timings,
            clock=clock,
            interrupted=lambda: self._announce("meeting.rtms_interrupted", self._ids),
            tell=tell,
        )
        self._ids = {"meeting_uuid": identity.meeting_uuid, "rtms_stream_id": identity.stream_id}
        self._started = started
        self._posting = posting
        self._webhooks = webhooks
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
                self._announce("meeting.rtms_started", self._started)
                try:
                    await self._go_on()
                finally:
                    self.stream.stop(
                        StopReason.UNDEFINED
                    )  # cancelled: what its sockets do now concerns nobody
                await self._part()
                self._announce("meeting.rtms_stopped", {**self._ids, "stop_reason": self.stream.stop_reason})
        finally:
            for connection in self.stream.connections:
                connection.abort()

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
                return self.stream.drop(action)
            case FallsSilent():
                self.stream.fall_silent(action.seconds)
            case PostsWebhooks():
                self._posting = action
            case Ends():
                self.stream.stop(action.reason)
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
                    self.stream.stop(self.meeting.reason)
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

    async def _part(self) -> None:
        """Give the client time to close, then close."""
        self._tell(f"the stream has ended, reason {self.stream.stop_reason}")
        connections = self.stream.connections
        if not await _all_gone(connections, self._timings.goodbye_secs):
            for connection in connections:
                connection.close()
            await _all_gone(connections, self._timings.goodbye_secs)

    def _announce(self, event: str, payload: Mapping[str, object]) -> None:
        event_ms = self._clock.wall_ms()
        for _ in range(self._posting.copies):
            self._posts.create_task(self._post(event, event_ms, payload, self._posting.delay_secs))

    async def _post(
        self, event: str, event_ms: int, payload: Mapping[str, object], delay_secs: float
    ) -> None:
        await asyncio.sleep(delay_secs)
        self._tell(f"webhook {event}")
        await self._webhooks.send(event, event_ms, payload)


async def _all_gone(connections: Iterable[Connection], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for connection in connections:
                await connection.gone.wait()
    except TimeoutError:
        return False
    return True
