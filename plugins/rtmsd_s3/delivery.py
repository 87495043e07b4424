"""A finished recording, or a finished piece of one, on its way from the spool to the bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Set
from pathlib import Path
from threading import Event
from typing import Any

from structlog.typing import FilteringBoundLogger

from rtmsd.api.recording import RecordingError
from rtmsd_s3.bucket import Bucket, Stored
from rtmsd_s3.fingerprint import PART_BYTES, Fingerprint, fingerprint
from rtmsd_s3.spool import SUMS, Spooled, closed_pieces, mark_uploaded, sealed_files


class Delivery:
    """Uploads recordings. Every step can be repeated, and does nothing that is done already."""

    def __init__(self, bucket: Bucket, *, log: FilteringBoundLogger) -> None:
        self._bucket = bucket
        self._log = log
        self._reading = asyncio.Semaphore(
            1
        )  # large files would take all threads of this process, and the disk
        self._large = asyncio.Semaphore(1)  # of files in parts, which cost memory, one goes at a time
        self._early: set[tuple[str, str, int]] = set()  # pieces that the bucket has: key, name, bytes

    async def upload(self, one: Spooled) -> None:
        """Upload a finished recording, its seal last, and remove it here once the bucket has it, byte for byte.

        Raises SinkError, RecordingError or OSError; then it is to be called again.
        """
        files = await asyncio.to_thread(sealed_files, one.directory)
        there, size = await self._stored(one), 0
        await self._delete_strays(one, files.keys(), there)
        for name, sha256 in files.items():
            size += (await self._upload_file(one, name, there, expected=sha256)).size
        await self._see_all(one, files.keys())
        url = self._bucket.url(one.key)
        about: dict[str, object] = {"url": url, "files": len(files), "bytes": size}
        await finished(asyncio.to_thread(mark_uploaded, one.directory, about, revoked=False))
        self._early = {known for known in self._early if known[0] != one.key}
        self._log.info("recording uploaded", **about)

    async def upload_pieces(self, one: Spooled) -> None:
        """Upload the closed files of a recording that goes on; what they hold is compared again when it is sealed."""
        try:
            pieces = {
                name: (one.key, name, (one.directory / name).stat().st_size)
                for name in await asyncio.to_thread(closed_pieces, one.directory)
            }
            fresh = [name for name, known in pieces.items() if known not in self._early]
            there = await self._stored(one) if fresh else {}
            for name in fresh:
                await self._upload_file(one, name, there, expected=None)
                self._early.add(pieces[name])
        except FileNotFoundError:  # it was taken back, or the recording is being closed
            return

    async def _stored(self, one: Spooled) -> dict[str, Stored]:
        return {each.key: each for each in await self._bucket.list(one.key)}

    async def _upload_file(
        self, one: Spooled, name: str, there: dict[str, Stored], *, expected: str | None
    ) -> Fingerprint:
        path, key = one.directory / name, f"{one.key}/{name}"
        async with self._reading:
            entry = await _read(path)
        if expected is not None and entry.sha256 != expected:
            raise RecordingError(
                f"the recording in {one.directory} is damaged, and is not uploaded: {name} does not have the SHA-256 "
                f"that {SUMS} gives. `rtmsd verify` tells more"
            )
        if await self._bucket.proves(there.get(key), entry):
            return entry
        if not await self._bucket.proves(await self._put(key, path, entry), entry):
            raise RecordingError(
                f"{self._bucket.url(key)} was uploaded, and does not hold the bytes that were sent"
            )
        return entry

    async def _put(self, key: str, path: Path, entry: Fingerprint) -> Stored:
        if entry.size <= PART_BYTES:
            return await self._bucket.put(key, path, entry)
        async with self._large:
            return await self._bucket.put(key, path, entry)

    async def _delete_strays(self, one: Spooled, names: Set[str], there: dict[str, Stored]) -> None:
        """Remove what is below the recording's name and not of it: pieces that a crash took back."""
        await self._bucket.delete(sorted(there.keys() - {f"{one.key}/{name}" for name in names}))

    async def _see_all(self, one: Spooled, names: Set[str]) -> None:
        if missing := {f"{one.key}/{name}" for name in names} - (await self._stored(one)).keys():
            raise RecordingError(
                f"{self._bucket.url(min(missing))} was uploaded, and the bucket does not list it"
            )


async def _read(path: Path) -> Fingerprint:
    stop = Event()
    try:
        return await asyncio.to_thread(fingerprint, path, stop)
    finally:
        stop.set()


async def finished(work: Coroutine[Any, Any, None]) -> None:
    """Await short work in a thread to its end, also when cancelled: nothing may go on behind a purge's back."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
