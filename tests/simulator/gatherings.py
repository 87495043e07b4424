"""A cloud with one app that is told of everything, and meetings in it that are held by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hand_client import FastClock

from rtmsd.simulator import Joins, Meeting, Person, Timings
from rtmsd.simulator.cloud import Cloud, CloudApp, Controller, Gathering

ANN, BOB, CY = 16778240, 16779264, 16780288
HOST, OTHER = "30R7kT7bTIKSNUFEuH_Qlg", "OtherUserOfTheAccount0"
NOTES = CloudApp(
    name="notes", client_id="notes-id", client_secret="notes-secret", webhook_secret="whsec_demo"
)
CONTROLLER = Controller(account_id="SimulatedAccount", client_id="control-id", client_secret="control-secret")
PEOPLE = (Person(ANN, "Ann Host"), Person(BOB, "Guest Bob"), Person(CY, "Cy Colleague"))
ZOOM_USERS = {ANN: HOST, CY: OTHER}


@asynccontextmanager
async def held(
    *apps: CloudApp, meeting: Meeting | None = None, era: Any = "2026-10", **plan: Any
) -> AsyncIterator[tuple[Cloud, Gathering]]:
    """A meeting that nobody has come to yet, in a cloud whose time runs ten times as fast."""
    async with Cloud(
        apps=apps or (NOTES,),
        controllers=[CONTROLLER],
        era=era,
        clock=FastClock(),
        timings=Timings(goodbye_secs=0.1),
    ) as cloud:
        plan = {"host_id": HOST, "zoom_users": ZOOM_USERS, **plan}
        yield cloud, cloud.plan(meeting=meeting or Meeting(PEOPLE, (), 60_000), **plan)


def told(cloud: Cloud, app: str = "notes") -> list[str]:
    """The events that an app was sent, by their last names."""
    return [one.event.partition(".")[2] for one in cloud.sent if one.app == app]


def payloads(cloud: Cloud, event: str) -> list[Any]:
    return [one.payload for one in cloud.sent if one.event == event]


async def soon() -> None:
    """Let what was just begun be sent: without a receiver that takes no time."""
    for _ in range(5):
        await asyncio.sleep(0)


def joins(*user_ids: int, ends_ms: int = 60_000) -> Meeting:
    return Meeting(PEOPLE, tuple(Joins(0, user_id) for user_id in user_ids), ends_ms)
