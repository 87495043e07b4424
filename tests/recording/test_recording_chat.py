"""`chat.jsonl`: one line for each thing done in the chat."""

from __future__ import annotations

import json

import pytest
from recording_samples import INFO, ZERO, end, opened, packet, phrase, verified

from rtmsd.frames import ChatFrame
from rtmsd.recording import purge


def said(at_ms, operation="new", text="Hi", **more):
    return ChatFrame(7, "Ann", ZERO + at_ms, operation, "m1", text, "everyone", **more)


def closed(directory, *items):
    recording = opened(directory)
    recording.write([*items, end(1000)])
    recording.close()
    return verified(directory)


def lines(directory):
    return [json.loads(line) for line in (directory / "chat.jsonl").read_text().splitlines()]


def test_the_lines(tmp_path):
    """Every field of every operation in the order in which they came, also of what is later deleted."""
    raw = {"message_id": "m1", "text": "Hi", "files": [{"size": 3}]}
    manifest = closed(
        tmp_path,
        packet(1, 0),
        said(100, raw=raw),
        said(300, "update", "Hi\nthere", parent_id="m0"),
        ChatFrame(None, "", ZERO + 400, "delete", "m1", "", "individual", 9),
    )
    assert "chat.jsonl" in manifest.files
    assert lines(tmp_path) == [
        {
            "timestamp_ms": ZERO + 100,
            "user_id": 7,
            "user_name": "Ann",
            "operation": "new",
            "message_id": "m1",
            "text": "Hi",
            "audience": "everyone",
            "receiver_id": None,
            "parent_id": "",
            "raw": raw,
        },
        {**lines(tmp_path)[0], "timestamp_ms": ZERO + 300, "operation": "update", "text": "Hi\nthere"}
        | {"parent_id": "m0", "raw": {}},
        {
            "timestamp_ms": ZERO + 400,
            "user_id": None,
            "user_name": "",
            "operation": "delete",
            "message_id": "m1",
            "text": "",
            "audience": "individual",
            "receiver_id": 9,
            "parent_id": "",
            "raw": {},
        },
    ]


def test_without_chat_there_is_no_file(tmp_path):
    """An empty file would say that the chat was recorded."""
    assert "chat.jsonl" not in closed(tmp_path, packet(1, 0)).files


def test_chat_alone_makes_a_recording(tmp_path):
    """Without sound the chat still has its place and time."""
    recording = opened(tmp_path)
    recording.write([said(500)])
    assert recording.newest_ms == ZERO + 500
    recording.suspend()
    assert closed(tmp_path).duration_ms == 3000


def test_what_zoom_replays_to_a_new_process_stands_once(tmp_path):
    """A continued recording knows what it has; another operation on the same message is kept."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0), said(100), phrase(1, 0, 900)])
    recording.suspend()
    closed(tmp_path, said(100), said(100, "delete"), phrase(1, 0, 900))
    assert [line["operation"] for line in lines(tmp_path)] == ["new", "delete"]
    assert (tmp_path / "transcript.jsonl").read_text().count("\n") == 1


def test_what_was_not_flushed_leaves_no_empty_file(tmp_path):
    """Chat that a crash cost is gone, with the file that held nothing else."""
    recording = opened(tmp_path)
    recording.write([packet(1, 0)])
    recording.flush()
    recording.write([said(100)])
    recording.abandon()
    assert "chat.jsonl" not in closed(tmp_path).files
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "raw", [{"n": 2**70}, {"text": "\ud800"}, json.loads('{"x":' + "[" * 400 + "]" * 400 + "}")]
)
def test_odd_chat_is_written(tmp_path, raw):
    """Whatever Zoom sends as chat does not stop a recording."""
    closed(tmp_path, packet(1, 0), said(100, raw=raw))
    assert lines(tmp_path)[0]["message_id"] == "m1"


def test_deleting_takes_the_chat_too(tmp_path):
    """Nothing of what was written in the chat is left by a purge."""
    closed(tmp_path, packet(1, 0), said(100))
    purge(tmp_path, INFO, version="0")
    assert [path.name for path in tmp_path.iterdir()] == ["tombstone.json"]
