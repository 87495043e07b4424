"""A meeting as its start sees it, and how its rows are read: from events, and from Zoom's API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from rtmsd.protocol.lifecycle import Lifecycle
from rtmsd.start.attempts import StartMachine
from rtmsd.start.values import State
from rtmsd.state import MeetingRow

MEETINGS_BACK_MS = 24 * 3600 * 1000
"""Meetings that began earlier and did not end, as far as we heard, are over."""


@dataclass
class StartedMeeting:
    """A meeting and where its start stands, for the status page."""

    row: MeetingRow
    machine: StartMachine | None  # None: the rules do not take this meeting
    state: State = State.IDLE
    sentence: str = ""
    problem: bool = False
    over: bool = False
    changed_ms: int = 0
    trouble: str = ""  # the last problem, and when it was there; `troubled` until a stream starts
    trouble_ms: int | None = None
    troubled: bool = False
    never_started: bool = False  # the deadline has passed, and no stream has started since
    asked_at: float = field(default=0.0, repr=False)
    wake: asyncio.TimerHandle | None = field(default=None, repr=False)


SAID = {"started": "The meeting started.", "ended": "The meeting ended."}


def who(life: Lifecycle) -> str:
    """Say who came, went or waits, without a name."""
    if not life.user_id:
        somebody = "A guest"
    else:
        somebody = "The host" if life.user_id == life.host_id else "A user"
    does = {
        "joined": "joined.",
        "left": "left.",
        "jbh_joined": "joined before the host.",
        "waits": "waits.",
        "waits_no_more": "waits no more.",
        "admitted": "was admitted.",
        "role": f"became {life.role or 'something else'}.",
    }
    return f"{somebody} {does[life.happening]}" if life.happening in does else ""


def read_meeting(app: str, document: dict[str, Any], now_ms: int) -> MeetingRow | None:
    """Read a meeting as Zoom's API describes it; None when it names none."""
    uuid, number = document.get("uuid"), document.get("id")
    if not isinstance(uuid, str) or not uuid or not isinstance(number, int | str):
        return None
    host_id, topic = document.get("host_id"), document.get("topic")
    return MeetingRow(
        app,
        uuid,
        number=str(number),
        host_id=host_id if isinstance(host_id, str) else "",
        topic=topic if isinstance(topic, str) else "",
        begun_ms=now_ms,
    )


def row_of(app: str, life: Lifecycle, now_ms: int) -> MeetingRow:
    return MeetingRow(
        app,
        life.meeting_uuid,
        number=life.meeting_id,
        host_id=life.host_id,
        account_id=life.account_id,
        topic=life.topic,
        begun_ms=life.at_ms or now_ms,
    )


def adds_nothing(new: MeetingRow, old: MeetingRow) -> bool:
    return all(
        getattr(new, name) in ("", getattr(old, name))
        for name in ("number", "host_id", "account_id", "topic")
    )


def merged(old: MeetingRow, new: MeetingRow) -> MeetingRow:
    return replace(
        old,
        number=new.number or old.number,
        host_id=new.host_id or old.host_id,
        account_id=new.account_id or old.account_id,
        topic=new.topic or old.topic,
    )
