"""The file sink keeps the contract of sinks."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from small_disk import largest_file

from rtmsd.api import (
    AudioFormat,
    AudioFrame,
    ChatFrame,
    MediaKind,
    Secret,
    SinkContext,
    SinkError,
    SinkReject,
    SinkRetry,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
)
from rtmsd.api.recording import Recording, recording_directory, verify
from rtmsd_file import FileOptions, rtmsd_sink_types

ZERO = 1_795_000_000_000
FORM = AudioFormat("L16", 16_000, 1, True)
STREAM = StreamInfo(
    app="a", product="meeting", stream_id="st/1", meeting_uuid="u", meeting_id="9", started_ms=ZERO
)
END = StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO + 2000)


def frames(start, stop):
    return [AudioFrame(1, "Ann", ZERO + at, b"\1\2" * 320, FORM) for at in range(start, stop, 20)]


def build(path, **options):
    (kind,) = rtmsd_sink_types()
    chosen = msgspec.convert({"directory": str(path), **options}, kind.options)
    return kind.build(chosen, SinkContext(name="disk", version="0.1.0", state_dir=Path("unused")))


def test_type():
    """The plugin offers one type, which wants sound and transcripts, and whatever else its options name."""
    (kind,) = rtmsd_sink_types()
    assert (kind.name, kind.options) == ("file", FileOptions)
    assert kind.wants(FileOptions(directory="/x")) == {MediaKind.AUDIO, MediaKind.TRANSCRIPT}
    with_chat = kind.wants(FileOptions(directory="/x", chat=True))
    assert with_chat == {MediaKind.AUDIO, MediaKind.TRANSCRIPT, MediaKind.CHAT}
    every = tuple(str(medium) for medium in MediaKind)
    assert kind.wants(FileOptions(directory="/x", media=every)) == set(MediaKind)
    assert kind.wants(FileOptions(directory="/x", media=("share",))) == {MediaKind.SHARE}


@pytest.mark.parametrize(
    "options",
    [
        {"directory": ""},
        {"flush_secs": 0},
        {"flush_secs": -1},
        {"flush_secs": 1e9},
        {"media": []},
        {"media": ["audio", "vidoe"]},
        {"layout": "{meeting}"},
        {"minutes_per_file": -1},
        {"minutes_per_file": 1441},
        {"audio_format": "mp3"},
        {"retention_days": -1},
        {"fsync": "never"},
        {"layout": "../{stream}"},
    ],
)
def test_bad_options(options):
    """Values that cannot work are refused with the option's name."""
    with pytest.raises(msgspec.ValidationError, match=next(iter(options))):
        build("/x", **options)


async def test_a_whole_stream(tmp_path):
    """What was written and left after its end is a complete recording."""
    async with build(tmp_path / "new" / "recordings") as sink:
        await sink.check()
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        assert list((tmp_path / "new/recordings").iterdir()) == []
        async with sink.open(STREAM, 0) as writer:
            await writer.write([*frames(0, 1000), TranscriptFrame(1, "Ann", ZERO, ZERO, ZERO + 900, "Hi")])
            await writer.write([*frames(1000, 2000), END])
    report = verify(recording_directory(tmp_path / "new/recordings", STREAM))
    assert report.problems == []
    assert report.manifest.tracks[0].present_secs == 2


@pytest.mark.parametrize("failing", [True, False])
async def test_segments_continue(tmp_path, failing):
    """A writer that was left without an end, or by an exception, is continued by the next segment."""
    sink = build(tmp_path)
    try:
        async with sink.open(STREAM, 0) as writer:
            await writer.write(frames(0, 1000))
            if failing:
                await writer.write([END])
                raise RuntimeError("retired")
    except RuntimeError:
        pass
    assert not verify(recording_directory(tmp_path, STREAM)).ok
    async with sink.open(STREAM, 1) as writer:
        await writer.write([*frames(1000, 2000), END])
    report = verify(recording_directory(tmp_path, STREAM))
    assert (report.problems, report.manifest.tracks[0].present_secs) == ([], 2)
    assert report.manifest.gaps == ()


async def test_check_names_the_directory(tmp_path):
    """A directory that cannot be one is refused at start, with its path."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="file/recordings"):
        await build(tmp_path / "file" / "recordings").check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_check_needs_permission(tmp_path):
    """A directory of somebody else is refused at start."""
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match=str(tmp_path)):
        await build(tmp_path).check()


async def test_open_of_a_complete_recording(tmp_path):
    """A stream whose recording is complete cannot be opened again, and the recording stays as it is."""
    sink = build(tmp_path)
    async with sink.open(STREAM, 0) as writer:
        await writer.write([*frames(0, 100), END])
    with pytest.raises(SinkError, match="complete"):
        async with sink.open(STREAM, 1):
            pass
    assert verify(recording_directory(tmp_path, STREAM)).ok


async def test_a_full_disk_asks_for_the_batch_again(tmp_path):
    """While the disk refuses, a batch is answered with SinkRetry, and taken whole when it comes again."""
    sink = build(tmp_path)
    async with sink.open(STREAM, 0) as writer:
        await writer.write(frames(0, 1000))
        with largest_file(40_000):
            for _ in range(2):
                with pytest.raises(SinkRetry):
                    await writer.write(frames(1000, 2000))
        await writer.write(frames(1000, 2000))
        await writer.write([END])
    report = verify(recording_directory(tmp_path, STREAM))
    assert (report.problems, report.manifest.counts) == ([], {})
    assert report.manifest.tracks[0].present_secs == 2


@pytest.mark.parametrize(("flush_secs", "lines"), [(60, 1), (1e-9, 4)])
async def test_flushes_by_time(tmp_path, flush_secs, lines):
    """The ledger has a first line, and one for each batch that comes flush_secs after the last flush, and no other."""
    sink = build(tmp_path, flush_secs=flush_secs)
    ledger = recording_directory(tmp_path, STREAM) / "ledger.jsonl.part"
    async with sink.open(STREAM, 0) as writer:
        for start in (0, 1000, 2000):
            await writer.write(frames(start, start + 1000))
        assert ledger.read_bytes().count(b"\n") == lines


async def test_a_cancelled_call_does_not_overlap_the_next(tmp_path, monkeypatch):
    """After a cancelled write the writer's leaving waits for the thread, and what was written is kept."""
    started, release = asyncio.Event(), asyncio.Event()
    loop, real = asyncio.get_running_loop(), Recording.write

    def slow(recording, items):
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        real(recording, items)

    sink = build(tmp_path)

    async def stream():
        async with sink.open(STREAM, 0) as writer:
            await writer.write(frames(0, 1000))

    # A disk that is slow exactly here cannot be had otherwise.
    monkeypatch.setattr(Recording, "write", slow)
    task = asyncio.create_task(stream())
    await started.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    async with sink.open(STREAM, 1) as writer:
        await writer.write([END])
    assert verify(recording_directory(tmp_path, STREAM)).manifest.tracks[0].present_secs == 1


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_purge(tmp_path, when):
    """Revoked streams leave a tombstone and nothing else, whenever that happens; nothing comes back."""
    sink = build(tmp_path)
    directory = recording_directory(tmp_path, STREAM)
    if when == "before":
        await sink.purge(STREAM)
        with pytest.raises(SinkError, match="deleted"):
            async with sink.open(STREAM, 0):
                pass
    else:
        async with sink.open(STREAM, 0) as writer:
            await writer.write([*frames(0, 1000), END])
            if when == "during":
                await sink.purge(STREAM)
                with pytest.raises(SinkReject):
                    await writer.write(frames(1000, 2000))
        await sink.purge(STREAM)
    assert [path.name for path in directory.iterdir()] == ["tombstone.json"]


async def test_a_stream_without_an_id(tmp_path):
    """What can have no path is refused with a sentence."""
    with pytest.raises(SinkError, match="stream id"):
        async with build(tmp_path).open(msgspec.structs.replace(STREAM, stream_id=""), 0):
            pass


async def test_another_layout(tmp_path):
    """A recording stands where the template says, is continued there after a restart, and is deleted there."""
    options = {"layout": "{app}/{date}/{hour}/{stream}", "chat": True}
    directory = tmp_path / "a/2026-11-18/11/st%2F1"
    for items in (
        frames(0, 1000),
        [ChatFrame(1, "Ann", ZERO, "new", "m1", "Hi")],
        [*frames(1000, 2000), END],
    ):
        async with build(tmp_path, **options).open(STREAM, 0) as writer:
            await writer.write(items)
    report = verify(directory)
    assert (report.problems, report.manifest.tracks[0].present_secs) == ([], 2)
    assert "chat.jsonl" in report.manifest.files

    later = msgspec.structs.replace(STREAM, started_ms=STREAM.started_ms + 7_200_000)
    await build(tmp_path, **options).purge(later)
    assert [path.name for path in directory.iterdir()] == ["tombstone.json"]
    with pytest.raises(SinkError, match="deleted"):
        async with build(tmp_path, **options).open(later, 0):
            pass


async def test_silence_does_not_keep_what_was_said_from_the_disk(tmp_path):
    """What was written is flushed within `flush_secs`, though nothing more comes: a crash then costs nothing."""
    directory = recording_directory(tmp_path, STREAM)
    async with build(tmp_path, flush_secs=0.2) as sink:
        async with sink.open(STREAM, 0) as writer:
            await writer.write(frames(0, 1000))
            path = directory / "audio" / "user=1.wav.part"
            async with asyncio.timeout(5):
                while not path.exists() or int.from_bytes(path.read_bytes()[40:44], "little") != 32_000:
                    await asyncio.sleep(0.02)


async def test_the_options_reach_the_recording(tmp_path):
    """Files of a minute in FLAC, durable and signed, are what the options ask for."""
    key = Ed25519PrivateKey.generate()
    secret = Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    chosen = FileOptions(
        directory=str(tmp_path),
        audio_format="flac",
        minutes_per_file=1,
        fsync="flush",
        flush_secs=1e-9,
        signing_key=secret,
    )
    (kind,) = rtmsd_sink_types()
    sink = kind.build(chosen, SinkContext(name="disk", version="0.1.0", state_dir=Path("unused")))
    last = msgspec.structs.replace(END, timestamp_ms=ZERO + 190_000)
    async with sink.open(STREAM, 0) as writer:
        for start in (0, 186_000, 187_000, 188_000):
            await writer.write(frames(start, start + 1000))
        await writer.write([last])
    report = verify(
        recording_directory(tmp_path, STREAM), public_key=key.public_key().public_bytes_raw().hex()
    )
    assert report.problems == []
    assert [part.file for part in report.manifest.tracks[0].parts] == [
        "audio/user=1.0001.flac",
        "audio/user=1.0004.flac",
    ]
    assert "***" in repr(chosen)


def test_a_signing_key_that_is_none():
    """A key that cannot sign is refused when the configuration is read, and not shown."""
    with pytest.raises(ValueError, match="signing_key: a signing key must be") as caught:
        FileOptions(directory="/x", signing_key=Secret("hush"))
    assert "hush" not in str(caught.value)
