"""What the status page and the metrics are told: plain values, asked for when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check
from rtmsd.web.timeline import Timeline

LIVING = ("joining", "live", "paused", "reconnecting")


@dataclass(frozen=True, kw_only=True)
class StreamStatus:
    """One stream, living or over. `sentence` says what is the matter; `problem` whether somebody should look.

    `frames` counts by media kind, `details` are further lines (label → text). No names of people.
    """

    stream_id: str
    app: str
    product: str
    meeting_id: str
    meeting_uuid: str
    state: Literal["joining", "live", "paused", "reconnecting", "ended", "failed", "ignored"]
    started_ms: int
    age_secs: float
    ended_ms: int | None = None
    speakers: int = 0
    frames: Mapping[str, int] = field(default_factory=dict)
    gaps: int = 0
    gap_secs: float = 0.0
    sentence: str = ""
    problem: bool = False
    details: Mapping[str, str] = field(default_factory=dict)


MeetingState = Literal[
    "idle", "armed", "requested", "accepted", "confirmed", "refused", "given_up", "never_started", "not_taken"
]


PENDING = ("armed", "requested", "accepted", "never_started")
"""States of meetings that go on and whose stream may still come."""


@dataclass(frozen=True, kw_only=True)
class MeetingStatus:
    """One occurrence of a meeting, and where the start of its stream stands; `sentence` says why. No topic, no names.

    `state` is that of the start, "never_started" once the deadline has passed without a stream, or "not_taken" when a rule
    of the app, named in the sentence, forbids it. `streams` are the ids of its streams, living and over. `trouble` is the
    last problem of its start, at `trouble_ms`, and `problem` whether no stream has started since.
    """

    app: str
    number: str
    uuid: str
    state: MeetingState
    sentence: str
    changed_ms: int
    streams: Sequence[str] = ()
    over: bool = False
    problem: bool = False
    trouble: str = ""
    trouble_ms: int | None = None

    @property
    def anchor(self) -> str:
        """Where the page says more; an expected meeting that was never heard of has no UUID."""
        return f"meeting-{self.app}-{self.uuid or f'{self.number}-{self.changed_ms}'}"


@dataclass(frozen=True, kw_only=True)
class EventSocketStatus:
    """One app's event WebSocket. `problem` is why it is not connected, or was not, until `problem_ms`."""

    app: str
    connected_since_ms: int | None
    events: int = 0
    last_event_ms: int | None = None
    problem: str = ""
    problem_ms: int | None = None

    @property
    def state(self) -> Literal["connected", "connecting", "disconnected"]:
        if self.connected_since_ms is not None:
            return "connected"
        return "disconnected" if self.problem else "connecting"


class OwnNumber(NamedTuple):
    """A number that a sink tells of itself. `name` has its unit at its end; `grows`: it is a sum, and never smaller."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    grows: bool


@dataclass(frozen=True, kw_only=True)
class SinkStatus:
    """One configured sink, over all its streams. `drops` counts lost frames by reason, `written` items.

    `last_trouble_ms` is when frames were lost or it failed, `problem` whether that is still so.
    """

    name: str
    type: str
    queue_items: int
    queue_bytes: int
    errors: int
    writers: int
    last_success_ms: int | None
    written: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    numbers: Sequence[OwnNumber] = ()
    last_trouble_ms: int | None = None
    sentence: str = ""
    problem: bool = False

    @property
    def dropped(self) -> int:
        return sum(self.drops.values())


@dataclass(frozen=True, kw_only=True)
class Starts:
    """What all starts of streams since rtmsd's own come to. `attempts` are requests, by what Zoom's answer meant.

    `confirmed` are those that a stream followed, `confirm_secs` the time from each to its stream, in all.
    """

    attempts: Mapping[str, int] = field(default_factory=dict)
    confirmed: int = 0
    confirm_secs: float = 0.0
    never_started: int = 0


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What all streams since the start come to. `gaps` are (number, seconds) by cause, `unknown` counts messages."""

    active: Mapping[str, int] = field(default_factory=dict)
    """Streams that are open, by app."""
    stops: Mapping[str, int] = field(default_factory=dict)
    reconnects: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)
    media_bytes: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    loop_lag_secs: float = 0.0
    starts: Starts = Starts()


class StatusSource(Protocol):
    """Who tells it. Every method reads plain numbers and returns at once."""

    def accepting(self) -> bool:
        """Whether the webhook listener accepts."""

    def checks(self) -> Sequence[Check]: ...

    def streams(self) -> Sequence[StreamStatus]:
        """Return the living and the recent, newest first."""

    def meetings(self) -> Sequence[MeetingStatus]:
        """Return those that go on and the recent, the latest change first."""

    def event_sockets(self) -> Sequence[EventSocketStatus]:
        """Return those that are configured."""

    def timeline(self, stream_id: str) -> Timeline | None:
        """Return who was heard when in a stream; None when nothing is known of it."""

    def sinks(self) -> Sequence[SinkStatus]: ...

    def webhooks(self) -> WebhookCounters: ...

    def sums(self) -> Sums: ...
