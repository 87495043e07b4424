"""A meeting as people live it: planned, waited for, begun, joined, left, handed over, ended (protocol.md §1.3, §1.4, §2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import StopReason
from rtmsd.simulator.actions import Action, Ends, Joins, Leaves
from rtmsd.simulator.cloud import lifecycle
from rtmsd.simulator.cloud.attendance import Attendance
from rtmsd.simulator.cloud.lifecycle import LifecycleEvent, Occurrence
from rtmsd.simulator.cloud.plan import Plan, auto_started, is_told
from rtmsd.simulator.cloud.running import Backstage, HasStreams
from rtmsd.simulator.cloud.world import Attendee, CloudApp, Role
from rtmsd.simulator.held_actions import Admits, HeldAction, MakesHost
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.products import MEETING
from rtmsd.simulator.speech import STEP_MS

_LONG_MS = 30 * 24 * 3_600_000
"""Streams end with the gathering, not with what was written down for them."""


class Gathering(HasStreams):
    """A `LiveMeeting` whose people come and go: by hand with `join`, `leave` and the like, or as its timeline says, with
    `play`. Every app of the account with `lifecycle` is told.

    What people say follows the timeline of `meeting`, from the first arrival on; their presence does not. The meeting ends
    with `end`, or when the last one has left (Zoom waits for a while, how long is not known). Who comes after that is in a
    new occurrence, with a new UUID. `truths` are those of all its streams, by stream id.
    """

    def __init__(self, meeting: Meeting, plan: Plan, backstage: Backstage) -> None:
        if meeting.product is not MEETING:
            raise SimulatorError(
                f"people gather in a meeting only, not in the product {meeting.product.name}"
            )
        self.meeting = meeting
        self.plan = plan
        super().__init__(backstage)
        self._about = Occurrence(
            account_id=plan.account_id,
            number=plan.number,
            uuid=MEETING.new_id(),
            host_id=plan.host_id,
            topic=plan.topic,
        )
        self._attendance = Attendance(meeting.people, plan)
        self._waits_for_host: set[int] = set()
        self._over = False
        self._host_came = False

    # What the rules see of it

    @property
    def number(self) -> int:
        return self.plan.number

    @property
    def uuid(self) -> str:
        return self._about.uuid

    @property
    def account_id(self) -> str:
        return self.plan.account_id

    @property
    def host_id(self) -> str:
        return self.plan.host_id

    @property
    def topic(self) -> str:
        return self.plan.topic

    @property
    def in_progress(self) -> bool:
        return self._about.started_ms is not None and not self._over

    @property
    def alternative_hosts(self) -> Collection[str]:
        return self.plan.alternative_hosts

    @property
    def attendees(self) -> Sequence[Attendee]:
        return self._attendance.all

    # What apps may do with it

    def start(self, app: CloudApp, operator_id: str) -> None:
        """Begin a stream for an app: `rtms_started` goes to it, unless its account has too many. Asks for no rights."""
        about = {
            "account_id": self.account_id,
            "operator_id": operator_id,
            "is_original_host": operator_id == self.host_id,
        }
        there = [one.user_id for one in self._attendance.inside]
        rest = replace(self.meeting.rest(self._elapsed_ms(), present=there), ends_ms=_LONG_MS)
        task = self._streams.start(app, operator_id, rest, uuid=self.uuid, number=self.number, about=about)
        if task is not None:
            self._keep(task)

    # What people do

    def join(self, user_id: int) -> None:
        """Let somebody arrive: they begin the meeting, enter it, or wait. Raises SimulatorError when they are there already.

        With a waiting room guests wait in it, also before the meeting has begun: it overrides join-before-host (§1.4).
        """
        who = self._attendance.arriving(user_id)
        if self._over:
            self._about = replace(self._about, uuid=MEETING.new_id(), started_ms=None)
            self._over = self._host_came = False
        if self._began is None:
            self._began = self._clock.monotonic()
        if self.plan.may_host(who) or (self.in_progress and not self.plan.waiting_room):
            self._enter(who)
        elif self.plan.waiting_room:
            self._wait(who, lifecycle.waiting_room(self._about, "joined_waiting_room", who, self._now_ms()))
        elif self.plan.join_before_host:
            self._enter(who)
        else:
            self._waits_for_host.add(user_id)
            self._wait(who, lifecycle.waits_for_host(self._about, who))

    def admit(self, user_id: int) -> None:
        """Let somebody in from the waiting room. Raises SimulatorError when nobody waits there or the meeting has not begun."""
        who = self._attendance.at_door(user_id)
        if not self.in_progress:
            raise SimulatorError("the meeting has not begun; let its host join first")
        for what in ("admitted", "left_waiting_room"):
            self._post(lifecycle.waiting_room(self._about, what, who, self._now_ms()))
        self._enter(who)

    def put_in_waiting_room(self, user_id: int) -> None:
        """Send somebody out of the meeting, to wait. Raises SimulatorError when they are not in it."""
        who = self._attendance.put(self._attendance.in_meeting(user_id), waits=True)
        self._post(lifecycle.waiting_room(self._about, "put_in_waiting_room", who, self._now_ms()))
        self._streams.do(Leaves(0, user_id))

    def leave(self, user_id: int) -> None:
        """Let somebody go; the last one ends the meeting. Raises SimulatorError when they are not there.

        When a host leaves, an alternative host or a cohost takes over. Until October 2026 a stream stops with its
        operator's leaving (§1.4).
        """
        who = self._attendance.take(user_id)
        if who.waits:
            self._leave_door(who)
            return
        self._post(lifecycle.left(self._about, who, self._now_ms(), reason="left the meeting"))
        self._streams.do(Leaves(0, user_id))
        if who.zoom_user_id and self._backstage.world.era < "2026-10":
            self._streams.stop(StopReason.USER_LEFT, operator_id=who.zoom_user_id)
        if who.role == "host" and (heir := self._attendance.heir) is not None:
            self.set_role(heir.user_id, "host")
        if not self._attendance.inside:
            self.end()

    def make_host(self, user_id: int) -> None:
        """Hand the meeting over; who was its host is an attendee then. Raises SimulatorError when they are not in it."""
        self._attendance.in_meeting(user_id)
        before = self._attendance.host
        if before is not None and before.user_id != user_id:
            self.set_role(before.user_id, "attendee")
        self.set_role(user_id, "host")

    def set_role(self, user_id: int, role: Role) -> None:
        """Give somebody a role. Raises SimulatorError when they are not in the meeting."""
        who = self._attendance.in_meeting(user_id)
        if who.role != role:
            self._post(lifecycle.role_changed(self._about, who, role, self._now_ms()))
            self._attendance.put(who, role=role)

    def end(self, reason: int | None = None) -> None:
        """End the meeting for everybody, and its streams with it: for `reason`, or for that of the meeting's script.

        Raises SimulatorError when it has not begun.
        """
        if not self.in_progress:
            raise SimulatorError("this meeting is not going on")
        self._streams.stop(self.meeting.reason if reason is None else reason)
        self._over = True
        for who in self._attendance.take_all():
            if who.waits:
                self._leave_door(who)
            else:
                self._post(
                    lifecycle.left(self._about, who, self._now_ms(), reason="the host ended the meeting")
                )
        self._post(lifecycle.ended(self._about, self._now_ms()))

    def do(self, action: Action) -> None:
        """Do one of these now, as `join` and the like do. Raises SimulatorError for any other, and when it cannot be done."""
        match action:
            case Joins():
                self.join(action.user_id)
            case Leaves():
                self.leave(action.user_id)
            case Admits():
                self.admit(action.user_id)
            case MakesHost():
                self.make_host(action.user_id)
            case Ends():
                self.end(action.reason)
            case _:
                raise SimulatorError(f"{action} happens to a stream; say which one by its stream_id")

    async def play(self) -> None:
        """Let people come and go as the timeline says, end the meeting as it says, and wait until `settled`.

        Cancelling leaves everything as it is then.
        """
        self._began = self._clock.monotonic()
        comings = [one for one in self.meeting.timeline if isinstance(one, Joins | Leaves | HeldAction)]
        for action in sorted(comings, key=lambda action: action.at_ms):
            await self._until(action.at_ms)
            try:
                self.do(action)
            except SimulatorError as error:
                self._backstage.tell(f"the timeline could not be followed: {error}")
        await self._until(self.meeting.ends_ms)
        if self.in_progress:
            self.end()
        await self.settled()

    # Inside

    def _enter(self, who: Attendee) -> None:
        begins = not self.in_progress
        if begins:
            self._about = replace(self._about, started_ms=self._now_ms())
            self._post(lifecycle.started(self._about))
        if self.plan.may_host(who):
            self._host_came = True
        elif not self._host_came:
            self._post(lifecycle.joined_before_host(self._about, who))
        self._attendance.put(who, role=self._role_of(who))
        self._post(lifecycle.joined(self._about, who, self._now_ms()))
        self._streams.do(Joins(0, who.user_id))
        self._auto_start({self.host_id, who.zoom_user_id} if begins else {who.zoom_user_id})
        if self._host_came:
            self._let_in_who_waits_for_host()

    def _role_of(self, who: Attendee) -> Role:
        """Say what somebody comes in as; the scheduled host takes the meeting from who holds it."""
        if not self.plan.may_host(who):
            return "attendee"
        holder = self._attendance.host
        if holder is None:
            return "host"
        if who.zoom_user_id != self.host_id:
            return "cohost"
        self.set_role(holder.user_id, "cohost")
        return "host"

    def _let_in_who_waits_for_host(self) -> None:
        waiting, self._waits_for_host = self._waits_for_host, set()
        for user_id in sorted(waiting):
            who = self._attendance.at_door(user_id)
            self._post(lifecycle.waits_no_more_for_host(self._about, who))
            self._enter(who)

    def _wait(self, who: Attendee, event: LifecycleEvent) -> None:
        self._attendance.put(who, waits=True)
        self._post(event)

    def _leave_door(self, who: Attendee) -> None:
        if who.user_id in self._waits_for_host:
            self._waits_for_host.discard(who.user_id)
            self._post(lifecycle.waits_no_more_for_host(self._about, who))
        else:
            self._post(lifecycle.waiting_room(self._about, "left_waiting_room", who, self._now_ms()))

    def _auto_start(self, operators: Collection[str]) -> None:
        """Begin the apps that Zoom starts for these users, unless they run."""
        for app, operator_id in auto_started(self._backstage.world, self.plan, operators):
            if not any((one.app, one.operator_id) == (app, operator_id) for one in self._streams.alive):
                self.start(app, operator_id)

    def _post(self, told: LifecycleEvent) -> None:
        """Tell every app that wants to know."""
        event, payload = told
        self._backstage.tell(f"webhook {event}")
        for app in self._backstage.world.apps:
            if is_told(app, self.plan):
                sending = self._backstage.outlets[app.name].send(event, self._now_ms(), payload)
                self._keep(self._backstage.spawn(sending))

    def _now_ms(self) -> int:
        return self._clock.wall_ms()

    async def _until(self, at_ms: int) -> None:
        while self._elapsed_ms() < at_ms:  # noqa: ASYNC110  # the clock may be faster than the loop's
            await asyncio.sleep(STEP_MS / 1000)
