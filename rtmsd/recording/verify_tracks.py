"""Check the tracks of a complete recording, and who is said to have spoken in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat
from rtmsd.recording import opus, wav
from rtmsd.recording.files import AUDIO, MIXED, SPEAKERS
from rtmsd.recording.layout import safe_name
from rtmsd.recording.manifest import Manifest, TrackEntry
from rtmsd.recording.mixed import mixed_format
from rtmsd.recording.spans import Span, subtract, total
from rtmsd.recording.speakers import PAUSE_MS, Turn, parse_rttm
from rtmsd.recording.track_format import TrackFormat, track_format

_READ_BYTES = 1 << 20


def check_tracks(directory: Path, manifest: Manifest) -> Iterator[str]:
    """Say which tracks are not what the manifest says, or are missing, or too many."""
    expected: dict[str, tuple[TrackFormat, int]] = {}
    for track in manifest.tracks:
        form = _form(track)
        if form is None:
            yield f"{track.file} should be of a codec, rate and channels that rtmsd records"
        else:
            expected[track.file] = form, track.samples
    if expected and not any(_is_mix(track) for track in manifest.tracks):
        form, samples = next(iter(expected.values()))
        if form.summed:
            expected[MIXED] = mixed_format(form), samples
    there = {name for name in manifest.files if name.startswith(f"{AUDIO}/")}
    for name in sorted(there ^ expected.keys()):
        yield f"{name} should be both a file and a track of the manifest"
    for name in sorted(there & expected.keys()):
        form, samples = expected[name]
        try:
            found = (wav if form.unit_bytes else opus).check(directory / name, form)
        except RecordingError as error:
            yield str(error)
        else:
            if found != samples:
                yield f"{name} should have {samples} samples by the manifest, and has {found}"


def check_speakers(directory: Path, manifest: Manifest) -> Iterator[str]:
    """Hold the turns against the tracks: each present sample lies in a turn, and outside the turns there is silence."""
    tracks = {track.user_id: track for track in manifest.tracks if not _is_mix(track) and track.rate > 0}
    if not tracks:
        if (directory / SPEAKERS).exists():
            yield f"{SPEAKERS} should not be there without a track for each person"
        return
    try:
        turns = parse_rttm((directory / SPEAKERS).read_bytes())
    except ValueError as error:
        yield f"{SPEAKERS} cannot be read: {error}"
        return
    if turns != sorted(turns) or {turn.file for turn in turns} - {safe_name(manifest.stream_id)}:
        yield f"{SPEAKERS} should be ordered by time, and name the stream {safe_name(manifest.stream_id)} in each line"
    if {turn.user_id for turn in turns} - tracks.keys():
        yield f"{SPEAKERS} has speakers without a track"
    for user_id, track in tracks.items():
        yield from _check_turns(
            directory, track, [turn for turn in turns if turn.user_id == user_id], manifest
        )


def _form(track: TrackEntry) -> TrackFormat | None:
    return track_format(AudioFormat(track.codec, track.rate, track.channels, True))


def _is_mix(track: TrackEntry) -> bool:
    return Path(track.file).stem == Path(MIXED).stem


def _check_turns(directory: Path, track: TrackEntry, turns: list[Turn], manifest: Manifest) -> Iterator[str]:
    ends = [0, *(turn.end_ms for turn in turns)]
    pauses = [turn.start_ms - end for turn, end in zip(turns, ends, strict=False)]
    # Rounding both of its ends may take 2 ms from a pause.
    if (
        min(pauses, default=0) < 0
        or min(pauses[1:], default=PAUSE_MS) < PAUSE_MS - 2
        or ends[-1] > manifest.duration_ms
    ):
        yield f"the turns of user {track.user_id} in {SPEAKERS} should lie within the recording, {PAUSE_MS} ms apart"
        return
    spans = [(turn.start_ms * track.rate // 1000, turn.end_ms * track.rate // 1000) for turn in turns]
    if total(spans) < track.account.present:
        yield f"{SPEAKERS} has {total(spans) / track.rate} s of user {track.user_id}, and {track.file} {track.present_secs} s"
    form = _form(track)
    if form is not None and not _silent(directory / track.file, form, subtract([(0, track.samples)], spans)):
        yield f"{track.file} has sound outside the turns of {SPEAKERS}"


def _silent(path: Path, form: TrackFormat, quiet: list[Span]) -> bool:
    """Say whether spans of samples are what absences are filled with."""
    if not form.unit_bytes:
        each = form.unit_samples
        try:
            heard = opus.sounding(path)
        except RecordingError:
            return True  # the check of the tracks tells
        sounding = [(a * each, b * each) for a, b in heard]
        return subtract(sounding, quiet) == sounding
    first, units = wav.header_bytes(form), form.unit_samples
    spans = [(first + a // units * form.unit_bytes, first + b // units * form.unit_bytes) for a, b in quiet]
    return _holds_only(path, form.silence, spans)


def _holds_only(path: Path, silence: int, spans: list[Span]) -> bool:
    expected = bytes([silence]) * _READ_BYTES
    with path.open("rb", buffering=0) as file:
        for start, end in spans:
            for at in range(start, end, _READ_BYTES):
                data = os.pread(file.fileno(), min(_READ_BYTES, end - at), at)
                if data != expected[: len(data)]:
                    return False
                if not data:  # a manifest can promise more than there is
                    break
    return True
