"""Zoom's REST API: the call that starts and stops apps, and those that look meetings up (protocol.md §4.1, §4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

import orjson
from aiohttp import web

from rtmsd.simulator.cloud import rules
from rtmsd.simulator.cloud.forcing import Call, Forcing, lacks_scope, refusal
from rtmsd.simulator.cloud.limits import Label, Limits
from rtmsd.simulator.cloud.oauth import Holder, TokenDesk
from rtmsd.simulator.cloud.rules import Caller, Refused, Silent
from rtmsd.simulator.cloud.world import LiveMeeting, World

CONTROL_SCOPES = ("meeting:update:participant_rtms_app_status", "meeting:write")
MEETING_SCOPES = ("meeting:read:meeting", "meeting:read")
LIST_SCOPES = ("meeting:read:list_meetings", "meeting:read")
"""The granular scope and the classic one; each may have `:admin` behind it (§1.2)."""

SETTINGS = ("client_id", "participant_user_id")
_ACTIONS = ("start", "stop", "pause", "resume")


class Rest:
    """Answers the calls that a start coordinator makes, as the rules say or as it was told to."""

    def __init__(
        self,
        *,
        world: World,
        desk: TokenDesk,
        limits: Limits,
        forcing: Forcing,
        tell: Callable[[str], None],
    ) -> None:
        self._world = world
        self._desk = desk
        self._limits = limits
        self._forcing = forcing
        self._tell = tell

    async def control(self, request: web.Request) -> web.StreamResponse:
        """PATCH /v2/live_meetings/{number}/rtms_app/status: start, stop, pause or resume an app."""
        gate = self._gate(request, "control", "Heavy", CONTROL_SCOPES)
        if not isinstance(gate, Holder):
            return gate
        body = _read_control(await request.read())
        if isinstance(body, Refused):
            return refusal(body)
        number = request.match_info["number"]
        if not (number.isascii() and number.isdigit()):
            return refusal(rules.invalid("meetingId"))
        action, settings = body
        return self._perform(self._world.meeting(number), action, settings, gate.caller)

    async def meeting(self, request: web.Request) -> web.StreamResponse:
        """GET /v2/meetings/{number, or UUID encoded twice}."""
        gate = self._gate(request, "reads", "Light", MEETING_SCOPES)
        if not isinstance(gate, Holder):
            return gate
        once = request.match_info["meeting"]  # aiohttp has decoded it once
        found = None if "/" in once else self._world.meeting(unquote(once))
        if found is None or not _may_see(found, gate.caller):
            return refusal(rules.NO_MEETING)
        return _json(_described(found) | {"status": "started" if found.in_progress else "waiting"})

    async def meetings(self, request: web.Request) -> web.StreamResponse:
        """GET /v2/users/{id}/meetings?type=live, all of them on one page."""
        gate = self._gate(request, "reads", "Medium", LIST_SCOPES)
        if not isinstance(gate, Holder):
            return gate
        if request.query.get("type") != "live":
            return refusal(rules.invalid("type", "Only type=live is played here."))
        user_id = gate.caller.user_id if request.match_info["user"] == "me" else request.match_info["user"]
        if not user_id:  # "`me` is not usable with" the token of an account (§3.1)
            return refusal(rules.invalid("userId"))
        live = [
            _described(one)
            for one in self._world.meetings_of(user_id)
            if one.in_progress and _may_see(one, gate.caller)
        ]
        pages = {"page_count": 1, "page_number": 1, "page_size": max(30, len(live))}
        return _json({**pages, "total_records": len(live), "meetings": live})

    def _gate(
        self, request: web.Request, call: Call, label: Label, scopes: tuple[str, ...]
    ) -> Holder | web.Response:
        """Let a call in, or answer it: token, forced answers, rate limit, scope, in this order."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        holder = self._desk.holder(token) if kind.lower() == "bearer" else None
        if holder is None:
            return refusal(rules.TOKEN_ENDED)
        needed = scopes[0] if holder.caller.user_id else scopes[0] + ":admin"
        forced = self._forcing.answer(call, request, scope=needed)
        if forced is not None:
            self._tell(f"REST: {request.method} is answered as it was forced to ({forced.status}).")
            return forced
        limited = self._limits.take(holder.caller.account_id, label)
        if limited is not None:
            return refusal(Refused(429, 429, limited.message), headers=limited.headers)
        if not holder.scopes & {name + end for name in scopes for end in ("", ":admin")}:
            return refusal(lacks_scope(4711, needed))
        return holder

    def _perform(
        self, meeting: LiveMeeting | None, action: str, settings: Mapping[str, str], caller: Caller
    ) -> web.Response:
        judge = rules.judge_start if action == "start" else rules.judge_control
        judged = judge(
            self._world,
            meeting,
            caller=caller,
            client_id=settings["client_id"],
            participant=settings.get("participant_user_id", ""),
        )
        if isinstance(judged, Refused):
            self._tell(f"REST: {action} is refused: {judged.code or judged.status}, {judged.message}")
            return refusal(judged)
        if isinstance(judged, Silent):
            self._tell(f"REST: {action} is accepted, and nothing happens: {judged.why}.")
            return web.Response(status=204)
        assert meeting is not None  # or it would have been refused
        self._tell(f"REST: {action} is accepted, in meeting {meeting.number}.")
        if isinstance(judged, rules.Started):
            meeting.start(judged.app, judged.operator_id)
            return web.Response(status=204)
        perform = {"stop": meeting.stop, "pause": meeting.pause, "resume": meeting.resume}[action]
        for stream in judged.streams:
            perform(stream)
        return web.Response(status=204)


def _read_control(raw: bytes) -> tuple[str, dict[str, str]] | Refused:
    """Read action and settings, or say what is wrong with them (§4.1)."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        return rules.invalid("body", "Request body should be a valid JSON object.")
    action, settings = body.get("action"), body.get("settings", {})
    if not isinstance(action, str) or action not in _ACTIONS:
        return rules.invalid("action")
    if not isinstance(settings, dict):
        return rules.invalid("settings")
    for name in SETTINGS:
        if not isinstance(settings.get(name, ""), str):
            return rules.invalid(f"settings.{name}")
    if not settings.get("client_id"):
        return rules.invalid("settings.client_id")
    return action, settings


def _may_see(meeting: LiveMeeting, caller: Caller) -> bool:
    """Whether a meeting exists for this token: it is the account's, or the user's own."""
    return meeting.host_id == caller.user_id if caller.user_id else meeting.account_id == caller.account_id


def _described(meeting: LiveMeeting) -> dict[str, object]:
    return {
        "id": meeting.number,
        "uuid": meeting.uuid,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": 2,
    }


def _json(document: Mapping[str, object]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
