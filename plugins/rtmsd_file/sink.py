"""One sink: proves its directory, opens writers, deletes what was revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from rtmsd.api import SinkContext, SinkError, StreamInfo
from rtmsd.api.recording import (
    Layout,
    RecordingError,
    candidate_directories,
    make_directories,
    purge,
)
from rtmsd_file.writer import Segment


class FileSink:
    """Keeps recordings below `directory`, where `layout` puts them."""

    def __init__(self, *, context: SinkContext, directory: Path, layout: Layout, flush_secs: float) -> None:
        self._context = context
        self._directory = directory
        self._layout = layout
        self._flush_secs = flush_secs
        self._segments: dict[str, Segment] = {}

    async def __aenter__(self) -> FileSink:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

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
        opened = Segment(
            self._directory, self._layout, stream, context=self._context, flush_secs=self._flush_secs
        )
        self._segments = {key: known for key, known in self._segments.items() if not known.left}
        self._segments[stream.stream_id] = opened
        return opened

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
        purge(home, stream, version=self._context.version)
        for other in others:
            if other.exists():
                purge(other, stream, version=self._context.version)


def _prove_writable(directory: Path) -> None:
    make_directories(directory)
    probe = directory / ".rtmsd-check"
    probe.write_bytes(b"rtmsd was here\n")
    probe.unlink()
