"""All streams of this daemon: who they are, how they are, and how they ended."""

from __future__ import annotations

import asyncio
import copy
import random
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from rtmsd.config import AppConfig
from rtmsd.errors import JournalError
from rtmsd.frames import AudioFrame, Event, Gap, Item, MediaKind, StreamEnd, StreamInfo
from rtmsd.protocol.actions import Action, Finished
from rtmsd.protocol.codes import StopReason, name_of
from rtmsd.protocol.media import MediaRequest
from rtmsd.protocol.products import product_of
from rtmsd.protocol.signature import handshake_signature
from rtmsd.protocol.stream import StreamMachine
from rtmsd.protocol.windows import RETRY_DELAYS_SECS
from rtmsd.runtime.backoff import backoff
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.tasks import supervise
from rtmsd.state.journal import Journal
from rtmsd.streams.activity import CELL_MS
from rtmsd.streams.driver import Log, StreamDriver
from rtmsd.streams.gathering import TICK_SECS, Gathering
from rtmsd.streams.roster import Explanation, Roster, Stream
from rtmsd.streams.totals import Totals

IN_FLIGHT_SECS = 1.0
"""What comes so long after a server's death may have been under way."""

LOOK_SECS = 0.25

GIVEN_UP_MS = 60_000
"""When nobody comes back for so long, Zoom ends a stream (protocol.md §7.1)."""

CONTACT_SECS = 5.0
"""How exactly the journal knows when a stream was last connected."""

_LEFT = "left_ms"
"""Under this name the journal keeps when the last daemon left its streams; empty while one runs, or after it died."""


class Route(Protocol):
    """Where one stream's items go. `offer` returns at once and never fails, as do all of `audio_offers`, which
    together are `offer` for an audio frame; it may be kept, and changes in place. `batch_secs`: how long everybody there lets frames gather anyway."""

    @property
    def audio_offers(self) -> Sequence[Callable[[Item], None]]: ...

    @property
    def batch_secs(self) -> float: ...

    def offer(self, item: Item) -> None: ...


class Explain(Protocol):
    """Says in a sentence why a stream or a medium is not there."""

    def end(self, finished: Finished, *, app: str) -> Explanation: ...

    def medium(self, kind: MediaKind, status: int | None, cause: str) -> str: ...


class StreamManager:
    """Joins streams and keeps them until they are over. Enter it before the first `join`.

    `ended` is called for each stream that is over, when that is in the journal; `noted` for what its story tells: every
    gap, and every connection that was lost or made.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        tls: ssl.SSLContext,
        allowed_hosts: Sequence[str],
        open_route: Callable[[StreamInfo, AppConfig], Route],
        revoke: Callable[[StreamInfo], None],
        wanted: Callable[[AppConfig], frozenset[MediaKind]],
        explain: Explain,
        clock: Clock,
        chance: random.Random,
        ended: Callable[[StreamInfo, Finished], None] = lambda info, finished: None,
        noted: Callable[[StreamInfo, Gap | Event], None] = lambda info, item: None,
        log: Log | None = None,
    ) -> None:
        self._journal = journal
        self._tls = tls
        self._gathering = Gathering()
        self._allowed_hosts = tuple(allowed_hosts)
        self._open_route = open_route
        self._revoke = revoke
        self._wanted = wanted
        self._explain = explain
        self._clock = clock
        self._chance = chance
        self._told_ended = ended
        self._told_noted = noted
        self._log: Log = log or structlog.get_logger("rtmsd.streams")
        self._roster = Roster()
        self._totals = Totals()
        self._tasks: asyncio.TaskGroup | None = None
        self._crashed = False

    async def run(self, started: asyncio.Event) -> None:
        """Own the tasks of all streams; runs until cancelled, which leaves every stream without ending it."""
        await self._note_beginning()
        async with asyncio.TaskGroup() as self._tasks:
            started.set()
            try:
                while True:
                    await asyncio.sleep(CONTACT_SECS)
                    await self._note_contacts()
            finally:
                await self._note_contacts()
                await self._note_left(str(self._clock.wall_ms()))

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
            request=_request(app, self._wanted(app) & product_of(info).media),
            allowed_hosts=self._allowed_hosts,
            backoff=lambda: backoff(self._chance, RETRY_DELAYS_SECS),
            wall_offset=self._clock.wall() - self._clock.monotonic(),
            resumed_ms=resumed_ms,
            crashed=resumed_ms is not None and self._crashed,
        )
        stream = Stream(info, machine, since_ms=self._clock.wall_ms())
        self._roster.add(stream)
        log = self._log.bind(stream_id=info.stream_id, app=info.app)
        log.info("joining stream", meeting_id=info.meeting_id)
        route = self._open_route(info, app)
        stream.driver = StreamDriver(
            machine,
            tls=self._tls,
            gathering=self._gathering if route.batch_secs >= TICK_SECS else None,
            deliver=self._deliver_to(stream, route, log),
            clock=self._clock,
            log=log,
        )
        self._tasks.create_task(supervise(self._serve(stream, route, log), what="serving a stream"))
        await self._journal_start(stream)

    async def give_up(self, info: StreamInfo, app: AppConfig, *, contact_ms: int, sentence: str) -> None:
        """Close the recording of a stream that ended without us, while no daemon ran since `contact_ms`."""
        route = self._open_route(info, app)
        end_ms = min(contact_ms + GIVEN_UP_MS, self._clock.wall_ms())
        route.offer(Gap("daemon_restart", contact_ms, end_ms))
        route.offer(StreamEnd(None, "LOST", sentence, end_ms))
        await self._journal.stream_ended(info.stream_id, end_ms, None, "LOST", sentence)

    async def continued(self, stream_id: str, *, by: str, server_urls: Sequence[str], app: AppConfig) -> bool:
        """Tell a living stream of ours that Zoom goes on with it as the stream `by`; False when there is none."""
        stream = self._roster.get(stream_id)
        if stream is None:
            return False
        signature = handshake_signature(
            client_id=app.client_id,
            client_secret=app.client_secret.reveal(),
            uuid=stream.info.meeting_uuid,
            stream_id=by,
        )
        told = self._tell(
            stream.zoom_id, lambda machine, now: machine.continued(by, signature, server_urls, now)
        )
        if told:
            self._roster.rename(stream, by)
            stream.info = msgspec.structs.replace(stream.info, zoom_id=by)
            await self._journal_start(stream)
        return told

    async def again(self, stream_id: str, server_urls: Sequence[str]) -> bool:
        """Tell a living stream that its start webhook came again; False when there is none."""
        told = self._tell(stream_id, lambda machine, now: machine.started_again(server_urls, now))
        if told:
            stream = self.announced(stream_id)
            assert stream is not None
            await self._journal_start(stream)
        return told

    def interrupted(self, stream_id: str, server_urls: Sequence[str]) -> bool:
        """Tell a living stream that Zoom says it is interrupted; False when there is none."""
        return self._tell(stream_id, lambda machine, now: machine.interrupted(server_urls, now))

    async def stopped(self, stream_id: str, reason: int | None, at_ms: int) -> bool:
        """Tell a stream that Zoom stopped it; a stream that is over learns the reason. False: nobody's stream."""
        stream = self.announced(stream_id)
        if stream is None or stream.zoom_id != stream_id:
            return False
        if stream.ended:
            if reason is not None:
                await self._refine(stream, reason, at_ms)
        elif stream.machine.outcome is not None:  # its sockets are just being let go of
            stream.machine.stopped(reason, at_ms, self._clock.monotonic())
        else:
            self._tell(stream_id, lambda machine, now: machine.stopped(reason, at_ms, now))
        return True

    def get(self, stream_id: str) -> Stream | None:
        """Return a stream by our own id of it."""
        return self._roster.get(stream_id)

    def announced(self, zoom_id: str) -> Stream | None:
        """Return the stream that Zoom calls so, or called so before it went on under another id."""
        return self._roster.announced(zoom_id)

    def revoke(self, info: StreamInfo) -> None:
        """Let every sink delete what it has of a stream, also of one that was recorded by a daemon before this one."""
        self._revoke(info)

    def silent_twin(self, info: StreamInfo) -> Stream | None:
        """Return the living stream that `info` may continue, if its server is not heard."""
        twin = self._roster.twin(info)
        return twin if twin is not None and twin.machine.silent(self._clock.monotonic()) else None

    async def predecessor(self, info: StreamInfo) -> Stream | None:
        """Return the living stream that a new one continues on another server, under another id (protocol.md §7.6).

        The old server may have died just now: this waits, up to 15 s, until it is heard again or known to be silent. Zoom
        keeps the audio meanwhile. Cancelling is safe.
        """
        since = self._clock.monotonic() + IN_FLIGHT_SECS
        while (twin := self._roster.twin(info)) is not None:
            if twin.machine.silent(self._clock.monotonic()):
                return twin
            if twin.machine.heard > since:
                return None
            await asyncio.sleep(LOOK_SECS)
        return None

    @property
    def streams(self) -> list[Stream]:
        """Living and lately ended streams, the newest last."""
        return self._roster.all()

    @property
    def living(self) -> int:
        return sum(1 for stream in self.streams if not stream.ended)

    def totals(self) -> Totals:
        """Sum up all streams since the start, living, remembered and forgotten."""
        sums = copy.deepcopy(self._totals)
        for stream in self.streams:
            sums.add(stream.machine.counters, stream.activity)
        return sums

    # Inside

    async def _journal_start(self, stream: Stream) -> None:
        """Note where the stream is served from. A journal that cannot be written does not cost the meeting."""
        try:
            await self._journal.stream_started(stream.info, stream.server_urls)
        except JournalError as error:
            self._log.error(
                "a stream could not be journalled: a restart would not resume it",
                stream_id=stream.info.stream_id,
                error=str(error),
            )

    def _tell(self, stream_id: str, change: Callable[[StreamMachine, float], Sequence[Action]]) -> bool:
        stream = self.announced(stream_id)
        if stream is None or stream.zoom_id != stream_id or stream.driver is None or stream.ended:
            return False
        machine = stream.machine
        stream.driver.tell(lambda now: change(machine, now))
        return True

    def _deliver_to(self, stream: Stream, route: Route, log: Log) -> Callable[[Item], None]:
        observe, offer, audio_offers = stream.activity.observe, route.offer, route.audio_offers
        noted_until = stream.activity.noted_until

        def deliver(item: Item) -> None:
            if type(item) is AudioFrame:  # nearly always: keep it short
                if not 0 < noted_until.get(item.user_id, 0) - item.timestamp_ms <= CELL_MS:
                    observe(item)
                for take in audio_offers:
                    take(item)
                return
            observe(item)
            offer(item)
            if type(item) is Event:
                self._note_event(stream, item, log)
            elif type(item) is Gap:
                self._told_noted(stream.info, item)

        return deliver

    async def _serve(self, stream: Stream, route: Route, log: Log) -> None:
        assert stream.driver is not None
        try:
            finished = await stream.driver.run()
            finished = stream.machine.outcome or finished  # Zoom may have said more meanwhile
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
        self._totals.ended(finished.reason, finished.outcome)
        route.offer(StreamEnd(finished.reason, name, sentence, finished.end_ms))
        tell = log.warning if stream.explanation.problem else log.info
        tell("stream ended", reason=finished.reason, name=name, why=sentence)
        try:
            await self._journal.stream_ended(
                stream.info.stream_id, finished.end_ms, finished.reason, name, sentence
            )
        except JournalError as error:
            log.error("the end of a stream could not be journalled", error=str(error))
        if finished.reason == StopReason.STREAM_REVOKED:
            await self._revoke_all(stream)
        self._told_ended(stream.info, finished)
        self._forget_oldest()

    async def _revoke_all(self, stream: Stream) -> None:
        """Delete every recording of what Zoom knows as this stream: one that was given up and joined again has several, of
        this daemon and of those before it."""
        names = self._roster.names(stream)
        recordings = {
            one.info.stream_id: one.info
            for one in self.streams
            if one.info.app == stream.info.app and one.zoom_id in names
        }
        try:
            for row in await self._journal.streams_called(stream.info.app, names):
                recordings.setdefault(row.info.stream_id, row.info)
        except JournalError as error:
            self._log.error(
                "a stream is revoked, and earlier recordings of it could not be looked up: delete them by hand",
                stream_id=stream.info.stream_id,
                error=str(error),
            )
        for info in recordings.values():
            self._revoke(info)

    def _note_event(self, stream: Stream, event: Event, log: Log) -> None:
        if event.name == "media_refused":
            details = event.details
            sentence = self._explain.medium(MediaKind(details["media"]), details["status"], details["cause"])
            stream.notes.append(sentence)
            log.warning("medium refused", media=details["media"], why=sentence)
        elif event.name in (
            "stream_joined",
            "socket_lost",
            "session_paused",
            "session_resumed",
            "media_changed",
        ):
            log.info(event.name.replace("_", " "), **event.details)
            self._told_noted(stream.info, event)

    async def _refine(self, stream: Stream, reason: int, at_ms: int) -> None:
        stream.stopped_late = True
        if (known := stream.machine.outcome) is not None:
            stream.machine.stopped(reason, at_ms, self._clock.monotonic())
            if stream.machine.outcome == known:
                return
        finished = Finished("ended", at_ms, reason=reason)
        if reason == StopReason.STREAM_REVOKED:
            await self._revoke_all(stream)
        stream.explanation = self._explain.end(finished, app=stream.info.app)
        await self._journal.stream_reason(
            stream.info.stream_id, reason, name_of(StopReason, reason), stream.explanation.sentence
        )

    async def _note_contacts(self) -> None:
        connected = [
            stream.info.stream_id for stream in self.streams if not stream.ended and stream.machine.connected
        ]
        try:
            await self._journal.streams_contact(connected, self._clock.wall_ms())
        except JournalError as error:
            self._log.error("the journal cannot be written", error=str(error))

    async def _note_beginning(self) -> None:
        """Find out whether the daemon before this one was stopped, or died with what it had not read."""
        try:
            self._crashed = not await self._journal.kept("", _LEFT)
        except JournalError as error:
            self._crashed = True
            self._log.error("the journal cannot be read", error=str(error))
        await self._note_left("")

    async def _note_left(self, value: str) -> None:
        try:
            await self._journal.keep("", _LEFT, value)
        except JournalError as error:
            self._log.error("the journal cannot be written", error=str(error))

    def _forget_oldest(self) -> None:
        for stream in self._roster.forget_oldest():
            self._totals.add(stream.machine.counters, stream.activity)


def _request(app: AppConfig, kinds: frozenset[MediaKind]) -> MediaRequest:
    wanted = app.media
    return MediaRequest(
        kinds=kinds,
        per_participant=wanted.audio == "per_participant",
        audio_codec=wanted.audio_codec,
        audio_channels=wanted.audio_channels,
        sample_rate=wanted.sample_rate,
        send_rate_ms=wanted.send_rate_ms,
        video=wanted.video,
        video_participant=wanted.video_participant,
        video_codec=wanted.video_codec,
        video_resolution=wanted.video_resolution,
        video_fps=wanted.video_fps,
        share_codec=wanted.share_codec,
        share_resolution=wanted.share_resolution,
        share_fps=wanted.share_fps,
        language=wanted.language,
        detect_language=wanted.detect_language,
    )
