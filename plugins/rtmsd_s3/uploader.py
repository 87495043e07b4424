"""Brings what the spool has to the bucket, again and again until the bucket has it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import partial

from structlog.typing import FilteringBoundLogger

from rtmsd.api import SinkError
from rtmsd.api.recording import RecordingError
from rtmsd_s3.bucket import Bucket
from rtmsd_s3.delivery import Delivery, finished
from rtmsd_s3.revocation import withdraw
from rtmsd_s3.spool import TOMBSTONE, Spool, Spooled, mark_uploaded

# How long to wait after a pass in which something failed; the last one is repeated.
PAUSES_SECS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# How often the spool is looked through though nobody said that something is new: `rtmsd recover`, files of a period.
LOOK_SECS = 30.0
# How often an outage is told again.
_REPEAT_SECS = 600.0
_AT_ONCE = 4


class Uploader:
    """Runs for ever; what it had begun when it was cancelled the next one does again."""

    def __init__(self, spool: Spool, bucket: Bucket, *, log: FilteringBoundLogger) -> None:
        self._spool = spool
        self._bucket = bucket
        self._delivery = Delivery(bucket, log=log)
        self._log = log
        self._chance = random.Random()  # noqa: S311  # only spreads the load
        self._news = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._held: set[str] = set()  # keys that a purge has in its hands
        self._failures = 0
        self._told_at = 0.0

    def wake(self) -> None:
        """Say that there may be something new in the spool."""
        self._news.set()

    async def run(self) -> None:
        """Look, upload, wait; for ever. Cancelling is safe at any time."""
        while True:
            self._news.clear()
            problems = await self._pass()
            self._tell(problems)
            if problems:
                pause = PAUSES_SECS[min(self._failures, len(PAUSES_SECS)) - 1]
                await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))
            else:
                await self._wait_for_news()

    async def hold(self, keys: Sequence[str]) -> None:
        """Stop working on these, and begin nothing with them, until `release`."""
        self._held.update(keys)
        busy = {self._busy[key] for key in keys if key in self._busy}
        for task in busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy)

    def release(self, keys: Sequence[str]) -> None:
        self._held.difference_update(keys)

    async def withdraw(self, home: Spooled, others: Sequence[Spooled]) -> None:
        """Delete a revoked recording from the bucket; raises SinkError, RecordingError or OSError.

        It stands at `home`, or at one of the `others` if a failover told of another start. The spool keeps the note as
        not yet brought over, so that the next look deletes what an upload under way may still have written.
        """
        about = await asyncio.to_thread((home.directory / TOMBSTONE).read_bytes)
        await withdraw(self._bucket, home.key, about, log=self._log)
        for other in others:
            await withdraw(self._bucket, other.key, about, log=self._log, needed=False)

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECS):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _pass(self) -> list[str]:
        """Try everything that waits, once; return what went wrong, in sentences."""
        problems: list[str] = []
        free = asyncio.Semaphore(_AT_ONCE)
        try:
            await asyncio.to_thread(self._spool.forget)
            found = await asyncio.to_thread(self._spool.unfinished_business)
        except OSError as error:
            return [f"the spool {self._spool.root} cannot be looked through: {error.strerror or error}"]
        async with asyncio.TaskGroup() as tasks:
            for one in found:
                task = tasks.create_task(self._attend(one, free, problems), name=f"upload {one.key}")
                self._busy[one.key] = task
                task.add_done_callback(partial(self._done, one.key))
        return problems

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        del self._busy[key]

    async def _attend(self, one: Spooled, free: asyncio.Semaphore, problems: list[str]) -> None:
        async with free:
            if one.key in self._held:
                return
            try:
                if one.revoked:
                    await self._bury(one)
                elif one.sealed:
                    await self._delivery.upload(one)
                else:
                    await self._delivery.upload_pieces(one)
            except (SinkError, RecordingError) as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(
                    f"{error.filename or one.directory} cannot be used: {error.strerror or error}"
                )

    async def _bury(self, one: Spooled) -> None:
        await self.withdraw(one, ())
        about: dict[str, object] = {"url": self._bucket.url(f"{one.key}/{TOMBSTONE}")}
        await finished(asyncio.to_thread(mark_uploaded, one.directory, about, revoked=True))

    def _tell(self, problems: list[str]) -> None:
        """Alarm at the first failure and every ten minutes, and say when it is over."""
        now = asyncio.get_running_loop().time()
        if not problems:
            if self._failures:
                self._log.info("the bucket takes recordings again")
            self._failures = 0
            return
        if not self._failures or now - self._told_at >= _REPEAT_SECS:
            self._told_at = now
            self._log.error(
                "recordings wait in the spool, because the bucket did not take them",
                why=problems[0],
                failed=len(problems),
                spool=str(self._spool.root),
            )
        self._failures += 1
