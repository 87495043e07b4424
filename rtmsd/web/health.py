"""Whether this daemon can take meetings, check by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that must be so. `sentence` says how it is; when not `ok`, also what to do."""

    name: str
    ok: bool
    sentence: str


def ready(checks: Sequence[Check]) -> bool:
    """Whether meetings can be taken; nothing checked is not ready."""
    return bool(checks) and all(check.ok for check in checks)
