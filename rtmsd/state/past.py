"""Reads a journal without owning it, for `rtmsd why` and `rtmsd doctor`: also while a daemon writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rtmsd.errors import JournalError
from rtmsd.state.rows import MeetingRow, NoteRow, StreamRow
from rtmsd.state.store import told
from rtmsd.state.tables import SCHEMA_VERSION, read_meetings, read_streams


@dataclass(frozen=True)
class PastWebhook:
    """A webhook as it was taken, and what was done about it (empty: not yet handled)."""

    app: str
    event: str
    event_ts: int
    received_ms: int
    repeats: int
    stream_id: str
    note: str


@dataclass(frozen=True)
class Story:
    """All that is known of the occurrences of a meeting, each list oldest first."""

    meetings: list[MeetingRow]
    webhooks: list[PastWebhook]
    notes: list[NoteRow]
    streams: list[StreamRow]

    @property
    def empty(self) -> bool:
        return not (self.meetings or self.webhooks or self.notes or self.streams)


class Past:
    """A journal that is only read. Every method may raise JournalError."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def story(self, key: str) -> Story:
        """Find a meeting by its number, its UUID, or the id of a stream of it; a number may have had several UUIDs."""
        uuids = msgspec.json.encode(sorted(self._uuids(key))).decode()
        with told(self._path):
            meetings = read_meetings(
                self._db, "WHERE uuid IN (SELECT value FROM json_each(?)) ORDER BY begun_ms", (uuids,)
            )
            streams = read_streams(
                self._db,
                "WHERE json_extract(CAST(info AS TEXT), '$.meeting_uuid') IN (SELECT value FROM json_each(?)) ORDER BY begun_ms",
                (uuids,),
            )
            webhooks = self._db.execute(
                "SELECT app, event, event_ts, received_ms, repeats, stream_id, note FROM webhooks"
                " WHERE meeting_uuid IN (SELECT value FROM json_each(?)) ORDER BY id",
                (uuids,),
            ).fetchall()
            notes = self._db.execute(
                "SELECT app, meeting_uuid, meeting_id, stream_id, at_ms, kind, sentence, problem FROM notes"
                " WHERE meeting_uuid IN (SELECT value FROM json_each(?)) OR (meeting_uuid = '' AND meeting_id = ?) ORDER BY id",
                (uuids, key),
            ).fetchall()
        return Story(
            meetings,
            [PastWebhook(*row) for row in webhooks],
            [_note_row(row) for row in notes],
            streams,
        )

    def events(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Count what ever came: (app, event) → (how often, when last, in Unix ms)."""
        with told(self._path):
            rows = self._db.execute(
                "SELECT app, event, count(*), max(received_ms) FROM webhooks GROUP BY app, event"
            ).fetchall()
        return {(app, event): (count, last) for app, event, count, last in rows}

    def streams(self) -> list[StreamRow]:
        """List the streams, newest first."""
        with told(self._path):
            return read_streams(self._db, "ORDER BY begun_ms DESC")

    def last_start_problem(self, app: str) -> str:
        """Quote the newest note on a start of this app that was refused, or of which no stream came; empty when none."""
        with told(self._path):
            row = self._db.execute(
                "SELECT sentence FROM notes WHERE app = ? AND problem AND kind IN ('refused', 'never_started', 'given_up')"
                " ORDER BY id DESC LIMIT 1",
                (app,),
            ).fetchone()
        return "" if row is None else str(row[0])

    def _uuids(self, key: str) -> set[str]:
        found = set()
        queries = (
            "SELECT uuid FROM meetings WHERE number = ? OR uuid = ?",
            "SELECT meeting_uuid FROM webhooks WHERE meeting_id = ? OR meeting_uuid = ?",
            "SELECT meeting_uuid FROM webhooks WHERE stream_id = ? OR meeting_uuid = ?",
            "SELECT meeting_uuid FROM notes WHERE meeting_id = ? OR meeting_uuid = ?",
            "SELECT json_extract(CAST(info AS TEXT), '$.meeting_uuid') FROM streams"
            " WHERE json_extract(CAST(info AS TEXT), '$.meeting_id') = ? OR stream_id = ?",
            "SELECT json_extract(CAST(info AS TEXT), '$.meeting_uuid') AS uuid FROM streams WHERE uuid = ? OR uuid = ?",
        )
        with told(self._path):
            for query in queries:
                found |= {uuid for (uuid,) in self._db.execute(query, (key, key)) if uuid}
        return found


@contextmanager
def read_journal(state_dir: Path) -> Iterator[Past]:
    """Open the journal of `state_dir` for reading. Raise JournalError when there is none, or another version wrote it."""
    path = state_dir / "journal.sqlite3"
    if not path.is_file():
        raise JournalError(f"there is no journal {path}: has rtmsd ever run with this state_dir?")
    with told(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    try:
        with told(path):
            [version] = db.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"the journal {path} has schema {version}, this rtmsd reads {SCHEMA_VERSION}: start the daemon once, or "
                "use the rtmsd that wrote it"
            )
        yield Past(db, path)
    finally:
        db.close()


def _note_row(row: tuple[Any, ...]) -> NoteRow:
    app, uuid, number, stream_id, at_ms, kind, sentence, problem = row
    return NoteRow(
        app=app,
        meeting_uuid=uuid,
        meeting_id=number,
        stream_id=stream_id,
        at_ms=at_ms,
        kind=kind,
        sentence=sentence,
        problem=bool(problem),
    )
