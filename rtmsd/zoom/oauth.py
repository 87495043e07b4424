"""Access tokens: fetched once for all who ask, renewed before they end (protocol.md §3)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

from rtmsd.config import Secret
from rtmsd.errors import JournalError, RtmsdError
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.bodies import read_body
from rtmsd.zoom.replies import Reply, read_reply

RENEW_SHARE = 0.9
"""Of a token's life, after which it is renewed (protocol.md §3.1)."""

ANSWER_SECS = 10.0

FINISH_SECS = 3.0
"""How long a fetch that rotates a refresh token may go on when we stop."""

USUAL_LIFE_SECS = 3600.0
"""Of an access token (§3.1). One that Zoom says lives longer is renewed as if it did not."""

_MOST_BYTES = 65_536


class TokenError(RtmsdError):
    """No token is to be had; the text has cause and remedy. `passing`: it may be had later without anybody's doing."""

    def __init__(self, sentence: str, *, passing: bool) -> None:
        self.passing = passing
        super().__init__(sentence)


class Token(msgspec.Struct, frozen=True):
    """An access token until `renew_at` (monotonic seconds). `api_url` is the account's region, or empty; `scopes` as granted."""

    secret: Secret
    renew_at: float
    api_url: str = ""
    scopes: frozenset[str] = frozenset()


Grant = Callable[[], Awaitable[dict[str, str]]]
"""Gives the form of the token request: it may read a refresh token that changes with every use."""


class TokenSource:
    """The tokens of one controller app or one user. Enter no context: the session is the caller's.

    `keep_refresh_token` is awaited with the rotated refresh token before the access token is given to anybody: it works
    once, and whoever loses it has to authorise the app again (§3.2).
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        oauth_url: str,
        client_id: str,
        client_secret: Secret,
        grant: Grant,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        keep_refresh_token: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._session = session
        self._oauth_url = oauth_url
        self._basic = aiohttp.encode_basic_auth(client_id, client_secret.reveal())
        self._grant = grant
        self._clock = clock
        self._tls = tls
        self._keep_refresh_token = keep_refresh_token
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    async def token(self) -> Token:
        """Return a token that is good for a while; raise TokenError. Cancelling one caller does not disturb the others."""
        if self._token is not None and self._clock.monotonic() < self._token.renew_at:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="token")
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def refused(self, token: Token) -> None:
        """Zoom answered 401 to this token: the next caller fetches another. Harmless if that has happened."""
        if self._token is token:
            self._token = None

    async def close(self) -> None:
        """Stop fetching. One whose answer brings a new refresh token has a moment to finish: Zoom may have taken the old one."""
        fetching = self._fetching
        if fetching is None:
            return
        if self._keep_refresh_token is not None:
            await asyncio.wait({fetching}, timeout=FINISH_SECS)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)

    def _fetched(self, task: asyncio.Task[Token]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> Token:
        asked_at = self._clock.monotonic()
        try:
            form = await self._grant()
        except JournalError as error:
            raise TokenError(f"The refresh token could not be read: {error}", passing=True) from error
        reply = await self._ask(form)
        access, life = reply.document.get("access_token"), reply.document.get("expires_in")
        if not reply.good or not isinstance(access, str) or not _is_token(access):
            raise _problem(reply)
        rotated = reply.document.get("refresh_token")
        if self._keep_refresh_token is not None and isinstance(rotated, str) and rotated:
            await self._keep_refresh_token(rotated)
        scopes, region = reply.document.get("scope"), reply.document.get("api_url")
        return Token(
            Secret(access),
            renew_at=asked_at + life_secs(life) * RENEW_SHARE,
            api_url=region if isinstance(region, str) else "",
            scopes=frozenset(scopes.split()) if isinstance(scopes, str) else frozenset(),
        )

    async def _ask(self, form: dict[str, str]) -> Reply:
        try:
            async with self._session.post(
                self._oauth_url,
                data=form,
                headers={"Authorization": self._basic},
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECS),
                allow_redirects=False,
                ssl=self._tls if self._tls is not None else True,
            ) as response:
                return read_reply(response.status, await read_body(response, most_bytes=_MOST_BYTES))
        except TimeoutError:
            return Reply(0, message=f"no answer within {ANSWER_SECS:.0f} s")
        except aiohttp.ClientError as error:
            return Reply(0, message=f"no connection ({type(error).__name__})")


def life_secs(expires_in: object) -> float:
    """Read `expires_in`, which is seconds as a number, or as text; anything else means the usual life."""
    if isinstance(expires_in, str) and expires_in.isascii() and expires_in.isdigit() and len(expires_in) < 10:
        expires_in = int(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not expires_in > 0:
        return USUAL_LIFE_SECS
    return min(expires_in, USUAL_LIFE_SECS)


def _is_token(text: str) -> bool:
    """A token goes into headers and addresses: without white space, whatever else it is."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text


def account_grant(account_id: str) -> Grant:
    """The grant of a Server-to-Server app (§3.1)."""

    async def form() -> dict[str, str]:
        return {"grant_type": "account_credentials", "account_id": account_id}

    return form


def client_grant() -> Grant:
    """The grant of an app for itself, which its own event WebSocket takes."""

    async def form() -> dict[str, str]:
        return {"grant_type": "client_credentials"}

    return form


def refresh_grant(read: Callable[[], Awaitable[str]]) -> Grant:
    """The grant of a user's own authorisation; `read` gives the newest refresh token (§3.2)."""

    async def form() -> dict[str, str]:
        return {"grant_type": "refresh_token", "refresh_token": await read()}

    return form


_SENTENCES = {
    "unsupported_grant_type": "Zoom does not take this app's credentials for a token of an account: `[apps.manual]` has to name a "
    "Server-to-Server OAuth app, not the RTMS app itself.",
    "invalid_client": "Zoom does not know this client id with this client secret: copy both again from the controller app's page, "
    "and look that the app is activated.",
    "invalid_grant": "Zoom does not take the refresh token any more: the user has to authorise the app again.",
    "invalid_request": "Zoom found the token request wrong: look at `account_id`.",
}


def _problem(reply: Reply) -> TokenError:
    kind = reply.document.get("error")
    if isinstance(kind, str) and kind in _SENTENCES:
        return TokenError(_SENTENCES[kind], passing=False)
    if reply.status == 0:
        return TokenError(f"Zoom's token endpoint could not be reached: {reply.message}.", passing=True)
    if reply.status == 429:
        return TokenError(
            "Zoom's token endpoint takes no more requests for now (HTTP 429): it is asked again later.",
            passing=True,
        )
    if reply.status >= 500:
        return TokenError(
            f"Zoom's token endpoint has a fault of its own (HTTP {reply.status}).", passing=True
        )
    if reply.good:
        return TokenError(
            "Zoom's token endpoint answered without a token: is `zoom.oauth_url` right?", passing=False
        )
    return TokenError(
        f"Zoom's token endpoint refused (HTTP {reply.status}): look at `[apps.manual]` and at `zoom.oauth_url`.",
        passing=False,
    )
