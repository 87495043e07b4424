"""How often an account may call Zoom's API, and the two forms of a 429 (protocol.md §4.6)."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from rtmsd.runtime.clock import Clock

Plan = Literal["free", "pro", "business"]
Label = Literal["Light", "Medium", "Heavy"]
Style = Literal["seconds", "date"]
"""`seconds`: the limit of a second. `date`: that of a day, with the end of the wait as an ISO-8601 date."""

PER_SEC: dict[Plan, dict[Label, int]] = {
    "free": {"Light": 4, "Medium": 2, "Heavy": 1},
    "pro": {"Light": 30, "Medium": 20, "Heavy": 10},
    "business": {"Light": 80, "Medium": 60, "Heavy": 40},
}
PER_DAY: dict[Plan, dict[Label, int]] = {
    "free": {"Light": 6000, "Medium": 2000, "Heavy": 1000},
    "pro": {"Heavy": 30_000},
    "business": {"Heavy": 60_000},
}
_DAY_SECS = 86_400

_MESSAGES: dict[Style, str] = {
    "seconds": "You have reached the maximum per-second rate limit for this API. Try again later.",
    "date": "You have reached the maximum daily rate limit for this API. Refer to the response header for details on when "
    "you can make another request.",
}


@dataclass(frozen=True)
class Limited:
    """A call too many: the message and the headers of its 429."""

    message: str
    headers: dict[str, str]


class Limits:
    """Counts the calls of each account, whichever app makes them. Without a plan everything may be asked."""

    def __init__(self, *, clock: Clock, plan: Plan | None = None) -> None:
        self.plan = plan
        self._clock = clock
        self._second, self._in_second = 0, Counter[tuple[str, Label]]()
        self._day, self._today = 0, Counter[tuple[str, Label]]()
        self._forced: tuple[float, Style] | None = None

    def limit_for(self, secs: float, style: Style = "seconds") -> None:
        """Let every call of every account be one too many for so long."""
        self._forced = (self._clock.monotonic() + secs, style)

    def take(self, account_id: str, label: Label) -> Limited | None:
        """Count a call; gives the refusal when it was one too many."""
        now = self._clock.wall()
        if self._forced is not None:
            left = self._forced[0] - self._clock.monotonic()
            if left > 0:
                return _limited(label, self._forced[1], limit=1, now=now, until=now + left)
            self._forced = None
        if self.plan is None:
            return None
        self._forget(int(now))
        key = (account_id, label)
        per_sec, per_day = PER_SEC[self.plan][label], PER_DAY[self.plan].get(label)
        if per_day is not None and self._today[key] >= per_day:
            return _limited(label, "date", limit=per_day, now=now, until=(self._day + 1) * _DAY_SECS)
        if self._in_second[key] >= per_sec:
            return _limited(label, "seconds", limit=per_sec, now=now, until=self._second + 1)
        self._today[key] += 1
        self._in_second[key] += 1
        return None

    def _forget(self, now: int) -> None:
        """Begin a new second, and a new day, which is one of UTC."""
        if now != self._second:
            self._second = now
            self._in_second.clear()
        if now // _DAY_SECS != self._day:
            self._day = now // _DAY_SECS
            self._today.clear()


def _limited(label: Label, style: Style, *, limit: int, now: float, until: float) -> Limited:
    headers = {
        "X-RateLimit-Category": label,
        "X-RateLimit-Type": "QPS" if style == "seconds" else "Daily-limit",
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
    }
    end = math.ceil(until)
    if style == "seconds":
        headers["X-RateLimit-Reset"] = str(end)
        headers["Retry-After"] = str(max(1, math.ceil(until - now)))
    else:
        headers["Retry-After"] = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Limited(_MESSAGES[style], headers)
