"""A whole daemon whose sink speaks with a transcription service that enforces its rules, in a meeting of three who overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coded_speech import GAP_SECS, WORD_SECS, silence, word
from fake_assemblyai import FakeAssemblyAI
from fake_deepgram import FakeDeepgram
from fake_openai import FakeOpenAI
from fake_service import KEY, Faults
from fake_vosk import FakeVosk
from fast_time import FastClock, run_fast
from running_daemon import json_lines, running, webhook_url

from rtmsd.recording import verify
from rtmsd.simulator import Joins, Meeting, Person, Says, Sentence, Simulator, Truth

SPEED = 3.0
SERVICES: dict[str, Any] = {
    "deepgram": FakeDeepgram,
    "assemblyai": FakeAssemblyAI,
    "vosk": FakeVosk,
    "openai": FakeOpenAI,
}
WITHIN_MS = 300
STEP_MS = round((WORD_SECS + GAP_SECS) * 1000)

SAID = {  # who says words from which number on, and when
    "ann": ((1000, 1, 6), (9000, 7, 5), (16_000, 12, 4)),
    "bo": ((2200, 100, 5), (5400, 105, 3), (9500, 108, 6)),
    "cy": ((2600, 200, 8), (16_300, 208, 5)),
}
USERS = {"ann": 16778240, "bo": 16779264, "cy": 16780288}

Heard = list[tuple[int, str, int, int]]
"""Words: who, which, from when to when in Unix ms; sorted."""


@dataclass
class Played:
    truth: Truth
    recording: Path
    services: dict[str, Any]

    def heard(self, engine: str) -> Heard:
        return sorted(
            (line["user_id"], one["text"].lower().strip("."), one["start_ms"], one["end_ms"])
            for line in json_lines(self.recording / f"transcript.{engine}.jsonl")
            for one in line["words"]
        )

    @property
    def said(self) -> Heard:
        """The same of what was said."""
        return sorted(
            (
                phrase.user_id,
                text,
                start := phrase.start_ms + number * STEP_MS,
                start + round(WORD_SECS * 1000),
            )
            for phrase in self.truth.phrases
            for number, text in enumerate(phrase.text.split())
        )


def coded(first: int, count: int) -> Sentence:
    numbers = range(first, first + count)
    pcm = silence(GAP_SECS).join(word(number) for number in numbers)
    return Sentence(" ".join(f"word-{number}" for number in numbers), pcm)


def three_who_overlap() -> Meeting:
    people = [Person(user, name) for name, user in USERS.items()]
    says = [
        Says(at_ms, USERS[name], coded(first, count))
        for name, all_ in SAID.items()
        for at_ms, first, count in all_
    ]
    timeline = sorted(says, key=lambda one: one.at_ms)
    return Meeting(tuple(people), (*(Joins(0, user) for user in USERS.values()), *timeline), 22_000)


def play(tmp: Path, sinks: Mapping[str, Sequence[str]], faults: Mapping[str, Faults]) -> Played:
    """Play the meeting to a daemon with these sinks and their engines, and wait for its recording."""

    async def played() -> Played:
        clock = FastClock(SPEED)
        async with AsyncExitStack() as stack:
            services = {
                name: await stack.enter_async_context(SERVICES[name](faults.get(name)).running())
                for engines in sinks.values()
                for name in engines
            }
            tables = "".join(sink_of(name, engines, services) for name, engines in sinks.items())
            zoom = await stack.enter_async_context(
                Simulator(meeting=three_who_overlap(), directory=tmp / "zoom", clock=clock)
            )
            ready = await stack.enter_async_context(
                running(zoom, tmp, after=tables, clock=clock, environ={"KEY": KEY})
            )
            await zoom.play(webhook=webhook_url(ready))
            async with asyncio.timeout(60 * SPEED):
                while not (found := list(tmp.glob("recordings/*/*/*/SHA256SUMS"))):
                    await asyncio.sleep(0.5)
            return Played(zoom.truth, found[0].parent, services)

    return run_fast(played(), SPEED)


def sink_of(name: str, engines: Sequence[str], services: Mapping[str, Any]) -> str:
    named = ", ".join(f'"{engine}"' for engine in engines)
    lines = [
        "",
        "[[sinks]]",
        f'name = "{name}"',
        'type = "transcribe"',
        f"engines = [{named}]",
        "drain_secs = 30",
    ]
    for engine in engines:
        scheme = "http" if engine == "openai" else "ws"
        lines += [f"[sinks.{engine}]", f'url = "{scheme}://{services[engine].address}"']
        lines += ['key = { env = "KEY" }'] * (engine != "vosk")
        lines += ['model = "whisper-1"'] * (engine == "openai")
    return "\n".join(lines) + "\n"


def assert_same(heard: Heard, said: Heard) -> None:
    """Each word once, under its speaker, at its time."""
    assert [one[:2] for one in heard] == [one[:2] for one in said]
    for one, true in zip(heard, said, strict=True):
        assert abs(one[2] - true[2]) <= WITHIN_MS and abs(one[3] - true[3]) <= WITHIN_MS, (one, true)


BROKEN = {
    "deepgram": Faults(statuses=[429], drop_after_secs=[1.1, None, 0.7], slow_secs=0.2),
    "assemblyai": Faults(statuses=[429], drop_after_secs=[1.1, None, 0.7], lifetime_secs=[None, 1.5]),
    "vosk": Faults(statuses=[503], drop_after_secs=[1.1, None, 0.7], slow_secs=0.02),
    "openai": Faults(statuses=[429, None, 500], slow_secs=0.3),
}


@pytest.fixture(scope="module", params=[{}, BROKEN], ids=["well", "broken"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The meeting, heard by a sink for each of the services: they are well, or refuse, die and are slow on the way."""
    sinks = {f"words-{name}": [name] for name in SERVICES}
    return play(tmp_path_factory.mktemp("live"), sinks, request.param)


@pytest.mark.parametrize("engine", SERVICES)
def test_each_word_stands_under_its_speaker(played: Played, engine: str) -> None:
    """Three who overlap, live, whatever becomes of the service on the way: each word once, who said it and when."""
    assert_same(played.heard(engine), played.said)
    assert verify(played.recording).problems == []


@pytest.mark.parametrize("engine", SERVICES)
def test_the_seconds_counted_are_those_sent(played: Played, engine: str) -> None:
    """What a service got on all its connections, lost ones too, is what the recording's events say; nothing was lost."""
    [counted] = [
        one["details"]
        for one in json_lines(played.recording / "events.jsonl")
        if one["name"] == "transcribed" and engine in one["details"]["seconds"]
    ]
    service = played.services[engine]
    assert counted["lost_seconds"] == 0
    if engine == "openai":  # requests that failed, too; what is told is rounded
        assert counted["seconds"][engine] == pytest.approx(sum(one.secs for one in service.got), abs=0.06)
    else:
        got = sum(one.secs for one in service.sessions)
        assert counted["seconds"][engine] == pytest.approx(got, abs=0.2 * len(service.sessions))


def test_the_next_service_takes_over(tmp_path: Path) -> None:
    """The first dies in mid-sentence and is then not to be had: with what the second hears, each word is there once."""
    faults = Faults(drop_after_secs=[None, 1.3], statuses=[None, None, *[503] * 50])
    played = play(tmp_path, {"words": ["deepgram", "openai"]}, {"deepgram": faults})
    heard = [played.heard(name) for name in ("deepgram", "openai")]
    assert all(heard), "both were needed"
    assert_same(sorted(heard[0] + heard[1]), played.said)
