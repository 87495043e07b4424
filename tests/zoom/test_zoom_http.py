"""Tokens and calls against a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import cast

import pytest
from aiohttp import web
from event_bench import SPEED, fast
from fast_time import FastClock
from http_bench import FakeClock, meetings, source, zoom
from structlog.testing import capture_logs

from rtmsd.config import AppConfig, ManualConfig, Secret, ZoomConfig
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal
from rtmsd.zoom.calls import AppCalls
from rtmsd.zoom.limits import Budget
from rtmsd.zoom.meetings import ZoomMeetings
from rtmsd.zoom.oauth import TokenError, TokenSource, refresh_grant
from rtmsd.zoom.replies import Verdict, meaning


async def test_all_callers_share_one_token() -> None:
    """A hundred callers at once cost one request, with the account's credentials; it is used until nine tenths of its life."""
    clock = FakeClock()
    async with zoom() as (server, session):
        tokens = source(server, session, clock)
        found = await asyncio.gather(*(tokens.token() for _ in range(100)))
        assert {one.secret.reveal() for one in found} == {"token-1"}
        [asked] = server.token_requests
        assert asked["grant_type"] == "account_credentials" and asked["account_id"] == "AAAAAABBBB"
        assert asked["authorization"] == "Basic " + base64.b64encode(b"controller:sesame").decode()
        assert found[0].scopes == {"a", "b"}
        clock.now += 3599 * 0.89
        assert (await tokens.token()).secret.reveal() == "token-1"
        clock.now += 3599 * 0.02
        assert (await tokens.token()).secret.reveal() == "token-2"


async def test_a_cancelled_caller_does_not_take_the_token_from_the_others() -> None:
    """The request goes on for those who still wait."""
    async with zoom() as (server, session):
        tokens = source(server, session, Clock())
        first, second = asyncio.create_task(tokens.token()), asyncio.create_task(tokens.token())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).secret.reveal() == "token-1"
        assert len(server.token_requests) == 1


@pytest.mark.parametrize(
    ("answer", "words", "passing"),
    [
        (
            (400, '{"reason":"unsupported grant type","error":"unsupported_grant_type"}'),
            "Server-to-Server",
            False,
        ),
        (
            (401, '{"reason":"Invalid client_id or client_secret","error":"invalid_client"}'),
            "copy both again",
            False,
        ),
        ((400, '{"reason":"Bad Request","error":"invalid_request"}'), "account_id", False),
        ((400, '{"error":"invalid_grant"}'), "authorise the app again", False),
        ((500, "<html>oops</html>"), "HTTP 500", True),
        ((429, ""), "HTTP 429", True),
        ((200, "<html>a proxy</html>"), "without a token", False),
        ((200, '{"access_token":7}'), "without a token", False),
        ((302, ""), "refused (HTTP 302)", False),
    ],
)
async def test_no_token_is_explained(answer: tuple[int, str], words: str, passing: bool) -> None:
    """Each way to get no token has a sentence, and says whether it can pass by itself; the next call asks again."""
    status, text = answer
    async with zoom() as (server, session):
        server.token_answers = [web.Response(status=status, text=text, headers={"Location": "/elsewhere"})]
        tokens = source(server, session, Clock())
        with pytest.raises(TokenError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
            await tokens.token()
        assert caught.value.passing is passing
        assert "sesame" not in str(caught.value)
        assert (await tokens.token()).secret.reveal() == "token-2"


async def test_a_dead_token_endpoint_is_explained() -> None:
    """Nobody listens: a sentence, and it can pass."""
    async with zoom() as (server, session):
        tokens = source(server, session, Clock())
        server.base = "http://127.0.0.1:9"
        tokens = source(server, session, Clock())
        with pytest.raises(TokenError, match="could not be reached") as caught:
            await tokens.token()
        assert caught.value.passing


async def test_a_rotated_refresh_token_is_kept_before_the_token_is_used() -> None:
    """It works once: whoever loses it must authorise again (protocol.md §3.2)."""
    kept = ["refresh-1"]

    async def keep(token: str) -> None:
        kept.append(token)

    async def newest() -> str:
        return kept[-1]

    clock = FakeClock()
    async with zoom() as (server, session):
        answer = {"access_token": "a", "expires_in": 3600}
        server.token_answers = [
            web.json_response(answer | {"refresh_token": f"refresh-{number}"}) for number in (2, 3)
        ]
        tokens = TokenSource(
            session=session,
            oauth_url=server.base + "/oauth/token",
            client_id="receiver",
            client_secret=Secret("s"),
            grant=refresh_grant(newest),
            clock=clock,
            keep_refresh_token=keep,
        )
        await tokens.token()
        clock.now += 3600
        await tokens.token()
        assert kept == ["refresh-1", "refresh-2", "refresh-3"]
        assert [one["refresh_token"] for one in server.token_requests] == ["refresh-1", "refresh-2"]


async def test_the_start_call_is_as_documented() -> None:
    """Method, path, body and token of protocol.md §4.1; the region's address when that is wanted."""
    async with zoom() as (server, session):
        api = meetings(server, session, Clock())
        reply = await api.set_app("85746065432", "start", client_id="receiver", participant_user_id="30R7")
        assert meaning(reply).verdict is Verdict.ACCEPTED
        settings = {"client_id": "receiver", "participant_user_id": "30R7"}
        assert server.api_requests == [
            (
                "PATCH",
                "/v2/live_meetings/85746065432/rtms_app/status",
                "Bearer token-1",
                {"action": "start", "settings": settings},
            )
        ]
        await meetings(server, session, Clock(), regional=True).meeting("/ajXp112QmuoKj4854875==")
        assert server.api_requests[1][:2] == (
            "GET",
            "/region/v2/meetings/%252FajXp112QmuoKj4854875%253D%253D",
        )


async def test_a_401_costs_one_new_token_and_one_more_try() -> None:
    """A token that was revoked midway is renewed; a second 401 is the answer."""
    async with zoom() as (server, session):
        server.api_answers = [web.Response(status=401), web.Response(status=204)]
        api = meetings(server, session, Clock())
        assert (await api.set_app("1", "stop", client_id="receiver")).good
        assert [one[2] for one in server.api_requests] == ["Bearer token-1", "Bearer token-2"]
        server.api_answers = [web.Response(status=401), web.Response(status=401)]
        assert (await api.set_app("1", "stop", client_id="receiver")).status == 401
        assert len(server.api_requests) == 4


async def test_a_429_holds_every_call_of_the_account() -> None:
    """Both forms of Retry-After; the calls after it wait as long."""
    clock = FakeClock()
    async with zoom() as (server, session):
        budget = Budget(clock=clock)
        api = ZoomMeetings(
            session=session,
            api_url=server.base + "/v2",
            tokens=source(server, session, clock),
            budget=budget,
            clock=clock,
        )
        server.api_answers = [web.Response(status=429, headers={"Retry-After": "30"}, text='{"code":429}')]
        reply = await api.meeting("85746065432")
        assert (meaning(reply).verdict, reply.retry_after_secs) == (Verdict.LATER, 30.0)
        assert budget.held_secs == pytest.approx(30.0)


@pytest.mark.parametrize("rates", [(0.25, 80.0), (80.0, 0.25)])
def test_calls_are_as_far_apart_as_the_slowest_app_wants(rates: tuple[float, float]) -> None:
    """Two apps of one account share its budget; the smaller number of calls a second counts, and no other."""

    async def scenario() -> None:
        clock = FastClock(SPEED)
        budgets: dict[str, Budget] = {}
        async with zoom() as (server, session):
            config = ZoomConfig(oauth_url=f"{server.base}/oauth/token", api_url=f"{server.base}/v2")
            first, second = (
                AppCalls(
                    controlled(name, per_sec),
                    zoom=config,
                    session=session,
                    journal=cast(Journal, None),
                    clock=clock,
                    budgets=budgets,
                )
                for name, per_sec in zip(("notes", "sales"), rates, strict=True)
            )
            began = clock.monotonic()
            for calls in (first, second, first, second):
                assert (await calls.meeting("85746065432")).good
            await asyncio.gather(first.close(), second.close())
            assert clock.monotonic() - began >= 12.0

    fast(scenario())


def controlled(name: str, per_sec: float) -> AppConfig:
    """An app with the account's controller, which makes so many calls a second."""
    manual = ManualConfig(
        account_id="account", client_id="controller", client_secret=Secret("x"), calls_per_sec=per_sec
    )
    return AppConfig(
        name=name,
        client_id=name,
        client_secret=Secret("s"),
        webhook_secrets=(Secret("w"),),
        sinks=("disk",),
        manual=manual,
    )


async def test_no_secret_is_logged() -> None:
    """What is logged of a call are its status, code and tracking id."""
    answer = web.Response(
        status=400, text=json.dumps({"code": 2310}), headers={"x-zm-trackingid": "v=2.0;track"}
    )
    async with zoom() as (server, session):
        server.api_answers = [answer]
        with capture_logs() as lines:
            await meetings(server, session, Clock()).set_app("1", "start", client_id="receiver")
    assert lines == [
        {
            "event": "start the app",
            "status": 400,
            "code": 2310,
            "tracking_id": "v=2.0;track",
            "log_level": "info",
        }
    ]
