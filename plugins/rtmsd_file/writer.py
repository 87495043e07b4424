"""One writer's life. Everything that blocks happens in one thread of its own, in order.

So a call that was cancelled while its thread worked can never overlap the next one, and a stuck disk holds up this
stream alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from rtmsd.api import Item, SinkContext, SinkError, SinkReject, SinkRetry, StreamInfo
from rtmsd.api.recording import (
    FilePlan,
    Layout,
    Manifest,
    Recording,
    RecordingError,
    Signer,
    recording_directory,
)
from rtmsd_file.outage import Outage, is_full

_RETRY_SECS = 2.0

_T = TypeVar("_T")
_WHOLE = FilePlan()


class Segment:
    """The context of a writer, and the writer itself."""

    def __init__(
        self,
        root: Path,
        layout: Layout,
        stream: StreamInfo,
        *,
        context: SinkContext,
        flush_secs: float,
        durable: bool = False,
        plan: FilePlan = _WHOLE,
        signer: Signer | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._root = root
        self._layout = layout
        self._stream = stream
        self._context = context
        self._flush_secs = flush_secs
        self._durable = durable
        self._plan = plan
        self._signer = signer
        self._loop = asyncio.get_running_loop()  # kept, since asking for it is a system call
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rtmsd-file")
        self._recording: Recording | None = None
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._owes_flush = False
        self._revoked = False
        self._left_at = 0.0
        self.left = False
        self.outage = outage or Outage()  # the writer before may have met it
        self.directory: Path | None = None  # once the recording is open

    @property
    def left_secs(self) -> float:
        """How long ago it was left; 0 while it is not."""
        return self._loop.time() - self._left_at if self.left else 0.0

    async def __aenter__(self) -> Segment:
        """Open the recording; raises SinkError. Cancelling is safe: what was opened is let go of."""
        try:
            await self._call(self._open)
        except (OSError, RecordingError) as error:
            self._leave()
            if isinstance(error, OSError) and is_full(error):
                self.outage.begins(self._loop.time(), self._stream.started_ms)
            raise SinkError(
                f"the recording of stream {self._stream.stream_id} cannot be opened: {error}"
            ) from error
        except asyncio.CancelledError:
            self._thread.submit(self._let_go)
            self._leave()
            raise
        self._flushed_at = self._loop.time()
        return self

    async def write(self, batch: Sequence[Item]) -> None:
        """Write a batch; it is flushed `flush_secs` after the last flush, whether or not another batch comes.

        Raises SinkRetry when the disk refused and nothing of the batch was kept, SinkReject after a purge, SinkError
        when a part was kept. When cancelled the batch may or may not have been kept.
        """
        if self._revoked:
            raise SinkReject(f"the recording of stream {self._stream.stream_id} was deleted on request")
        now = self._loop.time()
        due = now - self._flushed_at >= self._flush_secs
        if due:
            self._flushed_at = now
        elif self._timer is None:
            wait = self._flushed_at + self._flush_secs - now
            self._timer = self._loop.call_later(wait, self._flush_unasked)
        named = self.outage.named(batch)
        try:
            await self._call(lambda: self._write(named, flush=due))
        except OSError as error:
            raise self._refused(error) from error
        except RecordingError as error:
            raise SinkError(str(error)) from error
        self.outage.ends(self._loop.time())

    def _refused(self, error: OSError) -> SinkRetry:
        what = error.strerror or str(error)
        if is_full(error):
            assert self._recording is not None
            self.outage.begins(self._loop.time(), self._recording.newest_ms or 0)
            what += ". Make room: it goes on by itself, and what the queue cannot hold until then is ledgered as disk_full"
        return SinkRetry(
            f"the recording of stream {self._stream.stream_id} could not be written below {self._root}: {what}",
            after=_RETRY_SECS,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the recording after its StreamEnd, unless an exception leads out; else leave it to be continued.

        Raises SinkError when the disk refuses. Cancelling is safe: the thread finishes what it does.
        """
        try:
            if not self._revoked:
                await self._call(self._close if kind is None else self._suspend)
        except (OSError, RecordingError) as failure:
            raise SinkError(
                f"the recording of stream {self._stream.stream_id} could not be finished, and can be continued: {failure}"
            ) from failure
        finally:
            self._leave()

    async def abandon(self) -> None:
        """Let go of the files, because they will be deleted; later batches are rejected."""
        self._revoked = True
        if not self.left:
            await self._call(self._let_go)

    async def _call(self, work: Callable[[], _T]) -> _T:
        """Run in the thread. Shielded: a queued call that is cancelled still runs, in its turn."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _flush_unasked(self) -> None:
        """Nobody may speak for long: what was said before must not wait for them."""
        self._timer = None
        if not self.left and not self._revoked:
            self._flushed_at = self._loop.time()
            self._thread.submit(self._flush)

    def _leave(self) -> None:
        self.left = True
        self._left_at = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown(wait=False)

    # In the thread

    def _open(self) -> None:
        directory = recording_directory(self._root, self._stream, self._layout)
        self._recording = Recording.open(
            directory,
            self._stream,
            version=self._context.version,
            durable=self._durable,
            plan=self._plan,
        )
        self.directory = directory

    def _write(self, batch: Sequence[Item], *, flush: bool) -> None:
        assert self._recording is not None
        if self._owes_flush:
            self._recording.flush()
            self._owes_flush = False
        self._recording.write(batch)
        if flush:
            self._flush()

    def _flush(self) -> None:
        assert self._recording is not None
        try:
            self._recording.flush()
        except (OSError, RecordingError):
            # What was written is kept: the next batch tells, if the disk still refuses.
            self._owes_flush = True

    def _close(self) -> None:
        assert self._recording is not None
        try:
            if self._recording.ended:
                self._tell(self._recording.close(self._signer))
            else:
                self._recording.suspend()
        finally:
            self._recording.abandon()

    def _tell(self, manifest: Manifest) -> None:
        log = self._context.log.bind(stream_id=self._stream.stream_id)
        log.info(
            "recording complete",
            directory=str(self.directory),
            duration_secs=manifest.duration_ms / 1000,
            completeness=manifest.completeness,
            gaps=len(manifest.gaps),
        )

    def _suspend(self) -> None:
        assert self._recording is not None
        try:
            self._recording.suspend()
        finally:
            self._recording.abandon()

    def _let_go(self) -> None:
        if self._recording is not None:
            self._recording.abandon()
