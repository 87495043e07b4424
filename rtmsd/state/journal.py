"""The journal: webhooks taken, streams alive. What it has acknowledged survives kill -9 and power cuts.

Nobody but this room knows who owns a stream: on one machine, whoever holds the state directory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state.lock import owned
from rtmsd.state.rows import MeetingRow, NoteRow, StreamRow, Taken, WebhookRow
from rtmsd.state.store import Store
from rtmsd.state.turns import Turns

_T = TypeVar("_T")

_DAY_MS = 86_400_000


class Journal:
    """One SQLite file in one worker thread, so that calls happen in the order in which they were made.

    Changes that wait together are committed together: what waits for the disk is not each of them. Every method may raise JournalError; then nothing of that call was kept. A cancelled call may have been kept:
    the thread goes on with what it has begun.
    """

    def __init__(self, store: Store, turns: Turns, clock: Clock) -> None:
        self._store = store
        self._turns = turns
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls, state_dir: Path, clock: Clock, *, busy_timeout_secs: float = 1.0
    ) -> AsyncIterator[Journal]:
        """Own `state_dir` and open its journal. Raise JournalError when another daemon owns it, or it is unusable.

        `busy_timeout_secs` bounds how long another program that has the file open is waited for; a webhook must be
        answered within 3 s (protocol.md §2.4).
        """
        loop = asyncio.get_running_loop()
        with owned(state_dir), ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal") as thread:
            store = await loop.run_in_executor(
                thread, lambda: Store(state_dir / "journal.sqlite3", busy_timeout_secs=busy_timeout_secs)
            )
            turns = Turns(store, thread)
            try:
                yield cls(store, turns, clock)
            finally:
                # Leaving `thread` waits for this, also when we are being cancelled.
                closing = turns.close()
            closing.result()

    async def _change(self, function: Callable[[], _T]) -> _T:
        return await asyncio.wrap_future(self._turns.change(function))

    async def _alone(self, function: Callable[[], _T]) -> _T:
        return await asyncio.wrap_future(self._turns.alone(function))

    async def take_webhook(
        self,
        *,
        app: str,
        event: str,
        event_ts: int,
        stream_id: str | None,
        body: bytes,
        received_ms: int,
        kept: bytes | None = None,
        meeting: tuple[str, str] = ("", ""),
    ) -> Taken:
        """Keep a webhook, once: the same app, event, stream and event time is a duplicate, which is only counted.

        Without a stream the same body is the same webhook. `kept` is stored instead of `body`; `meeting` is its UUID and
        number.
        """
        once = stream_id or "sha256:" + hashlib.sha256(body).hexdigest()
        return await self._change(
            lambda: self._store.take_webhook(
                app=app,
                event=event,
                event_ts=event_ts,
                once=once,
                stream_id=stream_id or "",
                meeting=meeting,
                body=body if kept is None else kept,
                received_ms=received_ms,
            )
        )

    async def handled(self, webhook_id: int, note: str) -> None:
        """Say in a sentence what was done about a webhook; the first note stays."""
        now_ms = self._clock.wall_ms()
        await self._change(lambda: self._store.handled(webhook_id, note, now_ms))

    async def unhandled(self) -> list[WebhookRow]:
        """Return what was taken and not handled, oldest first: to be replayed at start."""
        return await self._alone(self._store.unhandled)

    async def notes(self, stream_id: str) -> list[tuple[int, str, str]]:
        """Return (received_ms, event, note) of every webhook about a stream, oldest first."""
        return await self._alone(lambda: self._store.notes(stream_id))

    async def stream_started(self, info: StreamInfo, urls: Sequence[str]) -> None:
        """Note that this machine serves a stream from now on; again for a failover or after a restart."""
        now_ms = self._clock.wall_ms()
        await self._change(lambda: self._store.stream_started(info, urls, now_ms))

    async def streams_contact(self, stream_ids: Iterable[str], at_ms: int) -> None:
        """Note when streams were last wholly connected."""
        ids = list(stream_ids)
        await self._change(lambda: self._store.streams_contact(ids, at_ms))

    async def stream_ended(
        self, stream_id: str, at_ms: int, reason: int | None, name: str, sentence: str
    ) -> bool:
        """Note that and why a stream is over; False when it is unknown or already was."""
        return await self._change(lambda: self._store.stream_ended(stream_id, at_ms, reason, name, sentence))

    async def stream_reason(self, stream_id: str, reason: int, name: str, sentence: str) -> bool:
        """Refine why an ended stream ended: Zoom's webhook may come after its sockets closed (protocol.md §2.5.2)."""
        return await self._change(lambda: self._store.stream_reason(stream_id, reason, name, sentence))

    async def streams_alive(self) -> list[StreamRow]:
        """Return the streams that have not ended, newest first."""
        return await self._alone(lambda: self._store.streams(ended_too=False, limit=-1))

    async def recent_streams(self, limit: int = 100) -> list[StreamRow]:
        """Return the newest streams, living and ended, newest first."""
        return await self._alone(lambda: self._store.streams(ended_too=True, limit=limit))

    async def streams_called(self, app: str, ids: Iterable[str]) -> list[StreamRow]:
        """Return an app's streams that we or Zoom call by one of these ids, oldest first. Reads all there are: not for every
        day."""
        names = sorted(ids)
        return await self._alone(lambda: self._store.streams_called(app, names))

    async def meeting_seen(self, row: MeetingRow) -> None:
        """Note that a meeting goes on; what `row` leaves empty stays as it was."""
        await self._change(lambda: self._store.meeting_seen(row))

    async def meeting_ended(self, app: str, uuid: str, at_ms: int) -> bool:
        """Note that a meeting is over; False when it is unknown or already was."""
        return await self._change(lambda: self._store.meeting_ended(app, uuid, at_ms))

    async def meetings(self, *, since_ms: int) -> list[MeetingRow]:
        """Return the meetings that began since then, ended ones too, oldest first."""
        return await self._alone(lambda: self._store.meetings(since_ms=since_ms))

    def note(self, row: NoteRow, failed: Callable[[JournalError], None]) -> None:
        """Add a sentence to a meeting's story, for `rtmsd why`, without waiting: it is written in its turn, at the latest
        when the journal is closed. `failed` is called, in the loop, when it could not be."""

        def done(future: Future[None]) -> None:
            error = future.exception()
            if isinstance(error, JournalError):
                loop.call_soon_threadsafe(failed, error)

        loop = asyncio.get_running_loop()
        self._turns.change(lambda: self._store.note(row)).add_done_callback(done)

    async def keep(self, app: str, name: str, value: str) -> None:
        """Keep one value of an app, such as the newest refresh token of a host, instead of the last."""
        now_ms = self._clock.wall_ms()
        await self._change(lambda: self._store.keep(app, name, value, now_ms))

    async def kept(self, app: str, name: str) -> str | None:
        """Return what was kept under this name."""
        return await self._alone(lambda: self._store.kept(app, name))

    async def prune(self, *, days: int = 30, keep: int = 100_000) -> int:
        """Forget handled webhooks and ended streams older than `days`, and beyond the newest `keep` of each.

        What is not handled or not ended stays. Return how many rows went. It goes in pieces, between which others have
        their turns; cancelling is safe.
        """
        before_ms = self._clock.wall_ms() - days * _DAY_MS
        oldest = await self._alone(lambda: self._store.floors(keep))
        done = 0
        while went := await self._alone(lambda: self._store.forget_some(before_ms=before_ms, oldest=oldest)):
            done += went
        while await self._alone(self._store.give_back_some):
            pass
        return done
