"""The shipped scenarios of a webinar with pictures and of a contact centre's call, recorded by a daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
from running_daemon import expected, json_lines, manifest, running, samples, webhook_url

from rtmsd.recording import verify
from rtmsd.simulator import Simulator, Truth, load_scenario

SCENARIOS = Path(__file__).parents[2] / "config" / "scenarios"
SINK = 'media = ["audio", "transcript", "chat", "video", "share"]\n'


async def test_the_shipped_products_are_recorded_whole(tmp_path: Path) -> None:
    """A webinar's pictures, corrections and chat, and a call that is transferred: one recording each, nothing missing."""
    names = ("video-and-share", "contact-centre")
    meetings = [load_scenario(SCENARIOS / f"{name}.toml") for name in names]
    told: list[str] = []
    async with Simulator(directory=tmp_path / "zoom", tell=told.append) as zoom:
        async with running(zoom, tmp_path, after=SINK) as ready:
            url = webhook_url(ready)
            webinar, call = await asyncio.gather(*(zoom.play(meeting=one, webhook=url) for one in meetings))
            recordings = await both(tmp_path)
    assert not [sentence for sentence in told if "could not" in sentence]
    for recording in recordings.values():
        assert verify(recording).problems == []
    assert_webinar(recordings["webinar"], webinar)
    assert_call(recordings["contact_center"], call)
    assert zoom.connections["signaling"] == 3, "the call's came back after the transfer"


async def both(tmp_path: Path) -> dict[str, Path]:
    """Wait for the two recordings; give them by their products."""
    async with asyncio.timeout(15):
        while len(found := list(tmp_path.glob("recordings/*/*/*/SHA256SUMS"))) < 2:
            await asyncio.sleep(0.05)
    assert len(list(tmp_path.glob("recordings/*/*/*"))) == 2
    return {manifest(path.parent)["product"]: path.parent for path in found}


def assert_webinar(recording: Path, truth: Truth) -> None:
    about = manifest(recording)
    assert (about["completeness"], about["gaps"]) == (1.0, [])
    assert_sound(recording, about, truth, {user_id: user_id for user_id in truth.tracks})
    assert sum(one["frames"] for one in about["pictures"]) == len(truth.pictures) > 200
    lines = json_lines(recording / "transcript.jsonl")
    assert [(one["text"], one["operation"], one["language"]) for one in lines] == [
        (one.text, {1: "new", 2: "update"}[one.attribute], one.language) for one in truth.transcripts
    ]
    assert {one["language"] for one in lines} == {9, 13}
    captions = (recording / "transcript.vtt").read_text()
    assert "All the tests are green." in captions and "built last night" not in captions
    chat = json_lines(recording / "chat.jsonl")
    assert [one["operation"] for one in chat] == ["new", "add_emoji", "update", "new"]
    assert {one["message_id"] for one in chat[:3]} == {chat[3]["parent_id"]}


def assert_call(recording: Path, truth: Truth) -> None:
    """Nobody's sound is lost by the transfer, and each party keeps its track."""
    about = manifest(recording)
    assert (about["stop"]["reason"], about["reconnects"]) == (21, 1)
    events = json_lines(recording / "events.jsonl")
    channels = {
        event["details"]["channel_id"]: event["user_id"]
        for event in events
        if event["name"] == "channel_appeared"
    }
    users = {user_id: channels[f"sip-channel-{user_id:08x}"] for user_id in truth.names}
    assert len(set(users.values())) == 3
    assert_sound(recording, about, truth, users)
    told = {event["name"] for event in events}
    assert {"consumer_answered", "user_hold", "transfer_initiated", "transfer_completed", "user_end"} <= told
    said = [(one["user_id"], one["text"]) for one in json_lines(recording / "transcript.jsonl")]
    assert said == [(users[phrase.user_id], phrase.text) for phrase in truth.phrases] and len(said) == 4


def assert_sound(recording: Path, about: dict[str, Any], truth: Truth, users: dict[int, int]) -> None:
    for user_id in truth.tracks:
        track = samples(recording / "audio" / f"user={users[user_id]}.wav")
        right = expected(truth, user_id, zero_ms=about["zero_ms"], length=len(track))
        np.testing.assert_array_equal(track, right, err_msg=truth.names[user_id])
        assert track.any()
