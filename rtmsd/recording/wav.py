"""Plain PCM WAV: a header of 44 bytes, then samples. The header is right again after every flush."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from rtmsd.errors import RecordingError

HEADER_BYTES = 44
# The sizes in the header have 32 bits, and the outer one counts 36 bytes of the header too.
LARGEST_DATA_BYTES = 2**32 - 1 - 36

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True)
class WavFormat:
    """Signed 16-bit samples, `channels` of them interleaved, `rate` times a second."""

    rate: int
    channels: int

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * self.channels


def header(form: WavFormat, samples: int) -> bytes:
    """Build the header of a file with that many samples (of all channels together)."""
    size = samples * form.block
    byte_rate = form.rate * form.block
    return _HEADER.pack(
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        1,
        form.channels,
        form.rate,
        byte_rate,
        form.block,
        16,
        b"data",
        size,
    )


def patch(path: Path, form: WavFormat, samples: int) -> None:
    """Write the header anew for the file's present length."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, header(form, samples), 0)
    finally:
        os.close(handle)


def finish(path: Path, form: WavFormat, samples: int) -> None:
    """Give the file exactly that many samples, silent at the end, and make it durable. Silence takes no disk space."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(handle, HEADER_BYTES + samples * form.block)
        os.pwrite(handle, header(form, samples), 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def read_header(path: Path) -> tuple[WavFormat, int]:
    """Return format and number of samples of one of our files; raises RecordingError when it is not exactly one."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if len(head) < HEADER_BYTES:
        raise RecordingError(
            f"{path.name} should begin with a WAV header of {HEADER_BYTES} bytes, and has {len(head)}"
        )
    rate, channels = struct.unpack_from("<I", head, 24)[0], struct.unpack_from("<H", head, 22)[0]
    form = WavFormat(rate, channels)
    samples = (size - HEADER_BYTES) // form.block if channels else 0
    # Every field of the header follows from the format and the length: comparing it whole leaves nothing unchecked.
    if (
        not 1 <= channels <= 8
        or rate == 0
        or rate * form.block >= 2**32
        or size - HEADER_BYTES > LARGEST_DATA_BYTES
    ):
        raise RecordingError(
            f"{path.name} should be 16-bit PCM WAV, and its header says {rate} Hz, {channels} channels"
        )
    if head != header(form, samples) or size != HEADER_BYTES + samples * form.block:
        raise RecordingError(f"the WAV header of {path.name} does not fit its length of {size} bytes")
    return form, samples
