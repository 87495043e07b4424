"""WAV of 16-bit PCM, A-law and G.722: a header, then samples. The header is right again after every flush.

Beyond 4 GiB it is RF64 (EBU Tech 3306): where that can happen the header has a chunk `JUNK`, which becomes `ds64`.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.recording.patches import write_at
from rtmsd.recording.track_format import TrackFormat

# Format tag and bits of a sample: WAVE_FORMAT_PCM, WAVE_FORMAT_ALAW, and the number by which ffmpeg reads and writes G.722.
_TAGS = {"L16": (1, 16), "G711": (6, 8), "G722": (0x028F, 4)}
_SPARE_BYTES = 28  # of JUNK or ds64, without its name and size
_UNKNOWN = 0xFFFFFFFF  # "see ds64"
_PIECE_BYTES = 1 << 20


def header_bytes(form: TrackFormat) -> int:
    """Length of the header: all formats but PCM have a longer `fmt ` chunk, and a `fact` chunk with the samples."""
    spare = 8 + _SPARE_BYTES if form.wide else 0
    return spare + (44 if form.codec == "L16" else 58)


def header(form: TrackFormat, units: int) -> bytes:
    """Build the header of a file with that many units of sound."""
    tag, bits = _TAGS[form.codec]
    size = units * form.unit_bytes
    byte_rate = form.units_per_sec * form.unit_bytes
    layout = struct.pack("<HHIIHH", tag, form.channels, form.rate, byte_rate, form.unit_bytes, bits)
    chunks = struct.pack("<4sI", b"fmt ", 16) + layout
    if tag != 1:
        fact = struct.pack("<4sII", b"fact", 4, min(units * form.unit_samples, _UNKNOWN))
        chunks = struct.pack("<4sI", b"fmt ", 18) + layout + struct.pack("<H", 0) + fact
    riff = header_bytes(form) - 8 + size
    if form.is_rf64(units):
        sizes = struct.pack("<4sIQQQI", b"ds64", _SPARE_BYTES, riff, size, units * form.unit_samples, 0)
        return struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE") + sizes + chunks + b"data\xff\xff\xff\xff"
    spare = struct.pack("<4sI", b"JUNK", _SPARE_BYTES) + bytes(_SPARE_BYTES) if form.wide else b""
    return struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + spare + chunks + struct.pack("<4sI", b"data", size)


def patch(path: Path, form: TrackFormat, units: int) -> None:
    """Write the header anew for the file's present length."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, header(form, units), 0)
    finally:
        os.close(handle)


def silence(form: TrackFormat, start: int, end: int) -> list[tuple[int, bytes]]:
    """Return the pieces, each with its place in the file, that fill units without sound at the end of a file.

    None where silence is zero: places never written read as that, and take no disk space.
    """
    if not form.silence or end <= start:
        return []
    first = header_bytes(form) + start * form.unit_bytes
    last = header_bytes(form) + end * form.unit_bytes
    piece = bytes([form.silence]) * min(_PIECE_BYTES, last - first)
    return [(at, piece[: last - at]) for at in range(first, last, _PIECE_BYTES)]


def finish(path: Path, form: TrackFormat, units: int) -> None:
    """Give the file exactly that many units, silent at the end, and make it durable."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        had = max(0, os.fstat(handle).st_size - header_bytes(form)) // form.unit_bytes
        for at, piece in silence(form, had, units):
            write_at(handle, piece, at)
        os.ftruncate(handle, header_bytes(form) + units * form.unit_bytes)
        os.pwrite(handle, header(form, units), 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def check(path: Path, form: TrackFormat) -> int:
    """Return how many samples one of our files has; raises RecordingError when it is not exactly what is expected."""
    with path.open("rb") as file:
        head = file.read(header_bytes(form))
        size = os.fstat(file.fileno()).st_size
    if len(head) < header_bytes(form):
        raise RecordingError(
            f"{path.name} should begin with a WAV header of {header_bytes(form)} bytes, and has {len(head)}"
        )
    units = (size - len(head)) // form.unit_bytes
    # Every field of the header follows from the format and the length: comparing it whole leaves nothing unchecked.
    if head != header(form, units):
        raise RecordingError(
            f"the header of {path.name} should be that of WAV with {form.codec}, {form.rate} Hz and {form.channels} "
            f"channels, and does not fit these or the file's length of {size} bytes"
        )
    if size != len(head) + units * form.unit_bytes:
        raise RecordingError(f"{path.name} should end with a whole sample, and has {size} bytes")
    return units * form.unit_samples
