"""Zoom's token endpoint: tokens of an account and of a user, how they end, and how it misbehaves (protocol.md §3)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from aiohttp import web

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.cloud.bad_answers import BadAnswer, bad_answer
from rtmsd.simulator.cloud.rules import Caller
from rtmsd.simulator.cloud.world import CloudApp, HostGrant, World

BadToken = BadAnswer | Literal["no_scope"]
"""A bad answer, or a good one whose token has no scopes."""

USER_TOKEN_SECS = 3600

_MOST_TOKENS = 10_000


@dataclass(frozen=True)
class Holder:
    """Whom an access token stands for, with which scopes, and until when (monotonic seconds)."""

    caller: Caller
    scopes: frozenset[str]
    until: float


@dataclass(frozen=True)
class _Grant:
    """What a good request is answered with."""

    caller: Caller
    scopes: tuple[str, ...]
    secs: int
    refresh_token: str = ""


class _Wrong(Exception):
    """A request that gets no token."""

    def __init__(self, status: int, error: str, reason: str) -> None:
        self.status, self.error, self.reason = status, error, reason
        super().__init__(error)


class TokenDesk:
    """Answers `POST /oauth/token`, and knows for whom each access token stands.

    Controllers get tokens of their account, apps get those of the users who authorised them, with a refresh token that
    works once. Tokens end by `clock`.
    """

    def __init__(self, *, world: World, clock: Clock, tell: Callable[[str], None]) -> None:
        self._world = world
        self._clock = clock
        self._tell = tell
        self._holders: dict[str, Holder] = {}
        self._refresh: dict[str, HostGrant] = {one.refresh_token: one for one in world.grants}
        self._bad: tuple[BadToken, int] | None = None

    def holder(self, token: str) -> Holder | None:
        """Say for whom a token stands; None when it has ended, was revoked, or is none."""
        found = self._holders.get(token)
        return found if found is not None and self._clock.monotonic() < found.until else None

    def revoke_tokens(self, *, refresh_tokens: bool = False) -> None:
        """End every access token at once; with `refresh_tokens` every user has to authorise the app again."""
        self._holders.clear()
        if refresh_tokens:
            self._refresh.clear()

    def break_tokens(self, kind: BadToken, times: int = 1) -> None:
        """Answer so many requests badly, whatever they are; 0 makes them good again."""
        self._bad = (kind, times) if times > 0 else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; its parameters may be in the query or in the form."""
        bad = self._next_bad()
        if bad is not None and bad != "no_scope":
            self._tell(f"The token endpoint was asked, and answers badly ({bad}).")
            return bad_answer(bad, request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            grant = self._grant({**request.query, **form}, *_basic(request.headers.get("Authorization", "")))
        except _Wrong as wrong:
            self._tell(f"A token was refused: {wrong.error}.")
            return web.json_response({"reason": wrong.reason, "error": wrong.error}, status=wrong.status)
        if bad == "no_scope":
            grant = replace(grant, scopes=())
        self._tell(
            f"A token was given, for {grant.caller.user_id or 'the account'}, good for {grant.secs} s."
        )
        return web.json_response(self._answer(grant, api_url=f"{request.scheme}://{request.host}"))

    def _next_bad(self) -> BadToken | None:
        if self._bad is None:
            return None
        kind, times = self._bad
        self._bad = (kind, times - 1) if times > 1 else None
        return kind

    def _grant(self, form: Mapping[str, str], client_id: str, client_secret: str) -> _Grant:
        match form.get("grant_type"):
            case "account_credentials":
                return self._account_grant(form, client_id, client_secret)
            case "refresh_token":
                return self._user_grant(form, client_id, client_secret)
        raise _Wrong(400, "unsupported_grant_type", "unsupported grant type")

    def _account_grant(self, form: Mapping[str, str], client_id: str, client_secret: str) -> _Grant:
        for one in self._world.controllers:
            if (one.client_id, one.client_secret) == (client_id, client_secret):
                if one.account_id != form.get("account_id"):
                    raise _Wrong(400, "invalid_request", "Bad Request")
                return _Grant(Caller(account_id=one.account_id), one.scopes, one.token_secs)
        if self._app(client_id, client_secret) is not None:  # an RTMS app cannot use this grant (§1.1)
            raise _Wrong(400, "unsupported_grant_type", "unsupported grant type")
        raise _Wrong(401, "invalid_client", "Invalid client_id or client_secret")

    def _user_grant(self, form: Mapping[str, str], client_id: str, client_secret: str) -> _Grant:
        app = self._app(client_id, client_secret)
        if app is None:
            raise _Wrong(401, "invalid_client", "Invalid client_id or client_secret")
        token = form.get("refresh_token", "")
        grant = self._refresh.get(token)
        if grant is None or grant.client_id != client_id:
            raise _Wrong(400, "invalid_grant", "Invalid Token!")  # a guess: §3.1 has no error for this
        del self._refresh[token]
        rotated = secrets.token_urlsafe(24)
        self._refresh[rotated] = grant
        return _Grant(
            Caller(app.account_id, grant.user_id, client_id), grant.scopes, USER_TOKEN_SECS, rotated
        )

    def _app(self, client_id: str, client_secret: str) -> CloudApp | None:
        pair = (client_id, client_secret)
        return next((app for app in self._world.apps if (app.client_id, app.client_secret) == pair), None)

    def _answer(self, grant: _Grant, *, api_url: str) -> dict[str, object]:
        """Make a token (§3.1). Zoom names one second less than the token lives."""
        token = secrets.token_urlsafe(32)
        if len(self._holders) >= _MOST_TOKENS:
            del self._holders[next(iter(self._holders))]
        self._holders[token] = Holder(
            grant.caller, frozenset(grant.scopes), self._clock.monotonic() + grant.secs
        )
        answer: dict[str, object] = {"access_token": token, "token_type": "bearer"}
        if grant.refresh_token:
            answer["refresh_token"] = grant.refresh_token
        answer["expires_in"] = max(1, grant.secs - 1)
        if grant.scopes:
            answer["scope"] = " ".join(grant.scopes)
        return {**answer, "api_url": api_url}


def _basic(header: str) -> tuple[str, str]:
    """Read client id and secret. Raises _Wrong."""
    kind, _, rest = header.partition(" ")
    try:
        client_id, colon, client_secret = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        client_id = client_secret = colon = ""
    if kind.lower() != "basic" or not colon:
        raise _Wrong(401, "invalid_client", "Invalid client_id or client_secret")
    return client_id, client_secret
