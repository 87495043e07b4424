"""All files that grow while a recording does: what a draft adds is written into them, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rtmsd.recording import opus, wav
from rtmsd.recording.files import PART, PICTURES, make_directories
from rtmsd.recording.growing import by_period, opus_patch, wav_patch
from rtmsd.recording.patches import Patch, write_all
from rtmsd.recording.progress import Progress
from rtmsd.recording.tracks import Chunk


class GrowingFiles:
    """`unledgered` is what was written and is not in the ledger yet; `sizes` is how long each file of lines, pictures or
    Opus is."""

    def __init__(self, directory: Path) -> None:
        self.sizes: dict[str, int] = {}
        self.unledgered: dict[int, list[Chunk]] = {}
        self._directory = directory
        self._ledgered_sizes: dict[str, int] = {}
        self._pages: dict[int, int] = {}

    def path(self, progress: Progress, user_id: int, period: int = 0) -> Path:
        return self._directory / (progress.tracks.file(user_id, period) + PART)

    def write(self, before: Progress, draft: Progress) -> None:
        """Write what `draft` adds to `before`, and forget it there. OSError: nothing has been written.

        Raises RecordingError when a part had been, and could not be undone.
        """
        patches: list[Patch] = []
        pages: dict[int, int] = {}
        sizes: dict[str, int] = {}
        for user_id, chunks in draft.tracks.chunks.items():
            if draft.tracks.form.unit_bytes:
                patches += self._wav_patches(before, draft, user_id, chunks)
            else:
                patch, pages[user_id] = self._opus_patch(before, draft, user_id, chunks)
                sizes[draft.tracks.file(user_id)] = patch.before + len(patch.pieces[0][1])
                patches.append(patch)
        patches += self._appended(draft.lines) + self._appended(draft.pictures.added)
        write_all(patches)
        for added in (draft.lines, draft.pictures.added):
            for name, parts in added.items():
                self.sizes[name] = self.sizes.get(name, 0) + sum(map(len, parts))
        for user_id, chunks in draft.tracks.chunks.items():
            self._remember(user_id, chunks)
        self.sizes |= sizes
        self._pages |= pages
        draft.tracks.chunks, draft.lines, draft.pictures.added = {}, {}, {}

    @property
    def new_sizes(self) -> dict[str, int]:
        """The sizes that are not in the ledger yet."""
        return {name: size for name, size in self.sizes.items() if self._ledgered_sizes.get(name) != size}

    def mend(self, progress: Progress) -> list[Path]:
        """Make every file valid that the ledger does not know all of, and return which these are."""
        written = []
        for user_id, period in self._touched(progress):
            path, form = self.path(progress, user_id, period), progress.tracks.form
            written.append(path)
            if form.unit_bytes:
                wav.patch(path, form, _units(progress, user_id, period))
        return [*written, *(self._directory / (name + PART) for name in self.new_sizes)]

    def ledgered(self) -> None:
        """Note that the ledger knows everything."""
        self.unledgered = {}
        self._ledgered_sizes = dict(self.sizes)

    def _appended(self, added: dict[str, list[bytes]]) -> list[Patch]:
        patches = []
        for name, parts in added.items():
            size = self.sizes.get(name, 0)
            if not size and name.startswith(PICTURES):
                make_directories((self._directory / name).parent)
            patches.append(Patch(self._directory / (name + PART), size, [(size, b"".join(parts))]))
        return patches

    def _wav_patches(
        self, before: Progress, draft: Progress, user_id: int, chunks: list[Chunk]
    ) -> Iterator[Patch]:
        for period, parts in by_period(draft.tracks, chunks).items():
            first, _ = draft.tracks.span(period)
            had = _units(before, user_id, period)
            yield wav_patch(self.path(draft, user_id, period), draft.tracks.form, had, parts, first)

    def _opus_patch(
        self, before: Progress, draft: Progress, user_id: int, chunks: list[Chunk]
    ) -> tuple[Patch, int]:
        path, size = self.path(draft, user_id), self.sizes.get(draft.tracks.file(user_id), 0)
        if size and user_id not in self._pages:
            self._pages[user_id] = opus.count_pages(path)
        return opus_patch(
            path,
            draft.tracks.form,
            _units(before, user_id, 0),
            chunks,
            size=size,
            pages=self._pages.get(user_id, 0),
            serial=user_id,
        )

    def _touched(self, progress: Progress) -> Iterator[tuple[int, int]]:
        """Give the user and period of each file with sound that the ledger does not know all of."""
        for user_id, chunks in self.unledgered.items():
            touched = {
                period for chunk in chunks for period in progress.tracks.periods(chunk.start, chunk.end)
            }
            yield from ((user_id, period) for period in sorted(touched))

    def _remember(self, user_id: int, chunks: list[Chunk]) -> None:
        """Keep for the ledger which samples were written, without the samples."""
        known = self.unledgered.setdefault(user_id, [])
        for chunk in chunks:
            chunk.parts = []
            if known and known[-1].end == chunk.start:
                known[-1].end, known[-1].stamp = chunk.end, chunk.stamp
            else:
                known.append(chunk)


def _units(progress: Progress, user_id: int, period: int) -> int:
    """How many units the file of a track and period has."""
    track = progress.tracks.by_user.get(user_id)
    if track is None:
        return 0
    start, stop = progress.tracks.span(period)
    return track.reach(start, stop) - start
