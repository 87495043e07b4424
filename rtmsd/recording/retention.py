"""Find recordings that have been kept long enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rtmsd.frames import StreamInfo
from rtmsd.recording.files import SUMS
from rtmsd.recording.manifest import Manifest, read_manifest
from rtmsd.recording.tombstone import now_ms

_DAY_MS = 86_400_000


def expired(root: Path, days: float) -> Iterator[tuple[Path, StreamInfo]]:
    """Give the directories below `root` of recordings that were completed so many days ago, and whose they are.

    The file system's clock counts, and when SHA256SUMS was written. What has no readable manifest is none of ours, and
    is left alone. Raises OSError when the directories cannot be read.
    """
    before_ms = now_ms(root) - days * _DAY_MS
    for sums in sorted(root.rglob(SUMS)):
        if sums.stat().st_mtime_ns / 1_000_000 <= before_ms:
            try:
                manifest = read_manifest(sums.parent)
            except (OSError, ValueError):
                continue
            yield sums.parent, _whose(manifest)


def _whose(manifest: Manifest) -> StreamInfo:
    """Tell the stream of a complete recording, as far as its manifest does."""
    return StreamInfo(
        app=manifest.app,
        product=manifest.product,
        stream_id=manifest.stream_id,
        meeting_id=manifest.meeting_id,
        meeting_uuid=manifest.meeting_uuid,
    )
