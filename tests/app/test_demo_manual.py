"""`rtmsd demo --manual`: the story of the guest who came first, told as it happens and judged at its end."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from fast_time import FastClock, run_fast

from rtmsd.cli import main
from rtmsd.demo_manual import run_manual_demo
from rtmsd.demo_show import progress
from rtmsd.web.status import StreamStatus

SPEED = 4
SHORT_OF_THE_HOST, PAST_THE_HOST = 10.0, 20.0


def played(seconds: float, output: Path) -> tuple[int, str]:
    """The exit status, and what was written."""
    out = io.StringIO()
    work = run_manual_demo(seconds=seconds, output=output, keep=False, out=out, clock=FastClock(SPEED))
    return run_fast(work, SPEED), out.getvalue()


def test_the_story_is_told_and_the_stream_comes_with_the_host(tmp_path: Path) -> None:
    """Both sides' sentences stand in the order of time, the recording is listed, and `rtmsd why` answers."""
    status, told = played(PAST_THE_HOST, tmp_path)
    assert status == 0, told
    story = [
        "Zoom   Tomas Vik, a guest, joins.",
        "rtmsd  Zoom is asked to start the app",
        "Zoom   REST: start is accepted, and nothing happens",
        "rtmsd  Request 1 to start the app",
        "Zoom   Mira Tal, the host, joins.",
        "rtmsd  Request 2 to start the app",
        "rtmsd  The stream has started.",
        "Zoom   The meeting ends.",
        "The stream began ",
        "audio/user=16778240.wav",
        "Mira Tal: Good morning",
        "Verified: ",
        "Why: It was recorded until ",
    ]
    places = [told.find(part) for part in story]
    assert -1 not in places and places == sorted(places), told
    seconds = [float(one) for one in re.findall(r"^ *([\d.]+) s  (?:Zoom|rtmsd) ", told, flags=re.MULTILINE)]
    assert seconds == sorted(seconds) and len(seconds) > 10
    assert "Sorry for being late" not in told.partition("What was said:")[2], "nothing streamed that"
    [manifest] = tmp_path.rglob("manifest.json")
    assert str(manifest.parent) in told


def test_without_the_host_it_fails_and_says_so(tmp_path: Path) -> None:
    """No stream, no recording: exit 1, with what is missing and the journal's answer."""
    status, told = played(SHORT_OF_THE_HOST, tmp_path)
    assert status == 1
    assert "The host never came: the demo failed." in told
    assert "Expected one finished recording, found 0" in told
    assert "Why: It was not recorded" in told


@pytest.mark.parametrize(("manual", "seconds"), [(True, "19"), (True, "76"), (False, "4"), (False, "51")])
def test_a_length_that_cannot_be_played_is_refused(manual: bool, seconds: str) -> None:
    """Each of the two meetings has its own bounds, and the message names them."""
    done = CliRunner().invoke(main, ["demo", *["--manual"] * manual, "--seconds", seconds])
    assert done.exit_code == 2 and f"got {seconds}" in done.output


@pytest.mark.parametrize("manual", [True, False])
def test_a_demo_that_cannot_start_says_why(manual: bool) -> None:
    """A sentence and exit 1, not a traceback, when the recording has nowhere to go."""
    done = CliRunner().invoke(main, ["demo", *["--manual"] * manual, "--output", "/proc/nowhere"])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert "rtmsd: sink disk should write recordings to /proc/nowhere" in done.output


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _NoStreams:
    """A report of a daemon that has nothing to show."""

    def streams(self) -> list[StreamStatus]:
        return []


def test_in_a_terminal_lines_are_wrapped_below_their_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on in the next line begins where the sentence began; brackets are no markup."""
    monkeypatch.setenv("COLUMNS", "40")
    out = _Terminal()
    with progress(_NoStreams(), out) as show:  # type: ignore[arg-type]  # of a Report this is enough
        show.say("  12.0 s  rtmsd  Nobody may ask for this host: there is no [apps.manual].", indent=17)
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", out.getvalue()).replace("\r", "")
    assert plain.splitlines()[:3] == [
        "  12.0 s  rtmsd  Nobody may ask for this",
        "                 host: there is no",
        "                 [apps.manual].",
    ]
