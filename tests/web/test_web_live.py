"""The page as it changes: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec
import pytest
from page_source import LIVE, SetClock, Source, admin

from rtmsd.config import Listen
from rtmsd.web import live
from rtmsd.web.admin import admin_app
from rtmsd.web.page import SECTIONS
from rtmsd.web.server import serving


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line.removeprefix(b"data: "))


@pytest.fixture(autouse=True)
def _quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again after 20 ms; the page is rendered anew when the test's clock has moved on by a second."""
    monkeypatch.setattr(live, "RENDER_SECS", 0.02)


async def test_only_what_changed_is_sent() -> None:
    """First every section as the page has it, then those that differ."""
    source, clock = Source(), SetClock()
    async with admin(source, clock=clock) as session, session.get("/events") as response:
        assert response.content_type == "text/event-stream"
        coming = events(response)
        first = await anext(coming)
        assert first["sections"].keys() == set(SECTIONS) and first["title"] == "rtmsd"
        assert (await anext(coming))["sections"] == {}
        source.all_streams = [replace(LIVE, problem=True)]
        clock.now += 1.0
        while not (changed := await anext(coming))["sections"]:
            pass
        assert changed["sections"].keys() == {"at", "verdict", "open", "sinks"}
        assert changed["title"] == "(1) rtmsd"
        assert LIVE.stream_id in changed["sections"]["open"]


async def test_viewers_share_what_is_rendered() -> None:
    """However many look, and by whatever way, the source is asked once a second."""
    source, clock = Source(all_streams=[LIVE]), SetClock()
    async with admin(source, clock=clock) as session:
        responses = [await session.get("/events") for _ in range(5)]
        for response in responses:
            coming = events(response)
            for _ in range(3):
                await anext(coming)
        async with session.get("/") as response:
            await response.read()
        assert source.asked == 1
        clock.now += 1.0
        async with session.get("/") as response:
            await response.read()
        assert source.asked == 2
        for response in responses:
            response.close()


async def test_who_goes_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that is gone makes room for another; one too many is told so."""
    monkeypatch.setattr(live, "MAX_VIEWERS", 1)
    async with admin(Source()) as session:
        before = len(asyncio.all_tasks())
        first = await session.get("/events")
        await anext(events(first))
        async with session.get("/events") as refused:
            assert refused.status == 503
        first.close()
        async with asyncio.timeout(5):
            while True:
                async with session.get("/events") as second:
                    if second.status == 200:
                        await anext(events(second))
                        break
                await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)


async def test_a_viewer_that_takes_nothing_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not read cannot keep its place, nor what waits for it, for ever."""
    monkeypatch.setattr(live, "MAX_VIEWERS", 1)
    monkeypatch.setattr(live, "WRITE_SECS", 0.1)
    source = Source(all_streams=[replace(LIVE, sentence="more than any socket holds " * 400_000)])
    async with admin(source) as session:
        port = session._base_url.port if session._base_url else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await reader.readline()  # and no more
        status = 503  # as it stays while the place is taken
        async with asyncio.timeout(10):
            while status != 200:
                await asyncio.sleep(0.02)
                async with session.get("/events") as other:
                    status = other.status
        writer.close()


async def test_the_listener_stops_while_somebody_looks() -> None:
    """Viewers do not hold up the end: they are let go of at once."""
    app = admin_app(source=Source(), clock=SetClock(), version="1")
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(1.5):  # less than the listener's patience with requests
            async with serving(app, Listen("127.0.0.1", 0)) as bound:
                response = await session.get(f"http://{bound}/events")
                await anext(events(response))
            await response.content.read()  # to its end
