"""Close the sound files of a recording, or of one period of it, while the meeting runs or at its end.

Each step can be repeated: what is closed already is left as it is.
"""

from __future__ import annotations

from pathlib import Path

from rtmsd.recording import flac, opus, wav
from rtmsd.recording.files import AUDIO, NEW, PART, sync_directory
from rtmsd.recording.mixed import mix, mixed_format
from rtmsd.recording.progress import Progress
from rtmsd.recording.spans import clip
from rtmsd.recording.track_format import TrackFormat
from rtmsd.recording.tracks import Tracks


def seal_period(directory: Path, progress: Progress, period: int, units: int) -> list[str]:
    """Give the files of a period so many units each and their names, make their mix, and return all their names.

    What grew in another form stays beside them, as `.part`. Raises OSError when the disk refuses.
    """
    tracks = progress.tracks
    form = tracks.form
    grown = {user_id: tracks.file(user_id, period) for user_id in heard(tracks, period)}
    if not form.unit_bytes:
        for user_id, name in grown.items():
            _finish_opus(directory, progress, user_id, name)
        return [*grown.values()]
    for name in grown.values():
        if (directory / (name + PART)).exists() or not (directory / name).exists():
            wav.finish(directory / (name + PART), form, units)
    done = (
        [_mix(directory, tracks, grown, period, units)] if grown and form.summed and not tracks.mixed else []
    )
    done += [_name(directory, tracks, name, form) for name in grown.values()]
    sync_directory(directory / AUDIO)
    return done


def heard(tracks: Tracks, period: int) -> list[int]:
    """Return who has a file for a period: everybody, when there is only one."""
    if not tracks.divided:
        return list(tracks.by_user)
    start, stop = tracks.span(period)
    return [user_id for user_id, track in tracks.by_user.items() if track.reach(start, stop) > start]


def _mix(directory: Path, tracks: Tracks, grown: dict[int, str], period: int, units: int) -> str:
    start, stop = tracks.span(period)
    name = tracks.plan.growing(0, period, mixed=True, form=mixed_format(tracks.form))
    sounds = []
    for user_id, one in grown.items():
        path = directory / (one + PART)
        runs = [(a - start, b - start) for a, b in clip(tracks.by_user[user_id].runs, start, stop)]
        sounds.append((path if path.exists() else directory / one, runs))
    mix(sounds, directory / (name + NEW), tracks.form, units)
    (directory / (name + NEW)).replace(directory / (name + PART))
    final = _name(directory, tracks, name, mixed_format(tracks.form))
    (directory / (name + PART)).unlink(missing_ok=True)
    return final


def _name(directory: Path, tracks: Tracks, grown: str, form: TrackFormat) -> str:
    """Give a whole file its name, encoding it where the plan says so of the tracks; return the name."""
    part, final = directory / (grown + PART), tracks.plan.final(grown, tracks.form)
    if final != grown:
        flac.encode(part, directory / (final + NEW), form)
        (directory / (final + NEW)).replace(directory / final)
    elif part.exists():
        part.replace(directory / grown)
    return final


def _finish_opus(directory: Path, progress: Progress, user_id: int, name: str) -> None:
    """Write the whole file beside the growing one, which stays until all is sealed."""
    form = progress.tracks.form
    opus.finish(
        directory / (name + PART),
        directory / (name + NEW),
        form,
        progress.tracks.by_user[user_id].runs,
        samples=progress.duration_ms * form.rate // 1000,
        serial=user_id,
    )
    (directory / (name + NEW)).replace(directory / name)
