"""What the daemon says of itself, gathered from its parts for the status page."""

from __future__ import annotations

from collections.abc import Sequence

from rtmsd.delivery.router import Outlet, Router
from rtmsd.diagnosis.codes import stop_reason
from rtmsd.runtime.clock import Clock
from rtmsd.streams.manager import Stream, StreamManager
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check
from rtmsd.web.status import SinkStatus, StreamStatus

_STATES = {
    "connecting": "joining",
    "streaming": "live",
    "paused": "paused",
    "reconnecting": "reconnecting",
}


class Report:
    """Implements the status page's StatusSource. Reads plain numbers; asks nobody to do anything."""

    def __init__(
        self, *, streams: StreamManager, router: Router, counters: WebhookCounters, clock: Clock
    ) -> None:
        self._streams = streams
        self._router = router
        self._counters = counters
        self._clock = clock
        self._accepting = False

    def accept(self, accepting: bool) -> None:
        """Note whether the webhook listener accepts."""
        self._accepting = accepting

    def accepting(self) -> bool:
        return self._accepting

    def checks(self) -> Sequence[Check]:
        listener = Check(
            "webhook listener",
            self._accepting,
            "Webhooks are accepted."
            if self._accepting
            else "Webhooks are not accepted: rtmsd starts or stops.",
        )
        return [listener, *(_sink_check(outlet) for outlet in self._router.outlets.values())]

    def streams(self) -> Sequence[StreamStatus]:
        return [self._stream(stream) for stream in reversed(self._streams.streams)]

    def sinks(self) -> Sequence[SinkStatus]:
        return [_sink(outlet) for outlet in self._router.outlets.values()]

    def webhooks(self) -> WebhookCounters:
        return self._counters

    def _stream(self, stream: Stream) -> StreamStatus:
        info, machine = stream.info, stream.machine
        until_ms = stream.ended_ms if stream.ended_ms is not None else self._clock.wall_ms()
        failed = stream.ended and not _as_expected(stream)
        state = "failed" if failed else "ended" if stream.ended else _STATES[machine.state]
        sentences = [sentence for sentence in [stream.sentence, *stream.notes] if sentence]
        details = {
            name.replace("_", " "): str(number)
            for name, number in sorted(machine.counters.items())
            if name not in ("audio", "transcript", "bytes")
        }
        return StreamStatus(
            stream_id=info.stream_id,
            app=info.app,
            product=info.product,
            meeting_id=info.meeting_id,
            meeting_uuid=info.meeting_uuid,
            state=state,  # type: ignore[arg-type]  # one of _STATES, or the two above
            started_ms=info.started_ms,
            age_secs=max(0.0, (until_ms - info.started_ms) / 1000),
            speakers=machine.speakers,
            frames={kind.value: machine.counters[kind.value] for kind in sorted(machine.request.kinds)},
            gaps=stream.gaps,
            gap_secs=stream.gap_ms / 1000,
            sentence=" ".join(sentences),
            problem=failed or bool(stream.notes) or stream.gaps > 0,
            details=details,
        )


def _as_expected(stream: Stream) -> bool:
    outcome = stream.machine.outcome
    if outcome is None or outcome.outcome != "ended":
        return False
    return outcome.reason is None or stop_reason(outcome.reason).expected


def _sink(outlet: Outlet) -> SinkStatus:
    counters, dropped = outlet.counters, outlet.dropped
    sentences = []
    if dropped:
        sentences.append(f"{dropped} frames did not reach this sink; the gaps are in its recordings' ledger.")
    if counters.errors:
        sentences.append(f"It failed {counters.errors} times, last: {counters.last_error}.")
    return SinkStatus(
        name=outlet.name,
        type=outlet.type_name,
        queue_items=outlet.queued_items,
        queue_bytes=outlet.queued_bytes,
        dropped=dropped,
        errors=counters.errors,
        writers=len(outlet.lanes),
        last_success_ms=counters.last_success_ms,
        sentence=" ".join(sentences),
        problem=bool(sentences),
    )


def _sink_check(outlet: Outlet) -> Check:
    full = outlet.queued_bytes > 0.8 * outlet.lane_rules.limit_bytes * max(1, len(outlet.lanes))
    sentence = (
        "Its queues are nearly full: it is slower than the meetings." if full else "It takes what comes."
    )
    return Check(f"sink {outlet.name}", not full, sentence)
