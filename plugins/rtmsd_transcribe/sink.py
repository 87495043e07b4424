"""The sink: its engines and its account, and a transcriber for each stream."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType

from rtmsd.api import SinkContext, SinkError, SinkWriter, StreamInfo
from rtmsd_transcribe.account import Account
from rtmsd_transcribe.engine import Engine
from rtmsd_transcribe.lineup import Lineup
from rtmsd_transcribe.talk import Manner
from rtmsd_transcribe.writer import Transcriber

_AT_THE_END, _WHEN_STOPPED = 0.9, 0.4
"""Shares of `drain_secs` in which engines answer: at a stream's end the others wait so long, and half of it when rtmsd stops."""

_REMEMBERED = 10_000
"""Streams that were deleted on request."""


class TranscribeSink:
    """Sends what people say to engines, and publishes what these hear."""

    def __init__(
        self, engines: Sequence[Engine], context: SinkContext, *, manner: Manner, max_seconds_per_day: float
    ) -> None:
        self._engines = engines
        self._context = context
        self._manner = manner
        self._account = Account(
            context.state_dir / "account.json",
            most_per_day=max_seconds_per_day,
            log=context.log,
            count=context.count,
        )
        self._stack = AsyncExitStack()
        self._open: dict[str, list[Transcriber]] = {}
        self._deleted: dict[str, None] = {}

    async def __aenter__(self) -> TranscribeSink:
        """Begin with the engines. Raises SinkError when the account cannot be read, and what engines raise."""
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._account)
            except OSError as error:
                raise SinkError(self._cannot("read", error)) from error
            entered = [await stack.enter_async_context(engine) for engine in self._engines]
            self._lineup = Lineup(entered, log=self._context.log, count=self._context.count)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def check(self) -> None:
        """Prove that the account can be written; raises SinkError."""
        try:
            await asyncio.to_thread(_prove_writable, self._context.state_dir)
        except OSError as error:
            raise SinkError(self._cannot("write", error)) from error

    def _cannot(self, what: str, error: OSError) -> str:
        return (
            f"sink {self._context.name} should keep account of what it sends in {self._context.state_dir}, and cannot "
            f"{what} there: {error.strerror or error}. Give this directory to the user that runs rtmsd"
        )

    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[SinkWriter]:
        """Transcribe a stream, from what comes now on; raises SinkError when it was deleted.

        Left normally or not, what was said is answered within a share of `drain_secs`; what is not is lost.
        """
        if stream.stream_id in self._deleted:
            raise SinkError("this stream was deleted on request: it is not transcribed")
        transcriber = Transcriber(
            stream,
            lineup=self._lineup,
            account=self._account,
            manner=self._manner,
            publish=self._context.publish,
            log=self._context.log,
            count=self._context.count,
        )
        self._open.setdefault(stream.stream_id, []).append(transcriber)
        share = _WHEN_STOPPED
        try:
            yield transcriber
            share = _AT_THE_END
        except asyncio.CancelledError:
            share = 0.0
            raise
        finally:
            try:
                await transcriber.finish(share * self._context.drain_secs)
            finally:
                self._open[stream.stream_id].remove(transcriber)
                if not self._open[stream.stream_id]:
                    del self._open[stream.stream_id]

    async def purge(self, stream: StreamInfo) -> None:
        """End what is open of a stream, and transcribe nothing more of it. Nothing of it is stored here."""
        self._deleted[stream.stream_id] = None
        if len(self._deleted) > _REMEMBERED:
            del self._deleted[next(iter(self._deleted))]
        for transcriber in list(self._open.get(stream.stream_id, ())):
            await transcriber.delete()


def _prove_writable(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"rtmsd was here")
