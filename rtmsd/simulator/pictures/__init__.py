"""Test pictures, painted beforehand (`make.py`): what cameras and the shared screen of a simulated meeting show.

Cameras are 640×360, the screen 960×540, whatever was asked for: Zoom's resolution is the largest to expect, too.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from dataclasses import dataclass
from importlib.resources import files

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaPayloadType

CAMERAS = 6
"""So many cameras look different; the seventh person's shows what the first one's does."""

SCREEN = "screen"

_ENDINGS = {
    MediaPayloadType.H264: "h264",
    MediaPayloadType.JPG: "mjpeg",
    MediaPayloadType.PNG: "png",
}
_PNG = b"\x89PNG\r\n\x1a\n"
_END_OF_JPEG = b"\xff\xd9"
_NAL_UNIT = re.compile(rb"(?:\x00)?\x00\x00\x01")
_SLICES = (1, 5)  # NAL unit types that hold a picture (H.264 table 7-1); made with one for each picture


@dataclass(frozen=True)
class Picture:
    """A picture as it goes over the wire, and the SHA-256 of that in hexadecimal digits."""

    data: bytes
    sha256: str


def camera(number: int) -> str:
    return f"camera{number % CAMERAS}"


@functools.cache
def pictures(name: str, codec: int) -> tuple[Picture, ...]:
    """Give the pictures of one camera or the screen, to be shown in order, over and over. Blocks when first asked.

    Those in H.264 begin with a key frame and its parameter sets, and there is no other among them.
    """
    ending = _ENDINGS[MediaPayloadType(codec)]
    data = (files(__name__) / f"{name}.{ending}").read_bytes()
    cut = {"h264": access_units, "mjpeg": _jpegs, "png": _pngs}[ending](data)
    if b"".join(cut) != data or not cut:
        raise SimulatorError(
            f"picture {name}.{ending} cannot be taken apart; make it again with simulator.pictures.make"
        )
    return tuple(Picture(one, hashlib.sha256(one).hexdigest()) for one in cut)


def access_units(stream: bytes) -> list[bytes]:
    """Cut an Annex-B stream of one slice for each picture into pictures, parameter sets with the one that follows."""
    starts = [*(match.start() for match in _NAL_UNIT.finditer(stream)), len(stream)]
    units = []
    begin = 0
    for start, end in itertools.pairwise(starts):
        kind = stream[stream.index(b"\x01", start) + 1] & 31
        if kind in _SLICES:
            units.append(stream[begin:end])
            begin = end
    return units


def _jpegs(data: bytes) -> list[bytes]:
    return [one + _END_OF_JPEG for one in data.split(_END_OF_JPEG) if one]


def _pngs(data: bytes) -> list[bytes]:
    return [_PNG + one for one in data.split(_PNG) if one]
