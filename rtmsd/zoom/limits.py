"""How often Zoom's API may be asked: one budget for an account, and what a 429 says (protocol.md §4.6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rtmsd.runtime.clock import Clock

CALLS_PER_SEC = 4.0
"""Well below what the smallest paid plan may (10 a second for heavy calls), since other apps share it."""

LONGEST_WAIT_SECS = 24 * 3600.0

PATIENCE_SECS = 5.0
"""A call is not kept waiting longer than this because Zoom said 429: whoever asks has to be able to say so."""


def retry_after_secs(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """Say how long a reply with these headers (any case) asks to wait: seconds, an ISO or an HTTP date, or the reset time.

    None when it asks for nothing that can be read. `now_s` is Unix seconds.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    value = lower.get("retry-after", "")
    if value and (secs := _seconds(value, now_s)) is not None:
        return secs
    reset = lower.get("x-ratelimit-reset", "")
    if reset.isascii() and reset.isdigit() and len(reset) < 12:
        return min(max(0.0, int(reset) - now_s), LONGEST_WAIT_SECS)
    return None


def _seconds(value: str, now_s: float) -> float | None:
    if value.isascii() and value.isdigit() and len(value) < 8:
        return min(float(value), LONGEST_WAIT_SECS)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with contextlib.suppress(ValueError, OverflowError):  # a year of twenty digits overflows
            when = read(value)
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            return min(max(0.0, when.timestamp() - now_s), LONGEST_WAIT_SECS)
    return None


class Budget:
    """The calls of one account, spread over time; after a 429 none goes before the time that Zoom said."""

    def __init__(self, *, clock: Clock, per_sec: float = CALLS_PER_SEC) -> None:
        self._clock = clock
        self._step = 1.0 / per_sec
        self._next = 0.0
        self._held_until = 0.0
        self._turns = asyncio.Lock()

    async def turn(self) -> float:
        """Wait for the next call's turn, in the order of asking, and return 0; or, without waiting for it, how many seconds
        all calls are held, if that is more than PATIENCE_SECS. A caller that is cancelled has used its turn."""
        async with self._turns:  # in the order of asking; and those who wait see what `hold` says meanwhile
            reached = self._clock.monotonic()
            while (wait := max(self._next, self._held_until) - reached) > 0:
                if (held := self._held_until - reached) > PATIENCE_SECS:
                    return held
                await asyncio.sleep(wait)
                reached += wait
            self._next = reached + self._step
        return 0.0

    def hold(self, secs: float) -> None:
        """Let no call go before `secs` have passed."""
        self._held_until = max(self._held_until, self._clock.monotonic() + secs)

    def no_faster(self, per_sec: float) -> None:
        """Make at most so many calls a second; what is slower already stays so."""
        self._step = max(self._step, 1.0 / per_sec)

    @property
    def held_secs(self) -> float:
        """How long the next call is held because Zoom said so."""
        return max(0.0, self._held_until - self._clock.monotonic())
