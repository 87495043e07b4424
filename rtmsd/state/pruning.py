"""What the journal forgets: a few rows at a time, so that nobody waits long behind it."""

from __future__ import annotations

import sqlite3
from typing import Any

PIECE_ROWS = 2000
PIECE_PAGES = 2000

# The oldest of the newest `keep` that are done; what comes before it is surplus.
_FLOORS = (
    "SELECT id FROM webhooks WHERE handled_ms IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?",
    "SELECT begun_ms FROM streams WHERE ended_ms IS NOT NULL ORDER BY begun_ms DESC LIMIT 1 OFFSET ?",
    "SELECT id FROM notes ORDER BY id DESC LIMIT 1 OFFSET ?",
)

_FORGET = (
    "DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks WHERE handled_ms IS NOT NULL"
    " AND (received_ms < ? OR id < ?) LIMIT ?)",
    "DELETE FROM streams WHERE stream_id IN (SELECT stream_id FROM streams WHERE ended_ms IS NOT NULL"
    " AND (ended_ms < ? OR begun_ms < ?) LIMIT ?)",
    "DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE at_ms < ? OR id < ? LIMIT ?)",
)

_FORGET_MEETINGS = (
    "DELETE FROM meetings WHERE rowid IN (SELECT rowid FROM meetings WHERE begun_ms < ? LIMIT ?)"
)


def floors(db: sqlite3.Connection, keep: int) -> list[int]:
    """Find where the newest `keep` rows begin, of webhooks, streams and notes."""
    return [_number(db, sql, (keep - 1,)) for sql in _FLOORS]


def forget_some(db: sqlite3.Connection, *, before_ms: int, oldest: list[int]) -> int:
    """Delete at most PIECE_ROWS rows that are done and older than `before_ms`, or than `oldest`; return how many."""
    for sql, floor in zip(_FORGET, oldest, strict=True):
        if done := db.execute(sql, (before_ms, floor, PIECE_ROWS)).rowcount:
            return done
    return db.execute(_FORGET_MEETINGS, (before_ms, PIECE_ROWS)).rowcount


def give_back_some(db: sqlite3.Connection) -> bool:
    """Give free pages back to the file system; False when there were none."""
    free = _number(db, "PRAGMA freelist_count", ())
    # Not `execute`, which takes one step of it, and with that gives back one page.
    db.executescript(f"PRAGMA incremental_vacuum({PIECE_PAGES})")
    return 0 < _number(db, "PRAGMA freelist_count", ()) < free


def _number(db: sqlite3.Connection, sql: str, parameters: tuple[Any, ...]) -> int:
    row = db.execute(sql, parameters).fetchone()
    return 0 if row is None else int(row[0])
