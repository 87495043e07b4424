"""The journal's SQLite side: blocking, used from one thread only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.state import pruning
from rtmsd.state.rows import MeetingRow, NoteRow, StreamRow, Taken, WebhookRow
from rtmsd.state.tables import SCHEMA_VERSION, VERSIONS, read_meetings, read_streams


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a JournalError with its remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        # SQLite's texts ("database or disk is full", "database is locked") hold no data.
        raise JournalError(f"the journal {path} cannot be used: {error}; {_remedy(error)}") from error
    except OverflowError as error:
        raise JournalError(
            "a number is larger than the journal can hold; it did not come from Zoom"
        ) from error


def _remedy(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None) or ""
    if "FULL" in name or name == "SQLITE_IOERR_WRITE":
        return "make room on its file system"
    if "BUSY" in name or "LOCKED" in name:
        return "another program has it open: close that"
    if "CORRUPT" in name or "NOTADB" in name:
        return "it is damaged: stop rtmsd, move this file away and start again"
    return "see that rtmsd's user may write there and that the file system is sound"


class Store:
    """All SQL. Every method is one transaction, on disk when it returns; a change that `together` makes is a part of one."""

    def __init__(self, path: Path, *, busy_timeout_secs: float) -> None:
        self._path = path
        with told(path):
            # SQLite gives its -wal and -shm files the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=busy_timeout_secs, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        # With NORMAL a power cut may lose what was acknowledged to Zoom.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 4194304")
        [version] = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self._path} was written by a newer rtmsd (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); start the newer one, or give this one another state_dir"
            )
        if version < SCHEMA_VERSION:
            with self._transaction():
                for statement in ";".join(VERSIONS[version:]).split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        with told(self._path):
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after some errors, such as a full disk.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def together(self, changes: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make several changes in one transaction; give for each its result, or the exception for which it was left out.

        Raise JournalError when none was kept.
        """
        outcomes: list[Any] = []
        with self._transaction():
            for change in changes:
                try:
                    outcomes.append(change())
                except Exception as error:
                    if not self._db.in_transaction:  # SQLite gave all of it up
                        raise
                    outcomes.append(error)
        return outcomes

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A transaction, or within one a part that can fail alone."""
        if not self._db.in_transaction:
            with self._transaction():
                yield
            return
        with told(self._path):
            self._db.execute("SAVEPOINT step")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK TO step")
                    self._db.execute("RELEASE step")
                raise
            self._db.execute("RELEASE step")

    def _change(self, sql: str, parameters: Sequence[Any]) -> bool:
        with self._step():
            return self._db.execute(sql, parameters).rowcount > 0

    def take_webhook(
        self,
        *,
        app: str,
        event: str,
        event_ts: int,
        once: str,
        stream_id: str,
        meeting: tuple[str, str],
        body: bytes,
        received_ms: int,
    ) -> Taken:
        with self._step():
            row = self._db.execute(
                "SELECT id FROM webhooks WHERE app = ? AND event = ? AND once = ? AND event_ts = ?",
                (app, event, once, event_ts),
            ).fetchone()
            if row is not None:
                self._db.execute("UPDATE webhooks SET repeats = repeats + 1 WHERE id = ?", row)
                return Taken(row[0], duplicate=True)
            cursor = self._db.execute(
                "INSERT INTO webhooks (app, event, event_ts, once, stream_id, body, received_ms, meeting_uuid, meeting_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (app, event, event_ts, once, stream_id, body, received_ms, *meeting),
            )
            assert cursor.lastrowid is not None
            return Taken(cursor.lastrowid, duplicate=False)

    def handled(self, webhook_id: int, note: str, now_ms: int) -> None:
        self._change(
            "UPDATE webhooks SET handled_ms = ?, note = ? WHERE id = ? AND handled_ms IS NULL",
            (now_ms, note, webhook_id),
        )

    def unhandled(self) -> list[WebhookRow]:
        with told(self._path):
            rows = self._db.execute(
                "SELECT id, app, event, event_ts, stream_id, body, received_ms, repeats FROM webhooks"
                " WHERE handled_ms IS NULL ORDER BY id"
            ).fetchall()
        names = ("id", "app", "event", "event_ts", "stream_id", "body", "received_ms", "repeats")
        return [WebhookRow(**dict(zip(names, row, strict=True))) for row in rows]

    def notes(self, stream_id: str) -> list[tuple[int, str, str]]:
        with told(self._path):
            return self._db.execute(
                "SELECT received_ms, event, note FROM webhooks WHERE stream_id = ? ORDER BY id", (stream_id,)
            ).fetchall()

    def stream_started(self, info: StreamInfo, urls: Sequence[str], now_ms: int) -> None:
        # Beginning a known stream again (failover, restart) makes it alive again.
        self._change(
            "INSERT INTO streams (stream_id, info, server_urls, begun_ms, last_contact_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (stream_id) DO UPDATE SET info = excluded.info, server_urls = excluded.server_urls,"
            " segment = segment + 1, ended_ms = NULL, reason = NULL, name = '', sentence = ''",
            (info.stream_id, msgspec.json.encode(info), msgspec.json.encode(list(urls)), now_ms, now_ms),
        )

    def streams_contact(self, stream_ids: Iterable[str], at_ms: int) -> None:
        with self._step():
            self._db.executemany(
                "UPDATE streams SET last_contact_ms = max(last_contact_ms, ?) WHERE stream_id = ?",
                [(at_ms, stream_id) for stream_id in stream_ids],
            )

    def stream_ended(self, stream_id: str, at_ms: int, reason: int | None, name: str, sentence: str) -> bool:
        return self._change(
            "UPDATE streams SET ended_ms = ?, reason = ?, name = ?, sentence = ?"
            " WHERE stream_id = ? AND ended_ms IS NULL",
            (at_ms, reason, name, sentence, stream_id),
        )

    def stream_reason(self, stream_id: str, reason: int, name: str, sentence: str) -> bool:
        return self._change(
            "UPDATE streams SET reason = ?, name = ?, sentence = ? WHERE stream_id = ? AND ended_ms IS NOT NULL",
            (reason, name, sentence, stream_id),
        )

    def streams(self, *, ended_too: bool, limit: int) -> list[StreamRow]:
        with told(self._path):
            return read_streams(
                self._db,
                "WHERE ended_ms IS NULL OR ? ORDER BY begun_ms DESC, rowid DESC LIMIT ?",
                (ended_too, limit),
            )

    def streams_called(self, app: str, ids: Sequence[str]) -> list[StreamRow]:
        with told(self._path):
            return read_streams(
                self._db,
                "WHERE json_extract(CAST(info AS TEXT), '$.app') = ?1 AND (stream_id IN (SELECT value FROM json_each(?2))"
                " OR json_extract(CAST(info AS TEXT), '$.zoom_id') IN (SELECT value FROM json_each(?2)))"
                " ORDER BY begun_ms, rowid",
                (app, msgspec.json.encode(list(ids)).decode()),
            )

    def meeting_seen(self, row: MeetingRow) -> None:
        # Events tell different parts; what one left out, another may have said. A meeting that goes on has not ended.
        self._change(
            "INSERT INTO meetings (app, uuid, number, host_id, account_id, topic, begun_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (app, uuid) DO UPDATE SET number = coalesce(nullif(excluded.number, ''), number),"
            " host_id = coalesce(nullif(excluded.host_id, ''), host_id), topic = coalesce(nullif(excluded.topic, ''), topic),"
            " account_id = coalesce(nullif(excluded.account_id, ''), account_id)",
            (row.app, row.uuid, row.number, row.host_id, row.account_id, row.topic, row.begun_ms),
        )

    def meeting_ended(self, app: str, uuid: str, at_ms: int) -> bool:
        return self._change(
            "UPDATE meetings SET ended_ms = ? WHERE app = ? AND uuid = ? AND ended_ms IS NULL",
            (at_ms, app, uuid),
        )

    def meetings(self, *, since_ms: int) -> list[MeetingRow]:
        with told(self._path):
            return read_meetings(self._db, "WHERE begun_ms >= ? ORDER BY begun_ms", (since_ms,))

    def note(self, row: NoteRow) -> None:
        self._change(
            "INSERT INTO notes (app, meeting_uuid, meeting_id, stream_id, at_ms, kind, sentence, problem)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.app,
                row.meeting_uuid,
                row.meeting_id,
                row.stream_id,
                row.at_ms,
                row.kind,
                row.sentence,
                row.problem,
            ),
        )

    def keep(self, app: str, name: str, value: str, now_ms: int) -> None:
        self._change(
            "INSERT INTO kept (app, name, value, at_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (app, name) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms",
            (app, name, value, now_ms),
        )

    def kept(self, app: str, name: str) -> str | None:
        with told(self._path):
            row = self._db.execute(
                "SELECT value FROM kept WHERE app = ? AND name = ?", (app, name)
            ).fetchone()
        return None if row is None else str(row[0])

    def floors(self, keep: int) -> list[int]:
        """Say from where on the newest `keep` of everything stay; see `pruning`."""
        with told(self._path):
            return pruning.floors(self._db, keep)

    def forget_some(self, *, before_ms: int, oldest: list[int]) -> int:
        """Forget a piece of what is done and older; return how many rows went, 0 when there are no more."""
        with self._transaction():
            return pruning.forget_some(self._db, before_ms=before_ms, oldest=oldest)

    def give_back_some(self) -> bool:
        """Make the file smaller by a piece; False when there is nothing more to give back."""
        with told(self._path):
            return pruning.give_back_some(self._db)
