"""The simulated REST API over real HTTP (protocol.md §4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from small_world import (
    APP,
    CONTROLLER,
    HOST,
    NUMBER,
    UUID,
    SmallMeeting,
    SmallWorld,
    SteppedClock,
    attendee,
    small_cloud,
)

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.forcing import Forced
from rtmsd.simulator.cloud.limits import PER_DAY, PER_SEC, Label, Limits, Plan
from rtmsd.simulator.cloud.world import HostGrant, RunningStream


async def test_start_stop_pause_and_resume_reach_the_meeting() -> None:
    """Each is answered with 204, and done."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        for action in ("start", "pause", "resume", "stop"):
            response = await visitor.control(token, action, participant_user_id=HOST)
            assert response.status == 204
            assert response.headers["x-zm-trackingid"].startswith("v=2.0;")
        [meeting] = visitor.world.all_meetings
        assert meeting.done == [("start", HOST), ("pause", "s1"), ("resume", "s1"), ("stop", "s1")]
        asked = visitor.face.requests[1]
        assert (asked.method, asked.status, asked.action) == ("PATCH", 204, "start")
        assert asked.path == f"/v2/live_meetings/{NUMBER}/rtms_app/status"
        assert asked.settings == {"client_id": "receiver", "participant_user_id": HOST}


async def test_every_stream_of_the_app_is_stopped() -> None:
    """Without a participant the account means all of them."""
    async with small_cloud() as visitor:
        [meeting] = visitor.world.all_meetings
        meeting.streams += [RunningStream(name, "receiver", name, False) for name in ("a", "b")]
        assert (await visitor.control(await visitor.token(), "stop")).status == 204
        assert meeting.done == [("stop", "a"), ("stop", "b")]


async def test_accepted_and_silent() -> None:
    """A guest alone, and the host's app asked for: 204, nothing happens, and why is told."""
    async with small_cloud() as visitor:
        [meeting] = visitor.world.all_meetings
        meeting.attendees = [attendee("")]
        assert (await visitor.control(await visitor.token(), participant_user_id=HOST)).status == 204
        assert meeting.done == []
        assert "nothing happens: the user for whom the app should start has not joined" in visitor.told[-1]


async def test_a_judgement_becomes_an_answer() -> None:
    """HTTP status, code and message of a refusal; no code where Zoom's is not known."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        unknown = await visitor.control(token, number=123)
        assert (unknown.status, (await unknown.json())["code"]) == (404, 3001)
        assert (await visitor.control(token, participant_user_id=HOST)).status == 204
        again = await visitor.control(token, participant_user_id=HOST)
        assert again.status == 400
        assert await again.json() == {"message": "RTMS already started for this meeting."}
        assert "refused: 3001" in visitor.told[1] and "refused: 400" in visitor.told[3]


BODIES = {
    "no JSON": (b"start", "body"),
    "a list": (b"[]", "body"),
    "no body": (b"", "body"),
    "no action": (b'{"settings":{"client_id":"receiver"}}', "action"),
    "an unknown action": (b'{"action":"begin","settings":{"client_id":"receiver"}}', "action"),
    "an action that is a list": (b'{"action":[],"settings":{"client_id":"receiver"}}', "action"),
    "no settings": (b'{"action":"start"}', "settings.client_id"),
    "settings that are null": (b'{"action":"start","settings":null}', "settings"),
    "an empty client id": (b'{"action":"start","settings":{"client_id":""}}', "settings.client_id"),
    "a number for a user": (
        b'{"action":"start","settings":{"client_id":"receiver","participant_user_id":7}}',
        "settings.participant_user_id",
    ),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused_with_its_field(name: str) -> None:
    """400 with code 300, and the field in `errors`."""
    raw, field = BODIES[name]
    async with small_cloud() as visitor:
        response = await visitor.call(
            "PATCH",
            f"/v2/live_meetings/{NUMBER}/rtms_app/status",
            data=raw,
            headers={"Authorization": f"Bearer {await visitor.token()}"},
        )
        body = await response.json()
        assert (response.status, body["code"]) == (400, 300)
        assert [error["field"] for error in body["errors"]] == [field]
        assert visitor.world.all_meetings[0].done == []


async def test_the_path_takes_numbers_only() -> None:
    """A UUID there is a bad field."""
    async with small_cloud() as visitor:
        response = await visitor.control(await visitor.token(), number="4444AAAiAAAAAiAiAiiAii%253D%253D")
        assert (response.status, (await response.json())["errors"][0]["field"]) == (400, "meetingId")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic wrong"])
async def test_without_a_good_token_there_is_401(header: str | None) -> None:
    """With code 124, on every call."""
    headers = {} if header is None else {"Authorization": header}
    async with small_cloud() as visitor:
        for method, path in (
            ("PATCH", f"/v2/live_meetings/{NUMBER}/rtms_app/status"),
            ("GET", f"/v2/meetings/{NUMBER}"),
            ("GET", f"/v2/users/{HOST}/meetings?type=live"),
        ):
            response = await visitor.call(method, path, headers=headers)
            assert (response.status, (await response.json())["code"]) == (401, 124)


async def test_scopes_open_calls_one_by_one() -> None:
    """A lacking one is named, as the token would need it; classic ones are good too."""
    paths = {
        "meeting:read:meeting:admin": f"/v2/meetings/{NUMBER}",
        "meeting:read:list_meetings:admin": f"/v2/users/{HOST}/meetings?type=live",
    }
    for granted in (*paths, "meeting:read:admin"):
        world = SmallWorld(controllers=[replace(CONTROLLER, scopes=(granted,))])
        async with small_cloud(world) as visitor:
            token = await visitor.token()
            for scope, path in paths.items():
                response = await visitor.get(token, path)
                if granted in (scope, "meeting:read:admin"):
                    assert response.status == 200
                else:
                    body = await response.json()
                    assert (response.status, body["code"]) == (400, 4711) and scope in body["message"]


async def test_a_meeting_is_found_by_number_and_by_uuid_encoded_twice() -> None:
    """A UUID with slashes that is encoded once is lost, as at Zoom; one without is found."""
    plain = SmallMeeting(number=2, uuid="4444AAAiAAAAAiAiAiiAii==", in_progress=False)
    slashes, elsewhere = SmallMeeting(), SmallMeeting(number=3, account_id="Elsewhere")
    async with small_cloud(SmallWorld(all_meetings=[slashes, plain, elsewhere])) as visitor:
        token = await visitor.token()
        once = quote(UUID, safe="")
        for name in (str(NUMBER), quote(once, safe="")):
            body = await (await visitor.get(token, f"/v2/meetings/{name}")).json()
            assert (body["id"], body["uuid"], body["host_id"]) == (NUMBER, UUID, HOST)
            assert body["status"] == "started"
        body = await (await visitor.get(token, f"/v2/meetings/{quote(plain.uuid, safe='')}")).json()
        assert (body["id"], body["status"]) == (2, "waiting")
        for lost in (once, "3", "nothing"):
            response = await visitor.get(token, f"/v2/meetings/{lost}")
            assert (response.status, (await response.json())["code"]) == (404, 3001)


async def test_live_meetings_of_a_user() -> None:
    """Those that are in progress, of the token's account; `me` is a user's."""
    live, planned = SmallMeeting(), SmallMeeting(number=2, in_progress=False)
    world = SmallWorld(
        all_meetings=[live, planned, SmallMeeting(number=3, account_id="Elsewhere")],
        grants=[
            HostGrant(
                user_id=HOST, client_id="receiver", refresh_token="r", scopes=("meeting:read:list_meetings",)
            )
        ],
    )
    async with small_cloud(world) as visitor:
        token = await visitor.token()
        body = await (await visitor.get(token, f"/v2/users/{HOST}/meetings?type=live&page_size=300")).json()
        assert body["total_records"] == 1 and [one["id"] for one in body["meetings"]] == [NUMBER]
        assert (await (await visitor.get(token, "/v2/users/nobody/meetings?type=live")).json())[
            "meetings"
        ] == []
        for path in ("/v2/users/me/meetings?type=live", f"/v2/users/{HOST}/meetings"):
            assert (await visitor.get(token, path)).status == 400
        own = await visitor.ask_token(
            {"grant_type": "refresh_token", "refresh_token": "r"},
            client_id="receiver",
            client_secret="receiver-secret",
        )
        mine = await visitor.get((await own.json())["access_token"], "/v2/users/me/meetings?type=live")
        assert [one["id"] for one in (await mine.json())["meetings"]] == [NUMBER, 3]


FORCED: dict[Forced, tuple[int, int | None]] = {
    124: (401, 124),
    300: (400, 300),
    401: (401, 124),
    403: (403, None),
    404: (404, 3001),
    429: (429, 429),
    500: (500, None),
    503: (503, None),
    2308: (400, 2308),
    2310: (400, 2310),
    3000: (400, 3000),
    3001: (404, 3001),
    4700: (400, 4700),
    4711: (400, 4711),
    13262: (403, 13262),
    "already": (400, None),
}


@pytest.mark.parametrize("what", FORCED)
async def test_each_error_can_be_forced(what: Forced) -> None:
    """So many times, on calls that start and stop; then the rules hold again."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        visitor.face.force(what, 2)
        assert (await visitor.get(token, f"/v2/meetings/{NUMBER}")).status == 200
        for _ in range(2):
            response = await visitor.control(token, participant_user_id=HOST)
            body = await response.json()
            assert (response.status, body.get("code")) == FORCED[what]
            assert body["message"] and response.headers["x-zm-trackingid"]
        assert visitor.world.all_meetings[0].done == []
        assert (await visitor.control(token, participant_user_id=HOST)).status == 204
        assert visitor.face.requests[-2].action == "start"


async def test_forced_answers_wait_in_order() -> None:
    """The first that was asked for comes first; those for lookups wait for lookups."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        visitor.face.force(3000)
        visitor.face.force(503, call="reads")
        visitor.face.force("silent")
        visitor.face.force(2308, call="any")
        visitor.face.force(500, 0)
        statuses = [(await visitor.control(token, participant_user_id=HOST)).status for _ in range(2)]
        assert statuses == [400, 204] and visitor.world.all_meetings[0].done == []
        looks = [(await visitor.get(token, f"/v2/meetings/{NUMBER}")).status for _ in range(3)]
        assert looks == [503, 400, 200]


async def test_bad_answers_can_be_forced() -> None:
    """A page with status 200, and a cut connection."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        visitor.face.force("html")
        visitor.face.force("nothing")
        page = await visitor.control(token, participant_user_id=HOST)
        assert page.status == 200 and "<html>" in await page.text()
        with pytest.raises(aiohttp.ClientError):
            await visitor.control(token, participant_user_id=HOST)
        assert [one.status for one in visitor.face.requests][1:] == [200, 0]
        assert visitor.world.all_meetings[0].done == []


@pytest.mark.parametrize("what", [2309, 200, 600, "sometimes"])
async def test_an_answer_that_is_none_cannot_be_forced(what: Forced) -> None:
    """The error says which there are."""
    async with small_cloud() as visitor:
        with pytest.raises(SimulatorError, match="2310"):
            visitor.face.force(what)


async def test_limits_for_a_while_in_both_styles() -> None:
    """Seconds and the reset time, then a date; every call is refused until the time is over."""
    async with small_cloud() as visitor:
        token = await visitor.token()
        visitor.face.limit_for(60)
        visitor.clock.now += 0.5
        response = await visitor.control(token, participant_user_id=HOST)
        assert (response.status, (await response.json())["code"]) == (429, 429)
        assert response.headers["Retry-After"] == "60"
        assert response.headers["X-RateLimit-Type"] == "QPS"
        assert response.headers["X-RateLimit-Category"] == "Heavy"
        assert float(response.headers["X-RateLimit-Reset"]) == pytest.approx(visitor.clock.wall() + 60, abs=1)
        visitor.face.limit_for(60, "date")
        response = await visitor.get(token, f"/v2/meetings/{NUMBER}")
        assert response.headers["X-RateLimit-Type"] == "Daily-limit"
        until = datetime.fromisoformat(response.headers["Retry-After"])
        assert until.timestamp() == pytest.approx(visitor.clock.wall() + 60, abs=1)
        assert "daily" in (await response.json())["message"]
        visitor.clock.now += 60
        assert (await visitor.control(token, participant_user_id=HOST)).status == 204


async def test_a_plans_limit_holds_for_a_second() -> None:
    """A free account gets one heavy call in a second; without a plan nobody is limited."""
    async with small_cloud(plan="free") as visitor:
        token = await visitor.token()
        statuses = [(await visitor.control(token, "pause")).status for _ in range(2)]
        assert statuses == [400, 429]
        visitor.clock.now += 1
        assert (await visitor.control(token, "pause")).status == 400
        visitor.face.plan = None
        statuses = [(await visitor.control(token, "pause")).status for _ in range(50)]
        assert statuses == [400] * 50


async def test_an_account_shares_its_limit_with_its_users() -> None:
    """Whichever app asks, with whichever token."""
    grant = HostGrant(user_id=HOST, client_id="receiver", refresh_token="r")
    async with small_cloud(SmallWorld(grants=[grant]), plan="free") as visitor:
        token = await visitor.token()
        own = await visitor.ask_token(
            {"grant_type": "refresh_token", "refresh_token": "r"},
            client_id="receiver",
            client_secret="receiver-secret",
        )
        assert (await visitor.control(token, participant_user_id=HOST)).status == 204
        assert (await visitor.control((await own.json())["access_token"], "stop")).status == 429


@pytest.mark.parametrize("label", ["Light", "Medium", "Heavy"])
@pytest.mark.parametrize("plan", PER_SEC)
def test_the_limits_of_each_plan(plan: Plan, label: Label) -> None:
    """So many in a second and in a day of UTC, for each account alone."""
    clock = SteppedClock()
    clock.now += -clock.wall() % 86_400  # midnight
    limits, per_sec = Limits(clock=clock, plan=plan), PER_SEC[plan][label]
    for _ in range(per_sec):
        assert limits.take("a", label) is None
    limited = limits.take("a", label)
    assert limited is not None and limited.headers["X-RateLimit-Limit"] == str(per_sec)
    assert limits.take("b", label) is None
    for number in range(per_sec, PER_DAY[plan].get(label, per_sec)):
        clock.now += number % per_sec == 0
        assert limits.take("a", label) is None
    clock.now += 1
    limited = limits.take("a", label)
    assert (limited is not None) == (label in PER_DAY[plan])
    if limited is not None:
        assert limited.headers["X-RateLimit-Type"] == "Daily-limit"
        assert limited.headers["Retry-After"].endswith("T00:00:00Z")
        clock.now += -clock.wall() % 86_400
        assert limits.take("a", label) is None


async def test_the_event_socket_is_somebody_elses() -> None:
    """`GET /ws` is handed on when there is somebody; who may connect is known here."""
    world = SmallWorld(
        apps=[
            replace(APP, subscription_id="sub"),
            replace(APP, account_id="Elsewhere", subscription_id="other"),
        ]
    )
    async with small_cloud(world) as visitor:
        assert (await visitor.call("GET", "/ws")).status == 404

        async def events(_: web.Request) -> web.StreamResponse:
            return web.Response(text="events")

        visitor.face.events = events
        assert await (await visitor.call("GET", "/ws?access_token=hidden")).text() == "events"
        assert "hidden" not in repr(visitor.face.requests)
        token = await visitor.token()
        assert visitor.face.may_connect("sub", token)
        for subscription, shown in (("other", token), ("", token), ("sub", "wrong")):
            assert not visitor.face.may_connect(subscription, shown)


async def test_an_unknown_path_has_a_tracking_id_too() -> None:
    """Every answer has one, and stands in the log."""
    async with small_cloud() as visitor:
        response = await visitor.call("GET", "/v2/unknown")
        assert response.status == 404 and response.headers["x-zm-trackingid"]
        assert [one.status for one in visitor.face.requests] == [404]
