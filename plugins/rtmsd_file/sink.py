"""One sink: proves its directory, opens writers, deletes what was revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from rtmsd.api import SinkContext, SinkError, StreamInfo
from rtmsd.api.recording import (
    FilePlan,
    Layout,
    RecordingError,
    Signer,
    candidate_directories,
    make_directories,
    purge,
)
from rtmsd_file.caretaker import Caretaker
from rtmsd_file.outage import CAUSE as DISK_FULL
from rtmsd_file.writer import Segment

_LEFT_SECS = 300.0
"""A writer that failed is followed by the next one long before."""


class FileSink:
    """Keeps recordings below `directory`, where `layout` puts them, and looks after them while it is entered.

    `retention_days`: how long they are kept, 0 for ever.
    """

    def __init__(
        self,
        *,
        context: SinkContext,
        directory: Path,
        layout: Layout,
        flush_secs: float,
        retention_days: float,
        durable: bool,
        plan: FilePlan,
        signer: Signer | None,
    ) -> None:
        self._context = context
        self._directory = directory
        self._layout = layout
        self._flush_secs = flush_secs
        self._durable = durable
        self._plan = plan
        self._signer = signer
        self._segments: dict[str, Segment] = {}
        self._caretaker = Caretaker(
            directory=directory,
            context=context,
            in_use=self._in_use,
            cause_of=self._cause_of,
            retention_days=retention_days,
            signer=signer,
        )
        self._care: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FileSink:
        self._care = asyncio.create_task(self._caretaker.run(), name=f"care of {self._context.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._care is not None:
            self._care.cancel()
            await asyncio.gather(self._care, return_exceptions=True)

    async def check(self) -> None:
        """Create the directory and prove that it can be written; raises SinkError with its path."""
        try:
            await asyncio.to_thread(_prove_writable, self._directory)
        except OSError as error:
            raise SinkError(
                f"sink {self._context.name} should write recordings to {self._directory}, and cannot: "
                f"{error.strerror or error}. Create the directory for the user that runs rtmsd, or choose another"
            ) from error

    def open(self, stream: StreamInfo, segment: int) -> Segment:
        """Begin or continue a stream's recording; entering raises SinkError when that is not possible."""
        before = self._segments.get(stream.stream_id)
        opened = Segment(
            self._directory,
            self._layout,
            stream,
            context=self._context,
            flush_secs=self._flush_secs,
            durable=self._durable,
            plan=self._plan,
            signer=self._signer,
            outage=before.outage if before else None,
        )
        self._segments = {
            key: known
            for key, known in self._segments.items()
            if known.left_secs < _LEFT_SECS or known.outage.lasting
        }
        self._segments[stream.stream_id] = opened
        return opened

    def _in_use(self, directory: Path) -> bool:
        """Say whether a writer is in that directory, or was lately."""
        return any(segment.left_secs < _LEFT_SECS for segment in self._segments_of(directory))

    def _cause_of(self, directory: Path) -> str:
        """Say why what was recorded there had been left: this daemon did, or an earlier one."""
        lasting = any(segment.outage.lasting for segment in self._segments_of(directory))
        return DISK_FULL if lasting else "daemon_restart"

    def _segments_of(self, directory: Path) -> list[Segment]:
        """Return the writers in a directory. Called in another thread, so it looks at a copy."""
        return [segment for segment in list(self._segments.values()) if segment.directory == directory]

    async def purge(self, stream: StreamInfo) -> None:
        """Delete a stream's recording, also while it is written, and leave a tombstone.

        Cancelling is safe: what was begun is finished, and purging again deletes the rest.
        """
        segment = self._segments.get(stream.stream_id)
        if segment is not None:
            await segment.abandon()
        try:
            await asyncio.to_thread(self._purge, stream)
        except (OSError, RecordingError) as error:
            raise SinkError(
                f"sink {self._context.name} could not delete the recording of stream {stream.stream_id}: {error}"
            ) from error

    def _purge(self, stream: StreamInfo) -> None:
        home, *others = candidate_directories(self._directory, stream, self._layout)
        with self._caretaker.hands:
            for place in (home, *(other for other in others if other.exists())):
                purge(place, stream, version=self._context.version)


def _prove_writable(directory: Path) -> None:
    make_directories(directory)
    probe = directory / ".rtmsd-check"
    probe.write_bytes(b"rtmsd was here\n")
    probe.unlink()
