"""Transcripts of others than Zoom: files of their own beside Zoom's, sealed and verified like them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest
from recording_samples import ZERO, Died, die_after, end, opened, packet, phrase

from rtmsd.frames import Item, SpokenWord, TranscriptFrame
from rtmsd.recording import Manifest, verify
from rtmsd.recording.parquet import write_parquet

OWN = msgspec.structs.replace(
    phrase(1, 100, 900, "Hello there"),
    source="own",
    words=(SpokenWord("Hello", ZERO + 100, ZERO + 400, 0.9), SpokenWord("there", ZERO + 500, ZERO + 900)),
    confidence=0.8,
)
SOUND: list[Item] = [packet(1, at) for at in range(0, 2000, 20)]


def finished(directory: Path, *items: Item) -> Manifest:
    recording = opened(directory)
    recording.write([*SOUND, *items, end(2000)])
    return recording.close()


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("transcript.*")}


def test_each_who_transcribes_has_files(tmp_path: Path) -> None:
    """Zoom's are always there; nothing of the one is in the other's."""
    manifest = finished(tmp_path, phrase(1, 0, 900, "Hallo"), OWN)
    expected = {f"transcript{who}.{form}" for who in ("", ".own") for form in ("jsonl", "vtt", "srt")}
    assert names(tmp_path) == expected and expected <= manifest.files.keys()
    assert verify(tmp_path).problems == []
    [line] = map(json.loads, (tmp_path / "transcript.own.jsonl").read_text().splitlines())
    assert (line["text"], line["source"], line["start"], line["confidence"]) == (
        "Hello there",
        "own",
        0.1,
        0.8,
    )
    assert line["words"][1] == {
        "text": "there",
        "start_ms": ZERO + 500,
        "end_ms": ZERO + 900,
        "confidence": None,
    }
    assert "Hello" not in (tmp_path / "transcript.srt").read_text()
    assert "Hallo" not in (tmp_path / "transcript.own.srt").read_text()


@pytest.mark.parametrize("source", ["../../etc/x", "a/b", "", "x" * 500, "jsonl.part", "Ж", "\0"])
def test_no_name_leaves_the_directory(tmp_path: Path, source: str) -> None:
    """Whatever somebody calls their engine, its transcript is one file of this recording."""
    finished(tmp_path / "r", msgspec.structs.replace(OWN, source=source))
    assert len(names(tmp_path / "r")) == 6 and [path.name for path in tmp_path.iterdir()] == ["r"]
    assert verify(tmp_path / "r").problems == []


def test_corrections_concern_the_own_phrase(tmp_path: Path) -> None:
    """Phrases of two transcribers with the same user and time are not each other's."""
    better = msgspec.structs.replace(OWN, operation="update", text="Hello, there!")
    finished(tmp_path, phrase(1, 100, 900, "Hallo"), OWN, better)
    assert "Hello, there!" in (tmp_path / "transcript.own.srt").read_text()
    assert "Hallo" in (tmp_path / "transcript.srt").read_text()


@pytest.mark.parametrize("name", ["transcript.own.jsonl", "transcript.own.vtt", "transcript.own.srt"])
def test_what_is_altered_or_gone_is_seen(tmp_path: Path, name: str) -> None:
    """As with every file."""
    finished(tmp_path, OWN)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data + b"x")
    assert any(name in problem for problem in verify(tmp_path).problems)
    (tmp_path / name).unlink()
    assert any(name in problem for problem in verify(tmp_path).problems)


@pytest.mark.parametrize("step", range(12))
def test_death_while_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Wherever closing is broken off, also when more is said afterwards: no file of the first try is left over."""
    recording = opened(tmp_path)
    recording.write([*SOUND, OWN, end(2000)])
    die_after(step, monkeypatch)
    with pytest.raises(Died):
        recording.close()
    recording.abandon()
    monkeypatch.undo()
    again = opened(tmp_path)
    assert not {name for name in names(tmp_path) if not name.endswith(".part")}
    again.write([phrase(2, 1000, 1500)])
    again.close()
    assert verify(tmp_path).problems == [] and len(names(tmp_path)) == 6


def test_parquet_has_all_of_them(tmp_path: Path) -> None:
    """With their sources; words have the times that were told, and only Zoom's are estimated."""
    finished(tmp_path / "r", phrase(1, 0, 900, "Hallo"), OWN)
    assert write_parquet(tmp_path / "r", tmp_path / "out") == (2, 3)
    segments = pyarrow.parquet.read_table(tmp_path / "out/segments.parquet").to_pylist()
    words = pyarrow.parquet.read_table(tmp_path / "out/words.parquet").to_pylist()
    assert [one["source"] for one in segments] == ["zoom", "own"]
    assert [(one["text"], one["estimated"]) for one in words] == [
        ("Hallo", True),
        ("Hello", False),
        ("there", False),
    ]
    assert (words[2]["start"], words[2]["end"]) == (0.5, 0.9)


def test_old_lines_can_be_read() -> None:
    """A recording that an earlier version left unfinished has no words in its lines."""
    old = b'{"user_id":1,"user_name":"A","timestamp_ms":1,"start_ms":1,"end_ms":2,"text":"x","language":null,"source":"zoom"}'
    assert msgspec.json.decode(old, type=TranscriptFrame).words == ()
