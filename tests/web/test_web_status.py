"""The admin listener: the page, its JSON, health, and who may see it."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from page_source import DISK, ENDED, FAILED, LIVE, NOW_MS, TALK, SetClock, Source, admin, page
from structlog.testing import capture_logs

from rtmsd.config import Listen, UnixListen
from rtmsd.errors import RtmsdError
from rtmsd.web.admin import admin_app
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.health import Check, ready
from rtmsd.web.server import serving
from rtmsd.web.status import OwnNumber
from rtmsd.web.words import ago, amount, count, duration


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
    """The page has one script, a file of its own, no inline style and no address of another host."""
    text = await page(Source(all_streams=[LIVE, ENDED, FAILED], all_timelines={LIVE.stream_id: TALK}))
    assert text.count("<script") == text.count('<script src="/static/live.js" defer></script>') == 1
    for forbidden in ("<style", "style=", "https://", "http://", "onclick"):
        assert forbidden not in text


async def test_without_a_script_the_page_refreshes_itself() -> None:
    """Only browsers that run no script are told to load the page again."""
    text = await page(Source())
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in text
    assert text.count("http-equiv") == 1


async def test_nobody_is_named() -> None:
    """Speakers are numbered, with their ids as a title; what is drawn is also said in words."""
    text = await page(Source(all_streams=[LIVE], all_timelines={LIVE.stream_id: TALK}))
    assert '<span class="who" title="user 16778240">Speaker 1</span>' in text
    assert "<title>Speaker 2 was heard for 10 s, 1 time, 3 s missing, 2 s paused.</title>" in text
    assert text.count("<svg") == 2


async def test_of_very_many_streams_few_are_drawn() -> None:
    """Every stream stands on the page by its id; the first are drawn, those with a problem before the others."""
    streams = [replace(LIVE, stream_id=f"living-{number}", meeting_id=str(number)) for number in range(200)]
    streams[150] = replace(streams[150], problem=True, sentence="Look here.")
    streams += [replace(ENDED, stream_id=f"over-{number}") for number in range(200)]
    timelines = {stream.stream_id: TALK for stream in streams}
    text = await page(Source(all_streams=streams, all_timelines=timelines))
    for stream in streams:
        assert f'id="stream-{stream.stream_id}"' in text
    assert text.count("<svg") == 2 * (12 + 6)
    assert text.index('id="stream-living-150"') < text.index('id="stream-living-0"')
    assert "188 more" in text and "194 older" in text


async def test_the_numbers_of_a_sink_can_be_read_by_programs() -> None:
    """What a sink lost stands in the page by the sink's name."""
    sink = replace(DISK, name="slow", drops={"lane_full": 40, "not_written": 2}, errors=3)
    assert 'id="sink-slow" data-written="4711" data-dropped="42" data-errors="3"' in await page(
        Source(all_sinks=[sink])
    )


async def test_what_a_sink_counts_is_one_quiet_line() -> None:
    """By its units, with its labels, escaped; a sink that counts nothing has no such line."""
    numbers = [
        OwnNumber("sent_seconds", (("engine", "deepgram"),), 61.4, True),
        OwnNumber("sent_seconds", (("engine", "<i>"),), 3725.0, True),
        OwnNumber("sessions_opened", (), 1234.0, True),
        OwnNumber("load", (), 0.25, False),
        OwnNumber("spool_bytes", (), 1.5 * 2**30, False),
    ]
    text = " ".join((await page(Source(all_sinks=[replace(DISK, numbers=numbers)]))).split())
    assert (
        '<p class="muted">sent 1 min 1 s (deepgram), sent 1 h 2 min (&lt;i&gt;), sessions opened 1 234, '
        "load 0.25, spool 1.5 GiB</p>"
    ) in text
    assert "</dl> </article>" in " ".join((await page(Source())).split())


async def test_token() -> None:
    """With a token everything but healthz needs it: as a bearer, or as any user's password."""
    async with admin(Source(), token="töken-1") as session:
        for path in ("/", "/events", "/metrics", "/readyz", "/api/v1/streams", "/static/live.js", "/nothing"):
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
    assert [duration(secs) for secs in (-1, 59.9, 60, 90, 605, 3600, 4800, 100_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 min 30 s",
        "10 min",
        "1 h",
        "1 h 20 min",
        "1 d 3 h",
    ]
    assert [ago(None, NOW_MS), ago(NOW_MS - 5_000, NOW_MS)] == ["never", "5 s ago"]
    assert [amount(size) for size in (0, 1023, 1536, 20 * 2**20, 5 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "20.0 MiB",
        "5.0 TiB",
    ]
    assert count(1234567) == "1\u2009234\u2009567"
