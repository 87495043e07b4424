"""`rtmsd why`: one answer and the whole story of a meeting, from the journal."""

from __future__ import annotations

import asyncio
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from past_rows import HOST, NUMBER, SILENT, UUID, T, journal, meeting, note, stream

from rtmsd.cli import main
from rtmsd.diagnosis.why import why
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal
from rtmsd.state.past import read_journal
from rtmsd.state.rows import MeetingRow, NoteRow

PARIS = timezone(timedelta(hours=1))

GUEST_FIRST = (
    meeting(until=600),
    note("requested", "Zoom is asked to start the app (the meeting started).", at=1),
    note("armed", SILENT, at=16, problem=True),
    note("requested", "Zoom is asked to start the app (somebody joined).", at=40),
    note("confirmed", "The stream has started.", at=41),
    stream(at=41),
    note("gap", "2 s are missing: the connection was lost.", at=300),
)
EVENTS = (
    ("meeting.started", 0, "The meeting has started."),
    ("meeting.participant_joined", 40, "The host has come."),
    ("meeting.rtms_started", 41, "The stream is joined."),
    ("meeting.ended", 601, ""),
)


async def test_the_whole_story(tmp_path: Path) -> None:
    """Guest first, the host after 40 s, a hole: an answer, the facts, and every step in its order, in local time."""
    await journal(tmp_path, *GUEST_FIRST, events=EVENTS)
    with read_journal(tmp_path) as past:
        told = why(past, "857 4606 5432", now_ms=T + 700_000, zone=PARIS)
    text = "\n".join(told.lines)
    assert told.known and told.lines[0].startswith("Why: It was recorded until 07:50:34. The meeting ended")
    assert (
        "It has 1 hole; the last: 2 s are missing" in told.lines[0] and "It began 41 s after" in told.lines[0]
    )
    assert told.lines[2] == f"Meeting {NUMBER} “Weekly sync”, UUID {UUID}"
    assert "  began 2025-02-01 07:40:34" in told.lines and "  ended 2025-02-01 07:50:34" in told.lines
    assert f"  host {HOST}" in told.lines and "  app notes; streams: 1" in told.lines
    start = told.lines.index("2025-02-01 (UTC+01:00)")
    times = [line[:8] for line in told.lines[start + 1 :]]
    assert times == sorted(times) and len(times) == len(EVENTS) + 5 + 2
    assert "07:41:23  notes  meeting.participant_joined" in text and "It came 9 s after the event." in text
    assert "meeting.ended               It was not handled yet." in text
    assert "It ends (STOP_BC_MEETING_ENDED). The meeting ended (stop reason 6)." in text


@pytest.mark.parametrize("key", [NUMBER, "857-4606-5432", UUID, "609340fb2a79", f" {UUID} "])
async def test_a_meeting_is_found(key: str, tmp_path: Path) -> None:
    """By its number, however that is written, its UUID, or the id of a stream."""
    await journal(tmp_path, *GUEST_FIRST)
    with read_journal(tmp_path) as past:
        assert f"UUID {UUID}" in "\n".join(why(past, key, now_ms=T).lines)


async def test_the_newest_occurrence_is_told(tmp_path: Path) -> None:
    """A number that was used again: the last time is told, and the others are named."""
    again = MeetingRow("notes", "new==", NUMBER, begun_ms=T + 86_400_000)
    await journal(
        tmp_path,
        meeting(until=600),
        stream(),
        again,
        stream("b", at=86_400, until=86_500, uuid="new==", reason=9),
    )
    with read_journal(tmp_path) as past:
        newest = why(past, NUMBER, now_ms=T + 90_000_000, zone=PARIS).lines
        first = why(past, UUID, now_ms=T + 90_000_000, zone=PARIS).lines
    assert "disabled all apps" in newest[0] and any(f"with their UUID: {UUID}" in line for line in newest)
    assert "The meeting ended" in first[0] and not any("with their UUID" in line for line in first)


async def test_several_days_are_told_apart(tmp_path: Path) -> None:
    """A meeting over midnight shows each date once."""
    await journal(tmp_path, stream(at=0, until=86_400))
    with read_journal(tmp_path) as past:
        lines = why(past, UUID, now_ms=T + 90_000_000, zone=PARIS).lines
    assert [line for line in lines if "(UTC+01:00)" in line] == [
        "2025-02-01 (UTC+01:00)",
        "2025-02-02 (UTC+01:00)",
    ]


ODD = "Weekly\x1b]0;owned\x07\x1b[2J\nWhy: It was recorded.\u2028\u202e"


async def test_foreign_text_stays_in_its_line(tmp_path: Path) -> None:
    """Controls in a topic or a note can neither move the cursor nor pass for an answer of ours."""
    odd = [MeetingRow("notes", UUID, NUMBER, topic=ODD, begun_ms=T), note("armed", f"It waits. {ODD}")]
    await journal(tmp_path, *odd)
    with read_journal(tmp_path) as past:
        told = [*why(past, NUMBER, now_ms=T).lines, *why(past, f"none {ODD}", now_ms=T).lines]
    assert all(character.isprintable() for line in told for character in line)
    assert any("Weekly\ufffd]0;owned\ufffd\ufffd[2J\ufffdWhy" in line for line in told)


@pytest.mark.parametrize(
    ("began_ms", "told"),
    [
        (T * 1000, "  began 2025-02-01 07:40:34"),
        (-(10**18), "  began 1970-01-01 01:00:00"),
        (2**63 - 1, "  began 2"),
    ],
)
async def test_times_of_any_size_are_told(tmp_path: Path, began_ms: int, told: str) -> None:
    """Microseconds are recognised, and no number that an event may hold breaks the story or makes a delay of centuries."""
    armed = note("armed", SILENT, at=1, problem=True)
    await journal(tmp_path, MeetingRow("notes", UUID, NUMBER, begun_ms=began_ms), armed, stream(at=60))
    async with Journal.open(tmp_path, Clock()) as written:
        await written.take_webhook(
            app="notes",
            event="meeting.started",
            event_ts=began_ms,
            stream_id=None,
            body=b"{}",
            received_ms=T + 200,
            meeting=(UUID, NUMBER),
        )
    with read_journal(tmp_path) as past:
        lines = why(past, NUMBER, now_ms=T, zone=PARIS).lines
    assert any(line.startswith(told) for line in lines), lines
    assert not any("after the event" in line or "after the meeting" in line for line in lines)


async def test_what_was_expected_and_never_heard_of(tmp_path: Path) -> None:
    """A meeting that only the configuration knows is found by its number."""
    row = NoteRow(
        app="notes",
        meeting_uuid="",
        meeting_id=NUMBER,
        at_ms=T,
        kind="never_started",
        sentence="Zoom has told nothing of this meeting.",
        problem=True,
    )
    await journal(tmp_path, row)
    with read_journal(tmp_path) as past:
        lines = why(past, NUMBER, now_ms=T).lines
    assert lines[0] == "Why: It was not recorded. Zoom has told nothing of this meeting."
    assert lines[2] == f"Meeting {NUMBER}"


def test_the_command(tmp_path: Path) -> None:
    """Exit 0 and the story; 1 when nothing is known, or there is no journal; 78 without a state_dir. No secret is needed."""
    path = tmp_path / "rtmsd.toml"
    path.write_text(f'state_dir = "{tmp_path / "state"}"\n[[apps]]\nclient_secret = {{ env = "NOT_SET" }}\n')

    def run(key: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["why", key, "-c", str(path)])
        return done.exit_code, done.output

    status, output = run(NUMBER)
    assert status == 1 and "has rtmsd ever run" in output
    asyncio.run(journal(tmp_path / "state", *GUEST_FIRST, events=EVENTS))
    status, output = run(NUMBER)
    assert status == 0 and output.startswith("Why: It was recorded until ")
    status, output = run("123456789")
    assert status == 1 and "no webhook that names it ever came" in output and "rtmsd doctor" in output
    assert "clock, are not in the journal" in output and "status page" in output
    path.write_text("state_dir = 1\n")
    assert run(NUMBER)[0] == 78
