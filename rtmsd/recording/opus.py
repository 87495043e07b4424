"""Ogg/Opus (RFC 7845): the packets of a track as they came, never encoded anew.

While a recording grows, pages are appended as packets come, and silence before a packet that comes after a pause; what
comes late stands behind what came in time. At the end all of it is written once more in order. Places are units of 2.5
ms, from the recording's zero.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from rtmsd.errors import RecordingError
from rtmsd.frames import opus_duration_ms
from rtmsd.recording import ogg
from rtmsd.recording.spans import Span, union
from rtmsd.recording.track_format import OPUS_RATE, TrackFormat

UNIT_SAMPLES = OPUS_RATE // 400
# How far libopus looks ahead when it encodes: sound lies that much later in its packets, and this takes it back.
PRE_SKIP = 312

_LONGEST_UNITS = 48  # 120 ms, the most that a packet may hold (RFC 6716 §3.2.5)

# True silence, and not the one-byte packets that make a decoder guess what was lost: CELT frames whose first bits say
# "silence" (RFC 6716 §4.3), as libopus itself writes them. Six of 20 ms, then one of 20, 10, 5 and 2.5 ms. All announce
# padding of no bytes (§3.2.5), as no encoder does: so they are told from silence that Zoom sent.
_SILENCE = {
    48: b"\xfb\x46\x00" + b"\xff\xfe" * 6,
    8: b"\xfb\x41\x00\xff\xfe",
    4: b"\xf3\x41\x00\xff\xfe",
    2: b"\xeb\x41\x00\xff\xfe",
    1: b"\xe3\x41\x00\xff\xfe",
}
_SILENT = frozenset(_SILENCE.values())


def units(packet: bytes) -> int:
    """Return how many units a packet lasts; 0 when it is none that can be stored."""
    return _units(packet[:2]) if len(packet) <= ogg.LARGEST_PACKET_BYTES else 0


@cache
def _units(beginning: bytes) -> int:
    """The first two bytes tell it (RFC 6716 §3.1, §3.2.5)."""
    count = int(opus_duration_ms(beginning) * 0.4)
    return count if count <= _LONGEST_UNITS else 0


def silence(count: int) -> Iterator[bytes]:
    """Give packets of silence that last so many units."""
    for length, packet in _SILENCE.items():
        yield from repeat(packet, count // length)
        count %= length


def headers(form: TrackFormat, serial: int) -> bytes:
    """Build the two pages that every file begins with: OpusHead and OpusTags."""
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, form.channels, PRE_SKIP, form.rate, 0, 0)
    tags = struct.pack("<8sI5sI", b"OpusTags", 5, b"rtmsd", 0)
    first = ogg.page([head], position=0, serial=serial, number=0, flags=ogg.FIRST)
    return first + ogg.page([tags], position=0, serial=serial, number=1)


HEADER_PAGES = 2


def pages(packets: Iterable[bytes], start: int, *, serial: int, number: int) -> list[bytes]:
    """Build the pages of packets that follow each other from a place on; `number` is that of the first page."""
    built: list[bytes] = []
    for group in ogg.fitting(packets):
        start += sum(map(units, group))
        built.append(
            ogg.page(group, position=start * UNIT_SAMPLES, serial=serial, number=number + len(built))
        )
    return built


def read_places(file: BinaryIO) -> Iterator[tuple[int, int, ogg.Page]]:
    """Give each page of an unfinished file with the span that it fills; raises RecordingError at the first bad one."""
    for page in ogg.read_pages(file):
        if page.number >= HEADER_PAGES:
            yield *_span(page), page


def mend(path: Path, size: int) -> tuple[int, list[Span]]:
    """Cut an unfinished file at `size`, or at the first page before that which is not whole.

    Returns how long it is then, and the spans that packets of Zoom fill.
    """
    spans = []
    end = 0
    with path.open("r+b") as file:
        file.truncate(min(size, os.fstat(file.fileno()).st_size))
        try:
            for page in ogg.read_pages(file):
                end = page.start + page.size
                if not _SILENT.issuperset(page.packets):
                    spans.append(_span(page))
        except RecordingError:
            pass  # the caller ledgers what is missing
        file.truncate(end)
    return end, union(spans)


def count_pages(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in ogg.read_pages(file))


def finish(
    part: Path, out: Path, form: TrackFormat, runs: Sequence[Span], *, samples: int, serial: int
) -> None:
    """Write the complete file of exactly that many samples, durably: `runs` is what of `part` counts, the rest is silent.

    Raises RecordingError when `part` is damaged.
    """
    until = -(-(samples + PRE_SKIP) // UNIT_SAMPLES)
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as target, part.open("rb") as source:
        target.write(headers(form, serial))
        at, number, groups = 0, HEADER_PAGES, ogg.fitting(_in_order(source, runs, until))
        group = next(groups)
        while group:
            following = next(groups, [])
            at += sum(map(units, group))
            position, flags = (at * UNIT_SAMPLES, 0) if following else (samples + PRE_SKIP, ogg.LAST)
            target.write(ogg.page(group, position=position, serial=serial, number=number, flags=flags))
            number, group = number + 1, following
        target.flush()
        os.fsync(handle)


def check(path: Path, form: TrackFormat) -> int:
    """Return how many samples a complete file has; raises RecordingError when it is not exactly one of ours."""
    with path.open("rb") as file:
        try:
            return _check(file, form)
        except RecordingError as error:
            raise RecordingError(f"{path.name}: {error}") from None


def sounding(path: Path) -> list[Span]:
    """Return where a complete file has packets of Zoom."""
    spans: list[Span] = []
    with path.open("rb") as file:
        at = 0
        for page in ogg.read_pages(file):
            if page.number >= HEADER_PAGES:
                for packet in page.packets:
                    length = units(packet)
                    if packet not in _SILENT:
                        start = spans.pop()[0] if spans and spans[-1][1] == at else at
                        spans.append((start, at + length))
                    at += length
    return spans


def _span(page: ogg.Page) -> Span:
    end = page.position // UNIT_SAMPLES
    return (end - sum(map(units, page.packets)), end) if page.number >= HEADER_PAGES else (0, 0)


def _in_order(source: BinaryIO, runs: Sequence[Span], until: int) -> Iterator[bytes]:
    """Give all packets from zero to `until` in their order, and silence where there are none."""
    places = [
        (start, -page.start)
        for start, end, page in read_places(source)
        if not _SILENT.issuperset(page.packets) and _within(start, end, runs)
    ]
    at = 0
    for start, backwards in sorted(places):
        if start < at:  # what was lost and sent again may be there twice: the later page counts
            continue
        yield from silence(start - at)
        source.seek(-backwards)
        packets = next(ogg.read_pages(source)).packets
        yield from packets
        at = start + sum(map(units, packets))
    yield from silence(until - at)


def _within(start: int, end: int, runs: Sequence[Span]) -> bool:
    at = bisect_right(runs, start, key=lambda run: run[0]) - 1
    return at >= 0 and end <= runs[at][1]


def _check(file: BinaryIO, form: TrackFormat) -> int:
    found = ogg.read_pages(file)
    first = next(found, None)
    if first is None:
        raise RecordingError("should be Ogg/Opus, and is empty")
    serial, last = first.serial, first
    beginning = headers(form, serial)
    file.seek(0)
    if file.read(len(beginning)) != beginning:
        raise RecordingError(
            f"should begin with the headers of Opus in {form.channels} channels, and does not"
        )
    at = previous = 0
    for number, page in enumerate(ogg.read_pages(file), HEADER_PAGES):
        lengths = [units(packet) for packet in page.packets]
        if (page.serial, page.number) != (serial, number) or last.flags & ogg.LAST or 0 in lengths:
            raise RecordingError(f"the Ogg page at byte {page.start} should be number {number} of this track")
        at, previous, last = at + sum(lengths), at + sum(lengths[:-1]), page
        if page.position != at * UNIT_SAMPLES and not page.flags & ogg.LAST:
            raise RecordingError(
                f"the Ogg page at byte {page.start} should end at sample {at * UNIT_SAMPLES}"
            )
    if not last.flags & ogg.LAST or not previous * UNIT_SAMPLES < last.position <= at * UNIT_SAMPLES:
        raise RecordingError("should end with a page that says so, at its last packet")
    return last.position - PRE_SKIP
