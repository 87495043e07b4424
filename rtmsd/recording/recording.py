"""One stream's recording on disk: opened or continued, written, flushed, and closed or suspended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFrame, Item, StreamInfo
from rtmsd.recording.closing import drop_leftovers, finish_recording
from rtmsd.recording.file_plan import LATE_MS, FilePlan
from rtmsd.recording.files import (
    AUDIO,
    LEDGER,
    SUMS,
    TOMBSTONE,
    make_directories,
    sync_all,
)
from rtmsd.recording.manifest import FileEntry, Manifest, digest
from rtmsd.recording.persistence import SCHEMA, LedgerFile, difference, replay
from rtmsd.recording.progress import Progress
from rtmsd.recording.reopening import last_sign, reconcile
from rtmsd.recording.sealing import seal_period
from rtmsd.recording.signature import Signer
from rtmsd.recording.writing import GrowingFiles

_WHOLE = FilePlan()


class Recording:
    """Blocking, and for one thread at a time. One process at a time has a recording open; a lock sees to that.

    Any method may raise OSError when the disk refuses. What a process that dies loses is what came after the last
    flush; the recording says so itself when it is continued. Unless it is `durable`, data reaches the disk itself at
    close only: until then a power failure may cost more, and is ledgered too.
    """

    def __init__(
        self,
        directory: Path,
        info: StreamInfo,
        *,
        version: str,
        durable: bool,
        ledger: LedgerFile,
        progress: Progress,
    ) -> None:
        """For `Recording.open`."""
        self._directory = directory
        self._info = info
        self._version = version
        self._durable = durable
        self._ledger = ledger
        self._progress = progress
        self._flushed = progress
        self._files = GrowingFiles(directory)
        self._cuts: dict[int, int] = {}
        self._done = False
        # When the last packets of the last two batches were: the newest time alone may be one wrong number.
        self._heard_ms = (0, 0)
        # The latest moment of which something had been written, flushed or not, in Unix milliseconds.
        self.last_sign_ms = 0

    @classmethod
    def open(
        cls,
        directory: Path,
        info: StreamInfo,
        *,
        version: str,
        durable: bool = False,
        plan: FilePlan = _WHOLE,
    ) -> Recording:
        """Begin the recording of a stream in `directory`, or continue the unfinished one that is there.

        `plan`: how sound is divided into files; what is continued keeps the one that it began with.
        `durable`: each flush waits until the disk has it, so that not even a power failure costs more than a crash.
        Raises RecordingError when a complete, a deleted or another stream's recording is there, or one that somebody
        is writing; OSError when the directory cannot be used.
        """
        if (directory / TOMBSTONE).exists():
            raise RecordingError(
                f"the recording in {directory} was deleted on request: nothing is written there again"
            )
        make_directories(directory / AUDIO)
        if (directory / SUMS).exists():
            drop_leftovers(directory)
            raise RecordingError(f"the recording in {directory} is complete: nothing can be added to it")
        try:
            ledger = LedgerFile(directory / LEDGER)
        except BlockingIOError:
            raise RecordingError(f"the recording in {directory} is being written by somebody else") from None
        try:
            return cls._continue(directory, info, ledger, version=version, durable=durable, plan=plan)
        except BaseException:
            ledger.close()
            raise

    @classmethod
    def _continue(
        cls,
        directory: Path,
        info: StreamInfo,
        ledger: LedgerFile,
        *,
        version: str,
        durable: bool,
        plan: FilePlan,
    ) -> Recording:
        entries = ledger.read()
        if entries and (entries[0].schema, entries[0].stream_id) != (SCHEMA, info.stream_id):
            raise RecordingError(
                f"{directory} should hold a recording of stream {info.stream_id} with ledger schema {SCHEMA}, and holds "
                f"one of {entries[0].stream_id} with schema {entries[0].schema}: move it away"
            )
        progress, sizes = replay(entries, started_ms=info.started_ms)
        recording = cls(directory, info, version=version, durable=durable, ledger=ledger, progress=progress)
        recording.last_sign_ms = last_sign(directory, progress)
        if not entries:
            recording._begin(plan)
        recording._progress = draft = progress.draft()
        suspended = bool(entries) and entries[-1].suspended
        recording._cuts = reconcile(directory, draft, sizes, suspended=suspended)
        if entries and not suspended and draft.torn_ms is None:
            draft.torn_ms = draft.newest_ms
        recording._files.sizes = sizes
        return recording

    def _begin(self, plan: FilePlan) -> None:
        """Say whose recording this is before there is any: what dies at once can be recovered too."""
        entry = difference(self._progress, self._progress, {}, {})
        entry.schema, entry.stream_id, entry.info = SCHEMA, self._info.stream_id, self._info
        entry.plan = self._progress.tracks.plan = plan
        self._ledger.append(entry)
        if self._durable:
            self._ledger.sync()
            sync_all([self._directory])

    @property
    def ended(self) -> bool:
        """True when the stream's end has been written: the recording can be closed."""
        return self._progress.end is not None

    @property
    def newest_ms(self) -> int | None:
        """The newest media time seen, in Unix milliseconds."""
        return self._progress.newest_ms

    @property
    def sealed(self) -> Mapping[str, FileEntry]:
        """The files that are complete while the meeting runs, with their sizes and hashes.

        They are not read, changed or missed again, whatever becomes of the recording: who has taken them elsewhere may
        delete them.
        """
        return self._progress.sealed

    def write(self, items: Sequence[Item]) -> None:
        """Add items, each where its media time puts it.

        All or nothing: after OSError (no space, …) nothing of them was kept and they can be written again. After
        RecordingError the part that had been written could not be undone: the recording has been left as by `abandon`,
        and opening it again puts it right.
        """
        draft = self._progress.draft()
        draft.take(items)
        self._commit(draft)
        if items and isinstance(items[-1], AudioFrame):
            self._heard_ms = self._heard_ms[1], items[-1].timestamp_ms

    def flush(self) -> None:
        """Make every data file valid and let the ledger know it. After OSError flush again; nothing is lost.

        Files of a period that is over, and for which nothing more can come, are completed: see `sealed`.
        Raises RecordingError when the recording has been left.
        """
        if self._done:
            raise self._left()
        if self._progress.undecided:
            draft = self._progress.draft()
            draft.decide_zero()
            self._commit(draft)
        self._flush(suspended=False)
        self._seal_what_is_over()

    def close(self, signer: Signer | None = None) -> Manifest:
        """Complete the recording after its StreamEnd: mix, captions, gaps, manifest, signature, and SHA256SUMS last.

        Raises RecordingError when the end has not been written, or when a file that was written has been damaged: then
        opening the recording again mends and ledgers it. After OSError the recording is unfinished, has lost
        nothing, and can be closed again, also by another process.
        """
        if not self.ended:
            raise RecordingError(f"the recording in {self._directory} has no end yet: suspend it instead")
        self._settle()
        self._flush(suspended=False)
        manifest = finish_recording(
            self._directory, self._info, self._progress, version=self._version, signer=signer
        )
        self.abandon()
        return manifest

    def suspend(self) -> None:
        """Leave the recording valid and unfinished, to be continued. Harmless when it has been left."""
        if self._done:
            return
        self._settle()
        self._flush(suspended=True)
        self.abandon()

    def abandon(self) -> None:
        """Let go of the files as they are, as if the process had died. Harmless after the end."""
        if not self._done:
            self._done = True
            self._ledger.close()

    def _settle(self) -> None:
        draft = self._progress.draft()
        draft.settle()
        self._commit(draft)

    def _seal_what_is_over(self) -> None:
        progress, tracks = self._progress, self._progress.tracks
        if not tracks.divided or progress.zero_ms is None:
            return
        over_ms = min(self._heard_ms) - LATE_MS - progress.zero_ms
        while (tracks.sealed + 1) * tracks.plan.period_ms(tracks.form) <= over_ms:
            start, stop = tracks.span(tracks.sealed)
            names = seal_period(self._directory, progress, tracks.sealed, stop - start)
            entry = difference(progress, progress, {}, {})
            entry.periods += 1
            entry.sealed = {name: digest(self._directory / name) for name in names}
            self._ledger.append(entry)
            progress.sealed = progress.sealed | entry.sealed
            grown = [self._files.path(progress, user_id, tracks.sealed) for user_id in tracks.by_user]
            tracks.seal(entry.periods)
            for path in grown:
                path.unlink(missing_ok=True)

    def _left(self) -> RecordingError:
        return RecordingError(f"the recording in {self._directory} has been left: open it again to go on")

    def _commit(self, draft: Progress) -> None:
        if self._done:
            raise self._left()
        try:
            self._files.write(self._progress, draft)
        except RecordingError:
            self.abandon()
            raise
        self._progress = draft

    def _flush(self, *, suspended: bool) -> None:
        if self._progress is self._flushed and not suspended:
            return
        written = self._files.mend(self._progress)
        entry = difference(self._flushed, self._progress, self._files.unledgered, self._files.new_sizes)
        entry.cuts, entry.suspended = self._cuts, suspended
        if self._durable:
            sync_all([*written, *{path.parent for path in written}])
        self._ledger.append(entry)
        if self._durable:
            self._ledger.sync()
        self._flushed, self._cuts = self._progress, {}
        self._files.ledgered()
