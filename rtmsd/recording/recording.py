"""One stream's recording on disk: opened or continued, written, flushed, and closed or suspended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import Item, StreamInfo
from rtmsd.recording import opus, wav
from rtmsd.recording.closing import drop_leftovers, finish_recording
from rtmsd.recording.files import AUDIO, LEDGER, PART, PICTURES, SUMS, TOMBSTONE, make_directories
from rtmsd.recording.growing import opus_patch, wav_patch
from rtmsd.recording.manifest import Manifest
from rtmsd.recording.patches import Patch, write_all
from rtmsd.recording.persistence import SCHEMA, LedgerFile, difference, replay
from rtmsd.recording.progress import Progress
from rtmsd.recording.reopening import reconcile
from rtmsd.recording.tracks import Chunk


class Recording:
    """Blocking, and for one thread at a time. One process at a time has a recording open; a lock sees to that.

    Any method may raise OSError when the disk refuses. What a process that dies loses is what came after the last
    flush; the recording says so itself when it is continued. Data reaches the disk itself at close only: until then
    a power failure may cost more, and is ledgered too.
    """

    def __init__(
        self, directory: Path, info: StreamInfo, *, version: str, ledger: LedgerFile, progress: Progress
    ) -> None:
        """For `Recording.open`."""
        self._directory = directory
        self._info = info
        self._version = version
        self._ledger = ledger
        self._progress = progress
        self._flushed = progress
        self._unledgered: dict[int, list[Chunk]] = {}
        self._cuts: dict[int, int] = {}
        self._sizes: dict[str, int] = {}
        self._ledgered_sizes: dict[str, int] = {}
        self._pages: dict[int, int] = {}
        self._begun = False
        self._done = False

    @classmethod
    def open(cls, directory: Path, info: StreamInfo, *, version: str) -> Recording:
        """Begin the recording of a stream in `directory`, or continue the unfinished one that is there.

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
            return cls._continue(directory, info, version, ledger)
        except BaseException:
            ledger.close()
            raise

    @classmethod
    def _continue(cls, directory: Path, info: StreamInfo, version: str, ledger: LedgerFile) -> Recording:
        entries = ledger.read()
        if entries and (entries[0].schema, entries[0].stream_id) != (SCHEMA, info.stream_id):
            raise RecordingError(
                f"{directory} should hold a recording of stream {info.stream_id} with ledger schema {SCHEMA}, and holds "
                f"one of {entries[0].stream_id} with schema {entries[0].schema}: move it away"
            )
        progress, sizes = replay(entries, started_ms=info.started_ms)
        recording = cls(directory, info, version=version, ledger=ledger, progress=progress)
        recording._begun = bool(entries)
        recording._progress = draft = progress.draft()
        suspended = bool(entries) and entries[-1].suspended
        recording._cuts = reconcile(directory, draft, sizes, suspended=suspended)
        if ledger.existed and not suspended and draft.torn_ms is None:
            draft.torn_ms = draft.newest_ms
        recording._sizes = sizes
        return recording

    @property
    def ended(self) -> bool:
        """True when the stream's end has been written: the recording can be closed."""
        return self._progress.end is not None

    @property
    def newest_ms(self) -> int | None:
        """The newest media time seen, in Unix milliseconds."""
        return self._progress.newest_ms

    def write(self, items: Sequence[Item]) -> None:
        """Add items, each where its media time puts it.

        All or nothing: after OSError (no space, …) nothing of them was kept and they can be written again. After
        RecordingError the part that had been written could not be undone: the recording has been left as by `abandon`,
        and opening it again puts it right.
        """
        draft = self._progress.draft()
        draft.take(items)
        self._commit(draft)

    def flush(self) -> None:
        """Make every data file valid and let the ledger know it. After OSError flush again; nothing is lost.

        Raises RecordingError when the recording has been left.
        """
        if self._done:
            raise self._left()
        if self._progress.undecided:
            draft = self._progress.draft()
            draft.decide_zero()
            self._commit(draft)
        self._flush(suspended=False)

    def close(self) -> Manifest:
        """Complete the recording after its StreamEnd: mix, captions, gaps, manifest, and SHA256SUMS last.

        Raises RecordingError when the end has not been written, or when a file that was written has been damaged: then
        opening the recording again mends and ledgers it. After OSError the recording is unfinished, has lost
        nothing, and can be closed again, also by another process.
        """
        if not self.ended:
            raise RecordingError(f"the recording in {self._directory} has no end yet: suspend it instead")
        self._settle()
        self._flush(suspended=False)
        manifest = finish_recording(self._directory, self._info, self._progress, version=self._version)
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

    def _left(self) -> RecordingError:
        return RecordingError(f"the recording in {self._directory} has been left: open it again to go on")

    def _commit(self, draft: Progress) -> None:
        if self._done:
            raise self._left()
        patches = []
        pages: dict[int, int] = {}
        sizes: dict[str, int] = {}
        for user_id, chunks in draft.tracks.chunks.items():
            if draft.tracks.form.unit_bytes:
                patches.append(self._wav_patch(draft, user_id, chunks))
            else:
                patch, pages[user_id] = self._opus_patch(draft, user_id, chunks)
                sizes[draft.tracks.file(user_id)] = patch.before + len(patch.pieces[0][1])
                patches.append(patch)
        patches += self._appended(draft.lines) + self._appended(draft.pictures.added)
        try:
            write_all(patches)
        except RecordingError:
            self.abandon()
            raise
        for added in (draft.lines, draft.pictures.added):
            for name, parts in added.items():
                self._sizes[name] = self._sizes.get(name, 0) + sum(map(len, parts))
        for user_id, chunks in draft.tracks.chunks.items():
            self._remember(user_id, chunks)
        self._sizes |= sizes
        self._pages |= pages
        draft.tracks.chunks, draft.lines, draft.pictures.added = {}, {}, {}
        self._progress = draft

    def _appended(self, added: dict[str, list[bytes]]) -> list[Patch]:
        patches = []
        for name, parts in added.items():
            size = self._sizes.get(name, 0)
            if not size and name.startswith(PICTURES):
                make_directories((self._directory / name).parent)
            patches.append(Patch(self._directory / (name + PART), size, [(size, b"".join(parts))]))
        return patches

    def _wav_patch(self, draft: Progress, user_id: int, chunks: list[Chunk]) -> Patch:
        return wav_patch(self._path(draft, user_id), draft.tracks.form, self._end(user_id), chunks)

    def _opus_patch(self, draft: Progress, user_id: int, chunks: list[Chunk]) -> tuple[Patch, int]:
        path, size = self._path(draft, user_id), self._sizes.get(draft.tracks.file(user_id), 0)
        if size and user_id not in self._pages:
            self._pages[user_id] = opus.count_pages(path)
        return opus_patch(
            path,
            draft.tracks.form,
            self._end(user_id),
            chunks,
            size=size,
            pages=self._pages.get(user_id, 0),
            serial=user_id,
        )

    def _end(self, user_id: int) -> int:
        """Where a track ends in its file."""
        track = self._progress.tracks.by_user.get(user_id)
        return track.end if track else 0

    def _remember(self, user_id: int, chunks: list[Chunk]) -> None:
        """Keep for the ledger which samples were written, without the samples."""
        known = self._unledgered.setdefault(user_id, [])
        for chunk in chunks:
            chunk.parts = []
            if known and known[-1].end == chunk.start:
                known[-1].end, known[-1].stamp = chunk.end, chunk.stamp
            else:
                known.append(chunk)

    def _flush(self, *, suspended: bool) -> None:
        if self._progress is self._flushed and not suspended:
            return
        for user_id in self._unledgered:
            form = self._progress.tracks.form
            if form.unit_bytes:
                wav.patch(self._path(self._progress, user_id), form, self._end(user_id))
        sizes = {name: size for name, size in self._sizes.items() if self._ledgered_sizes.get(name) != size}
        entry = difference(self._flushed, self._progress, self._unledgered, sizes)
        entry.cuts, entry.suspended = self._cuts, suspended
        if not self._begun:
            entry.schema, entry.stream_id = SCHEMA, self._info.stream_id
        self._ledger.append(entry)
        self._begun = True
        self._flushed, self._unledgered, self._cuts = self._progress, {}, {}
        self._ledgered_sizes |= sizes

    def _path(self, progress: Progress, user_id: int) -> Path:
        return self._directory / (progress.tracks.file(user_id) + PART)
