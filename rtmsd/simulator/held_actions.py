"""What happens at the door and at the head of a meeting that is held; in one that is only played they do nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Admits:
    """Somebody is let in from the waiting room."""

    at_ms: int
    user_id: int


@dataclass(frozen=True)
class MakesHost:
    """The meeting is handed over to somebody."""

    at_ms: int
    user_id: int


HeldAction = Admits | MakesHost
