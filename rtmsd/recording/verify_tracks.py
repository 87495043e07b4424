"""Check the tracks of a complete recording, and who is said to have spoken in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import AudioFormat
from rtmsd.recording import flac, opus, wav
from rtmsd.recording.file_plan import FilePlan, period_of
from rtmsd.recording.files import AUDIO, SPEAKERS
from rtmsd.recording.layout import safe_name
from rtmsd.recording.manifest import Manifest, TrackEntry, TrackPart
from rtmsd.recording.mixed import mixed_format
from rtmsd.recording.spans import Span, clip, subtract, total
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
            yield from _check_parts(track, form, manifest)
            expected |= {part.file: (form, part.samples) for part in track.files}
            if form.summed and not _is_mix(track):
                expected |= {_mix_of(part, form): (mixed_format(form), part.samples) for part in track.files}
    there = {name for name in manifest.files if name.startswith(f"{AUDIO}/")}
    for name in sorted(there ^ expected.keys()):
        yield f"{name} should be both a file and a track of the manifest"
    for name in sorted(there & expected.keys()):
        form, samples = expected[name]
        try:
            found = _check_of(name)(directory / name, form)
        except RecordingError as error:
            yield str(error)
        else:
            if found != samples:
                yield f"{name} should have {samples} samples by the manifest, and has {found}"


def _check_parts(track: TrackEntry, form: TrackFormat, manifest: Manifest) -> Iterator[str]:
    """Say whether the files of a track lie where its periods are, and are called after them."""
    period = FilePlan(minutes_per_file=manifest.minutes_per_file).period_ms(form) * form.rate // 1000
    if bool(track.file) == bool(period) or (track.parts and not period):
        yield f"the track of user {track.user_id} should be one file, or divided into parts as all tracks are"
    ends = 0
    for part in track.parts if period else ():
        number = part.first_sample // period
        length = min(period, track.samples - part.first_sample)
        if part != TrackPart(part.file, number * period, length) or number != period_of(part.file):
            yield f"{part.file} should be the {number + 1}. part of its track, with {length} samples, and is not"
        if part.first_sample < ends:
            yield f"{part.file} should come after the part before it"
        ends = part.first_sample + part.samples


def _mix_of(part: TrackPart, form: TrackFormat) -> str:
    """Name the mix that a part of a track is in."""
    suffix = Path(part.file).suffix
    number = f".{period_of(part.file) + 1:04}" if "." in Path(part.file).stem else ""
    return f"{AUDIO}/mixed{number}{suffix if suffix in ('.wav', '.flac') else form.suffix}"


def _check_of(name: str) -> Callable[[Path, TrackFormat], int]:
    return {".flac": flac.check, ".opus": opus.check}.get(Path(name).suffix, wav.check)


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
    return Path(track.files[0].file if track.files else "").name.startswith("mixed.")


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
        heard = total(spans) / track.rate
        yield f"{SPEAKERS} has {heard} s of user {track.user_id}, and the track {track.present_secs} s"
    form = _form(track)
    if form is None:
        return
    for part in track.files:
        first, end = part.first_sample, part.first_sample + part.samples
        quiet = [(a - first, b - first) for a, b in subtract([(first, end)], spans)]
        if not _silent(directory / part.file, form, quiet):
            yield f"{part.file} has sound outside the turns of {SPEAKERS}"
    there = [(part.first_sample, part.first_sample + part.samples) for part in track.files]
    # The ends of turns are rounded to milliseconds.
    if any(b - a > track.rate // 500 for a, b in subtract(clip(spans, 0, track.samples), there)):
        yield f"{SPEAKERS} has turns of user {track.user_id} for which there is no file"


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
    if path.suffix == ".flac":
        return _silent_flac(path, form, quiet)
    first, units = wav.header_bytes(form), form.unit_samples
    spans = [(first + a // units * form.unit_bytes, first + b // units * form.unit_bytes) for a, b in quiet]
    return _holds_only(path, form.silence, spans)


def _silent_flac(path: Path, form: TrackFormat, quiet: list[Span]) -> bool:
    try:
        return flac.silent(path, form, quiet)
    except (OSError, RecordingError):
        return True  # the check of the tracks tells


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
