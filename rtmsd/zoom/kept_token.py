"""A host's refresh token, which changes with every use: whoever loses the newest has lost the host (protocol.md §3.2)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from itertools import chain, repeat

import structlog

from rtmsd.config import HostConfig
from rtmsd.errors import JournalError
from rtmsd.state import Journal

AGAIN_SECS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""When the journal is tried again; the last goes on."""


class KeptToken:
    """The newest refresh token of one host: in memory from when it came, and in the journal as soon as that takes it.

    The configured one is the first, and another one there begins anew.
    """

    def __init__(self, journal: Journal, *, app: str, host: HostConfig) -> None:
        self._journal = journal
        self._app = app
        self._configured = host.refresh_token.reveal()
        self._name = f"refresh:{host.user_id}:{hashlib.sha256(self._configured.encode()).hexdigest()[:16]}"
        self._newest = ""
        self._in_journal = True
        self._trying: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("rtmsd.zoom").bind(app=app, host=host.user_id)

    async def read(self) -> str:
        """Return the newest token, which may be in memory only. Raises JournalError when none is and it cannot be read."""
        if not self._in_journal:
            await self._try()
        return self._newest or await self._journal.kept(self._app, self._name) or self._configured

    async def keep(self, token: str) -> None:
        """Keep a token that Zoom has just given out. Never raises: what the journal does not take now is tried again."""
        self._newest, self._in_journal = token, False
        if await self._try() or self._trying is not None:
            return
        self._log.error(
            "the host's new refresh token could not be written: rtmsd goes on with it from memory and tries again; stopped "
            "before that, it has to be authorised again"
        )
        self._trying = asyncio.create_task(self._until_kept(), name="keeping a refresh token")

    async def close(self) -> None:
        """Stop trying, after a last time."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
        if not self._in_journal and not await self._try():
            self._log.error("the host's newest refresh token is lost: let the host authorise the app again")

    async def _until_kept(self) -> None:
        for secs in _delays():
            await asyncio.sleep(secs)
            if await self._try():
                self._trying = None
                self._log.info("the host's new refresh token is written")
                return

    async def _try(self) -> bool:
        """Write the newest token if it is not; say whether it is."""
        while not self._in_journal:
            token = self._newest
            try:
                await self._journal.keep(self._app, self._name, token)
            except JournalError:
                return False
            self._in_journal = token == self._newest
        return True


def _delays() -> Iterator[float]:
    return chain(AGAIN_SECS, repeat(AGAIN_SECS[-1]))
