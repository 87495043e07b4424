"""Looks for meetings that no event told of: by asking Zoom which go on, and by the clock for those that are expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from rtmsd.errors import JournalError
from rtmsd.runtime.clock import Clock
from rtmsd.start.expected import Occurrence, next_begin, occurrences
from rtmsd.start.meetings import MEETINGS_BACK_MS, read_meeting
from rtmsd.start.sentences import never_started
from rtmsd.start.starter import Calls, Starter
from rtmsd.start.values import FAULTS
from rtmsd.state import Journal, MeetingRow, StreamRow
from rtmsd.zoom.oauth import TokenError
from rtmsd.zoom.replies import Reply, Verdict, meaning

EARLY_MS = 3600 * 1000
"""People open an expected meeting so much before its time, at most."""

HOSTS_ASKED = 100
"""So many hosts are asked about at most, the latest first: each costs a call."""


class Look:
    """Reconciles one app's meetings with Zoom's, at start, every `look_every_secs`, and when `soon` is called."""

    def __init__(self, starter: Starter, *, calls: Calls, journal: Journal, clock: Clock) -> None:
        self._starter = starter
        self._calls = calls
        self._journal = journal
        self._clock = clock
        self._app = starter.app
        self._asked = asyncio.Event()
        self._no_scope: set[str] = set()  # told already
        self._first = True
        self._hopeless = False
        self._log = structlog.get_logger("rtmsd.start").bind(app=self._app.name)

    def soon(self) -> None:
        """Look now: events may have been missed."""
        self._asked.set()

    async def run(self) -> None:
        """Look, now and again and again, until cancelled. A round that the journal cannot be read in is logged."""
        every = self._app.manual.look_every_secs if self._app.manual is not None else 300.0
        while True:
            try:
                await self.look()
            except JournalError as error:
                self._log.error("what goes on could not be compared with Zoom", error=str(error))
            self._first = False
            self._asked.clear()
            try:
                async with asyncio.timeout(every):
                    await self._asked.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Ask Zoom once about all that is known to go on, and about the meetings of the hosts that are known."""
        now_ms = self._clock.wall_ms()
        rows = [
            row
            for row in await self._journal.meetings(since_ms=now_ms - MEETINGS_BACK_MS)
            if row.app == self._app.name
        ]
        streams = await self._journal.recent_streams(200)
        found: set[str] = set()
        self._hopeless = False
        for host in self._hosts(rows):
            for row in await self._live(host):
                found.add(row.uuid)
                await self._starter.found(row, had_stream=_lost_stream(row.uuid, self._app.name, streams))
        living = {one.info.meeting_uuid for one in streams if one.ended_ms is None}
        for row in rows:
            if row.ended_ms is None and row.uuid and row.uuid not in found | living:
                await self._check(row, streams)

    async def expect(self) -> None:
        """Tell of every expected meeting that Zoom says nothing of in time; runs until none is to come."""
        after_ms = self._clock.wall_ms() - int(self._app.start_deadline_secs * 1000)
        while (begins_ms := next_begin(self._app.expected, after_ms=after_ms)) is not None:
            deadline_ms = begins_ms + int(self._app.start_deadline_secs * 1000)
            await self._until(begins_ms + 1)
            due = list(occurrences(self._app.expected, from_ms=begins_ms, to_ms=begins_ms + 1))
            for one in due:
                await self._begin(one)
            await self._until(deadline_ms)
            for one in due:
                await self._overdue(one)
            after_ms = begins_ms

    async def _until(self, at_ms: int) -> None:
        # In steps: wall clocks are set, and an expected meeting may be months away.
        while (wait := (at_ms - self._clock.wall_ms()) / 1000) > 0:  # noqa: ASYNC110  # nobody could set an event
            await asyncio.sleep(min(wait, 3600.0))

    async def _begin(self, one: Occurrence) -> None:
        """An expected meeting should have begun: if Zoom may be asked and says so, no event is needed."""
        if self._app.manual is None:
            return
        reply = await self._ask("an expected meeting", lambda: self._calls.meeting(one.meeting))
        if reply is not None and reply.document.get("status") == "started":
            row = read_meeting(self._app.name, reply.document, self._clock.wall_ms())
            if row is not None:
                await self._starter.found(row)

    async def _overdue(self, one: Occurrence) -> None:
        told = [
            meeting
            for meeting in self._starter.meetings.values()
            if meeting.row.number == one.meeting and meeting.row.begun_ms >= one.begins_ms - EARLY_MS
        ]
        if told:  # its own machine says what is the matter, if anything is
            return
        means = self._starter.means
        sentence = never_started(means, "", expected=True)
        self._log.warning("meeting never started", meeting_id=one.meeting, why=sentence)
        row = MeetingRow(self._app.name, "", number=one.meeting, begun_ms=one.begins_ms)
        self._starter.missed(row, sentence)

    def _hosts(self, rows: Iterable[MeetingRow]) -> list[str]:
        """The hosts to ask about: those of the configuration, and those whose meetings were heard of."""
        heard = [row.host_id for row in reversed(list(rows)) if row.host_id]
        named = [*self._app.only.hosts, *(one.user_id for one in self._app.hosts), *heard]
        return [host for host in dict.fromkeys(named) if self._calls.may_ask(host)][:HOSTS_ASKED]

    async def _live(self, host: str) -> list[MeetingRow]:
        reply = await self._ask("live meetings", lambda: self._calls.live_meetings(host))
        listed = reply.document.get("meetings") if reply is not None else None
        documents = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        found = (
            read_meeting(self._app.name, {"host_id": host, **one}, self._clock.wall_ms()) for one in documents
        )
        return [row for row in found if row is not None]

    async def _check(self, row: MeetingRow, streams: Iterable[StreamRow]) -> None:
        """A meeting that we believe to go on, and that its host's list does not show: is it over?"""
        others = {one.info.product for one in streams if one.info.meeting_uuid == row.uuid} - {"meeting"}
        if others or not self._calls.may_ask(row.host_id):  # Zoom's API knows webinars by other paths
            return
        lost = _lost_stream(row.uuid, self._app.name, streams)
        reply = await self._ask("a meeting", lambda: self._calls.meeting(row.uuid, host_id=row.host_id))
        if reply is None:
            if self._first and not self._hopeless:
                # It went on when the daemon before this one ended: one request shows whether it still does.
                await self._starter.found(row, had_stream=lost)
            return
        if reply.document.get("status") == "started":
            await self._starter.found(row, had_stream=lost)
        elif reply.good or reply.code == 3001 or reply.status == 404:
            await self._starter.vanished(row)

    async def _ask(self, what: str, call: Callable[[], Any]) -> Reply | None:
        """Ask; None when nothing can be learnt, which is logged, and a missing scope only once."""
        if self._hopeless:
            return None
        try:
            reply: Reply = await call()
        except TokenError as error:
            self._hopeless = not error.passing
            self._log.warning("Zoom could not be asked", about=what, why=str(error))
            return None
        meant = meaning(reply)
        if meant.verdict is Verdict.PERSON:
            if what in self._no_scope:
                return None
            self._no_scope.add(what)
            self._log.warning(
                "Zoom may not be asked; add meeting:read:meeting:admin and meeting:read:list_meetings:admin to the controller "
                "app to have meetings found that no event told of",
                about=what,
                code=reply.code,
            )
            return None
        return reply


def _lost_stream(uuid: str, app: str, streams: Iterable[StreamRow]) -> bool:
    """Whether the newest stream of a meeting ended by a fault, or by our absence, and none lives."""
    own = [row for row in streams if row.info.meeting_uuid == uuid and row.info.app == app]
    if not own or any(row.ended_ms is None for row in own):
        return False
    newest = own[0]
    return newest.name == "LOST" or newest.reason in FAULTS
