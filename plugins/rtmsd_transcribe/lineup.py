"""The engines in the order of the configuration: which of them is asked next, and how long a broken one is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from rtmsd_transcribe.engine import Engine, EngineLost, EngineRefused

REST_SECS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long an engine is left alone after a failure, longer each time until it has answered something."""

REFUSED_SECS = 600.0
"""An engine that refused is asked again after this: somebody may have mended its key."""


@dataclass
class Seat:
    """One engine and how it does; `rests_until` is a time of the event loop."""

    engine: Engine
    rests_until: float = 0.0
    failures: int = 0


class Lineup:
    """Shared by all speakers of a sink: an engine that one of them lost is not asked by the next for a moment."""

    def __init__(self, engines: Sequence[Engine], *, log: FilteringBoundLogger) -> None:
        self._seats = [Seat(engine) for engine in engines]
        self._log = log

    async def next(self) -> Seat:
        """Give the first engine that does not rest; wait if all do. Cancelling is safe."""
        loop = asyncio.get_running_loop()
        while True:
            for seat in self._seats:
                if seat.rests_until <= loop.time():
                    return seat
            await asyncio.sleep(min(seat.rests_until for seat in self._seats) - loop.time())

    def answered(self, seat: Seat) -> None:
        """Note that an engine works."""
        seat.failures = 0

    def lost(self, seat: Seat, error: EngineLost) -> None:
        """Let an engine rest after a failure. Several speakers who lose it at once are one failure."""
        resting = seat.rests_until > asyncio.get_running_loop().time()
        pause = error.retry_secs
        if not resting:
            pause = max(pause, REST_SECS[min(seat.failures, len(REST_SECS) - 1)])
            seat.failures += 1
        self._rest(seat, pause)
        self._log.warning(
            "a transcription session was lost; what it did not answer is sent again",
            engine=seat.engine.name,
            why=str(error),
            rests_secs=round(max(0.0, seat.rests_until - asyncio.get_running_loop().time()), 1),
        )

    def refused(self, seat: Seat, error: EngineRefused) -> None:
        """Leave an engine alone for long: it will not work until somebody changes something."""
        self._rest(seat, REFUSED_SECS)
        self._log.error(
            "a transcription engine refuses to work",
            engine=seat.engine.name,
            why=str(error),
            rests_secs=REFUSED_SECS,
        )

    def _rest(self, seat: Seat, secs: float) -> None:
        seat.rests_until = max(seat.rests_until, asyncio.get_running_loop().time() + secs)
