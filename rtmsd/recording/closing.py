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
    CAPTIONS,
    CHAT,
    EVENTS,
    GAPS,
    LEDGER,
    MANIFEST,
    MIXED,
    PART,
    SPEAKERS,
    SUBTITLES,
    SUMS,
    TRANSCRIPT,
    complete,
    publish,
    sync_directory,
    track_file,
)
from rtmsd.recording.lines import decode_all, line
from rtmsd.recording.manifest import SCHEMA, Manifest, Stop, TrackEntry, digest, sums
from rtmsd.recording.mixed import mix
from rtmsd.recording.progress import Progress
from rtmsd.recording.speakers import rttm, turns
from rtmsd.recording.wav import finish


def finish_recording(directory: Path, info: StreamInfo, progress: Progress, *, version: str) -> Manifest:
    """Write what is only known at the end, give every file its name, seal them and drop the ledger.

    `progress` is settled and has its end. Raises OSError when the disk refuses; nothing recorded is lost then.
    """
    assert progress.end is not None and progress.zero_ms is not None
    zero_ms, duration_ms = progress.zero_ms, progress.duration_ms
    sounds = {
        user_id: Sound(track.runs, progress.tracks.form.rate)
        for user_id, track in progress.tracks.by_user.items()
    }
    files = [*_finish_audio(directory, progress), *_finish_lines(directory, zero_ms, duration_ms)]
    if sounds and not progress.tracks.mixed:
        spoken = turns(sounds, stream_id=info.stream_id, duration_ms=duration_ms)
        publish(directory / SPEAKERS, rttm(spoken))
        files.append(SPEAKERS)
    gaps = standing(progress.ledger, sounds, zero_ms=zero_ms, duration_ms=duration_ms)
    publish(directory / GAPS, b"".join(map(line, gaps)))
    sync_directory(directory / AUDIO)

    accounts = _accounts(progress, sounds)
    rate = progress.tracks.form.rate if progress.tracks.audio else 1000
    entries = {name: digest(directory / name) for name in sorted([*files, GAPS])}
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
        completeness=completeness((part, rate) for part in accounts.values()),
        tracks=tuple(
            _track_entry(progress, user_id, accounts[user_id]) for user_id in sorted(progress.tracks.by_user)
        ),
        gaps=tuple(gaps),
        reconnects=progress.reconnects,
        counts=dict(sorted(progress.ledger.counts.items())),
        files=entries,
    )
    publish(directory / MANIFEST, manifest.encode())
    publish(directory / SUMS, sums(entries | {MANIFEST: digest(directory / MANIFEST)}))
    drop_leftovers(directory)
    return manifest


def drop_leftovers(directory: Path) -> None:
    """Remove what only an unfinished recording needs."""
    (directory / (TRANSCRIPT + PART)).unlink(missing_ok=True)
    (directory / LEDGER).unlink(missing_ok=True)
    sync_directory(directory)


def _finish_audio(directory: Path, progress: Progress) -> list[str]:
    if not progress.tracks.by_user:
        return []
    samples = progress.duration_ms * progress.tracks.form.rate // 1000
    names = {user_id: track_file(user_id, mixed=progress.tracks.mixed) for user_id in progress.tracks.by_user}
    for name in names.values():
        finish(directory / (name + PART), progress.tracks.form, samples)
    if not progress.tracks.mixed:
        tracks = [
            (directory / (name + PART), progress.tracks.by_user[user_id].runs)
            for user_id, name in names.items()
        ]
        mix(tracks, directory / (MIXED + PART), progress.tracks.form, samples)
    done = [*names.values()] if progress.tracks.mixed else [*names.values(), MIXED]
    for name in done:
        (directory / (name + PART)).replace(directory / name)
    return done


def _finish_lines(directory: Path, zero_ms: int, duration_ms: int) -> list[str]:
    raw = directory / (TRANSCRIPT + PART)
    frames = decode_all(raw.read_bytes(), TranscriptFrame) if raw.exists() else []
    spoken = captions.phrases(frames, zero_ms=zero_ms, duration_ms=duration_ms)
    publish(directory / TRANSCRIPT, captions.jsonl(spoken))
    publish(directory / CAPTIONS, captions.webvtt(spoken))
    publish(directory / SUBTITLES, captions.srt(spoken))
    complete(directory / EVENTS)
    names = [TRANSCRIPT, CAPTIONS, SUBTITLES, EVENTS]
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
    form = progress.tracks.form
    return TrackEntry(
        user_id=user_id,
        names=progress.tracks.names.get(user_id, ()),
        file=track_file(user_id, mixed=progress.tracks.mixed),
        codec="L16",
        rate=form.rate,
        channels=form.channels,
        samples=part.present + part.silent + part.missing + part.paused,
        present_secs=part.present / form.rate,
        silent_secs=part.silent / form.rate,
        missing_secs=part.missing / form.rate,
        paused_secs=part.paused / form.rate,
    )
