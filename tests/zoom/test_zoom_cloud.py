"""What rtmsd asks Zoom, asked of the simulated cloud: every answer reads as protocol.md §4.2 says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from small_world import APP, HOST, NUMBER, UUID, SmallWorld, Visitor, attendee, small_cloud

from rtmsd.config import Secret
from rtmsd.simulator.cloud.forcing import Forced
from rtmsd.simulator.cloud.limits import Style
from rtmsd.simulator.cloud.oauth import BadToken
from rtmsd.simulator.cloud.world import HostGrant
from rtmsd.zoom.limits import Budget
from rtmsd.zoom.meetings import ZoomMeetings
from rtmsd.zoom.oauth import Grant, TokenError, TokenSource, account_grant, refresh_grant
from rtmsd.zoom.replies import Reply, Verdict, meaning


def token_source(
    visitor: Visitor, grant: Grant, *, client: str, kept: list[str] | None = None
) -> TokenSource:
    async def keep(refresh_token: str) -> None:
        assert kept is not None
        kept.append(refresh_token)

    return TokenSource(
        session=visitor.session,
        oauth_url=visitor.base + "/oauth/token",
        client_id=client,
        client_secret=Secret(f"{client}-secret"),
        grant=grant,
        clock=visitor.clock,
        keep_refresh_token=keep if kept is not None else None,
    )


def client_of(visitor: Visitor, tokens: TokenSource, *, regional: bool = False) -> ZoomMeetings:
    return ZoomMeetings(
        session=visitor.session,
        api_url=visitor.base + "/v2",
        tokens=tokens,
        budget=Budget(clock=visitor.clock, per_sec=1e6),
        clock=visitor.clock,
        regional=regional,
    )


@asynccontextmanager
async def controlled(world: SmallWorld | None = None) -> AsyncIterator[tuple[Visitor, ZoomMeetings]]:
    """A cloud, and rtmsd's client with the account's credentials."""
    async with small_cloud(world) as visitor:
        tokens = token_source(visitor, account_grant("SimulatedAccount"), client="controller")
        yield visitor, client_of(visitor, tokens)


async def start(zoom: ZoomMeetings, user: str = HOST) -> Reply:
    return await zoom.set_app(str(NUMBER), "start", client_id="receiver", participant_user_id=user)


async def test_a_meeting_is_started_paused_resumed_and_stopped() -> None:
    """Each is accepted; a second start is known as such."""
    async with controlled() as (visitor, zoom):
        assert meaning(await start(zoom)).verdict is Verdict.ACCEPTED
        assert meaning(await start(zoom)).verdict is Verdict.ALREADY
        for action in ("pause", "resume", "stop"):
            reply = await zoom.set_app(str(NUMBER), action, client_id="receiver")
            assert meaning(reply).verdict is Verdict.ACCEPTED and reply.tracking_id
        assert [what for what, _ in visitor.world.all_meetings[0].done] == [
            "start",
            "pause",
            "resume",
            "stop",
        ]
        assert [one.path for one in visitor.face.requests].count("/oauth/token") == 1


VERDICTS: dict[Forced, Verdict] = {
    "silent": Verdict.ACCEPTED,
    "already": Verdict.ALREADY,
    300: Verdict.NEVER,
    403: Verdict.CHANGED,
    404: Verdict.NEVER,
    429: Verdict.LATER,
    500: Verdict.LATER,
    503: Verdict.LATER,
    2308: Verdict.CHANGED,
    2310: Verdict.LATER,
    3000: Verdict.LATER,
    3001: Verdict.NEVER,
    4700: Verdict.PERSON,
    4711: Verdict.PERSON,
    13262: Verdict.PERSON,
    "nothing": Verdict.LATER,
    "500": Verdict.LATER,
}


@pytest.mark.parametrize("what", VERDICTS)
async def test_each_forced_answer_reads_as_documented(what: Forced) -> None:
    """And does not start anything."""
    async with controlled() as (visitor, zoom):
        visitor.face.force(what)
        found = meaning(await start(zoom))
        assert found.verdict is VERDICTS[what], found.sentence
        assert visitor.world.all_meetings[0].done == []


@pytest.mark.parametrize("what", [124, 401])
async def test_a_refused_token_is_renewed_once(what: Forced) -> None:
    """One 401 costs a token, two are told."""
    async with controlled() as (visitor, zoom):
        visitor.face.force(what)
        assert meaning(await start(zoom)).verdict is Verdict.ACCEPTED
        visitor.face.force(what, 2)
        assert meaning(await start(zoom)).verdict is Verdict.TOKEN
        assert [one.path for one in visitor.face.requests].count("/oauth/token") == 3


async def test_revoked_tokens_are_renewed() -> None:
    """The call that met the revocation succeeds."""
    async with controlled() as (visitor, zoom):
        assert (await zoom.meeting(UUID)).good
        visitor.face.revoke_tokens()
        assert meaning(await start(zoom)).verdict is Verdict.ACCEPTED


async def test_the_rules_read_as_documented() -> None:
    """What the world is like, and what the client understands of it."""
    cases: list[tuple[SmallWorld, Verdict]] = []
    for app, verdict in (
        (replace(APP, entitled_after_secs=None), Verdict.LATER),
        (replace(APP, allow_listed=False), Verdict.PERSON),
        (replace(APP, client_id="another"), Verdict.PERSON),
        (replace(APP, installed_by=frozenset()), Verdict.ACCEPTED),
    ):
        cases.append((SmallWorld(apps=[app]), verdict))
    waiting, strange = SmallWorld(), SmallWorld()
    waiting.all_meetings[0].in_progress = False
    strange.all_meetings[0].host_id = "somebody else"
    strange.all_meetings[0].attendees = [attendee(HOST)]
    cases += [
        (waiting, Verdict.LATER),
        (strange, Verdict.CHANGED),
        (SmallWorld(all_meetings=[]), Verdict.NEVER),
    ]
    for world, expected in cases:
        async with controlled(world) as (_, zoom):
            found = meaning(await start(zoom))
            assert found.verdict is expected, found.sentence
            assert all(meeting.done == [] for meeting in world.all_meetings)


async def test_the_hosts_own_authorisation_starts_before_anybody_is_there() -> None:
    """The refresh token that comes back is the one that works next."""
    grant = HostGrant(user_id=HOST, client_id="receiver", refresh_token="first")
    world, kept = SmallWorld(grants=[grant]), ["first"]
    world.all_meetings[0].attendees.clear()

    async def newest() -> str:
        return kept[-1]

    async with small_cloud(world) as visitor:
        zoom = client_of(visitor, token_source(visitor, refresh_grant(newest), client="receiver", kept=kept))
        for action in ("start", "stop"):
            reply = await zoom.set_app(str(NUMBER), action, client_id="receiver")
            assert meaning(reply).verdict is Verdict.ACCEPTED
            visitor.clock.now += 3600
        assert [what for what, _ in world.all_meetings[0].done] == ["start", "stop"]
        assert len(set(kept)) == 3
        visitor.face.revoke_tokens(refresh_tokens=True)
        with pytest.raises(TokenError, match="authorise the app again"):
            await zoom.set_app(str(NUMBER), "stop", client_id="receiver")


@pytest.mark.parametrize("style", ["seconds", "date"])
async def test_a_rate_limit_says_how_long_to_wait(style: Style) -> None:
    """In both styles of header, to the second."""
    async with controlled() as (visitor, zoom):
        visitor.face.limit_for(60, style)
        reply = await start(zoom)
        assert meaning(reply).verdict is Verdict.LATER
        assert reply.retry_after_secs == pytest.approx(60, abs=1)


BROKEN: dict[BadToken, bool] = {"html": False, "json": False, "500": True, "nothing": True}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_token_endpoint_gives_a_sentence_and_heals(kind: BadToken) -> None:
    """Nothing is started, nobody waits for ever, and the next request is good again."""
    async with controlled() as (visitor, zoom):
        visitor.face.break_tokens(kind)
        with pytest.raises(TokenError) as caught:
            await start(zoom)
        assert caught.value.passing is BROKEN[kind]
        assert meaning(await start(zoom)).verdict is Verdict.ACCEPTED


async def test_a_token_without_scopes_needs_a_person() -> None:
    """Zoom names the scope, and so does the remedy."""
    async with controlled() as (visitor, zoom):
        visitor.face.break_tokens("no_scope")
        found = meaning(await start(zoom))
        assert found.verdict is Verdict.PERSON
        assert "meeting:update:participant_rtms_app_status" in found.sentence


async def test_meetings_are_looked_up() -> None:
    """By number, by a UUID with slashes, and by host; also in the token's region."""
    async with small_cloud() as visitor:
        tokens = token_source(visitor, account_grant("SimulatedAccount"), client="controller")
        for regional in (False, True):
            zoom = client_of(visitor, tokens, regional=regional)
            for name in (str(NUMBER), UUID):
                found = (await zoom.meeting(name)).document
                assert (found["id"], found["uuid"], found["status"]) == (NUMBER, UUID, "started")
            assert [one["uuid"] for one in (await zoom.live_meetings(HOST)).document["meetings"]] == [UUID]
        assert meaning(await zoom.meeting("gone")).verdict is Verdict.NEVER
