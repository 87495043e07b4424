"""The calls that the start coordinator makes: start, stop, pause and resume the app in a meeting, and look meetings up."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from typing import Any, Literal, Protocol
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from rtmsd.protocol.signaling import url_problem
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.bodies import read_body
from rtmsd.zoom.limits import Budget, retry_after_secs
from rtmsd.zoom.oauth import Token
from rtmsd.zoom.replies import SCOPE_CODES, Reply, read_reply

ANSWER_SECS = 15.0
HELD_SECS = 5.0
"""How long every call of the account waits after a 429 that does not say."""

_MOST_BYTES = 1024 * 1024

Action = Literal["start", "stop", "pause", "resume"]


class Tokens(Protocol):
    """Where tokens come from; see `TokenSource`."""

    async def token(self) -> Token: ...

    def refused(self, token: Token) -> None: ...


def twice_encoded(uuid: str) -> str:
    """Write a UUID into a path. Some hold slashes and must be encoded twice; all may be (protocol.md §4.5)."""
    return quote(quote(uuid, safe=""), safe="")


class ZoomMeetings:
    """Zoom's REST API with one account's token.

    `regional`: ask the region that the token names, not `api_url`, if its host is that of `api_url` or in `allowed_hosts`.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        api_url: str,
        tokens: Tokens,
        budget: Budget,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        regional: bool = False,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        self._session = session
        self._api_url = api_url.rstrip("/")
        self._tokens = tokens
        self._budget = budget
        self._clock = clock
        self._tls = tls
        self._regional = regional
        self._allowed_hosts = (URL(api_url).host or "", *allowed_hosts)
        self._told_region = False
        self._log = structlog.get_logger("rtmsd.zoom")

    async def set_app(
        self, meeting_id: str, action: Action, *, client_id: str, participant_user_id: str = ""
    ) -> Reply:
        """Start, stop, pause or resume the app `client_id` (the receiver's) in a meeting, by its number (§4.1).

        `participant_user_id`: for whom; without it for whom the token represents. Raises TokenError. A good reply only says
        that Zoom took the request.
        """
        settings = {"client_id": client_id}
        if participant_user_id:
            settings["participant_user_id"] = participant_user_id
        path = f"/live_meetings/{quote(meeting_id, safe='')}/rtms_app/status"
        return await self._call(
            "PATCH", path, {"action": action, "settings": settings}, what=f"{action} the app"
        )

    async def meeting(self, number_or_uuid: str) -> Reply:
        """Look a meeting up by its number or UUID; `document` has id, uuid, host_id and status. Raises TokenError."""
        return await self._call("GET", f"/meetings/{twice_encoded(number_or_uuid)}", what="look up a meeting")

    async def live_meetings(self, user_id: str) -> Reply:
        """List a user's meetings that are going on; `document["meetings"]`. Raises TokenError."""
        path = f"/users/{quote(user_id, safe='')}/meetings?type=live&page_size=300"
        return await self._call("GET", path, what="list live meetings")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None, *, what: str) -> Reply:
        """Ask, once more with a new token after a 401. While Zoom has all calls wait for long, say so without asking (§4.6)."""
        for last in (False, True):
            token = await self._tokens.token()
            if (held_secs := await self._budget.turn()) > 0:
                self._log.info(
                    f"{what}: not asked, the account's calls are used up", held_secs=round(held_secs)
                )
                return Reply(429, message="the account's calls are used up", retry_after_secs=held_secs)
            reply = await self._ask(method, path, body, token)
            self._log.info(what, status=reply.status, code=reply.code, tracking_id=reply.tracking_id)
            if reply.status == 429:
                self._budget.hold(reply.retry_after_secs if reply.retry_after_secs is not None else HELD_SECS)
            if reply.code in SCOPE_CODES:
                # The next one has the scopes that somebody may have added meanwhile.
                self._tokens.refused(token)
                break
            if reply.status != 401 or last:
                break
            self._tokens.refused(token)
        return reply

    def _base(self, token: Token) -> str:
        """Choose whom to ask. The token goes there, so that an answer may not name just any host."""
        if not self._regional or not token.api_url:
            return self._api_url
        # A region is held to the rules for media servers: TLS, but for loopback, and a host that is allowed.
        address = re.sub("^http", "ws", token.api_url)
        if (problem := url_problem(address, self._allowed_hosts)) is None:
            return f"{token.api_url.rstrip('/')}/v2"
        if not self._told_region:
            self._told_region = True
            problem = problem.replace("wss://", "https://").replace("ws://", "http://")
            self._log.warning(
                f"the region's address in Zoom's token answer {problem}: `zoom.api_url` is asked instead"
            )
        return self._api_url

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None, token: Token) -> Reply:
        base = self._base(token)
        try:
            async with self._session.request(
                method,
                URL(base + path, encoded=True),  # as it is written: what must be encoded is
                json=body,
                headers={"Authorization": f"Bearer {token.secret.reveal()}"},
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECS),
                allow_redirects=False,
                ssl=self._tls if self._tls is not None else True,
            ) as response:
                return read_reply(
                    response.status,
                    await read_body(response, most_bytes=_MOST_BYTES),
                    tracking_id=response.headers.get("x-zm-trackingid", ""),
                    retry_after_secs=retry_after_secs(response.headers, now_s=self._clock.wall()),
                )
        except TimeoutError:
            return Reply(0, message=f"no answer within {ANSWER_SECS:.0f} s")
        except (aiohttp.ClientError, ValueError) as error:  # ValueError: the region is no address
            return Reply(0, message=f"no connection ({type(error).__name__})")
