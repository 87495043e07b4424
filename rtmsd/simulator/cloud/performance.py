"""A meeting that is only its script: Zoom starts its first stream by itself, and apps may stop and start it again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.running import API_STOPPED, Backstage, HasStreams
from rtmsd.simulator.cloud.world import Attendee, CloudApp
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.products import ACCOUNT_ID, OPERATOR_ID
from rtmsd.simulator.speech import STEP_MS


class Performance(HasStreams):
    """A `LiveMeeting` of any product that begins with its stream and goes by its timeline alone, as a `Simulator` plays it.

    Whoever of its people is there first is the host.
    """

    def __init__(self, meeting: Meeting, *, number: int, app: CloudApp, backstage: Backstage) -> None:
        super().__init__(backstage)
        self.meeting = meeting
        self.number = number
        self.uuid = meeting.product.new_id()
        self.account_id = ACCOUNT_ID
        self.host_id = OPERATOR_ID
        self.topic = "A simulated meeting"
        self.alternative_hosts: Collection[str] = ()
        self._app = app
        self._over = False

    @property
    def in_progress(self) -> bool:
        return self._began is not None and not self._over

    @property
    def attendees(self) -> Sequence[Attendee]:
        if not self.in_progress:
            return ()
        there = self._streams.latest.play.stage.present
        return [
            Attendee(person.user_id, person.name, *((OPERATOR_ID, "host", True) if first else ()))
            for person, first in zip(there, [True, *[False] * len(there)], strict=False)
        ]

    def start(self, app: CloudApp, operator_id: str) -> None:
        """Begin a stream of what is left of the meeting. Asks for no rights."""
        rest = self.meeting.rest(self._elapsed_ms())
        task = self._streams.start(app, operator_id, rest, uuid=self.uuid, number=self.number, about={})
        if task is not None:
            self._keep(task)

    async def run(self) -> None:
        """Play it from `rtms_started` to the last `rtms_stopped`.

        Ends earlier when the stream does, unless an app has stopped it by REST: it may start it again. Raises
        SimulatorError when the account may have no more streams.
        """
        self._began = self._clock.monotonic()
        self.start(self._app, OPERATOR_ID)
        if not self.truths:
            raise SimulatorError(f"an account may have {self._app.concurrency_limit} streams, and has them")
        await self.settled()
        while self._streams.latest.play.stream.stop_reason == API_STOPPED:
            if self._elapsed_ms() >= self.meeting.ends_ms:
                break
            await asyncio.sleep(STEP_MS / 1000)
            await self.settled()
        self._over = True
