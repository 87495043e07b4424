"""The calls of one app: in the account's name through its controller, or in a host's own (protocol.md §3, §4)."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

import aiohttp

from rtmsd.config import AppConfig, ZoomConfig
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal
from rtmsd.zoom.kept_token import KeptToken
from rtmsd.zoom.limits import CALLS_PER_SEC, Budget
from rtmsd.zoom.meetings import Action, ZoomMeetings
from rtmsd.zoom.oauth import TokenSource, account_grant, client_grant, refresh_grant
from rtmsd.zoom.replies import Reply


class AppCalls:
    """Starts and stops one app's streams and looks meetings up. Every call may raise TokenError; cancelling is safe.

    `budgets` holds one budget for each account, shared by all apps: by account id, or by app for hosts' own tokens.
    """

    def __init__(
        self,
        app: AppConfig,
        *,
        zoom: ZoomConfig,
        session: aiohttp.ClientSession,
        journal: Journal,
        clock: Clock,
        budgets: dict[str, Budget],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._client_id = app.client_id
        token_source = partial(TokenSource, session=session, oauth_url=zoom.oauth_url, clock=clock, tls=tls)
        account = app.manual.account_id if app.manual is not None else f"hosts of {app.name}"
        per_sec = app.manual.calls_per_sec if app.manual is not None else CALLS_PER_SEC
        budget = budgets.setdefault(account, Budget(clock=clock, per_sec=per_sec))
        budget.no_faster(per_sec)
        meetings = partial(
            ZoomMeetings,
            session=session,
            api_url=zoom.api_url,
            allowed_hosts=zoom.allowed_hosts,
            budget=budget,
            clock=clock,
            tls=tls,
        )
        self._sources: list[TokenSource] = []
        self._controller: ZoomMeetings | None = None
        self.controller_tokens: TokenSource | None = None
        if (manual := app.manual) is not None:
            self.controller_tokens = token_source(
                client_id=manual.client_id,
                client_secret=manual.client_secret,
                grant=account_grant(manual.account_id),
            )
            self._sources.append(self.controller_tokens)
            self._controller = meetings(tokens=self.controller_tokens, regional=manual.regional_api)
        self._hosts: dict[str, ZoomMeetings] = {}
        self._kept: list[KeptToken] = []
        for host in app.hosts:
            kept = KeptToken(journal, app=app.name, host=host)
            self._kept.append(kept)
            source = token_source(
                client_id=app.client_id,
                client_secret=app.client_secret,
                grant=refresh_grant(kept.read),
                keep_refresh_token=kept.keep,
            )
            self._sources.append(source)
            self._hosts[host.user_id] = meetings(tokens=source)
        self.own_tokens = token_source(
            client_id=app.client_id, client_secret=app.client_secret, grant=client_grant()
        )
        """Tokens of the RTMS app itself, which its own event WebSocket takes."""
        self._sources.append(self.own_tokens)

    async def close(self) -> None:
        """Stop fetching tokens, and keep what the last of them brought; takes at most a few seconds."""
        await asyncio.gather(*(source.close() for source in self._sources))
        await asyncio.gather(*(kept.close() for kept in self._kept))

    def may_ask(self, user_id: str) -> bool:
        """Whether anybody may be asked about this user's meetings."""
        return self._controller is not None or user_id in self._hosts

    async def set_app(
        self, meeting_id: str, action: Action, *, as_user: str = "", for_user: str = ""
    ) -> Reply:
        """Start or stop the app in a meeting: in the name of the host `as_user`, or in the account's for `for_user`."""
        meetings = self._hosts[as_user] if as_user else self._for_account()
        return await meetings.set_app(
            meeting_id, action, client_id=self._client_id, participant_user_id=for_user
        )

    async def meeting(self, number_or_uuid: str, *, host_id: str = "") -> Reply:
        """Look a meeting up: in the account's name, else in its host's."""
        return await self._asking(host_id).meeting(number_or_uuid)

    async def live_meetings(self, user_id: str) -> Reply:
        """List a host's meetings that are going on."""
        return await self._asking(user_id).live_meetings(user_id)

    def _asking(self, user_id: str) -> ZoomMeetings:
        return self._controller or self._hosts[user_id]

    def _for_account(self) -> ZoomMeetings:
        assert self._controller is not None, "nobody asks without a controller"
        return self._controller
