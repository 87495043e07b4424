"""Video and shared screens: kept raw, one file for each person and codec, with an index that covers it."""

from __future__ import annotations

import itertools
import random
import shutil

import orjson
import pytest
from ffmpeg_judge import ffmpeg, needs_ffmpeg, probe
from recording_samples import PICTURE, ZERO, end, opened, packet, picture, shared, verified

from rtmsd.frames import Event, Gap, MediaKind, VideoFrame
from rtmsd.recording import verify

CAMERA, SCREEN = "video/user=1.h264", "share/user=2.mjpeg"


def finished(directory, *items, at_ms=10_000):
    recording = opened(directory)
    recording.write([*items, end(at_ms)])
    recording.close()
    return verified(directory)


def frames_of(directory, name):
    """The frames of a file, cut by its index, each with its time."""
    data = (directory / name).read_bytes()
    entries = [orjson.loads(line) for line in (directory / f"{name}.jsonl").read_bytes().splitlines()]
    assert [entry["offset"] for entry in entries] == list(
        itertools.accumulate((entry["bytes"] for entry in entries[:-1]), initial=0)
    )
    return [
        (entry["timestamp_ms"] - ZERO, data[entry["offset"] : entry["offset"] + entry["bytes"]])
        for entry in entries
    ]


def told(frames):
    return [(frame.timestamp_ms - ZERO, frame.data) for frame in frames]


def test_frames_stand_as_they_came(tmp_path):
    """Each person's frames are in a file of their own, in the order in which they came, and the manifest counts them."""
    camera = [picture(1, at, 100 + at) for at in (0, 40, 80, 60)]
    screen = [shared(2, at) for at in (500, 1500)]
    manifest = finished(tmp_path, packet(1, 0), *camera, *screen, picture(3, 40, codec="PNG"))
    assert frames_of(tmp_path, CAMERA) == told(camera)
    assert frames_of(tmp_path, SCREEN) == told(screen)
    seen = [(one.file, one.index, one.media, one.user_id, one.codec, one.frames) for one in manifest.pictures]
    assert seen == [
        (SCREEN, SCREEN + ".jsonl", "share", 2, "JPG", 2),
        (CAMERA, CAMERA + ".jsonl", "video", 1, "H264", 4),
        ("video/user=3.png", "video/user=3.png.jsonl", "video", 3, "PNG", 1),
    ]
    [first] = [one for one in manifest.pictures if one.file == CAMERA]
    assert (first.bytes, first.first_ms, first.last_ms) == (580, ZERO, ZERO + 80)
    assert "Name" not in (tmp_path / f"{CAMERA}.jsonl").read_text()


def test_another_codec_gets_another_file(tmp_path):
    """After a failover pictures may come in another codec: each file holds one."""
    finished(tmp_path, picture(1, 0), picture(1, 40, codec="JPG"), picture(1, 80))
    assert [at for at, _ in frames_of(tmp_path, CAMERA)] == [0, 80]
    assert [at for at, _ in frames_of(tmp_path, "video/user=1.mjpeg")] == [40]


def test_pictures_without_sound(tmp_path):
    """A stream of nothing but pictures closes too, at its start's time."""
    manifest = finished(tmp_path, picture(1, 0), at_ms=1000)
    assert (manifest.tracks, manifest.duration_ms, len(manifest.pictures)) == ((), 3000, 1)
    assert manifest.mix == "There is no mix: no sound came."


@pytest.mark.parametrize(
    ("codec", "data", "cause"), [("VP8", b"frame", "format_unsupported"), ("H264", b"", "bad_packet")]
)
def test_what_is_no_picture_is_counted(tmp_path, codec, data, cause):
    """A codec without a place here, and a frame without bytes, are ledgered and harm nothing."""
    form = type(PICTURE)(codec, "HD", 25)
    manifest = finished(tmp_path, packet(1, 0), VideoFrame(1, "Ann", ZERO + 40, data, form))
    assert manifest.pictures == () and manifest.counts == {cause: 1}
    assert [(gap.cause, gap.media, gap.user_id) for gap in manifest.gaps] == [(cause, "video", 1)]


@pytest.mark.parametrize("media", [MediaKind.VIDEO, MediaKind.SHARE])
def test_gaps_of_pictures_are_ledgered(tmp_path, media):
    """Missing pictures stand in gaps.jsonl, and the sound is complete nevertheless."""
    gap = Gap("lane_full", ZERO + 100, ZERO + 200, media, 1)
    manifest = finished(tmp_path, packet(1, 0), picture(1, 40), gap)
    assert (manifest.gaps, manifest.completeness) == ((gap,), 1.0)


def test_events_of_pictures_and_channels_are_kept(tmp_path):
    """Whatever an event says stands in events.jsonl."""
    events = [
        Event("channel_appeared", ZERO, 77, None, {"channel_id": "sip:1"}),
        Event("participant_renamed", ZERO + 1, 1, "Ann", {"before": "Anna"}),
        Event("media_changed", ZERO + 2, None, None, {"media": "video"}),
    ]
    finished(tmp_path, *events, packet(77, 0))
    lines = [orjson.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert [(line["name"], line.get("details")) for line in lines] == [
        (one.name, one.details) for one in events
    ]


def test_large_frames(tmp_path):
    """A frame of 16 MiB, the largest that can come, is one like any other."""
    frame = VideoFrame(1, "Ann", ZERO, bytes(range(256)) * (1 << 16), PICTURE)
    manifest = finished(tmp_path, frame, picture(1, 40))
    assert (manifest.pictures[0].frames, manifest.pictures[0].bytes) == (2, (1 << 24) + 500)


def test_any_crash_leaves_pictures_that_close(tmp_path):
    """Copies taken after any write or flush close and verify, and hold a beginning of what came, no frame torn."""
    chance = random.Random(7)
    recording = opened(tmp_path / "live")
    camera, screen = [], []
    flushed = 0
    for number in range(20):
        batch = [picture(1, number * 100 + step, chance.randint(1, 3000)) for step in (0, 40, 80)]
        camera += batch
        screen.append(shared(2, number * 100))
        recording.write([*batch, screen[-1], packet(1, number * 100)])
        if chance.random() < 0.4:
            recording.flush()
            flushed = len(camera)
        copy = tmp_path / f"copy{number}"
        shutil.copytree(tmp_path / "live", copy)
        manifest = finished(copy)
        assert {one.media: one.frames for one in manifest.pictures} == (
            {"video": flushed, "share": flushed // 3} if flushed else {}
        )
        if flushed:
            assert frames_of(copy, CAMERA) == told(camera[:flushed])
            assert frames_of(copy, SCREEN) == told(screen[: flushed // 3])
    recording.abandon()


@pytest.mark.parametrize("lost", [CAMERA, f"{CAMERA}.jsonl"])
@pytest.mark.parametrize("size", [None, 0, 1, 1234])
def test_pictures_that_the_disk_lost(tmp_path, lost, size):
    """After a power failure only whole frames with their line are left, and recording goes on behind them."""
    camera = [picture(1, at) for at in range(0, 4000, 40)]
    recording = opened(tmp_path)
    recording.write(camera)
    recording.suspend()
    part = tmp_path / f"{lost}.part"
    if size is None:
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:size])
    more = [picture(1, at) for at in range(4000, 5000, 40)]
    manifest = finished(tmp_path, *more)
    kept = frames_of(tmp_path, CAMERA)
    assert kept == told(camera)[: len(kept) - len(more)] + told(more)
    [gap] = manifest.gaps
    assert (gap.cause, gap.media, gap.user_id) == ("unflushed", "video", 1)
    gone = camera[len(kept) - len(more) :]
    assert gone and gap.from_ms <= gone[0].timestamp_ms and gap.to_ms == gone[-1].timestamp_ms
    assert gap.from_ms >= gone[0].timestamp_ms - 40


def test_pictures_that_are_gone_without_a_trace_are_ledgered(tmp_path):
    """After a power failure that cost both files of one person, the ledger alone knows them, and says so."""
    recording = opened(tmp_path)
    recording.write([picture(1, 0), shared(2, 500), picture(1, 1000)])
    recording.suspend()
    shutil.rmtree(tmp_path / "video")
    opened(tmp_path).suspend()
    manifest = finished(tmp_path, picture(1, 2000))
    assert manifest.gaps == (Gap("unflushed", ZERO, ZERO + 1000, MediaKind.VIDEO, 1),)
    assert [at for at, _ in frames_of(tmp_path, CAMERA)] == [2000]


def altered(name, change):
    def edit(directory):
        (directory / name).write_bytes(change((directory / name).read_bytes()))

    return edit


def without_pictures(manifest):
    return orjson.dumps(orjson.loads(manifest) | {"pictures": []})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (altered(CAMERA, lambda data: data[:-1]), "should fill"),
        (altered(CAMERA, lambda data: data + b"x"), "should fill"),
        (altered(CAMERA + ".jsonl", lambda data: data.splitlines(keepends=True)[0]), "should fill"),
        (altered(CAMERA + ".jsonl", lambda data: data.replace(b'"offset":500', b'"offset":400')), "line 2"),
        (altered(CAMERA + ".jsonl", lambda data: data.replace(b'"bytes":500', b'"bytes":0')), "line 1"),
        (altered(CAMERA + ".jsonl", lambda data: data[1:]), "cannot be read"),
        (altered(CAMERA + ".jsonl", lambda data: data.replace(b"0040,", b"0041,")), "manifest counts"),
        (altered("manifest.json", lambda data: data.replace(b'"H264"', b'"PNG"')), "called after"),
        (
            altered("manifest.json", lambda data: data.replace(b"video/user=1.h264", b"video/user.h264")),
            "cannot be read",
        ),
        (altered("manifest.json", without_pictures), "both a file and one of the pictures"),
        (lambda directory: (directory / "video/user=9.png").touch(), "is not listed"),
    ],
)
def test_pictures_that_were_touched_are_found(tmp_path, edit, words):
    """The index must cover the file frame by frame, and the manifest must count it as it is."""
    finished(tmp_path, packet(1, 0), picture(1, 0), picture(1, 40))
    edit(tmp_path)
    assert any(words in problem for problem in verify(tmp_path).problems), verify(tmp_path).problems


def made(codec):
    """A moving test picture, as the frames that Zoom would send."""
    encoder, kind = {"H264": ("libx264", "h264"), "JPG": ("mjpeg", "mjpeg"), "PNG": ("png", "image2pipe")}[
        codec
    ]
    source = "testsrc=size=320x180:rate=5:duration=2"
    extra = ["-aud", "1", "-pix_fmt", "yuv420p"] if codec == "H264" else []
    if codec == "JPG":
        extra = ["-pix_fmt", "yuvj420p"]
    data = ffmpeg("-f", "lavfi", "-i", source, "-c:v", encoder, *extra, "-f", kind, "-")
    mark = {"H264": b"\0\0\0\1\x09", "JPG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n"}[codec]
    return [mark + one for one in data.split(mark)[1:]]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "name", "seen_as", "options"),
    [
        ("H264", "user=1.h264", "h264", []),
        ("JPG", "user=1.mjpeg", "mjpeg", []),
        ("PNG", "user=1.png", "png", ["-f", "png_pipe"]),
    ],
)
def test_players_take_the_pictures(tmp_path, codec, name, seen_as, options):
    """ffprobe decodes as many pictures as came, in their size."""
    sent = made(codec)
    assert len(sent) == 10
    form = type(PICTURE)(codec, "SD", 5)
    frames = [VideoFrame(1, "Ann", ZERO + 200 * n, one, form) for n, one in enumerate(sent)]
    manifest = finished(tmp_path, *frames)
    seen = probe(tmp_path / "video" / name, *options, "-count_frames")
    assert (seen["codec_name"], seen["width"], seen["height"]) == (seen_as, 320, 180)
    assert int(seen["nb_read_frames"]) == manifest.pictures[0].frames == 10
