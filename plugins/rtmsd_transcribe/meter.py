"""What one session costs: claimed before it is sent, counted by what the service really got."""

from __future__ import annotations

import math

from rtmsd_transcribe.account import Account
from rtmsd_transcribe.engine import Session


class Meter:
    """Tells the account of one session. The service got what the session says, or else what its `send` took."""

    def __init__(self, account: Account, session: Session, *, engine: str, stream_id: str) -> None:
        self._account = account
        self._session = session
        self._engine = engine
        self._stream_id = stream_id
        self._taken = 0.0
        self._told = 0.0
        self._claimed = 0.0  # what may still be sent

    @property
    def sent_secs(self) -> float:
        return float(getattr(self._session, "sent_secs", self._taken))

    async def claim(self, secs: float, media_ms: float) -> bool:
        """Reserve what is sent next; False when the day's ceiling does not allow it."""
        if not await self._account.claim(secs, media_ms):
            return False
        self._claimed += secs
        return True

    def took(self, secs: float) -> None:
        """The session took so much of what was claimed."""
        self._taken += secs
        self.settle()

    def settle(self, *, waiting_secs: float = math.inf) -> None:
        """Count what was sent since the last time, and give back what will not be: no more than `waiting_secs` may still."""
        sent = self.sent_secs - self._told
        left = min(max(self._claimed - sent, 0.0), waiting_secs)
        if sent or left < self._claimed:
            self._account.settle(self._claimed - left, self._engine, self._stream_id, sent_secs=sent)
        self._told += sent
        self._claimed = left

    def close(self) -> None:
        """Nothing more is sent."""
        self.settle(waiting_secs=0.0)
