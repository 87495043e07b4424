"""Acts on webhooks: joins announced streams, passes on what Zoom says of them, and notes what was done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec
import structlog

from rtmsd.config import AppConfig
from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.protocol.codes import StopReason
from rtmsd.protocol.webhook import BadWebhook, WebhookEvent, parse
from rtmsd.runtime.clock import Clock
from rtmsd.start.meetings import MEETINGS_BACK_MS
from rtmsd.start.policy import JOIN_WINDOW_MS, Failover, Join, KnownStream, decide
from rtmsd.start.rules import Facts, Refusal, judge_second, refused_stream
from rtmsd.start.starter import Starter
from rtmsd.state.journal import Journal
from rtmsd.state.rows import MeetingRow, StreamRow

LOOK_BACK = 200
"""After a start a stream is looked for among so many of those before it: Zoom waits for a minute, not for a day."""

STOPS_KEPT = 200
"""Streams that Zoom stopped before we heard of their start."""

IGNORED_KEPT = 100
"""Announced streams that were not joined and can still be looked at; all are in the journal."""


@dataclass(frozen=True)
class Ignored:
    """An announced stream that was not joined. `problem`: somebody should know."""

    info: StreamInfo
    sentence: str
    problem: bool


class Stream(Protocol):
    """One stream of this daemon, living or lately ended."""

    @property
    def info(self) -> StreamInfo: ...
    @property
    def given_up(self) -> bool: ...
    @property
    def alive(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def server_urls(self) -> tuple[str, ...]: ...
    @property
    def zoom_id(self) -> str: ...


class Streams(Protocol):
    """The streams of this daemon, as far as starting and stopping them goes."""

    @property
    def streams(self) -> Sequence[Stream]: ...

    def announced(self, zoom_id: str) -> Stream | None: ...

    def silent_twin(self, info: StreamInfo) -> Stream | None: ...

    def revoke(self, info: StreamInfo) -> None: ...

    async def predecessor(self, info: StreamInfo) -> Stream | None: ...

    async def join(
        self, info: StreamInfo, server_urls: Sequence[str], app: AppConfig, *, resumed_ms: int | None = None
    ) -> None: ...

    async def give_up(self, info: StreamInfo, app: AppConfig, *, contact_ms: int, sentence: str) -> None: ...

    async def continued(
        self, stream_id: str, *, by: str, server_urls: Sequence[str], app: AppConfig
    ) -> bool: ...

    async def again(self, stream_id: str, server_urls: Sequence[str]) -> bool: ...

    def interrupted(self, stream_id: str, server_urls: Sequence[str]) -> bool: ...

    async def stopped(self, stream_id: str, reason: int | None, at_ms: int) -> bool: ...


class Coordinator:
    """Handles every webhook that the journal has taken, once. JournalError comes out of every method."""

    def __init__(
        self,
        *,
        apps: Mapping[str, AppConfig],
        starters: Mapping[str, Starter],
        streams: Streams,
        journal: Journal,
        clock: Clock,
        explain_notice: Callable[[WebhookEvent], str],
    ) -> None:
        self._apps = apps
        self._starters = starters
        self._explain_notice = explain_notice
        self._streams = streams
        self._journal = journal
        self._clock = clock
        self._past: Sequence[StreamRow] = ()  # streams of daemons before this one, the newest first
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stops: deque[tuple[str, str]] = deque(maxlen=STOPS_KEPT)
        self.ignored: deque[Ignored] = deque(maxlen=IGNORED_KEPT)
        self._log = structlog.get_logger("rtmsd.start")

    async def handle(self, taken_id: int, app_name: str, event: WebhookEvent) -> None:
        """Act on one webhook and note in the journal what was done."""
        app = self._apps.get(app_name)
        if app is None:
            note = f"The app {app_name} is no longer in the configuration; nothing was done."
        elif self._is_foreign(event, app):
            note = "The stream belongs to another app; nothing was done."
        elif event.kind == "started":
            async with self._one_at_a_time(event.stream_id):
                note = await self._started(event, app)
        elif event.kind == "stopped":
            async with self._one_at_a_time(event.stream_id):
                note = await self._stopped(event, app)
        elif event.kind == "lifecycle" and event.life is not None:
            note = await self._starters[app.name].happened(event.life)
        elif event.kind == "notice":
            note = self._explain_notice(event)
            self._starters[app.name].noticed(event.uuid, event.event, note)
        elif event.kind == "interrupted":
            told = self._streams.interrupted(event.stream_id, event.server_urls)
            note = "The stream was told of the interruption." if told else "The stream is not one of ours."
        else:
            note = "rtmsd has no use for this event."
        await self._journal.handled(taken_id, note)

    @asynccontextmanager
    async def _one_at_a_time(self, stream_id: str) -> AsyncIterator[None]:
        """Let what is said of a stream take effect in the order in which it came, though deciding takes time."""
        lock = self._locks.setdefault(stream_id, asyncio.Lock())  # there as long as somebody has it or waits
        async with lock:
            yield

    async def catch_up(self) -> None:
        """After a start: rejoin the streams that were alive, then handle the webhooks that nobody has handled."""
        self._past = await self._journal.recent_streams(LOOK_BACK)
        meetings = await self._journal.meetings(since_ms=self._clock.wall_ms() - MEETINGS_BACK_MS)
        for starter in self._starters.values():
            starter.remember(meetings, self._past)
        await self._rejoin()
        self._past = await self._journal.recent_streams(LOOK_BACK)
        for row in await self._journal.unhandled():
            event = parse(row.body)
            if isinstance(event, BadWebhook):
                await self._journal.handled(row.id, event.sentence)
            else:
                await self.handle(row.id, row.app, event)

    def _is_foreign(self, event: WebhookEvent, app: AppConfig) -> bool:
        """Whether the event speaks of a stream of another app: whoever has one app's secret has no say over others."""
        stream = self._streams.announced(event.stream_id)
        if stream is None or stream.info.app == app.name:
            return False
        self._log.warning(
            "a webhook of one app speaks of a stream of another; nothing was done",
            app=app.name,
            stream_id=event.stream_id,
            stream_of=stream.info.app,
        )
        return True

    async def _started(self, event: WebhookEvent, app: AppConfig) -> str:
        now_ms = self._clock.wall_ms()
        info = _info(event, app, now_ms)
        stream = self._streams.announced(event.stream_id)
        if stream is not None and not stream.ended and stream.zoom_id != event.stream_id:
            return await self._started_under_former_id(stream, info, event.server_urls, app)
        known = self._known(event.stream_id, app)
        if known is None and (app.name, event.stream_id) in self._stops:
            sentence = "Zoom stopped this stream before its start was heard of; there is nothing to record."
            self.ignored.append(Ignored(info, sentence, problem=False))
            return sentence
        starter = self._starters[app.name]
        facts = starter.facts(info.meeting_uuid, _facts(info))
        row = _meeting_row(info, facts)
        refusal, others = (None, []) if known is not None else await self._judge(info, app, facts)
        decision = decide(event, refusal=refusal, now_ms=now_ms, known=known)
        if isinstance(decision, Join | Failover) and stream is not None and not stream.ended:
            told = await self._streams.again(event.stream_id, decision.server_urls)
            return "The stream is connected again." if told else "The stream has just ended."
        if isinstance(decision, Join | Failover):
            for other in others:
                await self._streams.stopped(other.zoom_id, StopReason.RECEIVER_REQUEST_CLOSE, now_ms)
            await self._noted(starter.stream_started(row, event.stream_id))
            return await self._join(info, decision.server_urls, app)
        if known is None:
            self.ignored.append(Ignored(info, decision.sentence, decision.problem))
        log = self._log.warning if decision.problem else self._log.info
        log("stream not joined", stream_id=event.stream_id, app=app.name, why=decision.sentence)
        if decision.rule:
            await self._noted(starter.stream_refused(row, decision.sentence))
            if app.only.refused == "stop":
                return f"{decision.sentence} {await starter.stop(facts)}"
        return decision.sentence

    async def _judge(
        self, info: StreamInfo, app: AppConfig, facts: Facts
    ) -> tuple[Refusal | None, list[Stream]]:
        """Judge a new stream by the app's rules; gives the streams that it takes the place of."""
        starter = self._starters[app.name]
        refusal = refused_stream(app.only, facts)
        if refusal is not None and refusal.unknown:
            facts = await starter.look_up(info.meeting_uuid, facts)
            refusal = refused_stream(app.only, facts)
        if refusal is not None:
            return refusal, []
        others = [
            one
            for one in self._streams.streams
            if not one.ended
            and (one.info.app, one.info.meeting_uuid) == (app.name, info.meeting_uuid)
            # The same user's is the same stream, or its restart.
            and one.info.operator_id != info.operator_id
        ]
        theirs = [starter.facts(info.meeting_uuid, _facts(one.info)) for one in others]
        second = judge_second(app.only, facts, theirs)
        return second.refusal, others if second.instead else []

    async def _started_under_former_id(
        self, stream: Stream, info: StreamInfo, server_urls: Sequence[str], app: AppConfig
    ) -> str:
        if self._streams.silent_twin(info) is stream and server_urls:
            return await self._join(info, server_urls, app)
        return f"The stream goes on as {stream.zoom_id}, and is being recorded. Nothing to do."

    async def _noted(self, noting: Awaitable[None]) -> None:
        """Await what is only written down: a journal that cannot be written must not cost the recording."""
        try:
            await noting
        except JournalError as error:
            self._log.error("the start of a meeting could not be noted", error=str(error))

    async def _join(self, info: StreamInfo, server_urls: Sequence[str], app: AppConfig) -> str:
        """Join a stream that is new, that continues a silent one under another id (§7.6), or that was given up."""
        if (twin := await self._streams.predecessor(info)) is not None:
            ours = twin.info.stream_id
            former = twin.zoom_id
            if await self._streams.continued(ours, by=info.stream_id, server_urls=server_urls, app=app):
                self._starters[app.name].stream_replaced(info.meeting_uuid, former, info.stream_id)
                return f"It goes on with the stream {ours}, which was silent, and is recorded there."
        if not (earlier := self._recordings(info)):
            await self._streams.join(info, server_urls, app)
            return "The stream is joined."
        # What was recorded before is closed: nothing can be added to it.
        again = f"{info.stream_id}-{len(earlier) + 1}"
        await self._streams.join(
            msgspec.structs.replace(info, stream_id=again, zoom_id=info.stream_id), server_urls, app
        )
        return f"The stream is joined again, after it was given up; its new recording is {again}."

    def _recordings(self, info: StreamInfo) -> set[str]:
        """Return our ids of the recordings there are of a stream, by this daemon and those before it."""
        infos = [*(row.info for row in self._past), *(stream.info for stream in self._streams.streams)]
        return {
            one.stream_id
            for one in infos
            if one.app == info.app and info.stream_id in (one.stream_id, one.zoom_id)
        }

    def _known(self, zoom_id: str, app: AppConfig) -> KnownStream | None:
        if (stream := self._streams.announced(zoom_id)) is not None:
            return KnownStream(
                alive=stream.alive,
                ended=stream.ended,
                given_up=stream.given_up,
                server_urls=stream.server_urls,
            )
        past = (row for row in self._past if row.info.app == app.name)
        rows = (row for row in past if zoom_id in (row.info.zoom_id, row.info.stream_id))
        return next((_from_journal(row) for row in rows), None)

    async def _stopped(self, event: WebhookEvent, app: AppConfig) -> str:
        at_ms = event.event_ts or self._clock.wall_ms()
        stream = self._streams.announced(event.stream_id)
        operator_id = stream.info.operator_id if stream is not None else event.operator_id
        self._starters[app.name].stream_stopped(event.uuid, event.stream_id, event.stop_reason, operator_id)
        if await self._streams.stopped(event.stream_id, event.stop_reason, at_ms):
            return "The stream was told that it is stopped."
        if event.stop_reason == StopReason.STREAM_REVOKED:
            if (note := await self._revoked(event.stream_id, stream, app, at_ms)) is not None:
                return note
        elif stream is not None:
            return f"The stream goes on as {stream.zoom_id}; the end of its former id is not its end."
        self._stops.append((app.name, event.stream_id))
        self._log.info("an unknown stream was stopped", stream_id=event.stream_id, reason=event.stop_reason)
        return "The stream is not one of ours."

    async def _revoked(self, zoom_id: str, stream: Stream | None, app: AppConfig, at_ms: int) -> str | None:
        """Zoom takes back what no living stream is called: a former id of `stream`, or one that is only in the journal (§6.6).
        None: nothing of it was ever recorded."""
        if stream is not None:
            await self._streams.stopped(stream.zoom_id, StopReason.STREAM_REVOKED, at_ms)
            return f"The stream, which goes on as {stream.zoom_id}, was told that it is revoked; its recording is deleted."
        past = await self._journal.streams_called(app.name, [zoom_id])
        for row in past:
            self._streams.revoke(row.info)
        return "The stream was recorded before; what is there of it is deleted." if past else None

    async def _rejoin(self) -> None:
        """Go on with streams that were alive when the last daemon stopped, as long as Zoom waits (§7.1)."""
        now_ms = self._clock.wall_ms()
        for row in reversed(await self._journal.streams_alive()):
            app = self._apps.get(row.info.app)
            away_ms = now_ms - row.last_contact_ms
            if app is not None and away_ms <= JOIN_WINDOW_MS:
                self._log.info(
                    "stream resumed after a restart", stream_id=row.info.stream_id, away_ms=away_ms
                )
                meeting = _meeting_row(row.info, _facts(row.info))
                await self._noted(
                    self._starters[app.name].stream_started(meeting, row.info.zoom_id or row.info.stream_id)
                )
                await self._streams.join(row.info, row.server_urls, app, resumed_ms=row.last_contact_ms)
                continue
            sentence = (
                f"rtmsd was not running, or not connected, for {away_ms // 1000} s; Zoom ends a stream after 60 s. "
                "What came before is recorded."
                if app is not None
                else f"The app {row.info.app} is no longer in the configuration."
            )
            self._log.warning("stream given up", stream_id=row.info.stream_id, why=sentence)
            if app is None:
                await self._journal.stream_ended(
                    row.info.stream_id, row.last_contact_ms, None, "LOST", sentence
                )
                continue
            self.ignored.append(Ignored(row.info, sentence, problem=True))
            await self._streams.give_up(row.info, app, contact_ms=row.last_contact_ms, sentence=sentence)


def _from_journal(row: StreamRow) -> KnownStream:
    """A stream of a daemon before this one. When Zoom ended it, its name is that of a reason, or ENDED."""
    return KnownStream(
        alive=False,
        ended=True,
        given_up=row.reason is None and row.name != "ENDED",
        server_urls=row.server_urls,
    )


def _facts(info: StreamInfo) -> Facts:
    """What is known of a stream from its own start."""
    return Facts(
        account_id=info.account_id,
        meeting_id=info.meeting_id,
        operator_id=info.operator_id,
        is_original_host=info.is_original_host,
    )


def _meeting_row(info: StreamInfo, facts: Facts) -> MeetingRow:
    return MeetingRow(
        info.app,
        info.meeting_uuid,
        number=facts.meeting_id,
        host_id=facts.host,
        account_id=facts.account_id,
        topic=facts.topic,
        begun_ms=info.started_ms,
    )


def _info(event: WebhookEvent, app: AppConfig, now_ms: int) -> StreamInfo:
    return StreamInfo(
        app=app.name,
        product=event.product,
        stream_id=event.stream_id,
        meeting_uuid=event.uuid,
        meeting_id=event.meeting_id,
        account_id=event.account_id,
        operator_id=event.operator_id,
        started_ms=event.event_ts or now_ms,
        is_original_host=event.is_original_host,
    )
