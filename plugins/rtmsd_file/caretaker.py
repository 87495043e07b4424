"""What is done for recordings besides writing them: finish what was left, delete what was kept long enough."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from rtmsd.api import SinkContext
from rtmsd.api.recording import Signer, expired, purge, recover, unfinished

FIRST_SECS = 150.0
"""After the start, all streams that can still be resumed have been: Zoom keeps them for 60 s."""

AGAIN_SECS = 1800.0


class Caretaker:
    """Looks after the recordings below a directory, for as long as `run` does.

    `in_use` says whether a directory is being written, or was just now: then it is left alone. `cause_of` says what
    the gap at the end of a recording is called that was left.
    """

    def __init__(
        self,
        *,
        directory: Path,
        context: SinkContext,
        in_use: Callable[[Path], bool],
        cause_of: Callable[[Path], str],
        retention_days: float,
        signer: Signer | None,
    ) -> None:
        self._directory = directory
        self._context = context
        self._in_use = in_use
        self._cause_of = cause_of
        self._retention_days = retention_days
        self._signer = signer
        self._leaving = threading.Event()
        # Who holds it changes recordings that nobody writes: one at a time, or a deleted one could come back.
        self.hands = threading.Lock()

    async def run(self) -> None:
        """Look after everything again and again. Cancelling waits for the recording that is being finished."""
        await asyncio.sleep(FIRST_SECS)
        while True:
            looking = asyncio.ensure_future(asyncio.to_thread(self.look))
            try:
                await asyncio.shield(looking)
            except asyncio.CancelledError:
                self._leaving.set()
                await asyncio.gather(looking, return_exceptions=True)
                raise
            except OSError as error:
                self._context.log.error(
                    "the recordings could not be looked after",
                    directory=str(self._directory),
                    error=str(error),
                )
            await asyncio.sleep(AGAIN_SECS)

    def look(self) -> None:
        """Do all that is due now. Blocks; raises OSError when the directory cannot be read."""
        for directory in unfinished(self._directory):
            with self.hands:
                if not self._leaving.is_set() and not self._in_use(directory):
                    self._finish(directory)
        if self._retention_days:
            for directory, stream in expired(self._directory, self._retention_days):
                if self._leaving.is_set():
                    return
                with self.hands:
                    purge(directory, stream, version=self._context.version, why="retention")
                self._context.log.info(
                    "a recording was kept long enough and is deleted", stream_id=stream.stream_id
                )

    def _finish(self, directory: Path) -> None:
        done = recover(
            directory, version=self._context.version, cause=self._cause_of(directory), signer=self._signer
        )
        log = self._context.log.bind(directory=str(directory))
        if done.problem:
            log.error("a recording that was left cannot be finished", why=done.problem)
        elif done.manifest is not None:
            log.warning(
                "a recording that was left is finished",
                stream_id=done.manifest.stream_id,
                completeness=done.manifest.completeness,
            )
