"""The simulated token endpoint over real HTTP (protocol.md §3)."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest
from small_world import APP, CONTROLLER, HOST, SmallWorld, Visitor, small_cloud

from rtmsd.simulator.cloud import oauth
from rtmsd.simulator.cloud.oauth import BadToken
from rtmsd.simulator.cloud.world import HostGrant

ACCOUNT_FORM = {"grant_type": "account_credentials", "account_id": "SimulatedAccount"}
GRANT = HostGrant(user_id=HOST, client_id="receiver", refresh_token="first")


def refresh_form(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


async def ask_as_app(visitor: Visitor, form: dict[str, str]) -> aiohttp.ClientResponse:
    return await visitor.ask_token(form, client_id="receiver", client_secret="receiver-secret")


async def status_with(visitor: Visitor, token: str) -> int:
    """What a call with this token comes to."""
    return (await visitor.control(token, participant_user_id=HOST)).status


async def test_an_account_gets_a_token_from_the_form_or_the_query() -> None:
    """The answer is as §3.1 shows it, and its region leads back to this server."""
    async with small_cloud() as visitor:
        response = await visitor.ask_token(ACCOUNT_FORM)
        answer = await response.json()
        assert response.status == 200 and response.headers["x-zm-trackingid"]
        assert {**answer, "access_token": ""} == {
            "access_token": "",
            "token_type": "bearer",
            "expires_in": 3599,
            "scope": " ".join(CONTROLLER.scopes),
            "api_url": visitor.base,
        }
        basic = aiohttp.encode_basic_auth("controller", "controller-secret")
        query = "?grant_type=account_credentials&account_id=SimulatedAccount"
        by_query = await visitor.call("POST", "/oauth/token" + query, headers={"Authorization": basic})
        second = (await by_query.json())["access_token"]
        assert second != answer["access_token"]
        for token in (answer["access_token"], second):  # several are good at once
            assert (await visitor.get(token, "/v2/meetings/85746065432")).status == 200


WRONG = {
    "secret": (ACCOUNT_FORM, "controller", "wrong", 401, "invalid_client"),
    "client id": (ACCOUNT_FORM, "nobody", "controller-secret", 401, "invalid_client"),
    "account": ({**ACCOUNT_FORM, "account_id": "x"}, "controller", "controller-secret", 400, "invalid_request"),
    "no account": ({"grant_type": "account_credentials"}, "controller", "controller-secret", 400, "invalid_request"),
    "no grant": ({}, "controller", "controller-secret", 400, "unsupported_grant_type"),
    "an RTMS app": (ACCOUNT_FORM, "receiver", "receiver-secret", 400, "unsupported_grant_type"),
    "refresh by a controller": (refresh_form("first"), "controller", "controller-secret", 401, "invalid_client"),
    "refresh with nothing": (refresh_form(""), "receiver", "receiver-secret", 400, "invalid_grant"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_request_gets_an_oauth_error(name: str) -> None:
    """With `reason` and `error`, not the body of the REST API."""
    form, client_id, client_secret, status, error = WRONG[name]
    async with small_cloud(SmallWorld(grants=[GRANT])) as visitor:
        response = await visitor.ask_token(form, client_id=client_id, client_secret=client_secret)
        answer = await response.json()
        assert (response.status, answer["error"]) == (status, error)
        assert set(answer) == {"reason", "error"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic Y29udHJvbGxlcg==",
        "Bearer Y29udHJvbGxlcjpjb250cm9sbGVyLXNlY3JldA==",
        "Basic /w==",
    ],
)
async def test_unreadable_credentials_are_refused(header: str) -> None:
    """No header, no base64, no colon, no UTF-8, another scheme: all are an unknown client."""
    async with small_cloud() as visitor:
        response = await visitor.call(
            "POST", "/oauth/token", data=ACCOUNT_FORM, headers={"Authorization": header}
        )
        assert response.status == 401 and (await response.json())["error"] == "invalid_client"


async def test_a_refresh_token_works_once() -> None:
    """Each answer holds the next one; what was spent, and another app's, is refused."""
    other = replace(APP, name="other", client_id="other", client_secret="other-secret")
    async with small_cloud(SmallWorld(apps=[APP, other], grants=[GRANT])) as visitor:
        foreign = await visitor.ask_token(
            refresh_form("first"), client_id="other", client_secret="other-secret"
        )
        assert foreign.status == 400
        refresh_token, seen = "first", {"first"}
        for _ in range(3):
            answer = await (await ask_as_app(visitor, refresh_form(refresh_token))).json()
            assert answer["scope"] == " ".join(GRANT.scopes)
            assert (await ask_as_app(visitor, refresh_form(refresh_token))).status == 400
            refresh_token = answer["refresh_token"]
            assert refresh_token not in seen
            seen.add(refresh_token)
        # it is the host's: nobody needs to be there
        visitor.world.all_meetings[0].attendees.clear()
        assert (await visitor.control(answer["access_token"])).status == 204
        assert any(HOST in sentence for sentence in visitor.told)
        assert visitor.world.all_meetings[0].done == [("start", HOST)]


async def test_a_token_ends_by_the_clock() -> None:
    """It is good for as long as its controller's tokens are, and not a second longer."""
    world = SmallWorld(controllers=[replace(CONTROLLER, token_secs=60)])
    async with small_cloud(world) as visitor:
        token, began = await visitor.token(), visitor.clock.now
        visitor.clock.now += 59.9
        assert (await visitor.get(token, "/v2/meetings/85746065432")).status == 200
        visitor.clock.now = began + 60
        response = await visitor.get(token, "/v2/meetings/85746065432")
        assert response.status == 401 and (await response.json())["code"] == 124


async def test_only_so_many_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ends first."""
    monkeypatch.setattr(oauth, "_MOST_TOKENS", 2)
    async with small_cloud() as visitor:
        tokens = [await visitor.token() for _ in range(3)]
        statuses = [(await visitor.get(token, "/v2/meetings/85746065432")).status for token in tokens]
        assert statuses == [401, 200, 200]


async def test_tokens_can_be_revoked() -> None:
    """The next one is good; the users' authorisations end only when that is meant."""
    async with small_cloud(SmallWorld(grants=[GRANT])) as visitor:
        token = await visitor.token()
        visitor.face.revoke_tokens()
        assert await status_with(visitor, token) == 401
        assert await status_with(visitor, await visitor.token()) == 204
        answer = await (await ask_as_app(visitor, refresh_form("first"))).json()
        visitor.face.revoke_tokens(refresh_tokens=True)
        for spent in ("first", answer["refresh_token"]):
            assert (await ask_as_app(visitor, refresh_form(spent))).status == 400


BAD: dict[BadToken, tuple[int, str]] = {
    "html": (200, "<html>"),
    "500": (500, "Internal"),
    "json": (200, '{"access_token"'),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_answers_last_as_long_as_asked(kind: BadToken) -> None:
    """Twice bad, then good again."""
    async with small_cloud() as visitor:
        visitor.face.break_tokens(kind, 2)
        for _ in range(2):
            response = await visitor.ask_token(ACCOUNT_FORM)
            assert response.status == BAD[kind][0] and BAD[kind][1] in await response.text()
        assert await visitor.token()
        visitor.face.break_tokens(kind, 1000)
        visitor.face.break_tokens(kind, 0)
        assert await visitor.token()


async def test_a_cut_connection_is_noted_without_a_status() -> None:
    """The client gets nothing at all."""
    async with small_cloud() as visitor:
        visitor.face.break_tokens("nothing")
        with pytest.raises(aiohttp.ClientError):
            await visitor.ask_token(ACCOUNT_FORM)
        assert await visitor.token()
        assert [one.status for one in visitor.face.requests] == [0, 200]


async def test_a_token_without_scopes_opens_nothing() -> None:
    """The answer has no `scope`, and every call says which one it lacks."""
    async with small_cloud() as visitor:
        visitor.face.break_tokens("no_scope")
        answer = await (await visitor.ask_token(ACCOUNT_FORM)).json()
        assert "scope" not in answer
        response = await visitor.control(answer["access_token"])
        body = await response.json()
        assert (response.status, body["code"]) == (400, 4711)
        assert "meeting:update:participant_rtms_app_status:admin" in body["message"]


async def test_no_secret_is_told_or_remembered() -> None:
    """Neither tokens nor client secrets stand in what is told, or in the log of requests."""
    async with small_cloud(SmallWorld(grants=[GRANT])) as visitor:
        token = await visitor.token()
        user = await (await ask_as_app(visitor, refresh_form("first"))).json()
        await visitor.control(token, participant_user_id=HOST, extra="hidden")
        await visitor.get(token, "/v2/users/x/meetings?type=live&access_token=hidden")
        kept = repr(visitor.face.requests) + repr(visitor.told)
        for secret in (token, user["access_token"], user["refresh_token"], "-secret", "first", "hidden"):
            assert secret not in kept
