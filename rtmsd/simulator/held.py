"""How a scenario's meeting is held: its `[meeting]` table (docs/scenarios.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from rtmsd.simulator.cloud.world import Era
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.reading import Fields

Start = Literal["api", "auto"]


@dataclass(frozen=True, kw_only=True)
class Held:
    """Who hosts a meeting and who is invited, by user_id; everybody else is a guest without a Zoom account.

    `start`: Zoom starts the app by itself, or waits for REST. `era`: whose rules hold (protocol.md §4.3).
    """

    host: int
    alternative_hosts: tuple[int, ...] = ()
    invitees: tuple[int, ...] = ()
    join_before_host: bool = True
    waiting_room: bool = False
    start: Start = "api"
    era: Era = "2026-10"

    def zoom_users(self, host_id: str) -> dict[int, str]:
        """Give a Zoom user id to each who has one."""
        others = {*self.alternative_hosts, *self.invitees} - {self.host}
        return {self.host: host_id} | {user_id: f"SimulatedUser{user_id:09d}" for user_id in others}


def read_held(fields: Fields, people: Sequence[Person]) -> Held:
    """Read the table; what is wrong is noted in the problems of `fields`. The first of the people is the host by default."""
    ids = {person.name: person.user_id for person in people}
    first = people[0].name if people else None
    held = Held(
        host=ids.get(fields.one_of("host", ids, first), 0),
        alternative_hosts=_ids(fields, "alternative_hosts", ids),
        invitees=_ids(fields, "invitees", ids),
        join_before_host=fields.flag("join_before_host", True),
        waiting_room=fields.flag("waiting_room", False),
        start=cast(Start, fields.one_of("start", get_args(Start), "api")),
        era=cast(Era, fields.one_of("era", get_args(Era), "2026-10")),
    )
    fields.finish()
    return held


def _ids(fields: Fields, key: str, ids: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(ids.get(name, 0) for name in fields.words(key, ids, ()))
