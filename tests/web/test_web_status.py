"""The admin listener: the page, its JSON, health, and who may see it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from rtmsd.config import Listen, Secret, UnixListen
from rtmsd.errors import RtmsdError
from rtmsd.runtime.clock import Clock
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check, ready
from rtmsd.web.server import serving
from rtmsd.web.status import SinkStatus, StreamStatus, admin_app, problems
from rtmsd.web.words import amount, count, duration

NOW_MS = 1_738_392_034_000


class SetClock(Clock):
    def wall(self) -> float:
        return NOW_MS / 1000


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
FAILED = replace(
    LIVE,
    stream_id="failed-stream-id",
    state="failed",
    frames={},
    sentence="Zoom refused <b>this</b> stream.",
    problem=True,
)
DISK = SinkStatus(
    name="disk",
    type="file",
    queue_items=12,
    queue_bytes=38_400,
    dropped=0,
    errors=0,
    writers=2,
    last_success_ms=NOW_MS - 5_000,
)


@dataclass
class Source:
    """What a daemon would tell."""

    is_accepting: bool = True
    all_checks: list[Check] = field(default_factory=lambda: [Check("journal", True, "The journal is open.")])
    all_streams: list[StreamStatus] = field(default_factory=list)
    all_sinks: list[SinkStatus] = field(default_factory=lambda: [DISK])
    counters: WebhookCounters = field(default_factory=WebhookCounters)
    broken: bool = False

    def accepting(self) -> bool:
        return self.is_accepting

    def checks(self) -> Sequence[Check]:
        return self.all_checks

    def streams(self) -> Sequence[StreamStatus]:
        if self.broken:
            raise RuntimeError("a bug with a secret detail")
        return self.all_streams

    def sinks(self) -> Sequence[SinkStatus]:
        return self.all_sinks

    def webhooks(self) -> WebhookCounters:
        return self.counters


@asynccontextmanager
async def admin(source: Source, token: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    app = admin_app(
        source=source, clock=SetClock(), version="9.8.7", token=None if token is None else Secret(token)
    )
    async with (
        serving(app, Listen("127.0.0.1", 0)) as bound,
        aiohttp.ClientSession(f"http://{bound}") as session,
    ):
        yield session


async def page(source: Source) -> str:
    async with admin(source) as session, session.get("/") as response:
        assert response.status == 200
        return await response.text()


async def test_all_is_well() -> None:
    """Without problems the page says so first, and shows streams and sinks with their numbers."""
    text = await page(Source(all_streams=[LIVE]))
    assert "All is well" in text
    assert "1 stream is being recorded" in text
    for shown in (
        LIVE.stream_id,
        "85746065432",
        "12\u2009874",
        "2 (3.4 s)",
        "zoomsjc1.sjc.zoom.us",
        "13 min",
    ):
        assert shown in text
    for shown in ("disk", "37.5 KiB", "5 s ago", "9.8.7"):
        assert shown in text


async def test_an_idle_daemon() -> None:
    """A daemon without streams and webhooks has a page that says what it waits for."""
    assert "waits for Zoom" in await page(Source())


async def test_problems_come_first() -> None:
    """Problems stand above everything, in words, with a link to the stream; text from outside is escaped."""
    counters = WebhookCounters(last_refused_ms=NOW_MS - 60_000, last_refusal="bad_signature")
    counters.count("unknown", "bad_signature")
    text = await page(
        Source(
            all_checks=[Check("journal", False, "The disk is full.")],
            all_streams=[LIVE, FAILED],
            all_sinks=[replace(DISK, problem=True, sentence="It does not answer.")],
            counters=counters,
        )
    )
    assert "4 things to look at" in text
    assert "All is well" not in text
    order = [
        text.index(part)
        for part in ("The disk is full.", "no webhook secret fits", "It does not answer.", "Zoom refused")
    ]
    assert order == sorted(order)
    assert order[-1] < text.index("Open streams")
    assert 'href="#stream-failed-stream-id"' in text
    assert 'id="stream-failed-stream-id"' in text
    assert "<b>this</b>" not in text
    assert "&lt;b&gt;this&lt;/b&gt;" in text


@pytest.mark.parametrize(
    ("counters", "shown"),
    [
        (WebhookCounters(last_refused_ms=NOW_MS - 1000, last_refusal="bad_signature"), True),
        (WebhookCounters(last_refused_ms=NOW_MS - 1000, last_refusal="no_signature"), False),
        (WebhookCounters(last_refused_ms=NOW_MS - 7_200_000, last_refusal="bad_signature"), False),
        (
            WebhookCounters(
                last_taken_ms=NOW_MS - 500, last_refused_ms=NOW_MS - 1000, last_refusal="bad_signature"
            ),
            False,
        ),
    ],
)
def test_when_a_refused_webhook_is_a_problem(counters: WebhookCounters, shown: bool) -> None:
    """A refusal is a problem when it points at our set-up, is recent, and none was taken since."""
    assert bool(problems([], [], [], counters, now_ms=NOW_MS)) is shown


async def test_json() -> None:
    """The same streams come as JSON."""
    async with (
        admin(Source(all_streams=[LIVE, FAILED])) as session,
        session.get("/api/v1/streams") as response,
    ):
        assert response.content_type == "application/json"
        document = msgspec.json.decode(await response.read())
    assert document["now_ms"] == NOW_MS
    assert [one["stream_id"] for one in document["streams"]] == [LIVE.stream_id, FAILED.stream_id]
    assert document["streams"][0]["frames"] == {"audio": 12874, "transcript": 213}
    assert document["streams"][1]["problem"] is True


async def test_health() -> None:
    """healthz follows the webhook listener, readyz every check, with its sentence."""
    source = Source()
    async with admin(source) as session:
        for path, status in (("/healthz", 200), ("/readyz", 200)):
            async with session.get(path) as response:
                assert response.status == status
        source.is_accepting = False
        source.all_checks.append(Check("disk", False, "It is full."))
        async with session.get("/healthz") as response:
            assert response.status == 503
        async with session.get("/readyz") as response:
            assert response.status == 503
            document = msgspec.json.decode(await response.read())
    assert document["ready"] is False
    assert document["checks"][1] == {"name": "disk", "ok": False, "sentence": "It is full."}
    assert not ready([])


async def test_security_headers() -> None:
    """Every answer, errors and files too, forbids scripts from elsewhere, framing and caching."""
    async with admin(Source()) as session:
        for path, status in (("/", 200), ("/nothing", 404), ("/static/style.css", 200), ("/healthz", 200)):
            async with session.get(path) as response:
                assert response.status == status
                assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
                assert response.headers["Cache-Control"] == "no-store"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Server"] == "rtmsd"


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    """The page has no script, no inline style and no address of another host, as its policy demands."""
    text = await page(Source(all_streams=[LIVE, FAILED]))
    for forbidden in ("<script", "<style", "style=", "https://", "http://", "onclick"):
        assert forbidden not in text


async def test_token() -> None:
    """With a token everything but healthz needs it: as a bearer, or as any user's password."""
    async with admin(Source(), token="töken-1") as session:
        for path in ("/", "/readyz", "/api/v1/streams", "/static/style.css", "/nothing"):
            async with session.get(path) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"].startswith("Basic")
        async with session.get("/healthz") as response:
            assert response.status == 200
        good = (
            {"Authorization": "Bearer töken-1"},
            {"Authorization": "Basic " + base64.b64encode("anyone:töken-1".encode()).decode()},
        )
        for headers in good:
            async with session.get("/", headers=headers) as response:
                assert response.status == 200
        bad = ("Bearer wrong", "Bearer", "Basic !!!", "Basic dMO2a2VuLTE=", "Digest töken-1", "töken-1")
        for value in bad:
            async with session.get("/", headers={"Authorization": value}) as response:
                assert response.status == 401, value


async def test_a_bug_is_answered() -> None:
    """A handler that fails is 500 without details; the log has them and the server goes on."""
    source = Source(broken=True)
    with capture_logs() as logs:
        async with admin(source) as session:
            async with session.get("/") as response:
                assert response.status == 500
                assert "secret detail" not in await response.text()
            source.broken = False
            async with session.get("/") as response:
                assert response.status == 200
    assert [line["route"] for line in logs] == ["/"]


async def test_unix_socket(tmp_path: Path) -> None:
    """A listener may be a Unix socket; its file is gone afterwards, and one left by a crash is no obstacle."""
    path = tmp_path / "run" / "admin.sock"
    for _ in range(2):
        app = admin_app(source=Source(), clock=SetClock(), version="1")
        async with serving(app, UnixListen(path)) as bound:
            assert bound == UnixListen(path)
            connector = aiohttp.UnixConnector(str(path))
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get("http://x/") as response,
            ):
                assert response.status == 200
        assert not path.exists()


async def test_an_address_in_use() -> None:
    """An address that cannot be had is named with the reason."""
    app = admin_app(source=Source(), clock=SetClock(), version="1")
    async with serving(app, Listen("127.0.0.1", 0)) as bound:
        assert isinstance(bound, Listen)
        again = admin_app(source=Source(), clock=SetClock(), version="1")
        with pytest.raises(RtmsdError, match=f"cannot listen on {bound}: Address already in use"):
            async with serving(again, bound):
                pass


def test_words() -> None:
    """Durations, sizes and numbers read well."""
    assert [duration(secs) for secs in (-1, 59.9, 60, 4800, 100_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 20 min",
        "1 d 3 h",
    ]
    assert [amount(size) for size in (0, 1023, 1536, 20 * 2**20, 5 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "20.0 MiB",
        "5.0 TiB",
    ]
    assert count(1234567) == "1\u2009234\u2009567"
