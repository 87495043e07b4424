"""Ogg pages (RFC 3533): packets in, pages out, and back. Pure; knows nothing of what the packets hold.

No packet is spread over pages, so every page can be read by itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from rtmsd.errors import RecordingError

FIRST, LAST = 2, 4  # of a logical stream: the flags of a page's header

# A page has at most 255 segments of at most 255 bytes, and a packet ends with one that is shorter.
LARGEST_PACKET_BYTES = 255 * 255 - 1

_HEADER = struct.Struct("<4sBBqIIIB")
_CHECKSUM = struct.Struct("<I")
_CHECKSUM_AT = 22
_CAPTURE = b"OggS"


@dataclass(frozen=True)
class Page:
    """One page: `position` (granule) belongs to the end of its last packet; `start` and `size` are bytes of the file."""

    flags: int
    position: int
    serial: int
    number: int
    packets: tuple[bytes, ...]
    start: int = 0
    size: int = 0


def page(packets: Sequence[bytes], *, position: int, serial: int, number: int, flags: int = 0) -> bytes:
    """Build one page; the packets must fit, see `fitting`."""
    lacing = b"".join(bytes([255] * (len(packet) // 255) + [len(packet) % 255]) for packet in packets)
    assert len(lacing) <= 255
    head = _HEADER.pack(
        _CAPTURE, 0, flags, position, serial & 0xFFFFFFFF, number & 0xFFFFFFFF, 0, len(lacing)
    )
    data = b"".join([head, lacing, *packets])
    return data[:_CHECKSUM_AT] + _CHECKSUM.pack(checksum(data)) + data[_CHECKSUM_AT + 4 :]


def fitting(packets: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Divide packets, each at most LARGEST_PACKET_BYTES, into as few pages as hold them in order."""
    group: list[bytes] = []
    segments = 0
    for packet in packets:
        needed = len(packet) // 255 + 1
        if segments + needed > 255 and group:
            yield group
            group, segments = [], 0
        group.append(packet)
        segments += needed
    if group:
        yield group


def read_pages(file: BinaryIO) -> Iterator[Page]:
    """Read pages from a file's present place to its end; raises RecordingError at the first that is not whole."""
    at = file.tell()
    while head := file.read(_HEADER.size):
        where = f"the Ogg page at byte {at}"
        if len(head) < _HEADER.size:
            raise RecordingError(f"{where} is cut off")
        capture, version, flags, position, serial, number, _, count = _HEADER.unpack(head)
        if capture != _CAPTURE or version != 0 or flags & ~(FIRST | LAST):
            raise RecordingError(f"{where} should begin with OggS and hold whole packets, and does not")
        lacing = file.read(count)
        body = file.read(sum(lacing))
        data = head + lacing + body
        if len(lacing) < count or len(body) < sum(lacing):
            raise RecordingError(f"{where} is cut off")
        if _CHECKSUM.pack(checksum(data)) != data[_CHECKSUM_AT : _CHECKSUM_AT + 4]:
            raise RecordingError(f"{where} is damaged: its checksum does not fit")
        if lacing[-1:] == b"\xff":
            raise RecordingError(f"{where} should end with a whole packet, and does not")
        yield Page(flags, position, serial, number, tuple(_split(lacing, body)), at, len(data))
        at += len(data)


def _split(lacing: bytes, body: bytes) -> Iterator[bytes]:
    start = end = 0
    for length in lacing:
        end += length
        if length < 255:
            yield body[start:end]
            start = end


# Ogg's checksum is the CRC-32 of zlib with the bits of every byte in the other order, and begins with zero.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(data: bytes) -> int:
    """Return the checksum of a page, whatever stands in its checksum's place."""
    blank = data[:_CHECKSUM_AT] + bytes(4) + data[_CHECKSUM_AT + 4 :]
    reflected = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")
