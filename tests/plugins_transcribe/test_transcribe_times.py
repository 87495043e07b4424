"""When things were said, from real speech by way of Zoom's packets, a whole daemon and pocketsphinx to the file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fast_time import FastClock, run_fast
from running_daemon import json_lines, running, webhook_url

from rtmsd.demo_transcribe import sentence_of
from rtmsd.simulator import Joins, Meeting, Person, Phrase, Says, Simulator, load_sentences

SPEED = 2.0
WITHIN_MS = 300
SINK = """
[[sinks]]
name = "words"
type = "transcribe"
engines = ["pocketsphinx"]
drain_secs = 300
"""
PEOPLE = (Person(16_778_240, "Ann"), Person(16_779_264, "Bo"), Person(16_780_288, "Cy"))
ROUNDS = (("begin", "tests", "late"), ("open", "mine", "leaving"), ("thursday", "names", "close"))


def all_at_once() -> Meeting:
    """Three who begin within half a second of each other, three times."""
    sentences = load_sentences()
    says = [
        Says(600 + turn * 4_800 + place * 240, person.user_id, sentences[name])
        for turn, names in enumerate(ROUNDS)
        for place, (person, name) in enumerate(zip(PEOPLE, names, strict=True))
    ]
    joins = [Joins(0, person.user_id) for person in PEOPLE]
    return Meeting(people=PEOPLE, timeline=(*joins, *says), ends_ms=15_000)


async def transcribed(tmp: Path, meeting: Meeting) -> tuple[list[Phrase], list[dict[str, Any]]]:
    """Play it to a daemon; give what was said, and the lines that pocketsphinx left in the recording."""
    clock = FastClock(SPEED)
    async with Simulator(meeting=meeting, directory=tmp / "zoom", clock=clock) as zoom:
        async with running(zoom, tmp, after=SINK, clock=clock) as ready:
            await zoom.play(webhook=webhook_url(ready))
            async with asyncio.timeout(100 * SPEED):
                while not (found := list(tmp.glob("recordings/*/*/*/SHA256SUMS"))):
                    await asyncio.sleep(0.5)
        return zoom.truth.phrases, json_lines(found[0].parent / "transcript.pocketsphinx.jsonl")


def off_ms(phrase: Phrase, heard: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """How far the first start and the last end of what was heard of a sentence are from the truth."""
    start, end = min(one["start_ms"] for one in heard), max(one["end_ms"] for one in heard)
    return start - phrase.start_ms, end - phrase.end_ms


def test_sentences_of_three_at_once_stand_where_they_were_said(tmp_path: Path) -> None:
    """Each of nine overlapping sentences under its speaker, its start and its end within 300 ms, and nothing else."""
    said, heard = run_fast(transcribed(tmp_path, all_at_once()), SPEED)
    assert len(said) == 9
    truth = [{"user_id": one.user_id, "start": one.start_ms, "end": one.end_ms} for one in said]
    places = [sentence_of(one | {"start": one["start_ms"], "end": one["end_ms"]}, truth) for one in heard]
    assert set(places) == set(range(9)), (
        "each sentence is heard, and everything heard was said by its speaker"
    )
    off = [
        off_ms(phrase, [one for one, place in zip(heard, places, strict=True) if place == index])
        for index, phrase in enumerate(said)
    ]
    print("\npocketsphinx: off by (start, end) ms:", *off)
    assert all(abs(ms) <= WITHIN_MS for both in off for ms in both), off
