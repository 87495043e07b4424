"""What a daemon would tell, for the tests of the admin listener, and the listener with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp

from rtmsd.config import Listen, Secret
from rtmsd.runtime.clock import Clock
from rtmsd.web.admin import admin_app
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check
from rtmsd.web.server import serving
from rtmsd.web.status import EventSocketStatus, MeetingStatus, SinkStatus, StreamStatus, Sums
from rtmsd.web.timeline import Speaker, Timeline

NOW_MS = 1_738_392_034_000


class SetClock(Clock):
    """Stands still, so that the page is rendered once, until `now` is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return NOW_MS / 1000 + self.now - 1000.0


class RunningClock(Clock):
    """Runs, from NOW_MS on."""

    def __init__(self) -> None:
        self._began = self.monotonic()

    def wall(self) -> float:
        return NOW_MS / 1000 + self.monotonic() - self._began


LIVE = StreamStatus(
    stream_id="609340fb2a7946909659956c8aa9250c",
    app="notes",
    product="meeting",
    meeting_id="85746065432",
    meeting_uuid="4444AAAiAAAAAiAiAiiAii==",
    state="live",
    started_ms=NOW_MS - 780_000,
    age_secs=780,
    speakers=4,
    frames={"audio": 12874, "transcript": 213},
    gaps=2,
    gap_secs=3.4,
    details={"server": "zoomsjc1.sjc.zoom.us"},
)
ENDED = replace(LIVE, stream_id="ended-stream-id", state="ended", ended_ms=NOW_MS - 60_000)
FAILED = replace(
    LIVE,
    stream_id="failed-stream-id",
    state="failed",
    ended_ms=NOW_MS - 90_000,
    frames={},
    sentence="Zoom refused <b>this</b> stream.",
    problem=True,
)
GUEST_FIRST = MeetingStatus(
    app="notes",
    number="81234567890",
    uuid="/ajXp112+muoKj//854875==",
    state="armed",
    sentence="Zoom took the request and no stream came within 15 s. The <i>host</i> is not in the meeting.",
    changed_ms=NOW_MS - 20_000,
    problem=True,
    trouble="Zoom took the request and no stream came within 15 s. The <i>host</i> is not in the meeting.",
    trouble_ms=NOW_MS - 20_000,
)
STREAMS = replace(
    GUEST_FIRST,
    number=LIVE.meeting_id,
    uuid=LIVE.meeting_uuid,
    state="confirmed",
    sentence="The stream has started.",
    streams=(LIVE.stream_id,),
    problem=False,
    trouble="",
    trouble_ms=None,
)
UNREACHED = EventSocketStatus(
    app="notes",
    connected_since_ms=None,
    problem="Zoom's event WebSocket could not be reached: no connection.",
    problem_ms=NOW_MS - 10_000,
)
DISK = SinkStatus(
    name="disk",
    type="file",
    queue_items=12,
    queue_bytes=38_400,
    written=4711,
    drops={"lane_full": 0, "not_written": 0},
    errors=0,
    writers=2,
    last_success_ms=NOW_MS - 5_000,
)
TALK = Timeline(
    from_ms=NOW_MS - 50_000,
    until_ms=NOW_MS,
    over=False,
    speakers=(
        Speaker(16778240, ((NOW_MS - 50_000, NOW_MS - 40_000), (NOW_MS - 6_000, NOW_MS)), 16_000),
        Speaker(16779264, ((NOW_MS - 30_000, NOW_MS - 20_000),), 10_000),
    ),
    missing=((NOW_MS - 15_000, NOW_MS - 12_000),),
    paused=((NOW_MS - 20_000, NOW_MS - 18_000),),
)


@dataclass
class Source:
    """What a daemon would tell."""

    is_accepting: bool = True
    all_checks: list[Check] = field(default_factory=lambda: [Check("journal", True, "The journal is open.")])
    all_streams: list[StreamStatus] = field(default_factory=list)
    all_meetings: list[MeetingStatus] = field(default_factory=list)
    all_event_sockets: list[EventSocketStatus] = field(default_factory=list)
    all_sinks: list[SinkStatus] = field(default_factory=lambda: [DISK])
    all_timelines: dict[str, Timeline] = field(default_factory=dict)
    counters: WebhookCounters = field(default_factory=WebhookCounters)
    all_sums: Sums = field(default_factory=Sums)
    broken: bool = False
    asked: int = 0

    def accepting(self) -> bool:
        return self.is_accepting

    def checks(self) -> Sequence[Check]:
        return self.all_checks

    def streams(self) -> Sequence[StreamStatus]:
        self.asked += 1
        if self.broken:
            raise RuntimeError("a bug with a secret detail")
        return self.all_streams

    def meetings(self) -> Sequence[MeetingStatus]:
        return self.all_meetings

    def event_sockets(self) -> Sequence[EventSocketStatus]:
        return self.all_event_sockets

    def timeline(self, stream_id: str) -> Timeline | None:
        return self.all_timelines.get(stream_id)

    def sinks(self) -> Sequence[SinkStatus]:
        return self.all_sinks

    def webhooks(self) -> WebhookCounters:
        return self.counters

    def sums(self) -> Sums:
        return self.all_sums


@asynccontextmanager
async def admin(
    source: Source, token: str | None = None, clock: Clock | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the admin listener for `source`; give a client of it."""
    app = admin_app(
        source=source,
        clock=clock or SetClock(),
        version="9.8.7",
        token=None if token is None else Secret(token),
    )
    async with (
        serving(app, Listen("127.0.0.1", 0)) as bound,
        aiohttp.ClientSession(f"http://{bound}") as session,
    ):
        yield session


async def page(source: Source) -> str:
    """Return the page as somebody without JavaScript gets it."""
    async with admin(source) as session, session.get("/") as response:
        assert response.status == 200
        return await response.text()
