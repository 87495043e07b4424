"""The journal's tables, and how the rows are read that the daemon and those who look at its past both want."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from rtmsd.frames import StreamInfo
from rtmsd.state.rows import MeetingRow, StreamRow

# `once` is what makes a webhook the same: its stream, or a digest of its body when it concerns none.
_SCHEMA = """
CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY,
    app TEXT NOT NULL,
    event TEXT NOT NULL,
    event_ts INTEGER NOT NULL,
    once TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    body BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,
    handled_ms INTEGER,
    note TEXT NOT NULL DEFAULT '',
    UNIQUE (app, event, once, event_ts)
) STRICT;
CREATE INDEX webhooks_unhandled ON webhooks (id) WHERE handled_ms IS NULL;
CREATE INDEX webhooks_by_age ON webhooks (received_ms);

CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    info BLOB NOT NULL,
    server_urls BLOB NOT NULL,
    segment INTEGER NOT NULL DEFAULT 0,
    begun_ms INTEGER NOT NULL,
    last_contact_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    reason INTEGER,
    name TEXT NOT NULL DEFAULT '',
    sentence TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX streams_by_age ON streams (begun_ms);
"""

# What each version added: a journal of an older one gets the rest.
_SINCE_2 = """
ALTER TABLE webhooks ADD COLUMN meeting_uuid TEXT NOT NULL DEFAULT '';
ALTER TABLE webhooks ADD COLUMN meeting_id TEXT NOT NULL DEFAULT '';
CREATE INDEX webhooks_by_meeting ON webhooks (meeting_uuid) WHERE meeting_uuid != '';

CREATE TABLE meetings (
    app TEXT NOT NULL,
    uuid TEXT NOT NULL,
    number TEXT NOT NULL,
    host_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    begun_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    PRIMARY KEY (app, uuid)
) STRICT;
CREATE INDEX meetings_by_number ON meetings (number);

CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    app TEXT NOT NULL,
    meeting_uuid TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sentence TEXT NOT NULL,
    problem INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_by_meeting ON notes (meeting_uuid);
CREATE INDEX notes_by_age ON notes (at_ms);

CREATE TABLE kept (
    app TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (app, name)
) STRICT;
"""

VERSIONS = (_SCHEMA, _SINCE_2)
SCHEMA_VERSION = len(VERSIONS)

_MEETINGS = "SELECT app, uuid, number, host_id, account_id, topic, begun_ms, ended_ms FROM meetings"
_STREAMS = "SELECT info, server_urls, segment, last_contact_ms, ended_ms, reason, name, sentence FROM streams"


def read_meetings(db: sqlite3.Connection, rest: str, parameters: Sequence[Any]) -> list[MeetingRow]:
    """Read meetings; `rest` is the query from WHERE on."""
    return [MeetingRow(*row) for row in db.execute(f"{_MEETINGS} {rest}", parameters)]


def read_streams(db: sqlite3.Connection, rest: str, parameters: Sequence[Any] = ()) -> list[StreamRow]:
    """Read streams; `rest` is the query from WHERE on."""
    return [_stream_row(row) for row in db.execute(f"{_STREAMS} {rest}", parameters)]


def _stream_row(row: tuple[Any, ...]) -> StreamRow:
    info, urls, segment, last_contact_ms, ended_ms, reason, name, sentence = row
    return StreamRow(
        info=msgspec.json.decode(info, type=StreamInfo),
        server_urls=tuple(msgspec.json.decode(urls, type=list[str])),
        segment=segment,
        last_contact_ms=last_contact_ms,
        ended_ms=ended_ms,
        reason=reason,
        name=name,
        sentence=sentence,
    )
