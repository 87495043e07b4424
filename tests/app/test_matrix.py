"""Product × medium × codec: short meetings over real sockets, recorded by the daemon and compared with what was sent.

Each row of the table is one configuration; all products that have its media play at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running_daemon import json_lines, manifest, running, webhook_url

from rtmsd.frames import opus_duration_ms
from rtmsd.protocol.codes import AudioSampleRate, MediaDataType, MediaPayloadType
from rtmsd.recording import verify
from rtmsd.simulator import (
    PRODUCTS,
    AudioParams,
    Chats,
    Joins,
    Meeting,
    Person,
    Says,
    Shares,
    Simulator,
    Truth,
    TurnsCamera,
    load_sentences,
    sent_audio,
)
from rtmsd.simulator.speech.encoded import ogg_packets

ANN, BO = Person(16778240, "Ann", role="consumer"), Person(16779264, "Bo")
HZ = {8_000: "RATE_8K", 16_000: "RATE_16K", 32_000: "RATE_32K", 48_000: "RATE_48K"}
SILENCE = {"L16": 0x00, "G711": 0xD5, "G722": 0xFC}
NAMES = {"L16": "pcm_s16le", "G711": "pcm_alaw", "G722": "adpcm_g722", "OPUS": "opus"}
PICTURES = {"H264": "h264", "JPG": "mjpeg", "PNG": "png"}
VOICE = ("contact_center", "phone")


@dataclass(frozen=True)
class Row:
    """What is asked for. Without a codec of pictures only products of voice are played besides a meeting."""

    codec: str
    rate: int
    channels: int = 1
    send_rate_ms: int = 20
    mixed: bool = False
    video: str = ""
    video_fps: int = 5
    share: str = "JPG"
    share_fps: int = 1
    individual: bool = False

    @property
    def params(self) -> AudioParams:
        return AudioParams(
            AudioSampleRate[HZ[self.rate]],
            self.channels,
            1 if self.mixed else 2,
            self.send_rate_ms,
            MediaPayloadType[self.codec],
        )

    @property
    def config(self) -> str:
        asked = {
            "audio_codec": self.codec,
            "audio_channels": self.channels,
            "sample_rate": self.rate,
            "share_codec": self.share,
            "share_fps": self.share_fps,
        }
        if self.video:
            asked |= {"video_codec": self.video, "video_fps": self.video_fps}
        if self.individual:
            asked |= {"video": "individual", "video_participant": "first"}
        return "\n".join(f"{key} = {json.dumps(value)}" for key, value in asked.items())

    def __str__(self) -> str:
        shape = f"{self.codec}-{self.rate // 1000}k-{self.channels}-{self.send_rate_ms}ms"
        extra = f"-{self.video}{'-one' * self.individual}-{self.share}" if self.video else ""
        return shape + "-mixed" * self.mixed + extra


ROWS = [
    Row("L16", 16_000, send_rate_ms=100, video="H264", video_fps=25, share="JPG"),
    Row("L16", 8_000, 2, video="JPG", share="PNG"),
    Row("L16", 32_000, send_rate_ms=60, video="PNG", share="H264", share_fps=10),
    Row("L16", 48_000, 2, send_rate_ms=1000),
    Row("L16", 48_000, mixed=True, video="H264", video_fps=30, individual=True),
    Row("G711", 8_000),
    Row("G711", 8_000, mixed=True),
    Row("G722", 16_000),
    Row("G722", 16_000, mixed=True),
    Row("OPUS", 48_000, 2),
    Row("OPUS", 48_000, mixed=True),
]


def meeting(product: str, row: Row) -> Meeting:
    """Three seconds: two who speak, for a while together; cameras and a screen where there are any."""
    sentences = load_sentences()
    media = PRODUCTS[product].media
    timeline: tuple[Any, ...] = (
        Joins(0, ANN.user_id),
        Joins(0, BO.user_id),
        Says(200, ANN.user_id, sentences["open"]),  # until 1 980
        Says(1_000, BO.user_id, sentences["names"]),  # until 3 080, after the end
    )
    if row.video and MediaDataType.VIDEO in media:
        timeline += (
            TurnsCamera(0, ANN.user_id, on=True),
            TurnsCamera(800, BO.user_id, on=True),
            Shares(900, BO.user_id, on=True),
            Shares(2_400, BO.user_id, on=False),
            Chats(1_000, ANN.user_id, "Hello", label="hello"),
            Chats(1_400, ANN.user_id, "Hello all", "update", of="hello"),
        )
    else:
        media &= MediaDataType.AUDIO | MediaDataType.TRANSCRIPT
    return Meeting((ANN, BO), timeline, 3_000, media=media, product=PRODUCTS[product])


def products(row: Row) -> list[str]:
    return list(PRODUCTS) if row.video else ["meeting", *VOICE]


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_every_product_is_recorded_as_it_was_sent(row: Row, tmp_path: Path) -> None:
    """Each track, picture and phrase is at its place, byte for byte; verify and ffprobe accept every file."""
    kinds = 'media = ["audio", "transcript", "chat", "video", "share"]\n' if row.video else ""
    meetings = [meeting(product, row) for product in products(row)]
    async with (
        Simulator(directory=tmp_path / "zoom") as zoom,
        running(
            zoom,
            tmp_path,
            send_rate_ms=row.send_rate_ms,
            audio="mixed" if row.mixed else "per_participant",
            media=row.config,
            after=kinds,
        ) as ready,
    ):
        url = webhook_url(ready)
        played = await asyncio.gather(*(zoom.play(meeting=one, webhook=url) for one in meetings))
        truths = {
            truth.stream_id: (one.product.name, truth) for one, truth in zip(meetings, played, strict=True)
        }
        recordings = await complete(tmp_path, len(meetings))
    assert recordings.keys() == truths.keys()
    for stream_id, recording in recordings.items():
        product, truth = truths[stream_id]
        about = manifest(recording)
        assert (about["product"], about["completeness"], about["gaps"]) == (product, 1.0, [])
        assert verify(recording).problems == []
        users = numbers(recording) if product == "contact_center" else {}
        assert_audio(recording, about, truth, row, users)
        assert_pictures(recording, about, truth)
        assert_words(recording, truth, users)
        assert_readable(recording, about)
        if row.video and product not in VOICE:
            assert len(truth.chats) == 2
            assert {one["media"] for one in about["pictures"]} == {"video", "share"}
            assert {one["codec"] for one in about["pictures"]} == {row.video, row.share}
            seen = {one.user_id for one in truth.pictures if one.kind == "video"}
            assert seen == ({ANN.user_id} if row.individual else {ANN.user_id, BO.user_id})


async def complete(tmp_path: Path, number: int) -> dict[str, Path]:
    """Wait for so many recordings; give them by their stream."""
    found: list[Path] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(15):
            while len(found := list(tmp_path.glob("recordings/*/*/*/SHA256SUMS"))) < number:
                await asyncio.sleep(0.05)
    return {manifest(path.parent)["stream_id"]: path.parent for path in found}


def numbers(recording: Path) -> dict[int, int]:
    """Find the numbers under which a contact centre's channels were recorded, by the simulator's user ids."""
    channels = {
        event["details"]["channel_id"]: event["user_id"]
        for event in json_lines(recording / "events.jsonl")
        if event["name"] == "channel_appeared"
    }
    return {person.user_id: channels[person.channel] for person in (ANN, BO)} | {0: 0}


def assert_audio(
    recording: Path, about: dict[str, Any], truth: Truth, row: Row, users: dict[int, int]
) -> None:
    sent = {
        users.get(user_id, user_id): packets for user_id, packets in sent_audio(truth, row.params).items()
    }
    tracks = {track["user_id"] or 0: track for track in about["tracks"]}
    assert (
        tracks.keys()
        == sent.keys()
        == ({0} if row.mixed else {users.get(one.user_id, one.user_id) for one in (ANN, BO)})
    )
    for user_id, track in tracks.items():
        assert (track["codec"], track["rate"]) == (row.codec, row.rate)
        packets = sent[user_id]
        path = recording / track["file"]
        if row.codec == "OPUS":
            assert_opus(path, packets, about["zero_ms"])
            continue
        bytes_per_ms = row.rate // 1000 * 2 * row.channels if row.codec == "L16" else 8
        data = wav_data(path)
        expected = bytearray([SILENCE[row.codec]]) * len(data)
        for timestamp_ms, packet in packets:
            start = (timestamp_ms - about["zero_ms"]) * bytes_per_ms
            expected[start : start + len(packet)] = packet
        assert data == expected[: len(data)] and len(expected) == len(data), track["file"]
        assert abs(len(data) / bytes_per_ms - about["duration_ms"]) <= 1


def assert_opus(path: Path, packets: list[tuple[int, bytes]], zero_ms: int) -> None:
    """Every packet is at its place, and between them there is nothing but packets of silence."""
    head, _, *stored = ogg_packets(path.read_bytes())
    assert head.startswith(b"OpusHead")
    places: dict[float, bytes] = {}
    at_ms = 0.0
    for packet in stored:
        places[at_ms] = packet
        at_ms += opus_duration_ms(packet)
    for timestamp_ms, packet in packets:
        assert places.pop(float(timestamp_ms - zero_ms)) == packet
    assert all(packet.endswith(b"\xff\xfe") for packet in places.values())


def wav_data(path: Path) -> bytes:
    """Give the data chunk of a RIFF file."""
    data = path.read_bytes()
    at = 12
    while data[at : at + 4] != b"data":
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    return data[at + 8 : at + 8 + struct.unpack_from("<I", data, at + 4)[0]]


def assert_pictures(recording: Path, about: dict[str, Any], truth: Truth) -> None:
    recorded = []
    for entry in about["pictures"]:
        data = (recording / entry["file"]).read_bytes()
        for line in json_lines(recording / entry["index"]):
            piece = data[line["offset"] : line["offset"] + line["bytes"]]
            digest = hashlib.sha256(piece).hexdigest()
            recorded.append((entry["media"], entry["user_id"], line["timestamp_ms"], digest))
    sent = [(one.kind, one.user_id, one.timestamp_ms, one.sha256) for one in truth.pictures]
    assert sorted(recorded) == sorted(sent)


def assert_words(recording: Path, truth: Truth, users: dict[int, int]) -> None:
    recorded = [
        (line["user_id"], line["start_ms"], line["end_ms"], line["text"])
        for line in json_lines(recording / "transcript.jsonl")
    ]
    assert recorded == [
        (users.get(one.user_id, one.user_id), one.start_ms, one.end_ms, one.text) for one in truth.transcripts
    ]
    assert len(recorded) == 1
    if truth.chats:
        written = [
            (line["message_id"], line["operation"], line["text"])
            for line in json_lines(recording / "chat.jsonl")
        ]
        operations = {1: "new", 3: "update"}
        assert written == [(one.message_id, operations[one.operation], one.text) for one in truth.chats]


def assert_readable(recording: Path, about: dict[str, Any]) -> None:
    """Let ffprobe read every file of sound and pictures."""
    if shutil.which("ffprobe") is None:
        return
    for track in about["tracks"]:
        stream, form = probe(recording / track["file"])
        assert stream["codec_name"] == NAMES[track["codec"]]
        assert abs(float(form["duration"]) * 1000 - about["duration_ms"]) < 25
    for entry in about["pictures"]:
        stream, _ = probe(recording / entry["file"], "-count_frames")
        assert stream["codec_name"] == PICTURES[entry["codec"]]
        assert int(stream["nb_read_frames"]) == entry["frames"]


def probe(path: Path, *how: str) -> tuple[dict[str, Any], dict[str, Any]]:
    forced = ["-f", "png_pipe"] if path.suffix == ".png" else []
    command = [
        "ffprobe",
        "-v",
        "error",
        "-of",
        "json",
        "-show_streams",
        "-show_format",
        *how,
        *forced,
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    return found["streams"][0], found["format"]
