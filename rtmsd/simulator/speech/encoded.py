"""The sentences as Opus and G.722, encoded beforehand (`encode.py`): one packet for each 20 ms step.

What has no encoding of its own (tones, noise, a test's own sentence) is heard in these codecs as a hum: one of four
tones, chosen by its first samples, over and over.
"""

from __future__ import annotations

import functools
import zlib
from importlib.resources import files
from typing import Literal

from rtmsd.errors import SimulatorError
from rtmsd.simulator.speech import STEP_BYTES, Sentence

Encoding = Literal["opus", "stereo.opus", "g722"]

HUMS = 4
_G722_STEP_BYTES = 160


def hum_name(number: int) -> str:
    return f"hum{number}"


def encoded_name(sentence: Sentence) -> str:
    """Name the encoding in which a sentence is heard."""
    return sentence.name or hum_name(zlib.crc32(sentence.pcm[:STEP_BYTES]) % HUMS)


def encoded_step(name: str, step: int, encoding: Encoding) -> bytes:
    """Give the packet of the `step`th 20 ms. Blocks for a moment when it is the first of its name."""
    steps = _steps(name, encoding)
    return steps[step % len(steps)]


@functools.cache
def _steps(name: str, encoding: Encoding) -> tuple[bytes, ...]:
    path = files("rtmsd.simulator.speech") / f"{name}.{encoding}"
    data = path.read_bytes()
    if encoding == "g722":
        return tuple(data[at : at + _G722_STEP_BYTES] for at in range(0, len(data), _G722_STEP_BYTES))[:-1]
    packets = ogg_packets(data)
    if not packets or not packets[0].startswith(b"OpusHead"):
        raise SimulatorError(f"speech {path.name}: expected Ogg/Opus; make it again with speech.encode")
    return tuple(packets[2:-1])  # without the two headers, and without the silence at the end


def ogg_packets(data: bytes) -> list[bytes]:
    """Take the packets out of an Ogg stream (RFC 3533 §6); blind to its checksums: the files are ours."""
    packets: list[bytes] = []
    open_packet = b""
    at = 0
    while data[at : at + 4] == b"OggS":
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(lacing)
        for size in lacing:
            open_packet += data[at : at + size]
            at += size
            if size < 255:
                packets.append(open_packet)
                open_packet = b""
    return packets
