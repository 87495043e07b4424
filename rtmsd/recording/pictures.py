"""Video and shared screens: the frames of each person and codec one after another, raw, and an index of them.

Beside each file with frames stands its index, one JSON line for each frame: when, where in the file, and how long.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from rtmsd.frames import Gap, MediaKind, ShareFrame, VideoFrame
from rtmsd.recording.files import INDEX, PART, PICTURES, SHARE, VIDEO
from rtmsd.recording.ledger import unflushed
from rtmsd.recording.lines import decode_all, line, whole_lines
from rtmsd.recording.manifest import PictureEntry
from rtmsd.recording.spans import Span

# What each codec's files end in: players take concatenated JPEGs for Motion JPEG by that.
SUFFIXES = {"H264": ".h264", "JPG": ".mjpeg", "PNG": ".png"}
_CODECS = {suffix: codec for codec, suffix in SUFFIXES.items()}


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One line of an index: the frame's `bytes` begin at `offset`; the time is Unix milliseconds."""

    timestamp_ms: int
    offset: int
    bytes: int


class PictureFile(msgspec.Struct, frozen=True, gc=False):
    """What one file holds; the times are those of its earliest and latest frame."""

    frames: int = 0
    bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def and_one(self, frame: VideoFrame | ShareFrame) -> PictureFile:
        stamp = frame.timestamp_ms
        first, last = (self.first_ms, self.last_ms) if self.frames else (stamp, stamp)
        return PictureFile(self.frames + 1, self.bytes + len(frame.data), min(first, stamp), max(last, stamp))


class Pictures:
    """The picture files of a recording by their names; `added` is what a draft appends to any of them."""

    def __init__(self) -> None:
        self.files: dict[str, PictureFile] = {}
        self.added: dict[str, list[bytes]] = {}

    def draft(self) -> Pictures:
        """Return a copy that can take frames without this one noticing."""
        new = Pictures()
        new.files = dict(self.files)
        return new

    def take(self, frame: VideoFrame | ShareFrame) -> bool:
        """Add a frame; False when it is of a codec that has no place here, or empty."""
        suffix = SUFFIXES.get(frame.format.codec)
        if suffix is None or not frame.data:
            return False
        name = f"{SHARE if isinstance(frame, ShareFrame) else VIDEO}/user={frame.user_id}{suffix}"
        before = self.files.get(name, PictureFile())
        entry = Picture(frame.timestamp_ms, before.bytes, len(frame.data))
        self.files[name] = before.and_one(frame)
        self.added.setdefault(name, []).append(frame.data)
        self.added.setdefault(name + INDEX, []).append(line(entry))
        return True


def codec_of(name: str) -> str:
    """Tell the codec by the name of a file."""
    return _CODECS[Path(name).suffix]


def user_of(name: str) -> int:
    """Tell the user by the name of a file."""
    return int(Path(name).stem.partition("=")[2])


def reconcile(
    directory: Path, sizes: dict[str, int], known: Span
) -> tuple[dict[str, PictureFile], list[Gap]]:
    """Cut the unfinished files to what `sizes` says, and to whole frames that have their line; mend `sizes`.

    Returns what each holds then, and gaps for the frames that have been lost: as exact as the index tells, and within
    `known`, the times from the first item to the newest, where the index was lost too.
    """
    found: dict[str, PictureFile] = {}
    gaps = []
    for name in [name for name in sizes if name.startswith(PICTURES) and not name.endswith(INDEX)]:
        data, index = (directory / (one + PART) for one in (name, name + INDEX))
        promised = sizes.get(name + INDEX, 0)
        lines, read = whole_lines(index.read_bytes()[:promised] if index.exists() else b"", Picture)
        held = min(sizes[name], data.stat().st_size if data.exists() else 0)
        lost = [entry.timestamp_ms for entry in lines if entry.offset + entry.bytes > held]
        lines = lines[: len(lines) - len(lost)]
        kind = MediaKind(name.partition("/")[0])
        if read < promised:
            gaps.append(unflushed((entry.timestamp_ms for entry in lines), known, kind, user_of(name)))
        elif lost:
            gaps.append(Gap("unflushed", min(lost), max(lost), kind, user_of(name)))
        sizes[name] = sum(entry.bytes for entry in lines)
        sizes[name + INDEX] = sum(len(line(entry)) for entry in lines)
        for path, size in ((data, sizes[name]), (index, sizes[name + INDEX])):
            if size:
                os.truncate(path, size)
            else:
                path.unlink(missing_ok=True)
        if lines:
            found[name] = summary(lines)
    left = {one + PART for name in found for one in (name, name + INDEX)}
    for path in [path for kind in PICTURES for path in (directory / kind).glob("*" + PART)]:
        if path.relative_to(directory).as_posix() not in left:
            path.unlink()
    return found, gaps


def summary(entries: Iterable[Picture]) -> PictureFile:
    """Add up an index."""
    entries = list(entries)
    stamps = [entry.timestamp_ms for entry in entries]
    return PictureFile(len(entries), sum(entry.bytes for entry in entries), min(stamps), max(stamps))


def check(directory: Path, entry: PictureEntry) -> Iterator[str]:
    """Say what is wrong with one file: the frames of its index must follow each other, fill it, and be as `entry` says."""
    try:
        frames = decode_all((directory / entry.index).read_bytes(), Picture)
    except ValueError as error:
        yield f"{entry.index} cannot be read: {error}"
        return
    at = 0
    for number, frame in enumerate(frames, 1):
        if frame.offset != at or frame.bytes <= 0:
            yield f"line {number} of {entry.index} should have a frame that begins at byte {at}, and does not"
            return
        at += frame.bytes
    size = (directory / entry.file).stat().st_size
    if at != size:
        yield f"the frames in {entry.index} should fill {entry.file}: they have {at} bytes, and the file {size}"
    elif not frames or summary(frames) != PictureFile(
        entry.frames, entry.bytes, entry.first_ms, entry.last_ms
    ):
        yield f"the frames in {entry.index} are not those that the manifest counts"
    try:
        said = entry.media, entry.codec, entry.user_id
        if said != (Path(entry.file).parent.name, codec_of(entry.file), user_of(entry.file)):
            yield f"{entry.file} should be called after its medium, user and codec in the manifest"
    except (KeyError, ValueError):
        yield f"{entry.file} is no name of a file with pictures"
