import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from rtmsd.errors import SimulatorError
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Simulator, default_meeting
from rtmsd.simulator.webhooks import Webhooks

SECRET = "whsec_demo"


class Receiver:
    """An endpoint that answers with the statuses it is given, then 204."""

    def __init__(self, *statuses: int, secret: str = SECRET) -> None:
        self.statuses = list(statuses)
        self.secret = secret
        self.bodies: list[bytes] = []
        self.told: list[str] = []
        self.at: list[float] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        self.at.append(asyncio.get_running_loop().time())
        text = b"v0:" + request.headers["x-zm-request-timestamp"].encode() + b":" + body
        assert (
            request.headers["x-zm-signature"]
            == "v0=" + hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
        )
        message = json.loads(body)
        if message["event"] == "endpoint.url_validation":
            plain = message["payload"]["plainToken"]
            proof = hmac.new(self.secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
            return web.json_response({"plainToken": plain, "encryptedToken": proof})
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    @asynccontextmanager
    async def webhooks(self, *, pace: float = 1.0) -> AsyncIterator[Webhooks]:
        app = web.Application()
        app.router.add_post("/webhook", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
            yield Webhooks(
                url=url, secret=SECRET, clock=Clock(), on_webhook=None, tell=self.told.append, pace=pace
            )
        finally:
            await runner.cleanup()


async def test_a_webhook_is_posted_signed_and_compact() -> None:
    """The raw body is compact JSON with event, event_ts and payload, under a signature that fits it."""
    receiver = Receiver()
    async with receiver.webhooks() as webhooks:
        assert await webhooks.send("meeting.rtms_stopped", 1738395633699, {"stop_reason": 6})
    assert receiver.bodies == [
        b'{"event":"meeting.rtms_stopped","event_ts":1738395633699,"payload":{"stop_reason":6}}'
    ]
    assert receiver.told == []


@pytest.mark.parametrize(
    ("statuses", "posts", "taken"), [((503,), 2, True), ((404,), 1, False), ((302,), 1, False)]
)
async def test_only_server_errors_are_tried_again(statuses: tuple[int, ...], posts: int, taken: bool) -> None:
    """A 5xx is sent again with the same body, a 3xx or 4xx never; what was lost is said."""
    receiver = Receiver(*statuses)
    async with receiver.webhooks() as webhooks:
        assert await webhooks.send("meeting.rtms_started", 1, {}, pace=10_000) is taken
    assert len(receiver.bodies) == posts and len(set(receiver.bodies)) == 1
    assert len(receiver.told) == (not taken)


async def test_retries_come_after_5_20_and_60_minutes_at_the_pace() -> None:
    """Four posts and no more; a faster pace brings the retries as much sooner, not earlier."""
    receiver, pace = Receiver(500, 502, 503, 504, 200), 5000.0
    async with receiver.webhooks() as webhooks:
        assert not await webhooks.send("meeting.rtms_started", 1, {}, pace=pace)
    assert len(receiver.at) == 4
    waited = [later - earlier for earlier, later in itertools.pairwise(receiver.at)]
    assert all(secs >= minutes * 60 / pace for secs, minutes in zip(waited, (5, 20, 60), strict=True))


async def test_what_is_refused_may_be_sent_again() -> None:
    """Some say that whatever is not answered with 200 comes again (protocol.md §10 C44)."""
    receiver = Receiver(404, 302)
    async with receiver.webhooks() as webhooks:
        assert await webhooks.send("meeting.rtms_started", 1, {}, pace=10_000, retry_refused=True)
    assert len(receiver.bodies) == 3


async def test_an_endpoint_that_fails_six_validations_gets_nothing_more() -> None:
    """Validated again every 72 h; an e-mail after 2 and 4 failures, and after 6 it is disabled (§2.3)."""
    receiver = Receiver(secret="another")
    async with receiver.webhooks(pace=10_000_000) as webhooks:
        await webhooks.keep_validating()
        assert len(receiver.bodies) == 6 and webhooks.disabled
        assert sum("e-mail" in sentence for sentence in receiver.told) == 2
        assert not await webhooks.send("meeting.rtms_started", 1, {})
    assert len(receiver.bodies) == 6


async def test_an_endpoint_proves_that_it_knows_the_secret() -> None:
    """The validation passes with the right secret and names the remedy with a wrong one."""
    async with Receiver().webhooks() as webhooks:
        await webhooks.validate()
    async with Receiver(secret="another").webhooks() as webhooks:
        with pytest.raises(SimulatorError, match="give the receiver the secret"):
            await webhooks.validate()


async def test_a_played_meeting_sends_its_webhooks_where_play_was_told() -> None:
    """An address that is known only when the meeting begins gets both of its webhooks."""
    receiver = Receiver()
    async with (
        receiver.webhooks() as webhooks,
        Simulator(meeting=default_meeting(1), webhook_secret=SECRET) as simulator,
    ):
        await simulator.play(webhook=webhooks.url)
    assert [json.loads(body)["event"] for body in receiver.bodies] == [
        "meeting.rtms_started",
        "meeting.rtms_stopped",
    ]
