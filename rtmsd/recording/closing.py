"""Turn an unfinished recording into a complete one.

Each step can be repeated, and the ledger goes last: a process that dies in between leaves a recording that can be
opened and closed again.
"""

from __future__ import annotations

from pathlib import Path

from rtmsd.frames import StreamInfo, TranscriptFrame
from rtmsd.recording import captions
from rtmsd.recording.account import Account, Sound, account, completeness, standing
from rtmsd.recording.files import (
    AUDIO,
    CHAT,
    EVENTS,
    GAPS,
    INDEX,
    LEDGER,
    MANIFEST,
    PART,
    SIGNATURE,
    SPEAKERS,
    SUMS,
    TRANSCRIPT,
    complete,
    publish,
    sync_directory,
)
from rtmsd.recording.lines import decode_all, line
from rtmsd.recording.manifest import SCHEMA, Manifest, PictureEntry, Stop, TrackEntry, TrackPart, digest, sums
from rtmsd.recording.mixed import mixed_format
from rtmsd.recording.pictures import codec_of, user_of
from rtmsd.recording.progress import Progress
from rtmsd.recording.sealing import heard, seal_period
from rtmsd.recording.signature import Signer
from rtmsd.recording.speakers import rttm, turns


def finish_recording(
    directory: Path, info: StreamInfo, progress: Progress, *, version: str, signer: Signer | None
) -> Manifest:
    """Write what is only known at the end, give every file its name, seal them and drop the ledger.

    `progress` is settled and has its end. Raises OSError when the disk refuses; nothing recorded is lost then.
    """
    assert progress.end is not None and progress.zero_ms is not None
    zero_ms, duration_ms = progress.zero_ms, progress.duration_ms
    sounds = progress.tracks.sounds()
    files = [*_finish_audio(directory, progress), *_finish_lines(directory, zero_ms, duration_ms)]
    files += _finish_pictures(directory, progress)
    if sounds and not progress.tracks.mixed:
        spoken = turns(sounds, stream_id=info.stream_id, duration_ms=duration_ms)
        publish(directory / SPEAKERS, rttm(spoken))
        files.append(SPEAKERS)
    gaps = standing(progress.ledger, sounds, zero_ms=zero_ms, duration_ms=duration_ms)
    publish(directory / GAPS, b"".join(map(line, gaps)))
    accounts = _accounts(progress, sounds)
    entries = {name: progress.sealed.get(name) or digest(directory / name) for name in sorted([*files, GAPS])}
    manifest = Manifest(
        schema=SCHEMA,
        rtmsd=version,
        app=info.app,
        product=info.product,
        meeting_id=info.meeting_id,
        meeting_uuid=info.meeting_uuid,
        stream_id=info.stream_id,
        zero_ms=zero_ms,
        duration_ms=duration_ms,
        stop=Stop(progress.end.reason, progress.end.name, progress.end.sentence),
        completeness=completeness(
            (part, sounds[user].rate if sounds else 1000) for user, part in accounts.items()
        ),
        tracks=tuple(
            _track_entry(progress, user_id, accounts[user_id]) for user_id in sorted(progress.tracks.by_user)
        ),
        minutes_per_file=progress.tracks.plan.minutes_per_file if progress.tracks.divided else 0,
        mix=_about_mix(progress),
        pictures=tuple(_picture_entry(progress, name) for name in sorted(progress.pictures.files)),
        gaps=tuple(gaps),
        reconnects=progress.reconnects,
        backlog_secs=progress.backlog_ms / 1000,
        counts=dict(sorted(progress.ledger.counts.items())),
        signer=signer.public_key if signer else "",
        files=entries,
    )
    publish(directory / MANIFEST, manifest.encode())
    sealed = sums(entries | {MANIFEST: digest(directory / MANIFEST)})
    if signer is not None:
        publish(directory / SIGNATURE, signer.sign(sealed))
    publish(directory / SUMS, sealed)
    drop_leftovers(directory)
    return manifest


def drop_leftovers(directory: Path) -> None:
    """Remove what only an unfinished recording needs."""
    (directory / (TRANSCRIPT + PART)).unlink(missing_ok=True)
    for path in (directory / AUDIO).glob("*" + PART):
        path.unlink(missing_ok=True)
    (directory / LEDGER).unlink(missing_ok=True)
    sync_directory(directory)


def _finish_audio(directory: Path, progress: Progress) -> list[str]:
    """Close the files of every period that is not closed; return the names of all files with sound."""
    tracks = progress.tracks
    if not tracks.by_user:
        return []
    units = progress.duration_ms * tracks.form.units_per_sec // 1000
    done = [*progress.sealed]
    for period in tracks.periods(0, units):
        if period >= tracks.sealed:
            start, stop = tracks.span(period)
            done += seal_period(directory, progress, period, min(stop, units) - start)
    return done


def _finish_pictures(directory: Path, progress: Progress) -> list[str]:
    names = [name for file in sorted(progress.pictures.files) for name in (file, file + INDEX)]
    for name in names:
        complete(directory / name)
    for parent in {(directory / name).parent for name in names}:
        sync_directory(parent)
    return names


def _about_mix(progress: Progress) -> str:
    """Say in a sentence whether there is a mix of all sound, and why."""
    tracks = progress.tracks
    if not tracks.by_user:
        return "There is no mix: no sound came."
    form = tracks.form if tracks.mixed else mixed_format(tracks.form)
    name = tracks.plan.final(tracks.plan.growing(0, 0, mixed=True, form=form), tracks.form)
    each = f"{name}, and so on for each period in which somebody was heard," if tracks.divided else name
    if tracks.mixed:
        return f"{each} is Zoom's own mix."
    if tracks.form.summed:
        return f"{each} is the sum of all tracks."
    return (
        f"There is no mix: the tracks hold {tracks.form.codec} as Zoom sent it, which can be summed only after decoding "
        "it. Ask Zoom for L16 or G711, or for its own mix, to have one."
    )


def _finish_lines(directory: Path, zero_ms: int, duration_ms: int) -> list[str]:
    raw = directory / (TRANSCRIPT + PART)
    frames = decode_all(raw.read_bytes(), TranscriptFrame) if raw.exists() else []
    complete(directory / EVENTS)
    names = [EVENTS]
    for source, its in captions.by_source(frames).items():
        files = captions.written(source, its, zero_ms=zero_ms, duration_ms=duration_ms)
        for name, data in files.items():
            publish(directory / name, data)
        names += files
    if (directory / (CHAT + PART)).exists():
        complete(directory / CHAT)
        names.append(CHAT)
    return names


def _accounts(progress: Progress, sounds: dict[int, Sound]) -> dict[int, Account]:
    """Account for each track; a recording without any accounts for the time that a track could have had."""
    assert progress.zero_ms is not None
    return {
        user_id: account(
            user_id,
            sound,
            progress.ledger,
            progress.pause_spans(),
            zero_ms=progress.zero_ms,
            duration_ms=progress.duration_ms,
        )
        for user_id, sound in (sounds or {0: Sound((), 1000)}).items()
    }


def _track_entry(progress: Progress, user_id: int, part: Account) -> TrackEntry:
    form, parts = progress.tracks.form, _parts(progress, user_id)
    return TrackEntry(
        user_id=user_id,
        names=progress.tracks.names.get(user_id, ()),
        file="" if progress.tracks.divided else parts[0].file,
        parts=parts if progress.tracks.divided else (),
        codec=form.codec,
        rate=form.rate,
        channels=form.channels,
        samples=part.present + part.silent + part.missing + part.paused,
        present_secs=part.present / form.rate,
        silent_secs=part.silent / form.rate,
        missing_secs=part.missing / form.rate,
        paused_secs=part.paused / form.rate,
    )


def _parts(progress: Progress, user_id: int) -> tuple[TrackPart, ...]:
    """Name the files of a track, and which samples of it each has."""
    tracks, form = progress.tracks, progress.tracks.form
    units = progress.duration_ms * form.units_per_sec // 1000
    found = []
    for period in tracks.periods(0, units) if tracks.divided else range(1):
        if user_id in heard(tracks, period):
            start, stop = tracks.span(period)
            name = tracks.plan.final(tracks.file(user_id, period), form)
            length = min(stop, units) - start
            found.append(TrackPart(name, start * form.unit_samples, length * form.unit_samples))
    return tuple(found)


def _picture_entry(progress: Progress, name: str) -> PictureEntry:
    held = progress.pictures.files[name]
    return PictureEntry(
        media=name.partition("/")[0],
        user_id=user_of(name),
        file=name,
        index=name + INDEX,
        codec=codec_of(name),
        frames=held.frames,
        bytes=held.bytes,
        first_ms=held.first_ms,
        last_ms=held.last_ms,
    )
