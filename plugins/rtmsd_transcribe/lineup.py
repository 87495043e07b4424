"""The engines in the order of the configuration: which of them is asked next, and how long a broken one is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from rtmsd.api import TellNumber, no_number
from rtmsd_transcribe.engine import Engine, EngineLost, EngineRefused

REST_SECS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long an engine is left alone after a failure, longer each time until it has answered something."""

REPEAT_SECS = 600.0
"""An engine that breaks again and again in the same way, whether or not it works in between, is told so often."""

REFUSED_SECS = 600.0
"""An engine that refused is asked again after this: somebody may have mended its key."""


@dataclass
class Seat:
    """One engine and how it does; times are those of the event loop. `told`: when the log was told which fault."""

    engine: Engine
    rests_until: float = 0.0
    failures: int = 0
    sessions: int = 0  # that are open
    heard_at: float = 0.0
    broken: bool = False  # as far as the log knows
    told: dict[str, float] = field(default_factory=dict)


class Lineup:
    """Shared by all speakers of a sink: an engine that one of them lost is not asked by the next for a moment."""

    def __init__(
        self, engines: Sequence[Engine], *, log: FilteringBoundLogger, count: TellNumber = no_number
    ) -> None:
        self._seats = [Seat(engine) for engine in engines]
        self._left: list[str] = []  # why each that is not asked any more is not
        self._log = log
        self._count = count

    def __len__(self) -> int:
        return len(self._seats)

    async def next(self) -> Seat:
        """Give the first engine that does not rest; wait if all do. Cancelling is safe.

        Raises EngineRefused when there is none that may be asked any more.
        """
        loop = asyncio.get_running_loop()
        while self._seats:
            for seat in self._seats:
                if seat.rests_until <= loop.time():
                    return seat
            await asyncio.sleep(min(seat.rests_until for seat in self._seats) - loop.time())
        raise EngineRefused(f"no engine is left. {' '.join(self._left)}")

    @contextmanager
    def opened(self, seat: Seat) -> Iterator[None]:
        """Count a session that has begun, and is open as long as the context lasts."""
        self._count("sessions_opened", 1, engine=seat.engine.name)
        seat.sessions += 1
        try:
            yield
        finally:
            seat.sessions -= 1

    def answered(self, seat: Seat) -> None:
        """Note that an engine works, for whomever."""
        seat.failures = 0
        seat.heard_at = asyncio.get_running_loop().time()
        if seat.broken:
            seat.broken = False
            self._log.info("a transcription engine works again", engine=seat.engine.name)

    def lost(self, seat: Seat, error: EngineLost, *, opened: bool = True) -> None:
        """Let an engine rest after a failure; `opened`: the session had begun. Several speakers who lose it at once are one."""
        self._count("sessions_lost", 1, engine=seat.engine.name)
        resting = seat.rests_until > asyncio.get_running_loop().time()
        pause = error.retry_secs
        if not resting:
            pause = max(pause, REST_SECS[min(seat.failures, len(REST_SECS) - 1)])
            seat.failures += 1
        self._rest(seat, pause)
        self._tell(seat, str(error))

    def _tell(self, seat: Seat, why: str) -> None:
        """Say what is wrong with an engine, each fault once in a while: it may work for others, and break for one again and again."""
        now = asyncio.get_running_loop().time()
        seat.told = {fault: at for fault, at in seat.told.items() if now - at < REPEAT_SECS}
        if why in seat.told:
            return
        seat.told[why] = now
        seat.broken = True
        self._log.warning(
            "a transcription session was lost; what it did not answer is sent again",
            engine=seat.engine.name,
            why=why,
            rests_secs=round(max(0.0, seat.rests_until - now), 1),
        )

    def refused(self, seat: Seat, error: EngineRefused) -> None:
        """Leave an engine alone for long: it will not work until somebody changes something."""
        self._count("sessions_lost", 1, engine=seat.engine.name)
        self._rest(seat, REFUSED_SECS)
        self._log.error(
            "a transcription engine refuses to work",
            engine=seat.engine.name,
            why=str(error),
            rests_secs=REFUSED_SECS,
        )

    def leave(self, seat: Seat, error: EngineLost | EngineRefused) -> None:
        """Ask an engine no more."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._left.append(f"{seat.engine.name}: {error}")

    def _rest(self, seat: Seat, secs: float) -> None:
        seat.rests_until = max(seat.rests_until, asyncio.get_running_loop().time() + secs)
