"""One MP4 of a complete recording: a camera or a shared screen, with the mix of all sound. By PyAV, which is FFmpeg.

H.264 goes in as Zoom sent it, each picture at its own time; JPEG and PNG, which films are not made of, are encoded. The
sound is encoded as AAC.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from rtmsd.errors import RecordingError
from rtmsd.recording.decoding import library, placed_frames
from rtmsd.recording.exporting import complete, manifest_for
from rtmsd.recording.file_plan import period_of
from rtmsd.recording.files import AUDIO
from rtmsd.recording.lines import decode_all
from rtmsd.recording.manifest import Manifest, PictureEntry
from rtmsd.recording.pictures import Picture

_MS = Fraction(1, 1000)
_FRAME = 1024  # samples in a packet of AAC
_IDR = 5  # the NAL unit of a picture that needs no other


class Muxed(NamedTuple):
    """What the film has: `sound` is False where the recording has no mix."""

    picture: PictureEntry
    pictures: int
    sound: bool


class _Timed(NamedTuple):
    """A packet for the film, and when it is due."""

    ms: float
    track: int
    number: int
    packet: Any


def mux(directory: Path, out: Path, *, media: str = "", user_id: int | None = None) -> Muxed:
    """Write the film of the recording in `directory` to `out`: the camera or screen with most pictures, unless one is named.

    Raises RecordingError when there is no manifest, no such picture, or no PyAV; OSError when a file cannot be used.
    """
    av = library("A film")
    manifest = manifest_for(out, directory)
    entry = _choose(manifest, media, user_id)
    with complete(directory):
        index = decode_all((directory / entry.index).read_bytes(), Picture)
    index.sort(key=lambda one: one.timestamp_ms)
    sounds = sorted(name for name in manifest.files if name.startswith(f"{AUDIO}/mixed."))
    try:
        count = _write(av, out, directory, entry, index, sounds, manifest)
    except av.FFmpegError as error:
        raise RecordingError(f"FFmpeg could not make {out}: {error}") from error
    return Muxed(entry, count, bool(sounds))


def _write(
    av: Any,
    out: Path,
    directory: Path,
    entry: PictureEntry,
    index: list[Picture],
    sounds: list[str],
    manifest: Manifest,
) -> int:
    """Write the film and return how many pictures it has."""
    with av.open(str(out), "w", format="mp4") as film:
        pictures = (_copied if entry.codec == "H264" else _encoded)(
            av, film, directory, entry, index, manifest
        )
        heard = _heard(av, film, directory, sounds, manifest) if sounds else iter(())
        count = 0
        for one in heapq.merge(pictures, heard):
            count += one.track == 0
            film.mux(one.packet)
    return count


def _choose(manifest: Manifest, media: str, user_id: int | None) -> PictureEntry:
    fitting = [
        entry
        for entry in manifest.pictures
        if media in ("", entry.media) and user_id in (None, entry.user_id)
    ]
    if not fitting:
        there = ", ".join(f"{entry.media} of user {entry.user_id}" for entry in manifest.pictures) or "none"
        raise RecordingError(f"the recording has no such pictures; it has: {there}")
    return max(fitting, key=lambda entry: entry.frames)


def _copied(
    av: Any, film: Any, directory: Path, entry: PictureEntry, index: list[Picture], manifest: Manifest
) -> Iterator[_Timed]:
    """Give the packets of H.264 from the first picture that needs no other."""
    path = directory / entry.file
    with av.open(str(path), format="h264") as source:
        stream = film.add_stream_from_template(source.streams.video[0])
    stream.time_base = _MS
    return _h264(av, stream, path, index, manifest.zero_ms)


def _h264(av: Any, stream: Any, path: Path, index: list[Picture], zero_ms: int) -> Iterator[_Timed]:
    begun, last = False, -1
    with path.open("rb") as file:
        for number, one in enumerate(index):
            file.seek(one.offset)
            data = file.read(one.bytes)
            key = is_key(data)
            begun = begun or key
            if not begun:
                continue
            last = max(last + 1, one.timestamp_ms - zero_ms, 0)  # two pictures never have one time
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, _MS
            packet.pts = packet.dts = last
            packet.is_keyframe = key
            yield _Timed(last, 0, number, packet)


def is_key(data: bytes) -> bool:
    """Say whether a picture of H.264 (Annex B) needs no other."""
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        if data[at + 3] & 31 == _IDR:
            return True
        at = data.find(b"\0\0\1", at + 3)
    return False


def _encoded(
    av: Any, film: Any, directory: Path, entry: PictureEntry, index: list[Picture], manifest: Manifest
) -> Iterator[_Timed]:
    """Encode JPEG or PNG; the film is as large as the first picture, and the others are fitted to it."""
    stream = film.add_stream("libx264", rate=25)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _MS
    decoder = {"JPG": "mjpeg", "PNG": "png"}[entry.codec]
    path = directory / entry.file
    with path.open("rb") as file:
        file.seek(index[0].offset)
        first = _decoded(av, decoder, file.read(index[0].bytes))
    if first is None:
        raise RecordingError(f"the first picture of {entry.file} cannot be decoded")
    # Half the colours in each direction: sizes must be even.
    stream.width, stream.height = first.width + first.width % 2, first.height + first.height % 2
    return _pictures(av, stream, decoder, path, index, manifest.zero_ms)


def _pictures(
    av: Any, stream: Any, decoder: str, path: Path, index: list[Picture], zero_ms: int
) -> Iterator[_Timed]:
    last, number = -1, 0
    with path.open("rb") as file:
        for one in index:
            file.seek(one.offset)
            picture = _decoded(av, decoder, file.read(one.bytes))
            if picture is None:
                continue
            last = max(last + 1, one.timestamp_ms - zero_ms, 0)
            fitted = picture.reformat(width=stream.width, height=stream.height, format="yuv420p")
            fitted.pts, fitted.time_base = last, _MS
            for packet in stream.encode(fitted):
                yield _Timed(last, 0, (number := number + 1), packet)
    for packet in stream.encode(None):
        yield _Timed(last, 0, (number := number + 1), packet)


def _decoded(av: Any, decoder: str, data: bytes) -> Any:
    """Decode one picture; None when it is damaged."""
    context = av.CodecContext.create(decoder, "r")
    try:
        found = [*context.decode(av.Packet(data)), *context.decode(None)]
    except av.FFmpegError:
        return None
    return found[0] if found else None


def _heard(av: Any, film: Any, directory: Path, names: list[str], manifest: Manifest) -> Iterator[_Timed]:
    """Encode the mix, whose files may have been divided; what has no file is silent."""
    with av.open(str(directory / names[0])) as first:
        context = first.streams.audio[0].codec_context
        # WAV says how many channels there are, and not which.
        rate, layout = context.sample_rate, "mono" if context.channels == 1 else "stereo"
    stream = film.add_stream("aac", rate=rate, layout=layout)
    period = manifest.minutes_per_file * 60 * rate
    return _aac(av, stream, [(directory / name, period_of(name) * period) for name in names], rate, layout)


def _aac(av: Any, stream: Any, files: list[tuple[Path, int]], rate: int, layout: str) -> Iterator[_Timed]:
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=_FRAME)
    number, each = 0, Fraction(1, rate)

    def encoded(frames: list[Any], at: int) -> Iterator[_Timed]:
        nonlocal number
        for frame in frames:
            for packet in stream.encode(frame):
                number += 1
                yield _Timed(at * 1000 / rate, 1, number, packet)

    at = 0
    for start, frame in placed_frames(av, files):
        frame.pts, frame.time_base = start, each
        at = start + frame.samples
        yield from encoded(resampler.resample(frame), start)
    yield from encoded(resampler.resample(None), at)
    yield from encoded([None], at)
