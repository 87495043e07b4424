"""Transcripts are added to sealed recordings, and whatever is interrupted when, the recording is whole or can be made so."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from recording_samples import INFO, ZERO, end, opened, phrase, spurt, verified
from small_disk import largest_file

from rtmsd.errors import RecordingError
from rtmsd.frames import TranscriptFrame
from rtmsd.recording import (
    Signer,
    add_transcripts,
    adding,
    coverage_table,
    expired,
    purge,
    ready_to_add,
    recover,
    unfinished,
    verify,
)
from rtmsd.recording.captions import Phrase
from rtmsd.recording.files import ADDING
from rtmsd.recording.lines import decode_all


def signer() -> Signer:
    key = Ed25519PrivateKey.generate()
    return Signer(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


MINE, OTHER = signer(), signer()


def recorded(directory: Path, key: Signer | None = None) -> Path:
    recording = opened(directory)
    recording.write([*spurt(1, 0, 1000), phrase(1, 0, 900, "By Zoom"), end(2000)])
    recording.close(key)
    return directory


def words(source: str = "vosk", text: str = "By ear") -> list[TranscriptFrame]:
    return [
        TranscriptFrame(1, "Name 1", ZERO + at, ZERO + at, ZERO + at + 300, text, source=source)
        for at in (100, 500)
    ]


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.*")}


def test_what_is_added_stands_beside_the_rest(tmp_path: Path) -> None:
    """Sealed and shown with the rest; nothing else is touched."""
    before = files_of(recorded(tmp_path))
    ready_to_add(tmp_path)
    names = add_transcripts(tmp_path, words())
    assert names == ["transcript.vosk.jsonl", "transcript.vosk.vtt", "transcript.vosk.srt"]
    after = files_of(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {*names, "manifest.json"}
    manifest = verified(tmp_path)
    assert manifest.files.keys() >= set(names) and "vosk" in coverage_table(tmp_path, manifest)
    assert "<v Name 1>By ear" in after["transcript.vosk.vtt"].decode()
    path = tmp_path / "transcript.vosk.jsonl"
    path.write_bytes(path.read_bytes().replace(b"By ear", b"My ear"))
    assert any("transcript.vosk.jsonl was altered" in problem for problem in verify(tmp_path).problems)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Another transcript of the same source has a number, in its name and in its lines, also of names that are like it."""
    recorded(tmp_path)
    add_transcripts(tmp_path, words(text="first"))
    first = (tmp_path / "transcript.vosk.jsonl").read_bytes()
    assert add_transcripts(tmp_path, words())[0] == "transcript.vosk-2.jsonl"
    assert add_transcripts(tmp_path, [*words("vosk-2"), *words(), *words("zoom"), *words("a/b")])[::3] == [
        "transcript.zoom-2.jsonl",
        "transcript.vosk-2-2.jsonl",
        "transcript.vosk-3.jsonl",
        "transcript.a%2Fb.jsonl",
    ]
    verified(tmp_path)
    assert (tmp_path / "transcript.vosk.jsonl").read_bytes() == first
    lines = decode_all((tmp_path / "transcript.vosk-3.jsonl").read_bytes(), Phrase)
    assert {line.source for line in lines} == {"vosk-3"}


def test_nothing_to_add_changes_nothing(tmp_path: Path) -> None:
    """Not even the seal."""
    before = files_of(recorded(tmp_path))
    assert add_transcripts(tmp_path, []) == [] and files_of(tmp_path) == before


def test_a_recording_gets_no_younger(tmp_path: Path) -> None:
    """What is to be deleted some days after its end is deleted then, whatever was added meanwhile."""
    recorded(tmp_path)
    long_ago = (tmp_path / "SHA256SUMS").stat().st_mtime_ns - 10 * 86_400 * 10**9
    os.utime(tmp_path / "SHA256SUMS", ns=(long_ago, long_ago))
    add_transcripts(tmp_path, words())
    assert (tmp_path / "SHA256SUMS").stat().st_mtime_ns == long_ago
    assert [place for place, _ in expired(tmp_path.parent, 9)] == [tmp_path]


def _unfinished(directory: Path) -> None:
    recording = opened(directory)
    recording.write(spurt(1, 0, 100))
    recording.suspend()


def _deleted(directory: Path) -> None:
    purge(recorded(directory), INFO, version="0")


def _altered(directory: Path) -> None:
    (recorded(directory) / "events.jsonl").write_bytes(b"{}\n")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_unfinished, "is unfinished.*`rtmsd recover .*` comes first"),
        (_deleted, "was deleted"),
        (_altered, "events.jsonl was altered.*and . more"),
        (lambda directory: directory.mkdir(), "SHA256SUMS is missing"),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, make: Callable[[Path], None], sentence: str) -> None:
    """With a sentence, before anything is spent on it, and nothing is changed."""
    directory = tmp_path / "r"
    make(directory)
    before = files_of(directory)
    with pytest.raises(RecordingError, match=sentence):
        ready_to_add(directory)
    assert files_of(directory) == before


def test_what_was_changed_since_it_was_proved_is_refused(tmp_path: Path) -> None:
    """Nobody's changes are sealed, let alone signed."""
    ready_to_add(recorded(tmp_path, MINE), signer=MINE)
    path = tmp_path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"notes"', b'"other"'))
    with pytest.raises(RecordingError, match="was changed: rtmsd verify tells how"):
        add_transcripts(tmp_path, words(), signer=MINE)
    (tmp_path / "SHA256SUMS").write_bytes(adding.sums(verify_files(tmp_path)))
    with pytest.raises(RecordingError, match="was changed: rtmsd verify tells how"):
        add_transcripts(tmp_path, words(), signer=MINE)


def verify_files(directory: Path) -> dict[str, adding.FileEntry]:
    """What SHA256SUMS says after somebody has changed the manifest, and made them fit."""
    manifest = adding.read_manifest(directory)
    return manifest.files | {"manifest.json": adding.digest(directory / "manifest.json")}


def test_a_signed_recording_is_signed_again(tmp_path: Path) -> None:
    """By the same key only; without it nothing is changed."""
    before = files_of(recorded(tmp_path, MINE))
    for key in (None, OTHER):
        with pytest.raises(RecordingError, match="give the private key with --signing-key"):
            ready_to_add(tmp_path, signer=key)
        with pytest.raises(RecordingError, match="give the private key with --signing-key"):
            add_transcripts(tmp_path, words(), signer=key)
    assert files_of(tmp_path) == before
    ready_to_add(tmp_path, signer=MINE)
    add_transcripts(tmp_path, words(), signer=MINE)
    assert verify(tmp_path, public_key=MINE.public_key).problems == []


def test_an_unsigned_recording_can_be_signed(tmp_path: Path) -> None:
    """With a key, what it is then."""
    add_transcripts(recorded(tmp_path), words(), signer=MINE)
    assert verify(tmp_path, public_key=MINE.public_key).problems == []


# Before each of these calls to the system a process may die.
CALLS = {"open", "os.rename", "os.remove", "os.utime"}


def die_at(step: int, directory: Path, work: Callable[[], object]) -> bool:
    """Do it in a child that is killed at its so many-th call that concerns the directory; False when it came to its end."""
    if (child := os.fork()) == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in CALLS and str(arguments[0]).startswith(str(directory)):
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("key", [None, MINE], ids=["plain", "signed"])
@pytest.mark.parametrize("by", ["the same call", "recover"])
def test_whoever_dies_in_between_is_mended(tmp_path: Path, by: str, key: Signer | None) -> None:
    """At every step: either verify says that something was being added, or all is well; and the next call makes it so."""
    sentences, steps, added = set(), 0, set()
    for step in range(1000):
        directory = recorded(tmp_path / str(step), key)
        original = files_of(directory)
        if not die_at(step, directory, partial(add_transcripts, directory, words(), signer=key)):
            break
        steps += 1
        sentences |= set(verify(directory).problems)
        if by == "recover":
            assert [recover(place, version="0").problem for place in unfinished(directory)] in ([], [""])
            if (directory / (ADDING + ".new.part")).exists():
                continue  # nothing was begun yet, and verify says that this file is too much
            names = {name for name in files_of(directory) if "vosk" in name}
            assert names or files_of(directory) == original
            added.add(len(names))
        else:
            ready_to_add(directory, signer=key)
            add_transcripts(directory, words(), signer=key)
            assert (directory / "transcript.vosk.vtt").exists()
        verified(directory)
        assert not list(directory.glob("*.part"))
    assert steps > 20 and any("something was being added" in sentence for sentence in sentences)
    if by == "recover":
        assert added == {0, 3}


@pytest.mark.parametrize("key", [None, MINE], ids=["plain", "signed"])
def test_who_dies_while_mending_is_mended(tmp_path: Path, key: Signer | None) -> None:
    """At every step of taking back what was interrupted at every other step."""
    for first in range(0, 1000, 3):
        for second in range(1000):
            directory = recorded(tmp_path / f"{first}-{second}", key)
            if not die_at(first, directory, partial(add_transcripts, directory, words(), signer=key)):
                return
            ended = not die_at(second, directory, partial(adding.take_back, directory))
            ready_to_add(directory, signer=key)
            if ended:
                break
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("limit", range(100, 3000, 130))
def test_a_full_disk_changes_nothing(tmp_path: Path, limit: int) -> None:
    """Whichever file does not fit, all is as it was, and the error is told."""
    before = files_of(recorded(tmp_path, MINE))
    try:
        with largest_file(limit):
            add_transcripts(tmp_path, words(text="a long story " * 3), signer=MINE)
    except OSError:
        assert files_of(tmp_path) == before
    else:
        assert limit > 1000
    verified(tmp_path)


def test_two_who_add_at_once(tmp_path: Path) -> None:
    """Both transcripts are there, and the recording is whole."""
    recorded(tmp_path)
    work = [
        threading.Thread(target=add_transcripts, args=(tmp_path, words(source)))
        for source in ("one", "two", "one", "three")
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert {name for name in verified(tmp_path).files if name.endswith(".vtt")} == {
        f"transcript{name}.vtt" for name in ("", ".one", ".one-2", ".two", ".three")
    }


@pytest.mark.parametrize("moment", range(1, 7))
def test_what_is_deleted_meanwhile_stays_deleted(
    tmp_path: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the deletion comes, nothing but the tombstone is left."""
    recorded(tmp_path)
    published, real = 0, adding.publish

    def publish(path: Path, data: bytes) -> None:
        nonlocal published
        published += 1
        if published == moment:
            purge(tmp_path, INFO, version="0")
        real(path, data)

    monkeypatch.setattr(adding, "publish", publish)
    with pytest.raises(RecordingError, match="was deleted meanwhile"):
        add_transcripts(tmp_path, words())
    assert [path.name for path in tmp_path.iterdir()] == ["tombstone.json"]


def test_what_comes_while_it_is_deleted_goes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written before the tombstone is there is seen by who deletes, since the others look for the tombstone."""
    recorded(tmp_path)
    tombstone = sys.modules["rtmsd.recording.tombstone"]
    real = tombstone.publish

    def publish(path: Path, data: bytes) -> None:
        (tmp_path / "transcript.late.vtt").write_bytes(b"words")
        real(path, data)

    monkeypatch.setattr(tombstone, "publish", publish)
    purge(tmp_path, INFO, version="0")
    assert [path.name for path in tmp_path.iterdir()] == ["tombstone.json"]


def test_a_note_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Nobody guesses what a recording was."""
    recorded(tmp_path)
    (tmp_path / ADDING).write_bytes(b"{")
    with pytest.raises(RecordingError, match="restore the recording from a copy"):
        ready_to_add(tmp_path)
    assert "cannot be read" in recover(tmp_path, version="0").problem
