"""Zoom's REST, OAuth and event addresses as one aiohttp application, with a log of what was asked of it."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.cloud.forcing import Call, Forced, Forcing
from rtmsd.simulator.cloud.limits import Limits, Plan, Style
from rtmsd.simulator.cloud.oauth import BadToken, TokenDesk
from rtmsd.simulator.cloud.rest import SETTINGS, Rest
from rtmsd.simulator.cloud.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Asked:
    """A request and the status of its answer, without secrets; `at` is monotonic seconds. A cut connection has status 0.

    `action` and `settings` are what the body of a control call says, where it could be read.
    """

    method: str
    path: str
    status: int
    at: float
    action: str = ""
    settings: dict[str, str] = field(default_factory=dict)


class CloudFace:
    """Zoom as a client sees it over HTTP: serve `app` at an address of its own.

    `requests` holds what was asked, newest last. `events` answers `GET /ws`, the event WebSocket; it is set later, since
    it wants to know `may_connect`.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        tell: Callable[[str], None],
        *,
        plan: Plan | None = None,
    ) -> None:
        self.requests: deque[Asked] = deque(maxlen=_MOST_REMEMBERED)
        self.events: Handler | None = None
        self._world = world
        self._clock = clock
        self._limits = Limits(clock=clock, plan=plan)
        self._desk = TokenDesk(world=world, clock=clock, tell=tell)
        self._forcing = Forcing()
        self._rest = Rest(world=world, desk=self._desk, limits=self._limits, forcing=self._forcing, tell=tell)
        self.app = self._application()

    @property
    def plan(self) -> Plan | None:
        """Whose rate limits hold; None: those of nobody."""
        return self._limits.plan

    @plan.setter
    def plan(self, plan: Plan | None) -> None:
        self._limits.plan = plan

    def force(self, what: Forced, times: int = 1, *, call: Call = "control") -> None:
        """Answer the next calls so: with a code or HTTP status of §4.2, `"silent"`, `"already"`, or badly.

        Only calls with a good token count. Raises SimulatorError when there is no such answer.
        """
        self._forcing.force(what, times, call=call)

    def limit_for(self, secs: float, style: Style = "seconds") -> None:
        """Answer every call of the API with 429 for so long, with the headers of a second's or of a day's limit."""
        self._limits.limit_for(secs, style)

    def revoke_tokens(self, *, refresh_tokens: bool = False) -> None:
        """End all access tokens; with `refresh_tokens` the users' authorisations too."""
        self._desk.revoke_tokens(refresh_tokens=refresh_tokens)

    def break_tokens(self, kind: BadToken, times: int = 1) -> None:
        """Answer so many token requests badly; 0 makes the token endpoint good again."""
        self._desk.break_tokens(kind, times)

    def may_connect(self, subscription_id: str, access_token: str) -> bool:
        """Say whether a token opens the event WebSocket of a subscription: it has to be of the app's account."""
        holder = self._desk.holder(access_token)
        if holder is None or not subscription_id:
            return False
        return any(
            app.subscription_id == subscription_id and app.account_id == holder.caller.account_id
            for app in self._world.apps
        )

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._noted])
        app.on_response_prepare.append(_track)
        app.router.add_post("/oauth/token", self._desk.handle)
        app.router.add_patch("/v2/live_meetings/{number}/rtms_app/status", self._rest.control)
        app.router.add_get("/v2/meetings/{meeting}", self._rest.meeting)
        app.router.add_get("/v2/users/{user}/meetings", self._rest.meetings)
        app.router.add_get("/ws", self._serve_events)
        return app

    async def _serve_events(self, request: web.Request) -> web.StreamResponse:
        if self.events is None:
            raise web.HTTPNotFound
        return await self.events(request)

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Remember a request when it has been answered. Its query may hold secrets."""
        at, status, body = self._clock.monotonic(), 500, b""
        try:
            if request.method == "PATCH":
                body = await request.read()
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            if request.transport is None or request.transport.is_closing():
                status = 0
            self.requests.append(Asked(request.method, request.path, status, at, *_control(body)))
        return response


async def _track(_: web.Request, response: web.StreamResponse) -> None:
    """Give every answer the id that Zoom's support asks for."""
    response.headers["x-zm-trackingid"] = f"v=2.0;clid=simulator;rid=WEB_{secrets.token_hex(16)}"


def _control(raw: bytes) -> tuple[str, dict[str, str]]:
    """Read action and settings from the body of a control call, as far as they are there."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "", {}
    action, settings = (body.get("action"), body.get("settings")) if isinstance(body, dict) else ("", {})
    found = settings if isinstance(settings, dict) else {}
    ids = {name: found[name] for name in SETTINGS if isinstance(found.get(name), str)}
    return action if isinstance(action, str) else "", ids
