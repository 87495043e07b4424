"""Answers that no server should give: from the token endpoint, and from the API when it has had enough."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from event_bench import SPEED, fast
from fast_time import FastClock
from http_bench import FakeClock, meetings, source, zoom
from structlog.testing import capture_logs

from rtmsd.runtime.clock import Clock
from rtmsd.zoom.limits import PATIENCE_SECS, Budget
from rtmsd.zoom.meetings import ZoomMeetings
from rtmsd.zoom.oauth import USUAL_LIFE_SECS, TokenError, TokenSource, life_secs
from rtmsd.zoom.replies import meaning


class RawZoom:
    """A token endpoint that writes bytes of its own, piece by piece, the last one for ever if told so, and hangs up then."""

    def __init__(self, pieces: list[bytes], *, endless: bool = False, hold_secs: float = 0.0) -> None:
        self.base = ""
        self.answering: list[asyncio.Task[None]] = []
        self._pieces = pieces
        self._endless = endless
        self._hold_secs = hold_secs

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering.append(asyncio.current_task())
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in self._pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            await asyncio.sleep(self._hold_secs)
            while self._endless:
                writer.write(self._pieces[-1])
                await writer.drain()


@asynccontextmanager
async def asked(raw: RawZoom, clock: Clock | None = None) -> AsyncIterator[TokenSource]:
    server = await asyncio.start_server(raw.answer, "127.0.0.1", 0)
    raw.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session, asyncio.timeout(200):
        yield source(raw, session, clock or Clock())
        await asyncio.gather(*raw.answering)


def http(body: bytes, *, head: str = "HTTP/1.1 200 OK", length: int | None = None, more: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"{head}\r\nContent-Length: {size}\r\n{more}\r\n".encode() + body


TOKEN = json.dumps({"access_token": "token-1", "expires_in": 3599, "scope": "a b"}).encode()


@pytest.mark.parametrize(
    ("pieces", "words", "passing"),
    [
        ([], "could not be reached: no connection (ServerDisconnectedError).", True),
        ([b"HTTP/1.1 200 OK\r\nContent-"], "could not be reached: no connection", True),
        ([b"\x16\x03\x01\x00\x05 not HTTP\r\n\r\n"], "could not be reached: no connection", True),
        ([http(TOKEN, length=5000)], "could not be reached: no connection (ClientPayloadError).", True),
        ([http(TOKEN, more="Content-Encoding: gzip\r\n")], "could not be reached: no connection", True),
        ([http(b"<html>sign in</html>")], "answered without a token: is `zoom.oauth_url` right?", False),
        ([http(b"")], "answered without a token: is `zoom.oauth_url` right?", False),
        ([http(b"[" * 60_000)], "answered without a token: is `zoom.oauth_url` right?", False),
        ([http(b'{"access_token":"to ken"}')], "answered without a token", False),
        ([http(b'{"access_token":"to\\r\\nken: x"}')], "answered without a token", False),
        ([http(b"<html>", head="HTTP/1.1 502 Bad Gateway")], "has a fault of its own (HTTP 502).", True),
        ([http(b"", head="HTTP/1.1 429 Slow Down")], "takes no more requests for now (HTTP 429)", True),
        ([http(b"", head="HTTP/1.1 301 Moved", more="Location: /\r\n")], "refused (HTTP 301)", False),
    ],
)
async def test_no_token_has_its_sentence(pieces: list[bytes], words: str, passing: bool) -> None:
    """Nothing, half an answer, another protocol's, a proxy's page, a token that is none: cause and remedy, no traceback."""
    async with asked(RawZoom(pieces)) as tokens:
        with pytest.raises(TokenError) as caught:
            await tokens.token()
    assert words in str(caught.value) and str(caught.value).startswith("Zoom's token endpoint")
    assert caught.value.passing is passing


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    """The first 64 KiB are enough to know that it is no token."""
    async with asked(RawZoom([http(b"", length=1 << 40), b" " * 65_536], endless=True)) as tokens:
        with pytest.raises(TokenError, match="answered without a token"):
            await tokens.token()


async def test_an_answer_in_pieces_is_read_whole() -> None:
    """TCP may cut an answer anywhere."""
    answer = http(TOKEN)
    async with asked(RawZoom([answer[at : at + 30] for at in range(0, len(answer), 30)])) as tokens:
        found = await tokens.token()
    assert found.secret.reveal() == "token-1" and found.scopes == {"a", "b"}


def test_a_token_endpoint_that_does_not_answer_is_explained() -> None:
    """Ten seconds are enough."""

    async def scenario() -> None:
        half = RawZoom([http(TOKEN)[:-1]], hold_secs=30)
        async with asked(half, FastClock(SPEED)) as tokens:
            with pytest.raises(TokenError, match="could not be reached: no answer within 10 s") as caught:
                await tokens.token()
            assert caught.value.passing

    fast(scenario())


@pytest.mark.parametrize(
    ("expires_in", "secs"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (60.5, 60.5),
        (10**400, USUAL_LIFE_SECS),
        (1e300, USUAL_LIFE_SECS),
        *[(bad, USUAL_LIFE_SECS) for bad in (None, "", "soon", "-5", "9" * 400, 0, -1, True, [], {})],
    ],
)
def test_a_life_that_cannot_be_read_is_the_usual_one(expires_in: object, secs: float) -> None:
    """Text is a number, too; too long a life is not believed."""
    assert life_secs(expires_in) == secs


async def test_a_token_without_a_life_or_scopes_is_a_token() -> None:
    """It is renewed after the usual time; what it lacks is said when it is used, and a new one is fetched then."""
    clock = FakeClock()
    async with zoom() as (server, session):
        server.token_answers = [web.json_response({"access_token": "bare"})]
        server.api_answers = [
            web.json_response({"code": 4711, "message": "Invalid access token"}, status=400)
        ]
        tokens = source(server, session, clock)
        api = ZoomMeetings(
            session=session,
            api_url=server.base + "/v2",
            tokens=tokens,
            budget=Budget(clock=clock, per_sec=1000),
            clock=clock,
        )
        token = await tokens.token()
        assert (token.secret.reveal(), token.scopes, token.api_url) == ("bare", frozenset(), "")
        assert token.renew_at == clock.now + 0.9 * USUAL_LIFE_SECS
        reply = await api.set_app("1", "start", client_id="receiver")
        assert "Add `meeting:update:participant_rtms_app_status:admin`" in meaning(reply).sentence
        assert len(server.api_requests) == 1
        assert (await tokens.token()).secret.reveal() == "token-2"


@pytest.mark.parametrize(
    "region",
    [
        "nowhere",
        "http://[",
        "http://127.0.0.1:99999999",
        "http://localhost:{port}/elsewhere",
        "https://example.com",
        "https://zoom.us.example.com",
        "http://api-eu.zoom.us",
        "ftp://127.0.0.1:{port}/elsewhere",
        "http://ann@127.0.0.1:{port}/elsewhere",
    ],
)
async def test_a_token_goes_to_no_region_but_zooms(region: str) -> None:
    """A region comes from the token endpoint: without TLS, or with a host that is not allowed, the configured API is asked,
    and the log says so once."""
    async with zoom() as (server, session):
        region = region.format(port=server.base.rpartition(":")[2])
        server.token_answers = [web.json_response({"access_token": "a", "api_url": region})]
        api = meetings(server, session, Clock(), regional=True)
        with capture_logs() as lines:
            assert (await api.meeting("85746065432")).good and (await api.meeting("85746065432")).good
        assert [one[1] for one in server.api_requests] == ["/v2/meetings/85746065432"] * 2
        [said] = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert "`zoom.api_url` is asked instead" in said and "ws" not in said.split("`")[0]


async def test_a_region_that_is_allowed_by_name_is_asked() -> None:
    """A host of `zoom.allowed_hosts` may have the token."""
    async with zoom() as (server, session):
        port = server.base.rpartition(":")[2]
        region = f"http://localhost:{port}/region"
        server.token_answers = [web.json_response({"access_token": "a", "api_url": region})]
        api = meetings(server, session, Clock(), regional=True, allowed_hosts=("localhost",))
        assert (await api.meeting("85746065432")).good
        assert server.api_requests[0][1] == "/region/v2/meetings/85746065432"


Style = Callable[[Clock], dict[str, str]]


def _retry_after_secs(clock: Clock) -> dict[str, str]:
    return {"Retry-After": "60"}


def _retry_after_date(clock: Clock) -> dict[str, str]:
    date = datetime.fromtimestamp(int(clock.wall()) + 61, UTC)
    return {"Retry-After": date.isoformat().replace("+00:00", "Z"), "X-RateLimit-Type": "Daily-limit"}


def _rate_limit_reset(clock: Clock) -> dict[str, str]:
    return {"X-RateLimit-Reset": str(int(clock.wall()) + 61), "X-RateLimit-Type": "QPS"}


@pytest.mark.parametrize("style", [_retry_after_secs, _retry_after_date, _rate_limit_reset])
def test_a_minute_of_429_costs_one_call(style: Style) -> None:
    """However Zoom says how long: until then nothing is sent and everybody is told at once how long it will be; then all
    calls succeed."""

    async def scenario() -> None:
        clock = FastClock(SPEED)
        async with zoom() as (server, session):
            server.busy = Busy(clock, style).headers
            tokens = source(server, session, clock)
            budget = Budget(clock=clock)
            api = ZoomMeetings(
                session=session, api_url=server.base, tokens=tokens, budget=budget, clock=clock
            )
            reply = await api.set_app("1", "start", client_id="receiver")
            assert meaning(reply).sentence == (
                "The account has used up its calls to Zoom's API for now (429); all its apps share them. "
                "It is asked again when Zoom says."
            )
            replies = await asyncio.gather(*(api.meeting(str(number)) for number in range(4)))
            assert all(meaning(one) == meaning(reply) and one.message for one in replies)
            assert len(server.api_requests) == 1
            wait_secs = max(one.retry_after_secs or 0.0 for one in replies)
            assert 50 < wait_secs <= 62
            await asyncio.sleep(
                wait_secs - PATIENCE_SECS / 2
            )  # what is left is waited for by the calls themselves
            replies = await asyncio.gather(*(api.meeting(str(number)) for number in range(4)))
            assert [one.status for one in replies] == [204] * 4
            assert len(server.api_requests) == 5

    fast(scenario())


class Busy:
    """A minute, from the first call on, in which the API answers 429 and nothing else."""

    def __init__(self, clock: Clock, style: Style) -> None:
        self._clock = clock
        self._style = style
        self._until = float("inf")

    def headers(self) -> dict[str, str] | None:
        now = self._clock.monotonic()
        self._until = min(self._until, now + 58)
        return self._style(self._clock) if now < self._until else None
