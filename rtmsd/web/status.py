"""What the status page and the metrics are told: plain values, asked for when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

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
    last_trouble_ms: int | None = None
    sentence: str = ""
    problem: bool = False

    @property
    def dropped(self) -> int:
        return sum(self.drops.values())


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


class StatusSource(Protocol):
    """Who tells it. Every method reads plain numbers and returns at once."""

    def accepting(self) -> bool:
        """Whether the webhook listener accepts."""

    def checks(self) -> Sequence[Check]: ...

    def streams(self) -> Sequence[StreamStatus]:
        """Return the living and the recent, newest first."""

    def timeline(self, stream_id: str) -> Timeline | None:
        """Return who was heard when in a stream; None when nothing is known of it."""

    def sinks(self) -> Sequence[SinkStatus]: ...

    def webhooks(self) -> WebhookCounters: ...

    def sums(self) -> Sums: ...
