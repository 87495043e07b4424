"""What became of the webhooks: plain numbers, read by the status page and the metrics."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

REFUSALS = {
    "wrong_path": "no app listens at the path it was sent to: compare the endpoint URL in Zoom's Marketplace",
    "no_signature": "it carries no signature: it is not from Zoom, or a proxy drops the x-zm- headers",
    "malformed_timestamp": "its time stamp is no number: it is not from Zoom",
    "bad_signature": (
        "no webhook secret fits: compare webhook_secrets with the Secret Token (not the Client Secret) of the app's "
        "event subscription in the same environment"
    ),
    "body_altered": "a proxy has reformatted its body: let the proxy pass the bytes unchanged",
    "stale_retry": "its time stamp is more than 300 s old: it is Zoom's repeat of one that could not be delivered, too old to act "
    "upon, or this machine's clock is ahead (timedatectl tells)",
    "stale": "its time stamp is more than 300 s away from our clock: it was replayed, or a clock is wrong",
    "too_large": "its body is larger than 64 KiB, as no webhook of Zoom's is",
    "malformed": "it is rightly signed, but no event",
    "validation_refused": "an unsigned URL validation cannot be answered here",
    "rate_limited": "too many unsigned URL validations came at once",
    "journal_failed": "it could not be written to the journal; Zoom will send it again",
}
"""Why a webhook was not taken, by the counter's result."""


ACK_BOUNDS_SECS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Zoom waits three seconds for an answer (protocol.md §2.4)."""


@dataclass
class Histogram:
    """How many values were up to each bound; the last number counts those above all bounds."""

    bounds: Sequence[float]
    numbers: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.numbers = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        self.numbers[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(frozen=True)
class Warned:
    """Something that Zoom told of an app, at our time `at_ms`, and that somebody should look at."""

    app: str
    event: str
    event_ts: int
    sentence: str
    at_ms: int


@dataclass
class WebhookCounters:
    """How many webhooks had which result, by (event, result); and the last one that was refused.

    Results: taken, duplicate, ignored (an event that rtmsd has no use for), validated, and
    the keys of REFUSALS.
    """

    results: dict[tuple[str, str], int] = field(default_factory=dict)
    last_taken_ms: int | None = None
    last_refused_ms: int | None = None
    last_refusal: str = ""
    skew_secs: float | None = None
    """Our clock less Zoom's, at the last webhook that was verified."""
    ack_secs: Histogram = field(default_factory=lambda: Histogram(ACK_BOUNDS_SECS))
    """From a webhook's last byte to its answer."""
    warned: deque[Warned] = field(default_factory=lambda: deque(maxlen=20))
    """The latest warnings of Zoom's, the newest last."""

    def count(self, event: str, result: str) -> None:
        self.results[event, result] = self.results.get((event, result), 0) + 1

    def by_result(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for (_, result), number in self.results.items():
            sums[result] = sums.get(result, 0) + number
        return sums
