"""The S3 sink: a file sink that writes into the spool, and an uploader that empties it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType

import msgspec

import rtmsd_file
from rtmsd.api import (
    Frame,
    Gap,
    Item,
    Sink,
    SinkContext,
    SinkError,
    SinkReject,
    SinkWriter,
    StreamEnd,
    StreamInfo,
)
from rtmsd.api.recording import Layout, RecordingError, candidate_directories
from rtmsd_s3.bucket import Bucket
from rtmsd_s3.faults import BucketError
from rtmsd_s3.fingerprint import fingerprint_of
from rtmsd_s3.level import Level
from rtmsd_s3.options import S3Options
from rtmsd_s3.spool import Spool, Spooled
from rtmsd_s3.uploader import Uploader

_PROBE = b"rtmsd was here\n"
_CHECK_SECS = 15.0
_AGAIN_SECS = 30.0


class S3Sink:
    """Keeps recordings in a bucket, by way of `options.directory`."""

    def __init__(self, options: S3Options, context: SinkContext) -> None:
        [kind] = rtmsd_file.rtmsd_sink_types()
        self._options = options
        self._context = context
        self._recorder: Sink = kind.build(options, context)
        self._spool = Spool(
            Path(options.directory), Layout(options.layout), retention_days=options.retention_days
        )
        self._level = Level(
            self._spool, limit_bytes=options.spool_limit_bytes, log=context.log, measure=context.measure
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> S3Sink:
        """Begin with what the last process left in the spool; raises SinkError when that is somebody else's."""
        try:
            await asyncio.to_thread(self._spool.claim, self._context.name)
        except OSError as error:
            raise SinkError(
                f"sink {self._context.name} should keep its spool in {self._spool.root}, and cannot: "
                f"{error.strerror or error}. Create the directory for the user that runs rtmsd, or choose another"
            ) from error
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._recorder)
            self._uploader = Uploader(self._spool, Bucket(self._options), log=self._context.log)
            for work in (self._uploader.run, self._level.watch):
                task = asyncio.create_task(self._keep(work), name=f"spool of {self._context.name}")
                stack.push_async_callback(_end, task)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once: what is not uploaded stays in the spool for the next start."""
        await self._stack.aclose()
        del self._uploader  # and with it the connections to the bucket

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let work begin again whatever happens to it: without it the spool would only fill."""
        while True:
            try:
                await work()
            except Exception as error:  # supervision: any fault of ours or of the library's
                self._context.log.error("uploading broke, and begins again", exc_info=error)
                await asyncio.sleep(_AGAIN_SECS)

    async def check(self) -> None:
        """Prove that the spool and the bucket can be written; raises SinkError.

        A bucket that cannot be reached just now is only a warning: the spool takes what comes.
        """
        await self._recorder.check()
        try:
            async with asyncio.timeout(_CHECK_SECS):
                await self._probe()
        except TimeoutError:
            self._warn("it did not answer in time")
        except BucketError as error:
            if not error.passing:
                raise SinkError(f"sink {self._context.name} cannot use its bucket: {error}") from None
            self._warn(str(error))
        if self._options.place.scheme == "s3":
            self._context.log.info(
                "parts of uploads that were broken off stay in the bucket until a lifecycle rule removes them: see "
                "AbortIncompleteMultipartUpload in docs/s3.md",
                bucket=self._options.place.bucket,
            )

    async def _probe(self) -> None:
        bucket = Bucket(self._options, hasty=True)
        key = f".rtmsd-check-{self._context.name}"
        entry = fingerprint_of(_PROBE)
        if not await bucket.proves(await bucket.put(key, _PROBE, entry), entry):
            raise BucketError(
                f"{bucket.url(key)} was written, and does not hold what was sent", passing=False
            )
        await bucket.stat(key)
        await bucket.list(key)
        await bucket.delete([key])

    def _warn(self, why: str) -> None:
        self._context.log.warning("the bucket cannot be used now: recordings wait in the spool", why=why)

    @asynccontextmanager
    async def open(self, stream: StreamInfo, segment: int) -> AsyncIterator[SinkWriter]:
        """Begin or continue a stream's recording in the spool; once it is finished it is uploaded."""
        async with self._recorder.open(stream, segment) as writer:
            yield _SpoolWriter(writer, self._level)
        self._uploader.wake()

    async def purge(self, stream: StreamInfo) -> None:
        """Delete a stream's recording from the spool and from the bucket, and leave a tombstone in both.

        Raises SinkError when the bucket refuses: what is to be deleted is noted in the spool, and tried again, also
        after a restart.
        """
        places = await asyncio.to_thread(self._places_of, stream)
        keys = [place.key for place in places]
        await self._uploader.hold(keys)
        try:
            await self._recorder.purge(stream)
            await self._uploader.withdraw(places[0], places[1:])
        except (OSError, RecordingError) as error:
            raise SinkError(
                f"sink {self._context.name} could not delete the recording of stream {stream.stream_id} from the "
                f"bucket: {error}"
            ) from error
        finally:
            self._uploader.release(keys)

    def _places_of(self, stream: StreamInfo) -> list[Spooled]:
        """List where a stream's recording can be, the proper place first; raises SinkError."""
        try:
            found = candidate_directories(self._spool.root, stream, Layout(self._options.layout))
        except RecordingError as error:
            raise SinkError(
                f"sink {self._context.name} cannot tell where the recording is: {error}"
            ) from error
        return [self._spool.at(directory) for directory in found]


class _SpoolWriter:
    """Passes batches on, but no frames when the spool is full."""

    def __init__(self, writer: SinkWriter, level: Level) -> None:
        self._writer = writer
        self._level = level
        self._refused = False

    async def write(self, batch: Sequence[Item]) -> None:
        """Write a batch; raises SinkReject for one with frames when the spool is full.

        Not SinkRetry: the end of a stream would wait behind its frames, and only what has ended can leave the spool.
        """
        ends = isinstance(batch[-1], StreamEnd)
        if self._level.full and not ends and any(isinstance(item, Frame) for item in batch):
            self._refused = True
            raise SinkReject(self._level.sentence)
        await self._writer.write([_named(item) for item in batch] if self._refused else batch)


def _named(item: Item) -> Item:
    """Give what was rejected for want of room its cause: the recorder itself rejects only what was revoked."""
    if isinstance(item, Gap) and item.cause == "sink_rejected":
        return msgspec.structs.replace(item, cause="disk_full")
    return item


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
