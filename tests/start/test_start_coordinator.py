"""What the coordinator does about webhooks, with a real journal and a real manager."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from rtmsd.config import AppConfig, Secret
from rtmsd.errors import JournalError
from rtmsd.frames import Item, MediaKind, StreamInfo
from rtmsd.protocol.actions import Action, Finished
from rtmsd.protocol.webhook import WebhookEvent, parse
from rtmsd.runtime.clock import Clock
from rtmsd.start.coordinator import Coordinator
from rtmsd.start.starter import Starter
from rtmsd.state.journal import Journal
from rtmsd.streams.manager import StreamManager
from rtmsd.streams.roster import Explanation
from rtmsd.streams.transport import client_tls
from rtmsd.zoom.replies import Reply


def app(name: str) -> AppConfig:
    return AppConfig(
        name=name,
        client_id=f"id-of-{name}",
        client_secret=Secret("a" * 32),
        webhook_secrets=(Secret("b" * 22),),
        sinks=("disk",),
    )


class Explain:
    def end(self, finished: Finished, *, app: str) -> Explanation:
        return Explanation(f"{finished.outcome} {finished.reason}", problem=False)

    def medium(self, kind: MediaKind, status: int | None, cause: str) -> str:
        return cause


class Nobody:
    """Zoom may not be asked."""

    def may_ask(self, user_id: str) -> bool:
        return False

    async def set_app(self, meeting_id: str, action: Any, *, as_user: str = "", for_user: str = "") -> Reply:
        raise AssertionError("nobody may ask")

    async def meeting(self, number_or_uuid: str, *, host_id: str = "") -> Reply:
        raise AssertionError("nobody may ask")

    async def live_meetings(self, user_id: str) -> Reply:
        raise AssertionError("nobody may ask")


class Route:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.audio_offers = (self.items.append,)
        self.batch_secs = 0.2

    def offer(self, item: Item) -> None:
        self.items.append(item)


class Scene:
    """Two apps, a manager whose streams find nobody at the other end, and a coordinator."""

    def __init__(self, journal: Journal, schedule: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self.clock = Clock()
        self.journal = journal
        self.routes: dict[str, Route] = {}
        self.revoked: list[StreamInfo] = []
        self.streams = StreamManager(
            journal=journal,
            tls=client_tls(None),
            allowed_hosts=["127.0.0.1"],
            open_route=self._route,
            revoke=self.revoked.append,
            wanted=lambda _: frozenset({MediaKind.AUDIO}),
            explain=Explain(),
            clock=self.clock,
            chance=random.Random(1),
        )
        apps = {name: app(name) for name in ("notes", "other")}
        self.coordinator = Coordinator(
            apps=apps,
            starters={
                name: Starter(one, calls=Nobody(), journal=journal, clock=self.clock, schedule=schedule)
                for name, one in apps.items()
            },
            streams=self.streams,
            journal=journal,
            clock=self.clock,
            explain_notice=lambda event: event.event,
        )
        self._ids = itertools.count(1)

    def _route(self, info: StreamInfo, config: AppConfig) -> Route:
        return self.routes.setdefault(info.stream_id, Route())

    async def tell(
        self,
        kind: str,
        *,
        of: str = "notes",
        urls: str = "wss://127.0.0.1:9/a",
        reason: int = 6,
        stream: str = "s1",
        operator: str = "ann",
    ) -> None:
        event_ts = self.clock.wall_ms() + next(self._ids)
        payload = {
            "rtms_stream_id": stream,
            "meeting_uuid": "u1",
            "operator_id": operator,
            "server_urls": urls,
            "stop_reason": reason,
        }
        body = orjson.dumps({"event": f"meeting.rtms_{kind}", "event_ts": event_ts, "payload": payload})
        event = parse(body)
        assert isinstance(event, WebhookEvent)
        taken = await self.journal.take_webhook(
            app=of, event=event.event, event_ts=event_ts, stream_id=stream, body=body, received_ms=event_ts
        )
        await self.coordinator.handle(taken.id, of, event)

    async def notes(self, stream: str = "s1") -> Sequence[str]:
        return [note for _, _, note in await self.journal.notes(stream)]

    async def lose(self, stream_id: str) -> None:
        """Have a stream given up by rtmsd, not by Zoom."""
        stream = self.streams.get(stream_id)
        assert stream is not None and stream.driver is not None

        def give_up(now: float) -> Sequence[Action]:
            stream.machine._finish("lost", now)
            return stream.machine._done(now)

        stream.driver.tell(give_up)
        while not stream.ended:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Journal.open(tmp_path / "state", Clock()) as journal:
        tasks: list[asyncio.Task[None]] = []
        one = Scene(journal, lambda work: tasks.append(asyncio.create_task(work)))
        started = asyncio.Event()
        running = asyncio.create_task(one.streams.run(started))
        await started.wait()
        try:
            async with asyncio.timeout(10):
                yield one
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_one_app_has_no_say_over_anothers_stream(tmp_path: Path) -> None:
    """Whoever has the secret of one app can neither stop, interrupt nor move a stream of another."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        for kind in ("stopped", "interrupted", "started"):
            await one.tell(kind, of="other", urls="wss://127.0.0.1:9/evil")
        stream = one.streams.get("s1")
        assert stream is not None and not stream.ended and stream.server_urls == ("wss://127.0.0.1:9/a",)
        assert (await one.notes())[1:] == ["The stream belongs to another app; nothing was done."] * 3


async def test_a_move_is_journalled(tmp_path: Path) -> None:
    """After a failover a restart would rejoin the new server, not the dead one."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("started", urls="wss://127.0.0.1:9/b")
        [row] = await one.journal.streams_alive()
        assert row.server_urls == ("wss://127.0.0.1:9/b",)


async def test_a_stop_that_overtakes_its_start_is_not_lost(tmp_path: Path) -> None:
    """Both webhooks are handled at the same time: the stream ends with its reason all the same."""
    async with scene(tmp_path) as one:
        await asyncio.gather(one.tell("started"), one.tell("stopped", reason=2))
        if "stopped" not in str(await one.notes()):
            await one.tell("stopped", reason=2)
        while not ((stream := one.streams.get("s1")) and stream.ended):
            await asyncio.sleep(0.01)
        assert stream.explanation is not None and stream.explanation.sentence == "ended 2"


async def test_a_journal_that_fails_does_not_cost_the_meeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the start cannot be journalled (the disk is full, say) the stream is served, and can be stopped."""

    async def full(*_: object) -> None:
        raise JournalError("disk full")

    async with scene(tmp_path) as one:
        monkeypatch.setattr(one.journal, "stream_started", full)
        await one.tell("started")
        stream = one.streams.get("s1")
        assert stream is not None and stream.driver is not None
        await one.tell("stopped")
        while not stream.ended:
            await asyncio.sleep(0.01)


async def test_stops_of_unknown_streams_say_so(tmp_path: Path) -> None:
    """Nothing is claimed that was not done."""
    async with scene(tmp_path) as one:
        await one.tell("stopped")
        await one.tell("interrupted")
        assert await one.notes() == ["The stream is not one of ours."] * 2


async def test_a_new_id_of_a_silent_stream_continues_its_recording(tmp_path: Path) -> None:
    """Same app, meeting and user, and nobody is heard of the old one: one recording, and the journal knows both ids."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("started", stream="s2", urls="wss://127.0.0.1:9/b")
        [stream] = one.streams.streams
        assert (stream.info.stream_id, stream.zoom_id) == ("s1", "s2")
        [row] = await one.journal.streams_alive()
        assert (row.info.stream_id, row.info.zoom_id) == ("s1", "s2")
        assert row.server_urls == ("wss://127.0.0.1:9/b",) and list(one.routes) == ["s1"]
        assert "goes on with the stream s1" in (await one.notes("s2"))[0]


async def test_the_end_of_a_former_id_is_not_the_streams_end(tmp_path: Path) -> None:
    """Webhooks count under the id by which Zoom goes on; those of the old one are only noted."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("started", stream="s2", urls="wss://127.0.0.1:9/b")
        await one.tell("stopped", reason=12)
        [stream] = one.streams.streams
        assert not stream.ended and "goes on as s2" in (await one.notes())[-1]
        await one.tell("interrupted", urls="wss://127.0.0.1:9/old")
        await one.tell("started", urls="wss://127.0.0.1:9/b", operator="bob")
        assert stream.server_urls == ("wss://127.0.0.1:9/b",) and stream.zoom_id == "s2"
        await one.tell("stopped", stream="s2", reason=6)
        while not stream.ended:
            await asyncio.sleep(0.01)
        assert stream.explanation is not None and stream.explanation.sentence == "ended 6"


@pytest.mark.parametrize("operator", ["bob", ""])
async def test_another_users_stream_is_another_stream(tmp_path: Path, operator: str) -> None:
    """Two users of an app in one meeting have a stream each, whatever became of the first; so has nobody in particular."""
    async with scene(tmp_path) as one:
        await one.tell("started", operator=operator and "ann")
        await one.tell("started", stream="s2", operator=operator)
        assert [stream.info.stream_id for stream in one.streams.streams] == ["s1", "s2"]


async def test_a_stream_that_was_given_up_is_joined_again(tmp_path: Path) -> None:
    """Its recording is closed: what Zoom sends now goes into another, and Zoom's id leads to the newest."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.lose("s1")
        await one.tell("started")
        assert list(one.routes) == ["s1", "s1-2"]
        stream = one.streams.announced("s1")
        assert stream is not None and (stream.info.stream_id, stream.zoom_id) == ("s1-2", "s1")
        await one.lose("s1-2")
        await one.tell("started")
        assert list(one.routes) == ["s1", "s1-2", "s1-3"]
        await one.lose("s1-3")
        await one.tell("stopped")  # late, and yet Zoom's word
        await one.tell("started")
        assert list(one.routes) == ["s1", "s1-2", "s1-3"]


async def test_after_a_restart_both_ids_are_known(tmp_path: Path) -> None:
    """The stream is resumed under the id by which Zoom knows it, into its recording; one that was given up gets another."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("started", stream="s2", urls="wss://127.0.0.1:9/b")
        await one.tell("started", stream="s3", operator="bob")
        await one.lose("s3")
    async with scene(tmp_path) as one:
        await one.coordinator.catch_up()
        [stream] = one.streams.streams
        assert (stream.info.stream_id, stream.zoom_id) == ("s1", "s2")
        assert one.streams.announced("s2") is stream
        await one.tell("started", stream="s3", operator="bob")
        assert list(one.routes) == ["s1", "s3-2"]


async def test_a_stream_that_zoom_ended_is_not_joined_again(tmp_path: Path) -> None:
    """Not by this daemon, and not by the next."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("stopped")
        while not ((stream := one.streams.get("s1")) and stream.ended):
            await asyncio.sleep(0.01)
        await one.tell("started")
        assert list(one.routes) == ["s1"]
    async with scene(tmp_path) as one:
        await one.coordinator.catch_up()
        await one.tell("started")
        assert not one.routes


async def test_what_is_revoked_is_deleted_also_when_another_daemon_recorded_it(tmp_path: Path) -> None:
    """Stop reason 8 may come long after the end, and after a restart: every recording of the stream is deleted."""
    async with Journal.open(tmp_path / "state", Clock()) as journal:
        past = StreamInfo(app="notes", product="meeting", stream_id="past", meeting_uuid="u==", started_ms=1)
        again = msgspec.structs.replace(past, stream_id="past-2", zoom_id="past")
        foreign = msgspec.structs.replace(past, app="other", stream_id="foreign")
        for info in (past, again, foreign):
            await journal.stream_started(info, ["wss://127.0.0.1:9/"])
            await journal.stream_ended(info.stream_id, 2, 6, "MEETING_ENDED", "")
        scene = Scene(journal, lambda work: work.close())
        await scene.coordinator.catch_up()
        await scene.tell("stopped", stream="past", reason=8)
        await scene.tell("stopped", stream="foreign", reason=8)
        assert {info.stream_id for info in scene.revoked} == {"past", "past-2"}
