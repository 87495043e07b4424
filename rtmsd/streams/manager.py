"""All streams of this daemon: who they are, how they are, and how they ended."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from rtmsd.config import AppConfig
from rtmsd.errors import JournalError
from rtmsd.frames import Event, Gap, Item, MediaKind, StreamEnd, StreamInfo
from rtmsd.protocol.actions import Finished
from rtmsd.protocol.codes import StopReason, name_of
from rtmsd.protocol.media import MediaRequest
from rtmsd.protocol.stream import StreamMachine
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.tasks import supervise
from rtmsd.state.journal import Journal
from rtmsd.streams.backoff import backoff
from rtmsd.streams.driver import Log, StreamDriver

ENDED_KEPT = 200
"""Ended streams that can still be looked at and learn their reason; older ones are in the journal only."""

CONTACT_SECS = 5.0
"""How exactly the journal knows when a stream was last connected."""


class Route(Protocol):
    """Where one stream's items go. `offer` returns at once and never fails."""

    def offer(self, item: Item) -> None: ...


@dataclass(frozen=True)
class Explanation:
    """Why a stream ended. `problem`: somebody should look at it."""

    sentence: str
    problem: bool


class Explain(Protocol):
    """Says in a sentence why a stream or a medium is not there."""

    def end(self, finished: Finished, *, app: str) -> Explanation: ...

    def medium(self, kind: MediaKind, status: int | None, cause: str) -> str: ...


@dataclass
class Stream:
    """One stream as the status page sees it."""

    info: StreamInfo
    machine: StreamMachine
    since_ms: int
    driver: StreamDriver | None = None
    gaps: int = 0
    gap_ms: int = 0
    explanation: Explanation | None = None
    ended_ms: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.ended_ms is not None

    @property
    def alive(self) -> bool:
        """Whether its sockets are open, or being opened."""
        return not self.ended and self.machine.healthy

    @property
    def server_urls(self) -> tuple[str, ...]:
        return self.machine.server_urls

    def observe(self, item: Item) -> None:
        """Count what the page shows; called for every item, so it looks at the type only."""
        if type(item) is Gap:
            self.gaps += 1
            self.gap_ms += item.to_ms - item.from_ms


class StreamManager:
    """Joins streams and keeps them until they are over. Enter it before the first `join`."""

    def __init__(
        self,
        *,
        journal: Journal,
        tls: ssl.SSLContext,
        allowed_hosts: Sequence[str],
        open_route: Callable[[StreamInfo, AppConfig], Route],
        wanted: Callable[[AppConfig], frozenset[MediaKind]],
        explain: Explain,
        clock: Clock,
        chance: random.Random,
        log: Log | None = None,
    ) -> None:
        self._journal = journal
        self._tls = tls
        self._allowed_hosts = tuple(allowed_hosts)
        self._open_route = open_route
        self._wanted = wanted
        self._explain = explain
        self._clock = clock
        self._chance = chance
        self._log: Log = log or structlog.get_logger("rtmsd.streams")
        self._streams: dict[str, Stream] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, started: asyncio.Event) -> None:
        """Own the tasks of all streams; runs until cancelled, which leaves every stream without ending it."""
        async with asyncio.TaskGroup() as self._tasks:
            started.set()
            try:
                while True:
                    await asyncio.sleep(CONTACT_SECS)
                    await self._note_contacts()
            finally:
                await self._note_contacts()

    # What happens

    async def join(
        self, info: StreamInfo, server_urls: Sequence[str], app: AppConfig, *, resumed_ms: int | None = None
    ) -> None:
        """Begin a stream that is not yet known. `resumed_ms`: since then it was without us, over a restart."""
        assert self._tasks is not None, "the manager is not running"
        machine = StreamMachine(
            info=info,
            server_urls=server_urls,
            client_id=app.client_id,
            client_secret=app.client_secret.reveal(),
            request=_request(app, self._wanted(app)),
            allowed_hosts=self._allowed_hosts,
            backoff=lambda: backoff(self._chance),
            wall_offset=self._clock.wall() - self._clock.monotonic(),
            resumed_ms=resumed_ms,
        )
        stream = Stream(info, machine, since_ms=self._clock.wall_ms())
        self._streams[info.stream_id] = stream
        await self._journal.stream_started(info, tuple(server_urls))
        log = self._log.bind(stream_id=info.stream_id, app=info.app)
        log.info("joining stream", meeting_id=info.meeting_id)
        self._tasks.create_task(supervise(self._serve(stream, app, log), what="serving a stream"))

    def again(self, stream_id: str, server_urls: Sequence[str]) -> None:
        """Tell a living stream that its start webhook came again."""
        self._tell(stream_id, lambda machine, now: machine.started_again(server_urls, now))

    def interrupted(self, stream_id: str, server_urls: Sequence[str]) -> None:
        self._tell(stream_id, lambda machine, now: machine.interrupted(server_urls, now))

    async def stopped(self, stream_id: str, reason: int | None, at_ms: int) -> bool:
        """Tell a stream that Zoom stopped it; a stream that is over learns the reason. False: nobody's stream."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return False
        if not stream.ended:
            self._tell(stream_id, lambda machine, now: machine.stopped(reason, at_ms, now))
        elif reason is not None:
            await self._refine(stream, reason, at_ms)
        return True

    def get(self, stream_id: str) -> Stream | None:
        return self._streams.get(stream_id)

    @property
    def streams(self) -> list[Stream]:
        """Living and lately ended streams, the newest last."""
        return list(self._streams.values())

    @property
    def living(self) -> int:
        return sum(1 for stream in self._streams.values() if not stream.ended)

    # Inside

    def _tell(self, stream_id: str, change: Callable[[StreamMachine, float], Sequence[object]]) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None and stream.driver is not None and stream.ended_ms is None:
            machine = stream.machine
            stream.driver.tell(lambda now: change(machine, now))  # type: ignore[arg-type,return-value]  # Action

    async def _serve(self, stream: Stream, app: AppConfig, log: Log) -> None:
        route = self._open_route(stream.info, app)

        def deliver(item: Item) -> None:
            stream.observe(item)
            if type(item) is Event:
                self._note_event(stream, item, log)
            route.offer(item)

        stream.driver = StreamDriver(
            stream.machine, tls=self._tls, deliver=deliver, clock=self._clock, log=log
        )
        try:
            finished = await stream.driver.run()
        except* Exception as group:  # supervision: one stream's fault stays its own
            log.error("stream broke", error=[type(one).__name__ for one in group.exceptions], exc_info=group)
            finished = Finished("internal_error", self._clock.wall_ms())
        await self._ended(stream, finished, route, log)

    async def _ended(self, stream: Stream, finished: Finished, route: Route, log: Log) -> None:
        stream.explanation = self._explain.end(finished, app=stream.info.app)
        sentence = stream.explanation.sentence
        name = (
            name_of(StopReason, finished.reason) if finished.reason is not None else finished.outcome.upper()
        )
        stream.ended_ms = self._clock.wall_ms()
        stream.driver = None
        route.offer(StreamEnd(finished.reason, name, sentence, finished.end_ms))
        tell = log.warning if stream.explanation.problem else log.info
        tell("stream ended", reason=finished.reason, name=name, why=sentence)
        try:
            await self._journal.stream_ended(
                stream.info.stream_id, finished.end_ms, finished.reason, name, sentence
            )
        except JournalError as error:
            log.error("the end of a stream could not be journalled", error=str(error))
        self._forget_oldest()

    def _note_event(self, stream: Stream, event: Event, log: Log) -> None:
        if event.name == "media_refused":
            details = event.details
            sentence = self._explain.medium(MediaKind(details["media"]), details["status"], details["cause"])
            stream.notes.append(sentence)
            log.warning("medium refused", media=details["media"], why=sentence)
        elif event.name in ("stream_joined", "socket_lost", "session_paused", "session_resumed"):
            log.info(event.name.replace("_", " "), **event.details)

    async def _refine(self, stream: Stream, reason: int, at_ms: int) -> None:
        outcome = stream.machine.outcome
        if outcome is not None and outcome.reason == reason:
            return
        finished = Finished("ended", at_ms, reason=reason)
        stream.explanation = self._explain.end(finished, app=stream.info.app)
        await self._journal.stream_reason(
            stream.info.stream_id, reason, name_of(StopReason, reason), stream.explanation.sentence
        )

    async def _note_contacts(self) -> None:
        alive = [stream.info.stream_id for stream in self.streams if stream.alive]
        try:
            await self._journal.streams_contact(alive, self._clock.wall_ms())
        except JournalError as error:
            self._log.error("the journal cannot be written", error=str(error))

    def _forget_oldest(self) -> None:
        ended = [stream_id for stream_id, stream in self._streams.items() if stream.ended]
        for stream_id in ended[:-ENDED_KEPT]:
            del self._streams[stream_id]


def _request(app: AppConfig, kinds: frozenset[MediaKind]) -> MediaRequest:
    wanted = app.media
    return MediaRequest(
        kinds=kinds,
        per_participant=wanted.audio == "per_participant",
        sample_rate=wanted.sample_rate,
        send_rate_ms=wanted.send_rate_ms,
        language=wanted.language,
        detect_language=wanted.detect_language,
    )
