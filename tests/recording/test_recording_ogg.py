"""Ogg pages: what was put in comes out, and what was touched is noticed."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtmsd.errors import RecordingError
from rtmsd.recording.ogg import FIRST, LARGEST_PACKET_BYTES, LAST, checksum, fitting, page, read_pages

PACKETS = st.lists(st.binary(max_size=700) | st.sampled_from([bytes(255), bytes(510), bytes(60_000)]))


def naive_checksum(data: bytes) -> int:
    """RFC 3533 §6: the polynomial 0x04c11db7, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def file_of(packets: list[bytes]) -> bytes:
    return b"".join(
        page(group, position=7 * number, serial=99, number=number)
        for number, group in enumerate(fitting(packets))
    )


@given(PACKETS)
@example([bytes(LARGEST_PACKET_BYTES), b"", bytes(LARGEST_PACKET_BYTES)])
def test_packets_come_back(packets):
    """Any packets, in any number, come back in order, from pages that are numbered and as full as can be."""
    pages = list(read_pages(io.BytesIO(file_of(packets))))
    assert [packet for one in pages for packet in one.packets] == packets
    assert [(one.number, one.position, one.serial) for one in pages] == [
        (n, 7 * n, 99) for n in range(len(pages))
    ]
    segments = [sum(len(packet) // 255 + 1 for packet in one.packets) for one in pages]
    firsts = [len(one.packets[0]) // 255 + 1 for one in pages]
    assert all(used <= 255 < used + first for used, first in zip(segments, firsts[1:], strict=False))


@given(st.binary(min_size=27, max_size=400))
def test_the_checksum_is_that_of_the_standard(data):
    """The fast way gives what the slow one does, with zeros in the checksum's own place."""
    assert checksum(data) == naive_checksum(data[:22] + bytes(4) + data[26:])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(0, 2**31), st.integers(0, 7))
def test_a_flipped_bit_in_a_page_is_found(packets, place, bit):
    """No byte of a page can change unnoticed."""
    data = bytearray(file_of(packets))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(RecordingError, match="the Ogg page at byte"):
        list(read_pages(io.BytesIO(data)))


@given(PACKETS, st.integers(1, 2**31))
def test_a_page_that_was_cut_off_is_found(packets, place):
    """A file that ends within a page says so, after the pages that are whole."""
    data = file_of([b"first", *packets])
    starts = {one.start for one in read_pages(io.BytesIO(data))} | {len(data)}
    size = place % len(data)
    if size in starts:
        assert len(list(read_pages(io.BytesIO(data[:size])))) < len(starts)
    else:
        with pytest.raises(RecordingError, match="cut off"):
            list(read_pages(io.BytesIO(data[:size])))


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_with_a_sentence(data):
    """Whatever stands there, reading it ends in pages or in a RecordingError."""
    try:
        list(read_pages(io.BytesIO(b"OggS" + data)))
    except RecordingError:
        pass


def test_flags_are_kept():
    """The first and the last page of a stream say that they are."""
    data = page([b"a"], position=0, serial=1, number=0, flags=FIRST)
    data += page([b"b"], position=1, serial=1, number=1, flags=LAST)
    assert [one.flags for one in read_pages(io.BytesIO(data))] == [FIRST, LAST]
