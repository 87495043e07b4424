"""What the daemon says of itself, gathered from its parts for the status page."""

from __future__ import annotations

from collections.abc import Sequence

from rtmsd.delivery.router import Outlet, Router
from rtmsd.runtime.clock import Clock
from rtmsd.start.coordinator import Coordinator, Ignored
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
        self,
        *,
        streams: StreamManager,
        coordinator: Coordinator,
        router: Router,
        counters: WebhookCounters,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._coordinator = coordinator
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
        joined = [self._stream(stream) for stream in self._streams.streams]
        ignored = [_ignored(one) for one in self._coordinator.ignored]
        return sorted([*joined, *ignored], key=lambda one: one.started_ms, reverse=True)

    def sinks(self) -> Sequence[SinkStatus]:
        return [_sink(outlet) for outlet in self._router.outlets.values()]

    def webhooks(self) -> WebhookCounters:
        return self._counters

    def _stream(self, stream: Stream) -> StreamStatus:
        info, machine = stream.info, stream.machine
        until_ms = stream.ended_ms if stream.ended_ms is not None else self._clock.wall_ms()
        failed = stream.explanation is not None and stream.explanation.problem
        state = "failed" if failed else "ended" if stream.ended else _STATES[machine.state]
        sentences = [stream.explanation.sentence] if stream.explanation is not None else []
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
            sentence=" ".join([*sentences, *stream.notes]),
            problem=failed or bool(stream.notes) or stream.gaps > 0,
            details=details,
        )


def _ignored(ignored: Ignored) -> StreamStatus:
    info = ignored.info
    return StreamStatus(
        stream_id=info.stream_id or "unknown",
        app=info.app,
        product=info.product,
        meeting_id=info.meeting_id,
        meeting_uuid=info.meeting_uuid,
        state="ignored",
        started_ms=info.started_ms,
        age_secs=0.0,
        sentence=ignored.sentence,
        problem=ignored.problem,
    )


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
