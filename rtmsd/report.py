"""What the daemon says of itself, gathered from its parts for the status page and the metrics."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from rtmsd.delivery.router import Outlet, Router
from rtmsd.frames import MediaKind
from rtmsd.report_starts import event_sockets, meetings, starts
from rtmsd.runtime.clock import Clock
from rtmsd.start.coordinator import Coordinator, Ignored
from rtmsd.start.starter import Starter
from rtmsd.state.rows import StreamRow
from rtmsd.streams.manager import StreamManager
from rtmsd.streams.roster import Stream
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check
from rtmsd.web.status import EventSocketStatus, MeetingStatus, OwnNumber, SinkStatus, StreamStatus, Sums
from rtmsd.web.timeline import Speaker, Timeline
from rtmsd.zoom.events import EventSocket

WATCH_SECS = 1.0

TROUBLE_MS = 60_000
"""So long after its last failure or loss a sink is still in trouble; before, when it has not written since, always."""

_LAGS = 15
_MEDIA = tuple(kind.value for kind in MediaKind)
_BYTES = {"audio": "bytes", "video": "video_bytes", "share": "share_bytes"}
"""The counters of bytes, by medium."""
_NOT_UNDERSTOOD = ("malformed_", "unhandled_")

_STATES = {
    "connecting": "joining",
    "streaming": "live",
    "paused": "paused",
    "reconnecting": "reconnecting",
    "ended": "ended",  # by the machine, and not yet for us
}


class Report:
    """Implements the status page's StatusSource. Reads plain numbers; asks nobody to do anything."""

    def __init__(
        self,
        *,
        apps: Sequence[str],
        streams: StreamManager,
        coordinator: Coordinator,
        starters: Mapping[str, Starter],
        event_sockets: Mapping[str, EventSocket],
        router: Router,
        counters: WebhookCounters,
        clock: Clock,
    ) -> None:
        self._apps = apps
        self._streams = streams
        self._coordinator = coordinator
        self._starters = starters
        self._event_sockets = event_sockets
        self._router = router
        self._counters = counters
        self._clock = clock
        self._accepting = False
        self._before: list[StreamRow] = []
        self._troubles: dict[str, tuple[int, int]] = {}  # by sink: how many, and when there was a new one
        self._lags: deque[float] = deque(maxlen=_LAGS)

    async def watch(self) -> None:
        """Note when sinks have trouble, and how late the event loop is. Runs until cancelled, which is safe."""
        while True:
            due = self._clock.monotonic() + WATCH_SECS
            await asyncio.sleep(WATCH_SECS)
            self._lags.append(max(0.0, self._clock.monotonic() - due))
            self._look_at_sinks()

    def remember(self, rows: Sequence[StreamRow]) -> None:
        """Show these streams, which ended before this process, too."""
        self._before = [row for row in rows if row.ended_ms is not None]

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
        known = {one.stream_id for one in (*joined, *ignored)}
        earlier = [_earlier(row) for row in self._before if row.info.stream_id not in known]
        return sorted([*joined, *ignored, *earlier], key=lambda one: one.started_ms, reverse=True)

    def meetings(self) -> Sequence[MeetingStatus]:
        joined = [stream.info for stream in self._streams.streams]
        ignored = [one.info for one in self._coordinator.ignored]
        return meetings(self._starters.values(), [*joined, *ignored])

    def event_sockets(self) -> Sequence[EventSocketStatus]:
        return event_sockets(self._event_sockets)

    def timeline(self, stream_id: str) -> Timeline | None:
        stream = self._streams.get(stream_id)
        return None if stream is None else self._timeline(stream)

    def sinks(self) -> Sequence[SinkStatus]:
        self._look_at_sinks()
        return [self._sink(outlet) for outlet in self._router.outlets.values()]

    def webhooks(self) -> WebhookCounters:
        return self._counters

    def sums(self) -> Sums:
        totals = self._streams.totals()
        living = [stream.info.app for stream in self._streams.streams if not stream.ended]
        return Sums(
            active={app: living.count(app) for app in self._apps},
            stops=totals.stops,
            reconnects=totals.reconnects,
            frames={kind: totals.counters[kind] for kind in _MEDIA},
            media_bytes={kind: totals.counters[name] for kind, name in _BYTES.items()},
            gaps={cause: (number, totals.gap_ms[cause] / 1000) for cause, number in totals.gaps.items()},
            unknown={
                kind: number for kind, number in totals.counters.items() if kind.startswith(_NOT_UNDERSTOOD)
            },
            loop_lag_secs=max(self._lags, default=0.0),
            starts=starts(self._starters.values()),
        )

    # Streams

    def _stream(self, stream: Stream) -> StreamStatus:
        info, machine, activity = stream.info, stream.machine, stream.activity
        until_ms = stream.ended_ms if stream.ended_ms is not None else self._clock.wall_ms()
        failed = stream.explanation is not None and stream.explanation.problem
        state = "failed" if failed else "ended" if stream.ended else _STATES[machine.state]
        trouble = "" if stream.ended else machine.trouble
        details = {
            name.replace("_", " "): str(number)
            for name, number in sorted(machine.counters.items())
            if name not in (*_MEDIA, *_BYTES.values())
        } | {
            f"unknown in the answer on {socket}: {name}": text
            for socket, fields in machine.handshake_fields.items()
            for name, text in fields.items()
        }
        gaps = activity.gaps.total()
        return StreamStatus(
            stream_id=info.stream_id,
            app=info.app,
            product=info.product,
            meeting_id=info.meeting_id,
            meeting_uuid=info.meeting_uuid,
            state=state,  # type: ignore[arg-type]  # one of _STATES, or the two above
            started_ms=info.started_ms,
            age_secs=max(0.0, (until_ms - info.started_ms) / 1000),
            ended_ms=stream.ended_ms,
            speakers=machine.speakers,
            frames={kind.value: machine.counters[kind.value] for kind in sorted(machine.request.kinds)},
            gaps=gaps,
            gap_secs=activity.gap_ms.total() / 1000,
            sentence=" ".join(_sentences(stream, trouble)),
            problem=failed or bool(trouble or stream.notes or activity.missing_ms[MediaKind.AUDIO]),
            details=details,
        )

    def _timeline(self, stream: Stream) -> Timeline:
        """Draw from when this process knows the stream: what was before a restart is in the recording only."""
        activity, outcome = stream.activity, stream.machine.outcome
        until_ms = outcome.end_ms if outcome is not None else stream.machine.media_ms(self._clock.monotonic())
        speakers = [
            Speaker(user_id, spans.seen(), spans.total_ms) for user_id, spans in activity.speech.items()
        ]
        missing, paused = activity.missing.seen(), activity.pauses.seen()
        if activity.paused_ms is not None:
            paused.append((activity.paused_ms, until_ms))
        begins = [spans[0][0] for spans in (missing, *(one.spans for one in speakers)) if spans]
        return Timeline(
            from_ms=max(stream.info.started_ms, min([stream.since_ms, *begins])),
            until_ms=until_ms,
            over=stream.ended,
            speakers=speakers,
            missing=missing,
            paused=paused,
            away=(activity.away_ms, until_ms) if activity.away_ms is not None else None,
            mixed=0 in activity.speech,
        )

    # Sinks

    def _look_at_sinks(self) -> None:
        for outlet in self._router.outlets.values():
            number = outlet.dropped + outlet.counters.errors
            known, _ = self._troubles.get(outlet.name, (0, 0))
            if number != known:
                self._troubles[outlet.name] = number, self._clock.wall_ms()

    def _sink(self, outlet: Outlet) -> SinkStatus:
        counters, dropped = outlet.counters, outlet.dropped
        _, trouble_ms = self._troubles.get(outlet.name, (0, None))
        sentences = []
        if dropped:
            sentences.append(
                f"{dropped} frames did not reach this sink; the gaps are in its recordings' ledger."
            )
        if counters.waiting:
            sentences.append(
                f"It cannot take more now: {counters.waiting}; {outlet.queued_items} items wait in memory."
            )
        if counters.errors:
            sentences.append(f"It failed {counters.errors} times, last: {counters.last_error}.")
        in_trouble = trouble_ms is not None and (
            (counters.last_success_ms or 0) < trouble_ms or self._clock.wall_ms() - trouble_ms < TROUBLE_MS
        )
        return SinkStatus(
            name=outlet.name,
            type=outlet.type_name,
            queue_items=outlet.queued_items,
            queue_bytes=outlet.queued_bytes,
            written=counters.written,
            drops={"lane_full": dropped - counters.dropped, "not_written": counters.dropped},
            errors=counters.errors,
            writers=len(outlet.lanes),
            last_success_ms=counters.last_success_ms,
            last_trouble_ms=trouble_ms,
            numbers=[OwnNumber(*number) for number in outlet.numbers],
            sentence=" ".join(sentences),
            problem=in_trouble or bool(counters.waiting),
        )


def one_line(streams: StreamManager) -> str:
    """Write how many meetings are joined and how they are: `3 meetings, 11 speakers, 0 gaps`. Numbers only."""
    living = [stream for stream in streams.streams if not stream.ended]
    numbers = {
        "meeting": len(living),
        "speaker": sum(stream.machine.speakers for stream in living),
        "gap": sum(stream.activity.gaps.total() for stream in living),
    }
    return ", ".join(f"{number} {what}{'s' * (number != 1)}" for what, number in numbers.items())


def _sentences(stream: Stream, trouble: str) -> Iterator[str]:
    """Say what there is to say of a stream: why it ended, what does not work, what is missing."""
    if stream.explanation is not None:
        yield stream.explanation.sentence
    if trouble:
        yield f"It is not connected yet, or not again: {trouble}."
    yield from stream.notes
    missing = stream.activity.missing_ms
    if missing:
        parts = ", ".join(f"{kind} {ms / 1000:.1f} s" for kind, ms in sorted(missing.items()))
        causes = ", ".join(sorted(cause.replace("_", " ") for cause in stream.activity.gaps))
        yield f"Missing: {parts} ({causes})."


def _earlier(row: StreamRow) -> StreamStatus:
    info = row.info
    ended_ms = row.ended_ms or row.last_contact_ms
    return StreamStatus(
        stream_id=info.stream_id,
        app=info.app,
        product=info.product,
        meeting_id=info.meeting_id,
        meeting_uuid=info.meeting_uuid,
        state="ended",
        started_ms=info.started_ms,
        age_secs=max(0.0, (ended_ms - info.started_ms) / 1000),
        ended_ms=ended_ms,
        sentence=f"{row.sentence} (Before rtmsd was started.)",
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


def _sink_check(outlet: Outlet) -> Check:
    full = outlet.queued_bytes > 0.8 * outlet.lane_rules.limit_bytes * max(1, len(outlet.lanes))
    if outlet.counters.waiting:
        return Check(f"sink {outlet.name}", False, f"It cannot take more now: {outlet.counters.waiting}.")
    sentence = (
        "Its queues are nearly full: it is slower than the meetings." if full else "It takes what comes."
    )
    return Check(f"sink {outlet.name}", not full, sentence)
