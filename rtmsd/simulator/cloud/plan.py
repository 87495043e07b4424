"""How a meeting is scheduled, and which apps Zoom starts in it by itself. Pure (protocol.md §1.3, §1.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from rtmsd.simulator.cloud.world import Attendee, CloudApp, World
from rtmsd.simulator.meeting import Person


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is known of a meeting before it begins.

    `zoom_users` says which of its people have a Zoom account: the Zoom user id by user_id. `invitees` are such ids.
    """

    number: int
    host_id: str
    topic: str
    account_id: str
    join_before_host: bool
    waiting_room: bool
    alternative_hosts: Collection[str] = ()
    invitees: Collection[str] = ()
    zoom_users: Mapping[int, str] = field(default_factory=dict)

    def arriving(self, person: Person) -> Attendee:
        """Say who comes when this person does. Guests are never on the list: they came by an anonymous link."""
        zoom_id = self.zoom_users.get(person.user_id, "")
        invited = zoom_id != "" and zoom_id in {self.host_id, *self.alternative_hosts, *self.invitees}
        return Attendee(person.user_id, person.name, zoom_id, invited=invited)

    def may_host(self, who: Attendee) -> bool:
        return who.zoom_user_id != "" and who.zoom_user_id in {self.host_id, *self.alternative_hosts}


def auto_started(world: World, plan: Plan, operators: Collection[str]) -> Iterator[tuple[CloudApp, str]]:
    """List which apps Zoom would start by itself for these users: who hosts, whether or not they are there, and who joins.

    "*" in `installed_by` enables the host's app alone, so that a meeting of one account has one stream.
    """
    for app in world.apps:
        if not (app.auto_start and app.allow_listed and app.has_credits(world.age_secs)):
            continue
        everybody = "*" in app.installed_by and app.account_id == plan.account_id
        for operator_id in sorted(operators):
            if operator_id in app.installed_by or (everybody and operator_id == plan.host_id):
                yield app, operator_id


def is_told(app: CloudApp, plan: Plan) -> bool:
    """Whether the events of the meeting's life go to this app: it is of the account, or the host has authorised it."""
    return app.lifecycle and (app.account_id == plan.account_id or plan.host_id in app.installed_by)
