"""Who is at the door of a meeting, who is in it, and in which role. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.plan import Plan
from rtmsd.simulator.cloud.world import Attendee, Role
from rtmsd.simulator.meeting import Person


class Attendance:
    """The attendees of a meeting, in the order in which they came. Raises SimulatorError for who is not where they should be."""

    def __init__(self, people: Iterable[Person], plan: Plan) -> None:
        self._people = {person.user_id: person for person in people}
        self._plan = plan
        self._here: dict[int, Attendee] = {}

    @property
    def all(self) -> list[Attendee]:
        return list(self._here.values())

    @property
    def inside(self) -> list[Attendee]:
        return [one for one in self._here.values() if not one.waits]

    @property
    def host(self) -> Attendee | None:
        return next((one for one in self.inside if one.role == "host"), None)

    @property
    def heir(self) -> Attendee | None:
        """Who takes over when the host has left: a cohost or an alternative host."""
        return next((one for one in self.inside if one.role == "cohost" or self._plan.may_host(one)), None)

    def arriving(self, user_id: int) -> Attendee:
        """Say who comes; they are not here yet."""
        person = self._person(user_id)
        if user_id in self._here:
            raise SimulatorError(f"{person.name} is here already")
        return self._plan.arriving(person)

    def put(self, who: Attendee, *, waits: bool = False, role: Role | None = None) -> Attendee:
        """Note where somebody is now, and in which role."""
        self._here[who.user_id] = replace(who, waits=waits, role=role or who.role)
        return self._here[who.user_id]

    def take(self, user_id: int) -> Attendee:
        """Let somebody go."""
        if user_id not in self._here:
            raise SimulatorError(f"{self._person(user_id).name} has not come; let them join first")
        return self._here.pop(user_id)

    def take_all(self) -> list[Attendee]:
        taken, self._here = self._here, {}
        return list(taken.values())

    def in_meeting(self, user_id: int) -> Attendee:
        return self._where(user_id, waits=False, place="in the meeting")

    def at_door(self, user_id: int) -> Attendee:
        return self._where(user_id, waits=True, place="in the waiting room")

    def _where(self, user_id: int, *, waits: bool, place: str) -> Attendee:
        who = self._here.get(user_id)
        if who is None or who.waits != waits:
            raise SimulatorError(f"{self._person(user_id).name} is not {place}")
        return who

    def _person(self, user_id: int) -> Person:
        if user_id not in self._people:
            raise SimulatorError(f"nobody has the user id {user_id}: the meeting has {sorted(self._people)}")
        return self._people[user_id]
