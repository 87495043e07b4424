"""`rtmsd transcribe`: what it writes, says and returns."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from running_daemon import json_lines
from second_pass_bench import record, speak
from stubborn_engines import MARK
from transcribe_bench import ANN, BO, SAID, STREAM, ZERO_MS, frames

from rtmsd.api import StreamEnd
from rtmsd.api.recording import Recording, Signer, purge
from rtmsd.cli import main
from rtmsd.recording import verify
from rtmsd_transcribe.showing import showing

HEARING = "hearing_engine:HearingEngine"
SCRIPT = [("begin", 0), ("open", 4200)]


def recorded(directory: Path) -> Path:
    ann, _ = speak(ANN, SCRIPT)
    bo, _ = speak(BO, [("late", 1000)])
    return record(directory, [*ann, *bo], 9000)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["transcribe", *map(str, arguments)])


def files_of(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_heard_is_written_and_told(tmp_path: Path) -> None:
    """The transcript with its forms, a line of what it was, at most ten of how far it is; a second time with a number."""
    directory = recorded(tmp_path / "r")
    done = run(directory, "--engine", HEARING)
    assert done.exit_code == 0, done.output
    *progress, last = done.output.splitlines()
    assert (
        last.startswith("3 phrases; sent: ") and "s to hearing; written: transcript.hearing.jsonl, " in last
    )
    assert 2 <= len(progress) <= 10 and "100 %   18 of 18 s of sound   3 phrases" in progress[-1]
    said = {one["text"] for one in json_lines(directory / "transcript.hearing.jsonl")}
    assert said == {SAID[name].text for name in ("begin", "open", "late")}
    first = (directory / "transcript.hearing.vtt").read_bytes()
    done = run(directory, "--engine", HEARING)
    assert done.exit_code == 0 and "transcript.hearing-2.srt" in done.output
    assert (directory / "transcript.hearing.vtt").read_bytes() == first
    assert verify(directory).problems == []
    shown = CliRunner().invoke(main, ["verify", "-v", str(directory)]).output
    assert "hearing" in shown and "hearing-2" in shown
    path = directory / "transcript.hearing-2.vtt"
    path.write_bytes(path.read_bytes() + b"\n")
    assert CliRunner().invoke(main, ["verify", str(directory)]).exit_code == 1


def test_real_speech_by_the_real_command(tmp_path: Path) -> None:
    """pocketsphinx in its process, offline and without a configuration: each speaker has phrases, and the recording is whole."""
    directory = recorded(tmp_path / "r")
    done = subprocess.run(
        [sys.executable, "-m", "rtmsd", "transcribe", str(directory), "--engine", "pocketsphinx"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    phrases = json_lines(directory / "transcript.pocketsphinx.jsonl")
    assert {one["user_id"] for one in phrases} == {ANN, BO}
    assert {one["source"] for one in phrases} == {"pocketsphinx"} and all(one["words"] for one in phrases)
    assert f"<v Person {ANN}>" in (directory / "transcript.pocketsphinx.vtt").read_text()
    assert verify(directory).problems == []


def test_nobody_speaks(tmp_path: Path) -> None:
    """There is nothing to write, and that is no failure."""
    directory = record(tmp_path / "r", frames(ANN, 0, bytes(32_000)), 5000)
    before = files_of(directory)
    done = run(directory, "--engine", HEARING)
    assert done.exit_code == 0 and "0 phrases; sent: nothing: nobody speaks; written: nothing" in done.output
    assert files_of(directory) == before


def test_what_no_engine_answered_is_said(tmp_path: Path) -> None:
    """Exit 1, with how much is missing; what was heard is written all the same."""
    items, _ = speak(ANN, [("open", 0), ("tests", 10_000)])
    directory = record(tmp_path / "r", items, 20_000)
    done = run(directory, "--engine", "stubborn_engines:Choosy")
    assert done.exit_code == 1
    assert " s of speech are missing: no engine answered them." in done.output
    assert "transcript.choosy.jsonl" in done.output and verify(directory).problems == []


def test_an_engine_that_refuses(tmp_path: Path) -> None:
    """Its sentence and exit 1, and nothing is written; with another engine after it all is well."""
    directory = recorded(tmp_path / "r")
    before = files_of(directory)
    done = run(directory, "--engine", "stubborn_engines:Refusing")
    assert done.exit_code == 1 and files_of(directory) == before
    assert done.stderr == (
        "rtmsd: no engine is left. refusing: refusing does not know the key. Nothing is written.\n"
    )
    both = ("--engine", "stubborn_engines:Refusing", "--engine", HEARING)
    assert run(directory, *both).exit_code == 0 and verify(directory).problems == []


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_an_interruption_ends_all_sessions_and_writes_nothing(tmp_path: Path, one: signal.Signals) -> None:
    """Ctrl-C, the end of the terminal, or whoever stops it: exit 130."""
    directory = recorded(tmp_path / "r")
    before = files_of(directory)
    mark = tmp_path / "mark"
    process = subprocess.Popen(
        [sys.executable, "-m", "rtmsd", "transcribe", str(directory), "--engine", "stubborn_engines:Hanging"],
        env=os.environ | {MARK: str(mark), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(one)
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, mark.read_text()) == (130, "left"), told
    assert "Traceback" not in told and files_of(directory) == before


def _unfinished(directory: Path) -> Path:
    recording = Recording.open(directory, STREAM, version="0")
    recording.write(frames(ANN, 0, bytes(3200)))
    recording.suspend()
    return directory


def _deleted(directory: Path) -> Path:
    purge(recorded(directory), STREAM, version="0")
    return directory


def _altered(directory: Path) -> Path:
    (recorded(directory) / "events.jsonl").write_text("{}\n")
    return directory


@pytest.mark.parametrize(
    ("make", "sentence"),
    [(_unfinished, "rtmsd recover"), (_deleted, "was deleted"), (_altered, "events.jsonl was altered")],
)
def test_what_is_not_whole_is_not_sent_anywhere(tmp_path: Path, make, sentence: str) -> None:
    """Exit 1 with the reason, before an engine is asked."""
    directory = make(tmp_path / "r")
    before = files_of(directory)
    done = run(directory, "--engine", "stubborn_engines:Refusing")
    assert done.exit_code == 1 and sentence in done.output and "no engine" not in done.output
    assert files_of(directory) == before


def test_a_signed_recording_needs_its_key(tmp_path: Path) -> None:
    """Without it nothing is sent; with it the signature is that of the new seal. The key's file is a secret's."""
    pem = (
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    )
    recording = Recording.open(tmp_path / "r", STREAM, version="0")
    items, _ = speak(ANN, SCRIPT)
    recording.write([*items, StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO_MS + 8000)])
    recording.close(Signer(pem))
    key = tmp_path / "key.pem"
    key.write_text(pem)
    key.chmod(0o644)
    wanted = ("--engine", HEARING)
    done = run(tmp_path / "r", *wanted)
    assert done.exit_code == 1 and "give the private key with --signing-key FILE" in done.output
    done = run(tmp_path / "r", *wanted, "--signing-key", key)
    assert done.exit_code == 1 and "chmod o-rwx" in done.output
    key.chmod(0o600)
    done = run(tmp_path / "r", *wanted, "--signing-key", key)
    assert done.exit_code == 0, done.output
    assert verify(tmp_path / "r", public_key=Signer(pem).public_key).problems == []
    (tmp_path / "none").write_text("no key")
    (tmp_path / "none").chmod(0o600)
    done = run(tmp_path / "r", *wanted, "--signing-key", tmp_path / "none")
    assert done.exit_code == 1 and "--signing-key: " in done.output and "no key" not in done.output


CONFIG = f"""
state_dir = "/var/lib/rtmsd"
[webhook]
listen = "127.0.0.1:0"
[[apps]]
name = "notes"
client_id = "a"
client_secret = {{ env = "NOT_SET_WHERE_THIS_RUNS" }}
webhook_secrets = [{{ env = "NOT_SET_EITHER" }}]
[[sinks]]
name = "disk"
type = "file"
directory = "/var/lib/rtmsd/recordings"
[[sinks]]
name = "words"
type = "transcribe"
batch_ms = 200
engines = ["{HEARING}"]
[sinks.arguments]
name = "configured"
"""
ANOTHER = '[[sinks]]\nname = "others"\ntype = "transcribe"\nengines = ["stubborn_engines:Refusing"]\n'


def test_a_configuration_says_who_transcribes(tmp_path: Path) -> None:
    """Its only sink of this type, or the one that is named; secrets of apps are not needed, and --engine is stronger."""
    directory = recorded(tmp_path / "r")
    path = tmp_path / "rtmsd.toml"
    path.write_text(CONFIG)
    done = run(directory, "-c", path)
    assert done.exit_code == 0 and "transcript.configured.jsonl" in done.output, done.output
    done = run(directory, "-c", path, "--engine", "stubborn_engines:Refusing")
    assert done.exit_code == 1 and "missing" not in done.output
    path.write_text(CONFIG + ANOTHER)
    assert run(directory, "-c", path, "--sink", "words").exit_code == 0
    done = run(directory, "-c", path, "--sink", "others")
    assert done.exit_code == 1 and "refusing does not know the key" in done.output


@pytest.mark.parametrize(
    ("text", "arguments", "status", "sentence"),
    [
        (
            CONFIG,
            ["--sink", "disk"],
            78,
            'there is no sink "disk" of type "transcribe"; those of this type: words',
        ),
        (CONFIG + ANOTHER, [], 78, "not exactly one sink"),
        (CONFIG.partition("[[sinks]]")[0], [], 78, "those of this type: none"),
        (
            CONFIG.replace("batch_ms", "batch_sm"),
            [],
            78,
            'sinks[1].batch_sm: unknown key; did you mean "batch_ms"',
        ),
        (CONFIG.replace(f'["{HEARING}"]', '["deepgarm"]'), [], 78, 'there is no engine "deepgarm"'),
        (CONFIG, ["--engine", "deepgarm"], 1, 'there is no engine "deepgarm"'),
        ("[[", [], 78, "is not valid TOML"),
    ],
)
def test_a_configuration_that_does_not_fit(
    tmp_path: Path, text: str, arguments: list[str], status: int, sentence: str
) -> None:
    """Each mistake has its sentence, and nothing is transcribed."""
    path = tmp_path / "rtmsd.toml"
    path.write_text(text)
    done = run(recorded(tmp_path / "r"), "-c", path, *arguments)
    assert done.exit_code == status and sentence in done.output, done.output


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "--engine NAME, or -c FILE"),
        (["--sink", "words", "--engine", "vosk"], 2, "give it with -c FILE"),
        (["--engine", "deepgram"], 1, "needs its own table, [sinks.deepgram]"),
        (["--engine", "deepgram"], 1, "stands in a configuration: give it with -c FILE"),
        (["--engine", "nowhere:Engine"], 1, "cannot be imported"),
    ],
)
def test_a_command_that_says_too_little(
    tmp_path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    """What is missing is said."""
    done = run(tmp_path, *arguments)
    assert done.exit_code == status and sentence in done.output, done.output


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the seconds of sound and the phrases; sentences stand above it, brackets in them are no markup."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    out = _Terminal()
    with showing(out) as show:
        show.tick(30.0, 120.0, 1)
        show.say("vosk [1]: gone.")
        show.tick(120.0, 120.0, 7)
    told = out.getvalue()
    assert "vosk [1]: gone." in told and "120 of 120 s of sound" in told and "7 phrases" in told
