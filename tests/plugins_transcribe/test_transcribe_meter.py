"""What a session costs is what its service really got, and the ceiling holds meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from transcribe_bench import ZERO_MS

from rtmsd_transcribe.account import Account
from rtmsd_transcribe.meter import Meter


class Plain:
    """Says nothing of what it sent."""


@dataclass
class Saying:
    sent_secs: float = 0.0


@asynccontextmanager
async def metered(tmp: Path, session: object, most: float = 0.0) -> AsyncIterator[tuple[Account, Meter]]:
    async with Account(tmp / "account.json", most_per_day=most, log=structlog.get_logger()) as account:
        yield account, Meter(account, session, engine="own", stream_id="s1")  # type: ignore[arg-type]


async def test_what_a_session_takes_counts(tmp_path: Path) -> None:
    """Where it says nothing else; what it did not take is given back."""
    async with metered(tmp_path, Plain(), 10.0) as (account, meter):
        assert await meter.claim(6.0, ZERO_MS)
        meter.took(6.0)
        assert await meter.claim(4.0, ZERO_MS) and not await meter.claim(1.0, ZERO_MS)
        meter.close()
        assert account.day_secs == 6.0 and account.sent == {"s1": {"own": 6.0}}
        assert account.allows(4.0, ZERO_MS) and not account.allows(4.1, ZERO_MS)


async def test_what_is_uploaded_later_counts_then(tmp_path: Path) -> None:
    """Sound that waits to be uploaded is claimed, until it is, or is answered without having been."""
    session = Saying()
    async with metered(tmp_path, session, 10.0) as (account, meter):
        assert await meter.claim(8.0, ZERO_MS)
        meter.took(8.0)
        assert account.day_secs == 0.0 and not account.allows(3.0, ZERO_MS)
        session.sent_secs = 3.0  # the rest of what is answered was silence
        meter.settle(waiting_secs=2.0)
        assert account.day_secs == 3.0
        assert account.allows(5.0, ZERO_MS) and not account.allows(5.1, ZERO_MS)
        meter.close()
        assert account.allows(7.0, ZERO_MS) and account.sent == {"s1": {"own": 3.0}}


async def test_what_is_uploaded_twice_counts_twice(tmp_path: Path) -> None:
    """Though it was claimed once: from then on there is less room."""
    session = Saying()
    async with metered(tmp_path, session, 10.0) as (account, meter):
        assert await meter.claim(4.0, ZERO_MS)
        session.sent_secs = 8.0
        meter.took(4.0)
        meter.close()
        assert account.day_secs == 8.0 and account.sent == {"s1": {"own": 8.0}}
        assert account.allows(2.0, ZERO_MS) and not account.allows(2.1, ZERO_MS)


async def test_what_was_claimed_yesterday_makes_no_room_today(tmp_path: Path) -> None:
    """A claim that is given back after midnight was another day's."""
    day_ms = 86_400_000
    async with metered(tmp_path, Saying(), 10.0) as (account, meter):
        assert await meter.claim(9.0, ZERO_MS)
        assert account.allows(10.0, ZERO_MS + day_ms)
        meter.close()
        assert not account.allows(10.1, ZERO_MS + day_ms)
