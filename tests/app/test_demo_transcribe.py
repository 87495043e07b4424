"""`rtmsd demo --transcribe`: played, transcribed by pocketsphinx itself, compared, and judged at its end."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from running_daemon import json_lines

from rtmsd.cli import main
from rtmsd.demo_transcribe import sentence_of, tell_heard
from rtmsd.recording import verify

EACH_SPEAKS_ONCE = "17"
"""Seconds of the meeting: the shortest in which all three have spoken, and one of them twice."""


def test_it_transcribes_the_meeting_offline(tmp_path: Path) -> None:
    """The command itself: exit 0, all files listed and verified, and what was heard stands below what was said."""
    command = [sys.executable, "-m", "rtmsd", "demo", "--transcribe", "--seconds", EACH_SPEAKS_ONCE]
    done = subprocess.run([*command, "--output", tmp_path], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    [recording] = (path.parent for path in tmp_path.rglob("SHA256SUMS"))
    assert verify(recording).ok
    for form in ("jsonl", "vtt", "srt"):
        assert f"  transcript.pocketsphinx.{form} " in done.stdout
    heard = json_lines(recording / "transcript.pocketsphinx.jsonl")
    assert {one["user_name"] for one in heard} == {"Mira Tal", "Tomas Vik", "Ines Roy"}
    _, listing = done.stdout.split("What was said, and what pocketsphinx heard:\n")
    listing, judged = listing.split("Word error rate: ")
    texts = [line.partition(": ")[2] for line in listing.splitlines()]
    said = [one["text"] for one in json_lines(recording / "transcript.jsonl")]
    assert set(texts) == {*said, *(one["text"] for one in heard)}
    assert "in 39 words." in judged and "pocketsphinx understands little" in judged
    assert "Verified: " in judged


def line(user_id: int, start: float, end: float, text: str = "and so on") -> dict[str, object]:
    return {"user_id": user_id, "user_name": f"Person {user_id}", "start": start, "end": end, "text": text}


SAID = [line(1, 0, 2, "Good morning."), line(2, 1, 3, "Hello all."), line(1, 4, 6, "Who is late?")]


def told(directory: Path, heard: list[dict[str, object]]) -> tuple[bool, str]:
    """What is said of a recording in which this was heard."""
    for name, lines in (("transcript", SAID), ("transcript.pocketsphinx", heard)):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        for form in ("vtt", "srt"):
            (directory / f"{name}.{form}").touch()
    out = io.StringIO()
    return tell_heard(directory, out), out.getvalue()


def test_what_was_heard_stands_below_what_was_said(tmp_path: Path) -> None:
    """Each phrase below its sentence, also where one was cut in two; errors are counted over all of it."""
    heard = [line(1, 0.1, 0.9, "good"), line(1, 1, 2.1, "mourning"), line(2, 1.2, 3, "hello all")]
    good, text = told(tmp_path, heard)
    assert good
    assert text.startswith(
        "What was said, and what pocketsphinx heard:\n"
        "    0.00 s  Person 1: Good morning.\n"
        "    0.10 s     heard: good\n"
        "    1.00 s     heard: mourning\n"
        "    1.00 s  Person 2: Hello all.\n"
        "    1.20 s     heard: hello all\n"
        "    4.00 s  Person 1: Who is late?\n"
        "               heard: (nothing)\n"
        "Word error rate: 57 %, 4 errors in 7 words.\n"
    )


@pytest.mark.parametrize(
    ("heard", "sentence"),
    [
        ([], "heard nothing of Person 1"),
        ([line(1, 0, 2)], "heard nothing of Person 2"),
        ([line(1, 0, 2), line(2, 4, 6)], "heard Person 2 at 4.00 s, and they said nothing then"),
        ([line(1, 0, 2), line(2, 1, 3), line(3, 1, 3)], "heard Person 3 at 1.00 s"),
    ],
)
def test_a_speaker_that_was_not_heard_where_they_spoke_fails(
    tmp_path: Path, heard: list[dict[str, object]], sentence: str
) -> None:
    """Silence about somebody, and words under the wrong name: not good, with the sentence that says so."""
    good, text = told(tmp_path, heard)
    assert not good
    assert sentence in text and "the demo failed." in text


def test_a_transcript_that_is_not_there_fails(tmp_path: Path) -> None:
    """A file that should be in the recording is named."""
    told(tmp_path, [line(1, 0, 2), line(2, 1, 3)])
    (tmp_path / "transcript.pocketsphinx.vtt").unlink()
    out = io.StringIO()
    assert not tell_heard(tmp_path, out)
    assert "should have left transcript.pocketsphinx.vtt" in out.getvalue()


@pytest.mark.parametrize(
    ("user_id", "start", "end", "index"),
    [(1, 0.5, 1, 0), (2, 0.5, 1.5, 1), (1, 1.5, 5, 2), (1, 2, 4, None), (1, 3, 3.5, None), (3, 0, 9, None)],
)
def test_a_phrase_belongs_where_most_of_it_lies(
    user_id: int, start: float, end: float, index: int | None
) -> None:
    """The speaker's own sentence with the longest time in common; touching is not enough."""
    assert sentence_of(line(user_id, start, end), SAID) == index


@pytest.mark.parametrize("library", ["webrtcvad", "soxr", "pocketsphinx"])
def test_what_is_not_installed_is_said_first(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Without one of the libraries nothing is played: exit 1, its name, and the command that installs it."""
    monkeypatch.setitem(sys.modules, library, None)  # as good as not installed
    done = CliRunner().invoke(main, ["demo", "--transcribe"])
    assert done.exit_code == 1
    assert f"pocketsphinx, and {library} is not installed: pip install" in done.output
    assert '"rtmsd[transcribe,pocketsphinx]"' in done.output
    assert "A meeting of" not in done.output


def test_it_is_not_the_demo_of_the_manual_start() -> None:
    """Two meetings cannot be played as one: exit 2, with what to do."""
    done = CliRunner().invoke(main, ["demo", "--transcribe", "--manual"])
    assert done.exit_code == 2 and "give one of them" in done.output
