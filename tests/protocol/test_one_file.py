"""What Zoom adds is one change in one file: a value in `codes`, a message type in the table of `intake`."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest
from product_bench import ProductBench
from stream_bench import WALL_MS

import rtmsd.protocol
from rtmsd.frames import MediaKind
from rtmsd.protocol import codes, events, intake
from rtmsd.protocol.codes import MessageType, number_of
from rtmsd.protocol.messages import Content
from rtmsd.protocol.people import People

ROOM = Path(rtmsd.protocol.__file__).parent


class Tomorrow(IntEnum):
    """An event table with a value that Zoom has not invented yet."""

    PARTICIPANT_WAVED = 15


def test_a_value_that_is_added_reaches_recordings_under_its_name() -> None:
    """A table of `codes` is all that is read: the name of an event is that of its value."""
    table = events.EventTable(events._names(Tomorrow))
    body = {"event_type": 15, "timestamp": WALL_MS, "user_id": 5}
    assert [one.name for one in events.read_events(body, table, People(), now_ms=1)] == ["participant_waved"]
    assert number_of(Tomorrow, "PARTICIPANT_WAVED") == 15


def test_a_message_type_that_is_added_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new kind of content is read as soon as the table names it; nothing else asks for its number."""
    bench = ProductBench(kinds=frozenset({MediaKind.TRANSCRIPT}))
    assert bench.content("transcript", 31, data="Hi") == [] and bench.counters["unhandled_message_31"] == 1

    def read(taking: intake.Intake, content: Content) -> intake.TranscriptFrame | None:
        return taking._transcript(content)

    monkeypatch.setitem(intake.CONTENTS, 31, (MediaKind.TRANSCRIPT, read))
    [frame] = bench.content("transcript", 31, data="Hi")
    assert isinstance(frame, intake.TranscriptFrame) and frame.text == "Hi"


def test_a_message_type_that_is_only_to_be_counted_needs_its_name_alone() -> None:
    """Each number that Zoom sends is acted upon, or counted under its own name or number."""
    ours = {1, 3, 5, 7, 10, 13, 19, 21, 28}
    for number in MessageType:
        bench = ProductBench(kinds=frozenset({MediaKind.AUDIO}))
        done, counted = len(bench.sent) + len(bench.items), bench.counters.total()
        bench.receive("audio", {"msg_type": int(number), "sequence": 1, "timestamp": WALL_MS})
        acted = len(bench.sent) + len(bench.items) > done or bench.counters.total() > counted
        assert acted or number in (2, 4, 29), number.name
        if number in ours or number == 0:
            assert bench.counters[f"unhandled_message_{int(number)}"] == 1


@pytest.mark.parametrize(
    "table",
    [one for one in vars(codes).values() if isinstance(one, type) and issubclass(one, IntEnum) and len(one)],
)
def test_zooms_numbers_stand_in_one_file(table: type[IntEnum]) -> None:
    """No other file of the room writes a table down again."""
    for path in ROOM.glob("*.py"):
        if path.name != "codes.py":
            assigned = re.findall(r"^ +([A-Z][A-Z0-9_]+) = \d+$", path.read_text(), re.MULTILINE)
            assert not set(assigned) & set(table.__members__), path.name
