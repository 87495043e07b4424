"""A whole daemon whose sink transcribes, and a simulated meeting of three who speak at once."""

from __future__ import annotations

import asyncio
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fast_time import FastClock, run_fast
from hearing_engine import HearingEngine, Plan
from running_daemon import json_lines, running, webhook_url

from rtmsd.config import load_config
from rtmsd.errors import ConfigError
from rtmsd.plugins import load_plugins
from rtmsd.recording import verify
from rtmsd.simulator import Simulator, Truth, default_meeting
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.options import TranscribeOptions

SPEED = 5.0
SINK = """
[[sinks]]
name = "words"
type = "transcribe"
engines = ["hearing_engine:HearingEngine"]
silence_secs = 1.5
"""


@dataclass
class Played:
    truth: Truth
    recording: Path
    engine: HearingEngine
    asked: set[str]
    metrics: str
    page: str

    @property
    def heard(self) -> list[tuple[int, str, int, int]]:
        """Who said what, from when to when, in Unix ms."""
        lines = json_lines(self.recording / "transcript.hearing.jsonl")
        return sorted((one["user_id"], one["text"], one["start_ms"], one["end_ms"]) for one in lines)


def play(tmp: Path, *, after: str = SINK, plans: tuple[Plan, ...] = (), seconds: float = 24.5) -> Played:
    """Play the default meeting to a daemon, `SPEED` times as fast as real."""

    async def played() -> Played:
        HearingEngine.made.clear()
        clock = FastClock(SPEED)
        async with Simulator(meeting=default_meeting(seconds), directory=tmp / "zoom", clock=clock) as zoom:
            async with running(zoom, tmp, after=after, clock=clock) as ready:
                [engine] = HearingEngine.made
                engine.plans.extend(plans)
                await zoom.play(webhook=webhook_url(ready))
                async with asyncio.timeout(60 * SPEED):
                    while not (found := list(tmp.glob("recordings/*/*/*/SHA256SUMS"))):
                        await asyncio.sleep(0.5)
                async with aiohttp.ClientSession(f"http://{ready.admin}") as http:
                    texts = [await (await http.get(path)).text() for path in ("/metrics", "/")]
            asked = {one.socket for one in zoom.received if one.message.get("msg_type") == 3}
            return Played(zoom.truth, found[0].parent, engine, asked, *texts)

    return run_fast(played(), SPEED)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("transcribed"))


def assert_as_said(played: Played, *, within_ms: int = 300) -> None:
    """Each sentence once, under its speaker, at its time."""
    said = sorted((one.user_id, one.text, one.start_ms, one.end_ms) for one in played.truth.phrases)
    assert [one[:2] for one in played.heard] == [one[:2] for one in said] and len(said) >= 8
    for heard, true in zip(played.heard, said, strict=True):
        assert abs(heard[2] - true[2]) <= within_ms and abs(heard[3] - true[3]) <= within_ms


def test_each_sentence_stands_under_its_speaker(played: Played) -> None:
    """Three who speak at once, live: who, what and when are the scenario's truth; in fact to the millisecond."""
    assert_as_said(played, within_ms=1)


def test_it_is_written_beside_zooms_own(played: Played) -> None:
    """As JSON lines, WebVTT and SRT, with word times; sealed, verified, and Zoom's transcript is untouched."""
    names = {path.name for path in played.recording.glob("transcript.*")}
    assert names == {
        f"transcript{part}.{form}" for part in ("", ".hearing") for form in ("jsonl", "vtt", "srt")
    }
    assert verify(played.recording).problems == []
    sums = (played.recording / "SHA256SUMS").read_text()
    assert all(name in sums for name in names)
    zoom = json_lines(played.recording / "transcript.jsonl")
    assert {one["source"] for one in zoom} == {"zoom"}
    assert sorted(one["text"] for one in zoom) == sorted(phrase.text for phrase in played.truth.phrases)
    words: list[dict[str, Any]] = json_lines(played.recording / "transcript.hearing.jsonl")[0]["words"]
    assert words[0]["confidence"] == 0.9 and words[0]["start_ms"] > 0
    assert (played.recording / "transcript.hearing.vtt").read_text().count("<v ") == len(played.heard)


def test_verify_sees_what_was_changed_in_it(played: Played, tmp_path: Path) -> None:
    """A cue that is not in the JSON lines is a problem, as in Zoom's transcript."""
    path = played.recording / "transcript.hearing.srt"
    data = path.read_bytes()
    path.write_bytes(data + b"\n")
    try:
        problems = verify(played.recording).problems
    finally:
        path.write_bytes(data)
    assert any("transcript.hearing.srt does not have the cues" in problem for problem in problems)


def test_the_seconds_that_were_sent_stand_in_the_recording(played: Played) -> None:
    """Counted for each engine, and the same as what the engine got."""
    [event] = [one for one in json_lines(played.recording / "events.jsonl") if one["name"] == "transcribed"]
    assert event["details"] == {"seconds": {"hearing": round(played.engine.secs, 1)}, "lost_seconds": 0.0}
    spoken = sum(played.truth.spoken_ms(user) for user in played.truth.names) / 1000
    assert played.engine.secs < spoken + 2.1 * len(played.engine.sessions)
    assert all(session.finished and session.left for session in played.engine.sessions)


def test_the_seconds_that_were_sent_stand_in_the_metrics(played: Played) -> None:
    """As many as the engine got, with its sessions, and none lost; the page has them in a line."""
    told = dict(re.findall(r"^rtmsd_sink_(\w+_total{[^}]*}) (\S+)$", played.metrics, flags=re.MULTILINE))
    assert float(told['sent_seconds_total{engine="hearing",sink="words"}']) == pytest.approx(
        played.engine.secs
    )
    assert float(told['sessions_opened_total{engine="hearing",sink="words"}']) == len(played.engine.sessions)
    assert told['lost_seconds_total{sink="words"}'] == "0.0" and "sessions_lost" not in played.metrics
    assert (
        f"sent {played.engine.secs:.3g} s (hearing), sessions opened {len(played.engine.sessions)} (hearing)"
        in played.page
    )


def test_engines_that_die_in_a_meeting_cost_nothing(tmp_path: Path) -> None:
    """Killed in mid-sentence again and again: the same text."""
    played = play(tmp_path, plans=tuple(Plan(dies_at=secs) for secs in (0.3, 1.4, 0.9, 2.2, 1.1, 0.7)))
    assert_as_said(played)
    assert verify(played.recording).problems == []


def test_zoom_need_not_be_asked(tmp_path: Path) -> None:
    """With beside_zoom = false the app has no transcript socket, and the own transcript is there all the same."""
    played = play(tmp_path, after=SINK + "beside_zoom = false\n", seconds=7.0)
    assert played.asked == {"audio"}
    assert played.heard and json_lines(played.recording / "transcript.jsonl") == []


@pytest.mark.parametrize(
    ("sink", "media", "sentence"),
    [
        ('engines = ["deepgarm"]', "", 'there is no engine "deepgarm"'),
        ('engines = ["deepgram"]', "", "needs its own table, [sinks.deepgram]"),
        ("engines = []", "", "engines"),
        ('engines = ["vosk", "vosk"]', "", "twice"),
        ('engines = ["nowhere.to_be_found:Engine"]', "", "cannot be imported"),
        ('engines = ["hearing_engine:Plan"]', "", "is no engine"),
        ('engines = ["hearing_engine:Nobody"]', "", "has no class Nobody"),
        ('engines = ["vosk"]\nsilence_secs = 0', "", "silence_secs"),
        ('engines = ["vosk"]\n[sinks.deepgram]\nkey = "sk-123"', "", "plain text"),
        (
            'engines = ["vosk"]',
            'audio_codec = "OPUS"',
            'which sink "words" of type "transcribe" does not understand',
        ),
    ],
)
def test_what_cannot_be_is_said_before_the_start(
    tmp_path: Path, sink: str, media: str, sentence: str
) -> None:
    """Each mistake has its sentence, with the path of the option."""
    path = tmp_path / "rtmsd.toml"
    path.write_text(
        f'state_dir = "{tmp_path}"\n[webhook]\nlisten = "127.0.0.1:0"\n[[apps]]\nname = "notes"\nclient_id = "a"\n'
        'client_secret = { env = "A" }\nwebhook_secrets = [{ env = "B" }]\n[apps.media]\n'
        f'{media}\n[[sinks]]\nname = "words"\ntype = "transcribe"\n{sink}\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, sink_types=load_plugins().sink_types, environ={"A": "a", "B": "b"})
    assert sentence in str(caught.value), caught.value
    assert "sk-123" not in str(caught.value)


def test_every_engine_of_ours_has_its_table() -> None:
    """An engine that comes with rtmsd is configured in the table of its name."""
    hints = typing.get_type_hints(TranscribeOptions)
    for name, engine in ENGINES.items():
        assert hints[name] == engine.options | None
