"""Rows of a journal as a test needs them: streams, notes, webhooks and meetings, in seconds after one instant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtmsd.diagnosis.codes import STOP_REASONS
from rtmsd.diagnosis.streams import explain_end
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, StreamRow
from rtmsd.state.past import PastWebhook
from rtmsd.state.rows import MeetingRow, NoteRow

T = 1_738_392_034_000
"""2025-02-01 06:40:34 UTC."""

UUID, NUMBER, HOST = "4444AAAiAAAAAiAiAiiAii==", "85746065432", "30R7kT7bTIKSNUFEuH_Qlg"
SILENT = (
    "Zoom took the request and no stream came within 15 s. The host is not in the meeting. It is asked again."
)


def stream(
    stream_id: str = "609340fb2a79", *, app: str = "notes", at: int = 0, until: int | None = 600, **end: Any
) -> StreamRow:
    """A stream from `at` to `until` seconds after T; `reason`, `outcome`, `operator` and the like as given."""
    reason, outcome = end.get("reason", 6), end.get("outcome", "ended")
    sentence = explain_end(outcome=outcome, reason=reason, status=None, detail="", app=app)
    name = STOP_REASONS[reason].name if reason is not None else outcome.upper()
    return StreamRow(
        info=StreamInfo(
            app=app,
            product="meeting",
            stream_id=stream_id,
            meeting_uuid=end.get("uuid", UUID),
            meeting_id=NUMBER,
            account_id="AAAAAABBBB",
            operator_id=end.get("operator", HOST),
            started_ms=T + at * 1000,
        ),
        server_urls=("wss://zoom.us",),
        segment=end.get("segment", 0),
        last_contact_ms=T + (until if until is not None else end.get("contact", at)) * 1000,
        ended_ms=None if until is None else T + until * 1000,
        reason=None if until is None else reason,
        name="" if until is None else name,
        sentence="" if until is None else sentence,
    )


def note(kind: str, sentence: str, *, at: int = 0, problem: bool = False, app: str = "notes") -> NoteRow:
    return NoteRow(
        app=app,
        meeting_uuid=UUID,
        meeting_id=NUMBER,
        at_ms=T + at * 1000,
        kind=kind,
        sentence=sentence,
        problem=problem,
    )


def webhook(
    event: str, told: str = "Done.", *, at: int = 0, app: str = "notes", late: int = 0
) -> PastWebhook:
    return PastWebhook(app, event, T + at * 1000, T + (at + late) * 1000, 0, "", told)


def meeting(*, app: str = "notes", until: int | None = None) -> MeetingRow:
    ended_ms = None if until is None else T + until * 1000
    return MeetingRow(app, UUID, NUMBER, HOST, "AAAAAABBBB", "Weekly sync", T, ended_ms)


def _unexpected(error: Exception) -> None:
    raise AssertionError("a note could not be written") from error


class At(Clock):
    """A clock that stands, in seconds after T."""

    def __init__(self, secs: float) -> None:
        self.wall = lambda: T / 1000 + secs


async def journal(
    path: Path, *rows: NoteRow | StreamRow | MeetingRow, events: tuple[tuple[str, int, str], ...] = ()
) -> None:
    """Write a journal as a daemon does; `events` are (event, seconds after T, note)."""
    async with Journal.open(path, At(0)) as written:
        for row in rows:
            if isinstance(row, NoteRow):
                written.note(row, _unexpected)
            elif isinstance(row, MeetingRow):
                await written.meeting_seen(row)
                if row.ended_ms is not None:
                    await written.meeting_ended(row.app, row.uuid, row.ended_ms)
            else:
                await written.stream_started(row.info, row.server_urls)
                if row.ended_ms is not None:
                    await written.stream_ended(
                        row.info.stream_id, row.ended_ms, row.reason, row.name, row.sentence
                    )
        for event, secs, told in events:
            taken = await written.take_webhook(
                app="notes",
                event=event,
                event_ts=T + secs * 1000,
                stream_id=None,
                body=f"{event}{secs}".encode(),
                received_ms=T + secs * 1000 + (9000 if "joined" in event else 200),
                meeting=(UUID, NUMBER),
            )
            if told:
                await written.handled(taken.id, told)
