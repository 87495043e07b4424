"""Changes that wait together are written together; each still has its own result."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, NoteRow, Taken, pruning, read_journal
from rtmsd.state.store import Store
from rtmsd.state.turns import MOST_TOGETHER, Turns


class WatchedStore(Store):
    """A store that remembers how many changes went into each common transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, busy_timeout_secs=0.02)
        self.sizes: list[int] = []

    def together(self, changes: Sequence[Callable[[], Any]]) -> list[Any]:
        self.sizes.append(len(changes))
        return super().together(changes)

    def take(self, event_ts: int) -> Taken:
        """Take one of some webhooks of one stream."""
        return self.take_webhook(
            app="a",
            event="e",
            event_ts=event_ts,
            once="s",
            stream_id="s",
            meeting=("", ""),
            body=b"{}",
            received_ms=1,
        )


@asynccontextmanager
async def held(path: Path) -> AsyncIterator[tuple[WatchedStore, Turns, threading.Event]]:
    """A store whose thread is busy until the event is set, so that what is asked for meanwhile waits together."""
    loop, go_on = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(max_workers=1) as thread:
        store = await loop.run_in_executor(thread, WatchedStore, path / "journal.sqlite3")
        turns = Turns(store, thread)
        turns.alone(go_on.wait)
        try:
            yield store, turns, go_on
        finally:
            go_on.set()
            turns.close().result()


async def test_a_bad_change_fails_alone(tmp_path: Path) -> None:
    """A number that SQLite cannot hold, or a fault of ours, is told to whoever asked; those beside it are kept, in one
    transaction."""
    async with held(tmp_path) as (store, turns, go_on):
        numbers = [1, 2**70, 2, 1]
        asked = [asyncio.wrap_future(turns.change(lambda n=n: store.take(n))) for n in numbers]
        asked.append(asyncio.wrap_future(turns.change(lambda: Taken(int("x"), duplicate=False))))
        go_on.set()
        one, large, two, again, fault = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(large, JournalError) and isinstance(fault, ValueError)
        assert isinstance(one, Taken) and again == Taken(one.id, duplicate=True)
        assert isinstance(two, Taken) and not two.duplicate
        rows = await asyncio.wrap_future(turns.alone(store.unhandled))
        assert [(row.event_ts, row.repeats) for row in rows] == [(1, 1), (2, 0)]
        assert store.sizes == [5]


async def test_half_a_change_is_none(tmp_path: Path) -> None:
    """A change that fails midway leaves nothing behind, also when those beside it are kept."""
    info = StreamInfo(app="a", product="meeting", stream_id="s1", meeting_uuid="u", meeting_id="1")
    async with held(tmp_path) as (store, turns, go_on):
        work: list[Callable[[], object]] = [
            lambda: store.stream_started(info, [], 5),
            lambda: store.streams_contact(["s1", "\ud800"], 9),
            lambda: store.take(1),
        ]
        asked = [asyncio.wrap_future(turns.change(one)) for one in work]
        go_on.set()
        _, failed, taken = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(failed, UnicodeError) and isinstance(taken, Taken)
        [row] = await asyncio.wrap_future(turns.alone(lambda: store.streams(ended_too=True, limit=9)))
        assert row.last_contact_ms == 5


async def test_reads_keep_their_place(tmp_path: Path) -> None:
    """What is read stands between the changes before and after it, and however many wait, a transaction has an end."""
    async with held(tmp_path) as (store, turns, go_on):
        first = [turns.change(lambda n=n: store.take(n)) for n in range(3)]
        read = asyncio.wrap_future(turns.alone(store.unhandled))
        more = [turns.change(lambda n=n: store.take(n)) for n in range(3, MOST_TOGETHER + 5)]
        go_on.set()
        assert len(await read) == 3
        await asyncio.gather(*(asyncio.wrap_future(one) for one in (*first, *more)))
        assert store.sizes == [3, MOST_TOGETHER, 2]


async def test_a_caller_that_has_gone_is_left_out(tmp_path: Path) -> None:
    """What was cancelled before its turn is not done; the others are."""
    async with held(tmp_path) as (store, turns, go_on):
        asked = [asyncio.wrap_future(turns.change(lambda n=n: store.take(n))) for n in range(3)]
        asked[0].cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*asked, return_exceptions=True)
        rows = await asyncio.wrap_future(turns.alone(store.unhandled))
        assert [row.event_ts for row in rows] == [1, 2]


async def test_what_cannot_be_committed_fails_for_all(tmp_path: Path) -> None:
    """When another program holds the file, each of those who wait is told, nothing is kept, and it goes on afterwards."""
    async with held(tmp_path) as (store, turns, go_on):
        other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        asked = [asyncio.wrap_future(turns.change(lambda n=n: store.take(n))) for n in range(3)]
        go_on.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        other.execute("ROLLBACK")
        other.close()
        assert all(isinstance(one, JournalError) for one in told) and len(set(map(id, told))) == 3
        assert not (await asyncio.wrap_future(turns.change(lambda: store.take(0)))).duplicate


async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    """Whoever comes after the end gets a JournalError, also by a note's callback."""
    failed: list[JournalError] = []
    async with Journal.open(tmp_path, Clock()) as journal:
        pass
    with pytest.raises(JournalError, match="closed"):
        await journal.handled(1, "too late")
    journal.note(NoteRow(app="a", meeting_uuid="u", at_ms=1, kind="armed", sentence="Late."), failed.append)
    await asyncio.sleep(0)
    assert len(failed) == 1


async def test_pruning_lets_others_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that comes while old rows are forgotten is taken between two pieces of that; the file becomes smaller."""
    monkeypatch.setattr(pruning, "PIECE_ROWS", 5)
    async with Journal.open(tmp_path, Clock()) as journal:

        async def take(n: int) -> Taken:
            return await journal.take_webhook(
                app="a", event="e", event_ts=n, stream_id="s", body=b"x" * 900, received_ms=n
            )

        old = await asyncio.gather(*(take(n) for n in range(200)))
        await asyncio.gather(*(journal.handled(one.id, "done") for one in old))
        going_on = asyncio.create_task(journal.prune())
        await asyncio.sleep(0)
        await take(1_000)
        assert not going_on.done()
        assert await going_on == 200
        with read_journal(tmp_path) as past:
            assert past.events()["a", "e"] == (1, 1_000)
    assert (tmp_path / "journal.sqlite3").stat().st_size < 150_000  # the rows alone were more


def test_a_piece_is_more_than_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free is given back in as many pieces as it takes, each as large as it should be."""
    monkeypatch.setattr(pruning, "PIECE_PAGES", 40)
    with sqlite3.connect(tmp_path / "db", isolation_level=None) as db:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("CREATE TABLE t (x)")
        db.execute("INSERT INTO t VALUES (zeroblob(400000))")
        db.execute("DELETE FROM t")
        pieces = 1
        while pruning.give_back_some(db):
            pieces += 1
        assert pieces == 3 and db.execute("PRAGMA freelist_count").fetchone() == (0,)
    db.close()
