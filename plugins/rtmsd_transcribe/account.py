"""What was sent to engines, since they bill it: seconds of each day and meeting, and the sessions that are open.

`{state_dir}/account.json` survives a crash. It is written ahead: it says up to a minute more than was sent, so that a
ceiling holds whatever happens, and names a session before it is opened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from rtmsd.api import TellNumber, no_number

AHEAD_SECS = 60.0

_DAY_MS = 86_400_000


class OpenSession(msgspec.Struct, frozen=True):
    """A session that is open, and bills perhaps. `since_ms` is the meeting's time."""

    engine: str
    stream_id: str
    user_id: int
    since_ms: int


class _Page(msgspec.Struct):
    """The file. `day` counts days of Unix time (UTC), `secs` is what that day may have cost."""

    day: int = 0
    secs: float = 0.0
    open: list[OpenSession] = []  # msgspec copies the default for every instance


@dataclass
class _Day:
    """A day of Unix time. `claimed` was sent, or is just being sent; `promised` is what the file says."""

    number: int
    secs: float = 0.0
    claimed: float = 0.0
    promised: float = 0.0


class Account:
    """Counts, and says when a day's ceiling is reached (0: there is none).

    `day_secs` is what was sent on the present day, `sent` what was sent of each meeting to each engine, by stream id.
    """

    def __init__(
        self, path: Path, *, most_per_day: float, log: FilteringBoundLogger, count: TellNumber = no_number
    ) -> None:
        self.sent: dict[str, dict[str, float]] = {}
        self._path = path
        self._most = most_per_day
        self._log = log
        self._count = count
        self._day = self._other = _Day(0)  # the present one, and the one before it
        self._open: list[OpenSession] = []
        self._alarmed = False
        self._changes = self._saved = 0  # of what the file says
        self._turned = asyncio.Condition()
        self._writer: asyncio.Task[None] | None = None

    @property
    def day_secs(self) -> float:
        return self._day.secs

    async def __aenter__(self) -> Account:
        """Go on with what the last process wrote, and tell of sessions that it left open. Raises OSError."""
        page = await asyncio.to_thread(_read, self._path)
        self._day = _Day(page.day, page.secs, page.secs, page.secs)
        for one in page.open:
            self._log.warning(
                "a transcription session was open when rtmsd died: its engine ends it after a while, and may bill it until then",
                engine=one.engine,
                stream_id=one.stream_id,
                user_id=one.user_id,
                since_ms=one.since_ms,
            )
        self._writer = asyncio.create_task(self._write_changes(), name="account of transcription")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Write down exactly what was sent."""
        assert self._writer is not None
        if self._day.number:
            await self._save(self.day_secs)
        self._writer.cancel()
        await asyncio.wait({self._writer})

    def allows(self, secs: float, media_ms: float) -> bool:
        """Say whether so much may be sent; False when the ceiling of its day is reached, which is told once."""
        self._turn(int(media_ms) // _DAY_MS)
        allowed = not self._most or self._day.claimed + secs <= self._most
        if not allowed and not self._alarmed:
            self._alarmed = True
            self._log.error(
                "the day's ceiling of transcription is reached: nothing more is transcribed until midnight (UTC)",
                max_seconds_per_day=self._most,
            )
        return allowed

    async def claim(self, secs: float, media_ms: float) -> bool:
        """Reserve so much; False when it is not allowed. `settle` ends it."""
        if not self.allows(secs, media_ms):
            return False
        self._day.claimed += secs
        if self._day.claimed > self._day.promised:
            ahead = self._day.claimed + AHEAD_SECS
            await self._save(min(ahead, self._most) if self._most else ahead)
        return True

    def settle(self, secs: float, engine: str, stream_id: str, *, sent_secs: float) -> None:
        """Say what became of a claim: `sent_secs` is also counted where it is more, as when an engine tries something twice."""
        self._day.secs += sent_secs
        # Never less than what was sent: the claim may have been one of the day before.
        self._day.claimed = max(self._day.claimed + sent_secs - secs, self._day.secs)
        if sent_secs:
            engines = self.sent.setdefault(stream_id, {})
            engines[engine] = engines.get(engine, 0.0) + sent_secs
            self._count("sent_seconds", sent_secs, engine=engine)

    @asynccontextmanager
    async def session(self, session: OpenSession) -> AsyncIterator[None]:
        """Write down that a session is open, for as long as the context lasts."""
        self._open.append(session)
        try:
            await self._save(self._day.promised)
            yield
        finally:
            self._open.remove(session)
            await self._save(self._day.promised)

    def _turn(self, day: int) -> None:
        """Go on with another day; what comes late belongs to the present one.

        A packet's time may be wrong by years: then the true day goes on afterwards, with what was sent on it.
        """
        if day in (self._day.number, self._day.number - 1):
            return
        known = self._other if self._other.number == day else _Day(day)
        self._day, self._other = known, self._day
        known.promised = 0.0  # the file is about another day
        self._alarmed = False

    async def _save(self, secs: float) -> None:
        """Wait until the file says what is so now. Cancelling is safe: it is written all the same."""
        self._day.promised = secs
        self._changes += 1
        change = self._changes
        async with self._turned:
            self._turned.notify_all()
            await self._turned.wait_for(lambda: self._saved >= change)

    async def _write_changes(self) -> None:
        """Write the file for all who wait, once at a time: in a thread, since disks can be slow."""
        while True:
            async with self._turned:
                await self._turned.wait_for(lambda: self._changes > self._saved)
            change, page = self._changes, _Page(self._day.number, self._day.promised, list(self._open))
            try:
                await asyncio.to_thread(_write, self._path, page)
            except OSError as error:
                self._log.error("the account of transcription cannot be written", why=error.strerror)
            async with self._turned:
                self._saved = change
                self._turned.notify_all()


def _read(path: Path) -> _Page:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Page)
    except (FileNotFoundError, ValueError):
        return _Page()  # none yet, or a torn one: the count of a day begins anew


def _write(path: Path, page: _Page) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(page))
    os.replace(part, path)
