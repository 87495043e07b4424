"""The journal with a real SQLite file, real locks and real deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from small_disk import largest_file

from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, MeetingRow, NoteRow, Taken, read_journal, tables

DAY_MS = 86_400_000


class SetClock(Clock):
    """Wall time as a test sets it."""

    def __init__(self, ms: int = 1_000_000) -> None:
        self.ms = ms

    def wall(self) -> float:
        return self.ms / 1000


def info(stream_id: str = "s1") -> StreamInfo:
    return StreamInfo(
        app="notes", product="meeting", stream_id=stream_id, meeting_uuid="a/b+c==", meeting_id="123"
    )


async def take(journal: Journal, n: int = 1, *, app: str = "notes", stream_id: str | None = "s1") -> Taken:
    return await journal.take_webhook(
        app=app,
        event="meeting.rtms_started",
        event_ts=n,
        stream_id=stream_id,
        body=b'{"n":%d}' % n,
        received_ms=n,
    )


async def test_webhooks_are_kept_once(tmp_path: Path) -> None:
    """The same app, event, stream and event time is one entry; a repeat is counted and named a duplicate."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        first = await take(journal)
        assert await take(journal) == Taken(first.id, duplicate=True)
        others = [
            await take(journal, 2),
            await take(journal, app="sales"),
            await take(journal, stream_id="s2"),
        ]
        assert not any(one.duplicate for one in others)
        rows = await journal.unhandled()
        assert [row.id for row in rows] == [first.id, *(one.id for one in others)]
        assert (rows[0].repeats, rows[0].body, rows[0].stream_id) == (1, b'{"n":1}', "s1")


async def test_events_of_no_stream_differ_by_body(tmp_path: Path) -> None:
    """Two events without a stream at the same millisecond are two, unless their bytes are the same."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        for body, duplicate in ((b"a", False), (b"b", False), (b"a", True)):
            taken = await journal.take_webhook(
                app="x",
                event="rtms.concurrency_limited",
                event_ts=1,
                stream_id=None,
                body=body,
                received_ms=1,
            )
            assert taken.duplicate is duplicate


async def test_parallel_repeats(tmp_path: Path) -> None:
    """Fifty repeats at once are one entry and forty-nine duplicates."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        taken = await asyncio.gather(*(take(journal) for _ in range(50)))
        assert sum(one.duplicate for one in taken) == 49
        assert len({one.id for one in taken}) == 1


async def test_handled(tmp_path: Path) -> None:
    """What is handled is not replayed, also by the next daemon, and keeps its first note."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        first, second = await take(journal, 1), await take(journal, 2)
        await journal.handled(first.id, "joined")
        await journal.handled(first.id, "nothing to do")
    async with Journal.open(tmp_path, SetClock()) as journal:
        assert [row.id for row in await journal.unhandled()] == [second.id]
        assert [note for _, _, note in await journal.notes("s1")] == ["joined", ""]


async def test_streams(tmp_path: Path) -> None:
    """A stream is alive until it ends; its end can be refined later, and its last contact never goes back."""
    clock = SetClock()
    async with Journal.open(tmp_path, clock) as journal:
        await journal.stream_started(info("s1"), ["wss://a", "wss://b"])
        clock.ms += 1
        await journal.stream_started(info("s2"), ["wss://c"])
        await journal.streams_contact(["s1"], 2_000_000)
        await journal.streams_contact(["s1", "s2"], 1_500_000)
        newer, older = await journal.streams_alive()
        assert (older.info, older.server_urls[0], older.last_contact_ms) == (info("s1"), "wss://a", 2_000_000)
        assert (newer.info.stream_id, newer.last_contact_ms, newer.segment) == ("s2", 1_500_000, 0)
        assert not await journal.stream_reason("s1", 6, "MEETING_ENDED", "too early")
        assert await journal.stream_ended("s1", 3, None, "silent_end", "It ended.")
        assert not await journal.stream_ended("s1", 4, 1, "x", "again")
        assert not await journal.stream_ended("unknown", 4, 1, "x", "what?")
        assert await journal.stream_reason("s1", 6, "MEETING_ENDED", "The meeting ended.")
        assert [row.info.stream_id for row in await journal.streams_alive()] == ["s2"]
        ended = (await journal.recent_streams())[1]
        assert (ended.ended_ms, ended.reason, ended.sentence) == (3, 6, "The meeting ended.")
        assert len(await journal.recent_streams(1)) == 1


async def test_begun_again(tmp_path: Path) -> None:
    """A failover keeps one entry, with the new URL and the next segment."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        await journal.stream_started(info(), ["wss://a"])
        await journal.stream_started(info(), ["wss://b"])
        [row] = await journal.streams_alive()
        assert (row.server_urls[0], row.segment) == ("wss://b", 1)


async def test_prune(tmp_path: Path) -> None:
    """Old and surplus entries go when they are done; what is not handled or not ended stays."""
    clock = SetClock(ms=100 * DAY_MS)
    async with Journal.open(tmp_path, clock) as journal:
        old, _kept = await take(journal, 1), await take(journal, 2)
        await journal.handled(old.id, "done")
        new = [await take(journal, 99 * DAY_MS + n) for n in range(3)]
        for one in new:
            await journal.handled(one.id, "done")
        for stream_id, ended in (("old", 1), ("new", 99 * DAY_MS), ("alive", None)):
            await journal.stream_started(info(stream_id), [])
            if ended:
                await journal.stream_ended(stream_id, ended, 6, "x", "y")
        assert await journal.prune(days=30) == 2
        assert {row.info.stream_id for row in await journal.recent_streams()} == {"new", "alive"}
        assert await journal.prune(days=30, keep=1) == 2
        assert len(await journal.unhandled()) == 1


async def test_two_daemons(tmp_path: Path) -> None:
    """A second daemon is refused with the pid and the path of the first, and may come when that is gone."""
    async with Journal.open(tmp_path, SetClock()):
        with pytest.raises(JournalError, match=rf"pid {os.getpid()}\).*{tmp_path}/lock"):
            async with Journal.open(tmp_path, SetClock()):
                pass
    async with Journal.open(tmp_path, SetClock()):
        pass


async def test_modes(tmp_path: Path) -> None:
    """A missing directory is created for its owner only, and so are the files, whatever the umask."""
    before = os.umask(0)
    try:
        async with Journal.open(tmp_path / "state", SetClock()) as journal:
            await take(journal)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert set(modes) >= {"lock", "journal.sqlite3", "journal.sqlite3-wal"}
    assert set(modes.values()) == {0o600}


async def test_full_disk(tmp_path: Path) -> None:
    """A write that fails is a JournalError and keeps nothing; when there is room again the journal goes on."""
    big = b"x" * 60_000
    arguments = {"app": "a", "event": "e", "stream_id": "s", "body": big, "received_ms": 1}
    async with Journal.open(tmp_path, SetClock()) as journal:
        taken = 0
        with largest_file(300_000), pytest.raises(JournalError, match=r"cannot be used"):
            for n in range(50):
                await journal.take_webhook(event_ts=n, **arguments)
                taken += 1
        assert 0 < taken < 10
        assert len(await journal.unhandled()) == taken
        assert not (await journal.take_webhook(event_ts=99, **arguments)).duplicate


async def test_locked_by_another_program(tmp_path: Path) -> None:
    """When somebody else holds the database the call fails in time for Zoom's answer, and works afterwards."""
    async with Journal.open(tmp_path, SetClock(), busy_timeout_secs=0.02) as journal:
        other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another program has it open"):
            await take(journal)
        other.execute("ROLLBACK")
        other.close()
        assert not (await take(journal)).duplicate


async def test_unusable_directory(tmp_path: Path) -> None:
    """A state directory that cannot be one is named with its remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="choose another state_dir"):
        async with Journal.open(tmp_path / "file" / "state", SetClock()):
            pass


async def test_damaged_and_newer(tmp_path: Path) -> None:
    """A damaged journal and one of a newer version are refused with what to do, and the directory is free again."""
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"this is no database at all, it only has the name of one" * 100)
    with pytest.raises(JournalError, match="move this file away"):
        async with Journal.open(tmp_path, SetClock()):
            pass
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="newer rtmsd"):
        async with Journal.open(tmp_path, SetClock()):
            pass


async def test_a_journal_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    """What an older rtmsd wrote is there, and everything newer can be written beside it."""
    with sqlite3.connect(tmp_path / "journal.sqlite3") as db:
        db.executescript(tables._SCHEMA + "PRAGMA user_version = 1;")
        db.execute(
            "INSERT INTO webhooks (app, event, event_ts, once, stream_id, body, received_ms) VALUES ('a', 'e', 1, 's', 's', x'7b7d', 1)"
        )
    db.close()
    async with Journal.open(tmp_path, SetClock()) as journal:
        assert [row.event for row in await journal.unhandled()] == ["e"]
        await journal.meeting_seen(MeetingRow("a", "u", begun_ms=1))


async def test_what_is_known_of_a_meeting_grows(tmp_path: Path) -> None:
    """Events tell different parts of a meeting; what one leaves out stays, and an end is noted once."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        await journal.meeting_seen(MeetingRow("notes", "u=", number="123", begun_ms=5))
        await journal.meeting_seen(MeetingRow("notes", "u=", host_id="ann", topic="Weekly", begun_ms=9))
        assert await journal.meeting_ended("notes", "u=", 20)
        assert not await journal.meeting_ended("notes", "u=", 30)
        expected = MeetingRow("notes", "u=", "123", "ann", "", "Weekly", 5, 20)
        assert await journal.meetings(since_ms=5) == [expected]
        assert await journal.meetings(since_ms=6) == []


async def test_the_newest_value_is_kept(tmp_path: Path) -> None:
    """A rotated refresh token takes the place of the last, for each app apart, and survives a restart."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        assert await journal.kept("notes", "refresh") is None
        await journal.keep("notes", "refresh", "one")
        await journal.keep("notes", "refresh", "two")
        await journal.keep("other", "refresh", "three")
    async with Journal.open(tmp_path, SetClock()) as journal:
        assert await journal.kept("notes", "refresh") == "two"


async def test_a_meetings_story_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    """Number, UUID and stream id lead to the same webhooks, notes and streams, also while a daemon writes; others do not."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        for event, stream, uuid in (("e1", None, "a/b+c=="), ("e2", "s1", "a/b+c=="), ("e3", "s9", "other")):
            await journal.take_webhook(
                app="notes",
                event=event,
                event_ts=5,
                stream_id=stream,
                body=event.encode(),
                received_ms=5,
                meeting=(uuid, ""),
            )
        await journal.stream_started(info(), ["wss://x"])
        await journal.meeting_seen(MeetingRow("notes", "a/b+c==", number="123", begun_ms=5))
        note = NoteRow(
            app="notes", meeting_uuid="a/b+c==", at_ms=7, kind="armed", sentence="It waits.", problem=True
        )
        journal.note(note, lambda error: pytest.fail(str(error)))
        await journal.kept("notes", "nothing")  # calls happen in the order in which they were made
        with read_journal(tmp_path) as past:
            stories = [past.story(key) for key in ("123", "a/b+c==", "s1")]
            assert past.story("nothing").empty
            assert past.events() == {("notes", event): (1, 5) for event in ("e1", "e2", "e3")}
    for story in stories:
        assert [one.event for one in story.webhooks] == ["e1", "e2"]
        assert story.notes == [note]
        assert [one.info.stream_id for one in story.streams] == ["s1"]
        assert [one.number for one in story.meetings] == ["123"]


def test_there_may_be_no_journal(tmp_path: Path) -> None:
    """Whoever asks before rtmsd ever ran is told so."""
    with pytest.raises(JournalError, match="has rtmsd ever run"), read_journal(tmp_path):
        pass


async def test_absurd_number(tmp_path: Path) -> None:
    """A number that SQLite cannot hold is a JournalError, and the journal goes on."""
    async with Journal.open(tmp_path, SetClock()) as journal:
        with pytest.raises(JournalError, match="larger than"):
            await take(journal, 2**70)
        await take(journal)


_WRITER = """
import asyncio, sys
from pathlib import Path
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal

async def main():
    async with Journal.open(Path(sys.argv[1]), Clock()) as journal:
        async def take(n):
            await journal.take_webhook(app="a", event="e", event_ts=n, stream_id="s", body=b"x" * 500, received_ms=n)
            print(n, flush=True)

        at_once = int(sys.argv[2])
        for first in range(0, 1_000_000, at_once):
            await asyncio.gather(*(take(n) for n in range(first, first + at_once)))

asyncio.run(main())
"""


@pytest.mark.parametrize("at_once", [1, 20])
async def test_kill_9(tmp_path: Path, at_once: int) -> None:
    """Nothing that was acknowledged is lost when the process is killed, and the next one may own the directory."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path), str(at_once)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 50:
            break
    writer.send_signal(signal.SIGKILL)
    acknowledged = max([50, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    writer.stdout.close()
    writer.wait()
    async with Journal.open(tmp_path, SetClock()) as journal:
        rows = await journal.unhandled()
    assert [row.event_ts for row in rows][: acknowledged + 1] == list(range(acknowledged + 1))
    assert len(rows) <= acknowledged + 2 * at_once
