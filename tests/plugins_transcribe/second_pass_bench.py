"""Recordings of who said what when, and a second pass over them by engines that hear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from transcribe_bench import SAID, STREAM, ZERO_MS, Line, frames, said

from rtmsd.api import AudioFrame, Item, StreamEnd
from rtmsd.api.recording import FilePlan, Recording, verify
from rtmsd_transcribe.account import Account
from rtmsd_transcribe.options import TranscribeOptions
from rtmsd_transcribe.second_pass import Engines, Result, SecondPass
from rtmsd_transcribe.showing import Show

WHOLE = FilePlan()


def record(directory: Path, items: Iterable[Item], end_ms: int, plan: FilePlan = WHOLE) -> Path:
    """Record a meeting that begins at `ZERO_MS`."""
    order = sorted(items, key=lambda item: item.timestamp_ms)  # type: ignore[union-attr]  # frames only
    recording = Recording.open(directory, STREAM, version="0", plan=plan)
    recording.write([*order, StreamEnd(6, "MEETING_ENDED", "The meeting ended.", ZERO_MS + end_ms)])
    recording.close()
    assert verify(directory).problems == []
    return directory


def speak(user_id: int, script: Sequence[tuple[str, int]]) -> tuple[list[AudioFrame], list[Line]]:
    """The simulator's sentences by name, each at its millisecond; nothing is sent between them."""
    items = [one for name, at_ms in script for one in frames(user_id, at_ms, SAID[name].pcm)]
    return items, [said(user_id, at_ms, SAID[name]) for name, at_ms in script]


@dataclass
class Watching(Show):
    """Notes what is shown."""

    shown: list[tuple[float, float, int]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def tick(self, secs: float, total_secs: float, phrases: int) -> None:
        self.shown.append((secs, total_secs, phrases))

    def say(self, line: str) -> None:
        self.said.append(line)


async def second_pass(
    directory: Path, engines: Sequence[Any], tmp: Path, *, show: Show | None = None, **options: Any
) -> Result:
    """Let engines that are there already hear a recording."""
    log = structlog.get_logger()
    show = show or Watching()
    manifest = verify(directory).manifest
    assert manifest is not None
    async with Account(tmp / "account.json", most_per_day=0, log=log) as account:
        one = SecondPass(
            directory,
            manifest,
            Engines(engines, say=show.say, log=log),
            account,
            TranscribeOptions(engines=("vosk",), **options),
            show,
        )
        await one.run()
    return one.result


def lines(result: Result) -> list[Line]:
    return sorted(
        (one.user_id, one.text, one.start_ms - ZERO_MS, one.end_ms - ZERO_MS) for one in result.frames
    )
