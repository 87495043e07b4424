"""A host's refresh token works once: the next one is not lost, whatever the journal or a stop does at that moment."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from http_bench import serving
from structlog.testing import capture_logs

from rtmsd.config import AppConfig, HostConfig, Secret, ZoomConfig
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal
from rtmsd.zoom import kept_token
from rtmsd.zoom.calls import AppCalls
from rtmsd.zoom.oauth import TokenError

APP = AppConfig(
    name="notes",
    client_id="receiver",
    client_secret=Secret("s"),
    webhook_secrets=(Secret("w"),),
    sinks=("disk",),
    start="manual",
    hosts=(HostConfig(user_id="ann", refresh_token=Secret("refresh-1")),),
)


class Rotating:
    """Zoom's token endpoint for one host: every use makes the next refresh token, and no other works any more."""

    def __init__(self) -> None:
        self.number = 1
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form["refresh_token"] != f"refresh-{self.number}":
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.number += 1
        answer = {
            "access_token": f"a{self.number}",
            "refresh_token": f"refresh-{self.number}",
            "expires_in": 1,
        }
        self.asked.set()
        await self.may_answer.wait()
        return web.json_response(answer)

    async def api(self, request: web.Request) -> web.Response:
        return web.Response(status=204)


@asynccontextmanager
async def rotating() -> AsyncIterator[tuple[Rotating, ZoomConfig, aiohttp.ClientSession]]:
    zoom = Rotating()
    async with (
        serving(token_path="/token", token=zoom.token, api_path="/v2", api=zoom.api) as base,
        aiohttp.ClientSession() as session,
        asyncio.timeout(60),
    ):
        yield zoom, ZoomConfig(oauth_url=f"{base}/token", api_url=f"{base}/v2"), session


class Hours(Clock):
    """An hour passes each time somebody looks, so that every call needs a new token."""

    def __init__(self) -> None:
        self.now = 0.0
        self.monotonic = self._later

    def _later(self) -> float:
        self.now += 3600
        return self.now


def calls(journal: Journal, zoom: ZoomConfig, session: aiohttp.ClientSession) -> AppCalls:
    return AppCalls(APP, zoom=zoom, session=session, journal=journal, clock=Hours(), budgets={})


async def start(own: AppCalls) -> int:
    return (await own.set_app("85746065432", "start", as_user="ann")).status


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Another program holds the journal."""
    other = sqlite3.connect(state_dir / "journal.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_journal_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """While another program holds the journal, calls go on with the newest token; it is written as soon as that is possible,
    and the next daemon has it. No token is logged."""
    async with rotating() as (zoom, config, session):
        async with Journal.open(tmp_path, Clock(), busy_timeout_secs=0.01) as journal:
            own = calls(journal, config, session)
            with capture_logs() as lines, locked(tmp_path):
                assert [await start(own), await start(own)] == [204, 204]
            [said] = [line for line in lines if line["log_level"] == "error"]
            assert "could not be written" in said["event"] and "refresh-" not in str(lines)
            assert zoom.number == 3
            await own.close()
        async with Journal.open(tmp_path, Clock()) as journal:
            own = calls(journal, config, session)
            assert await start(own) == 204
            await own.close()


async def test_it_is_written_again_without_anybodys_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meeting may be the last for weeks: the token does not wait for the next."""
    monkeypatch.setattr(kept_token, "AGAIN_SECS", (0.01,))
    async with rotating() as (_, config, session):
        async with Journal.open(tmp_path, Clock(), busy_timeout_secs=0.01) as journal:
            own = calls(journal, config, session)
            with capture_logs() as lines:
                with locked(tmp_path):
                    assert await start(own) == 204
                while not any("is written" in line["event"] for line in lines):
                    await asyncio.sleep(0.01)
            [kept] = own._kept
            assert await journal.kept("notes", kept._name) == "refresh-2"
            await own.close()


async def test_a_stop_waits_for_an_answer_that_is_under_way(tmp_path: Path) -> None:
    """Zoom has used the old token up: what it answers is kept although nobody wants the access token any more."""
    async with rotating() as (zoom, config, session):
        async with Journal.open(tmp_path, Clock()) as journal:
            own = calls(journal, config, session)
            zoom.may_answer.clear()
            asking = asyncio.create_task(start(own))
            await zoom.asked.wait()
            asking.cancel()
            closing = asyncio.create_task(own.close())
            await asyncio.sleep(0.05)
            zoom.may_answer.set()
            await closing
        async with Journal.open(tmp_path, Clock()) as journal:
            own = calls(journal, config, session)
            assert await start(own) == 204
            await own.close()


async def test_a_token_that_cannot_be_read_can_pass(tmp_path: Path) -> None:
    """A journal that is closed or damaged is a sentence, not a fault of rtmsd's."""
    async with rotating() as (_, config, session):
        async with Journal.open(tmp_path, Clock()) as journal:
            own = calls(journal, config, session)
        with pytest.raises(TokenError, match="refresh token could not be read") as caught:
            await start(own)
        assert caught.value.passing
        await own.close()
