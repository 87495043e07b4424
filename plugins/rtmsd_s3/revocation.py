"""Delete a revoked recording from the bucket, and leave a tombstone that says what was deleted."""

from __future__ import annotations

import json
from typing import Any

from structlog.typing import FilteringBoundLogger

from rtmsd.api.recording import RecordingError
from rtmsd_s3.bucket import Bucket, Stored
from rtmsd_s3.fingerprint import PART_BYTES, fingerprint_of
from rtmsd_s3.spool import TOMBSTONE

_KEPT = (
    "The store named versions of {} of these objects. If the bucket keeps old versions, they can be read until a lifecycle "
    "rule, or somebody who has the right, deletes them."
)
_GONE = (
    "The store named no versions: nothing of these objects is left there, but for copies that rtmsd does not know of "
    "(soft delete, replication, backups)."
)


async def withdraw(
    bucket: Bucket, key: str, about: bytes, *, log: FilteringBoundLogger, needed: bool = True
) -> None:
    """Delete everything below `key`; `about` is the tombstone of the spool. Repeating it deletes the rest.

    The note comes first, so that what was deleted is known even if the process dies. When not `needed`, nothing is
    written where nothing had been. Raises BucketError, or RecordingError when something cannot be deleted.
    """
    note_key = f"{key}/{TOMBSTONE}"
    stored = await bucket.list(key)
    if not stored and not needed:
        return
    doomed = [each for each in stored if each.key != note_key]
    versions = [await bucket.stat(each.key) or each for each in doomed]
    earlier = await bucket.read(note_key, limit_bytes=PART_BYTES) if len(doomed) < len(stored) else None
    note = tombstone(about, earlier, versions)
    if note != earlier:
        await bucket.put(note_key, note, fingerprint_of(note))
    await bucket.delete([each.key for each in doomed])
    if left := [each.key for each in await bucket.list(key) if each.key != note_key]:
        raise RecordingError(f"{bucket.url(left[0])} was deleted, and is there still")
    if kept := sum(each.version is not None for each in versions):
        log.warning(
            "a revoked recording was deleted from the bucket, which may keep old versions of it: its tombstone names them",
            tombstone=bucket.url(note_key),
            versions=kept,
        )


def tombstone(about: bytes, earlier: bytes | None, doomed: list[Stored]) -> bytes:
    """Add to the spool's tombstone, or to the bucket's earlier one, what is deleted from the bucket."""
    note: dict[str, Any] = _read(earlier) or json.loads(about)
    objects = {one["key"]: one for one in note.get("objects", [])}
    for each in doomed:
        version = {} if each.version is None else {"version": each.version}
        objects[each.key] = {"key": each.key, "bytes": each.size, **version}
    kept = sum("version" in one for one in objects.values())
    note["objects"] = [objects[key] for key in sorted(objects)]
    note["versions"] = _KEPT.format(kept) if kept else _GONE
    return json.dumps(note, indent=2).encode() + b"\n"


def _read(earlier: bytes | None) -> dict[str, Any] | None:
    """Read a tombstone of the bucket, where anybody may have written; None when it is none of ours."""
    try:
        note: dict[str, Any] = json.loads(earlier or b"null")
        all(one["key"] for one in note["objects"])
    except (ValueError, TypeError, KeyError):
        return None
    return note
