"""The control URL's words for a meeting that is held: who comes, goes, is let in, takes over, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.gathering import Gathering
from rtmsd.simulator.reading import Fields

GATHERING_WORDS = ("join", "leave", "admit", "make_host", "end")


def find_gathering(fields: Fields, gatherings: Sequence[Gathering]) -> Gathering:
    """Give the meeting whose number is `meeting`; without it the only one there is. Raises SimulatorError for none."""
    number = fields.whole("meeting") if fields.has("meeting") else None
    known = [one for one in gatherings if number in (None, one.number)]
    if not known:
        raise SimulatorError(f"there is no meeting {number}")
    if len(known) > 1:
        raise SimulatorError(f'{len(known)} meetings are held; say which one by its number, "meeting"')
    return known[0]


def shown(gathering: Gathering) -> dict[str, Any]:
    """Tell how a meeting is, for the control URL's GET."""
    return {
        "meeting": gathering.number,
        "meeting_uuid": gathering.uuid,
        "in_progress": gathering.in_progress,
        "stream_ids": [stream.stream_id for stream in gathering.streams],
        "attendees": [
            {"name": who.name, "user_id": who.user_id, "role": who.role, "waits": who.waits}
            for who in gathering.attendees
        ],
    }
