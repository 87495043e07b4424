"""What the start of a meeting is made of: its states, what is done for it, and by which means. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rtmsd.protocol.codes import StopReason

FAULTS = frozenset(range(10, 18)) | {StopReason.AWAIT_RECONNECTION_TIMEOUT, StopReason.KEEP_ALIVE_TIMEOUT}
"""Stops after which the stream is started again while the meeting lives (§6.6); 18 would only be repeated."""


class State(StrEnum):
    """Where the start of one meeting stands."""

    IDLE = "idle"
    ARMED = "armed"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Ask:
    """Ask Zoom to start the app: with the host's own token, or with the account's for `participant_user_id`.

    Answer with `replied` and this `number`.
    """

    number: int
    as_host: bool
    participant_user_id: str
    trigger: str


@dataclass(frozen=True)
class WakeAt:
    """Call `woken` then (monotonic seconds), and not at the time of an earlier WakeAt; None: never."""

    at: float | None


@dataclass(frozen=True)
class Tell:
    """The state is new; the sentence says why, and what is awaited. `problem`: somebody should look at it.

    `never_started`: the deadline has passed, and the state is what it was.
    """

    state: State
    sentence: str
    problem: bool = False
    never_started: bool = False


@dataclass(frozen=True)
class Worked:
    """The request of this trigger was followed by a stream: try it first next time."""

    trigger: str


Action = Ask | WakeAt | Tell | Worked


@dataclass(frozen=True, kw_only=True)
class Means:
    """How an app is started. `auto`: by Zoom itself, so that it is only asked for what broke. `host_tokens`: hosts who
    have authorised the app, so that nobody needs to be there (§4.3); `controller`: there is an app that asks in the name of
    the account `account_id`. `only_host`: it is started for nobody but the host; `only_operators`: for nobody but these.

    `deadline_secs` after a meeting's start, without a stream, it counts as never started.
    """

    auto: bool = False
    host_tokens: frozenset[str] = frozenset()
    controller: bool = True
    account_id: str = ""
    only_host: bool = False
    only_operators: frozenset[str] = frozenset()
    deadline_secs: float = 120.0
