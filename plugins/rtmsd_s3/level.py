"""How full the spool is, and what follows from it.

The policy: nothing that waits for the bucket is ever deleted. At the limit the sink takes no more sound, pictures and words:
they are dropped, and ledgered as gaps of a full disk. It goes on when there is room.
"""

from __future__ import annotations

import asyncio

from structlog.typing import FilteringBoundLogger

from rtmsd.api import TellNumber, no_number
from rtmsd_s3.spool import Spool

MEASURE_SECS = 5.0
_WARN_AT, _RESUME_AT = 0.8, 0.95


class Level:
    """Measures the spool every few seconds; `full` from the limit on, until a twentieth of it is free again."""

    def __init__(
        self, spool: Spool, *, limit_bytes: int, log: FilteringBoundLogger, measure: TellNumber = no_number
    ) -> None:
        self._spool = spool
        self._limit_bytes = limit_bytes
        self._log = log
        self._measure = measure
        self._warned = False
        self.full = False

    @property
    def sentence(self) -> str:
        return (
            f"the spool {self._spool.root} has reached its limit of {self._limit_bytes} bytes and takes no more until the "
            "bucket does: look why recordings are not uploaded, or raise spool_limit_bytes"
        )

    async def watch(self) -> None:
        """Measure, for ever."""
        while True:
            self.note(await asyncio.to_thread(self._spool.used_bytes))
            await asyncio.sleep(MEASURE_SECS)

    def note(self, used_bytes: int) -> None:
        """Take a measurement; alarm when it passes a mark."""
        self._measure("spool_bytes", used_bytes)
        self._measure("spool_limit_bytes", self._limit_bytes)
        share = used_bytes / self._limit_bytes
        if share >= 1 and not self.full:
            self._log.error(self.sentence, used_bytes=used_bytes)
        elif share >= _WARN_AT and not self._warned:
            self._log.warning(
                f"the spool {self._spool.root} is filling up: at its limit recordings will have gaps",
                used_bytes=used_bytes,
                limit_bytes=self._limit_bytes,
            )
        if self.full and share < _RESUME_AT:
            self._log.info("there is room in the spool again", used_bytes=used_bytes)
        self._warned = share >= _WARN_AT
        self.full = share >= (_RESUME_AT if self.full else 1)
