"""Transcribe a complete recording once more, by whichever engine: every track, with a speaker of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from rtmsd.api import RtmsdError, TranscriptFrame
from rtmsd.api.recording import Manifest, TrackEntry, hear
from rtmsd_transcribe.account import Account
from rtmsd_transcribe.build import engine_of
from rtmsd_transcribe.engine import RATE, Engine, EngineLost, EngineRefused
from rtmsd_transcribe.lineup import Lineup, Seat
from rtmsd_transcribe.options import TranscribeOptions
from rtmsd_transcribe.showing import Show
from rtmsd_transcribe.speech import Speech
from rtmsd_transcribe.talk import Manner, Talk
from rtmsd_transcribe.track import Track

TRACKS, ENDED = 4, 4
"""How many tracks are read at a time, and how many speeches may be with engines while more is read. Sessions are fewer than both
together: each reader may end one more speech."""

LONGEST_SECS, PAUSE_SECS = 55.0, 4.0
"""The longest speech, and the longest pause in one: less than what a Speech keeps, so that nothing is ever forgotten."""

TRIES, TRIES_AGAIN = 6, 18
"""An engine that is lost so many times running, and says no word in between, is asked no more: after 20 s at least. One
that did say something is asked more often: it may be a single speech that breaks it, which is given up before. It may also
be away for some minutes, or allow fewer sessions than there are: no speech is given up for that."""

_ALWAYS_SECS = 86_400.0
"""How long a speech waits for its end: its track is read when others are answered."""


@dataclass
class Result:
    """What was heard, how much sound each engine got, and how much none of them answered."""

    frames: list[TranscriptFrame] = field(default_factory=list)
    sent_secs: dict[str, float] = field(default_factory=dict)
    lost_secs: float = 0.0


async def transcribe(directory: Path, manifest: Manifest, options: TranscribeOptions, show: Show) -> Result:
    """Send a recording, which is whole, to the engines of `options`, and show how far that is. Writes nothing.

    The day's ceiling of a daemon is not touched. Raises RtmsdError when no engine is left, or a track cannot be read;
    OSError. Cancelling is safe: all sessions are ended.
    """
    log = structlog.get_logger("rtmsd.transcribe")
    async with AsyncExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="rtmsd-transcribe-"))
        account = await stack.enter_async_context(
            Account(Path(place) / "account.json", most_per_day=0, log=log)
        )
        engines = [await stack.enter_async_context(engine_of(options, name)) for name in options.engines]
        one = SecondPass(directory, manifest, Engines(engines, say=show.say, log=log), account, options, show)
        await one.run()
    return one.result


class SecondPass:
    """One pass over a recording. Tracks are read as fast as their speeches are answered."""

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        lineup: Engines,
        account: Account,
        options: TranscribeOptions,
        show: Show,
    ) -> None:
        self.result = Result()
        self._directory = directory
        self._manifest = manifest
        self._lineup = lineup
        self._account = account
        self._manner = Manner(
            language=options.language,
            silence_secs=_ALWAYS_SECS,
            backlog="pace" if options.backlog == "pace" else "send",  # a recording is not late
            interim=False,
            recorded=True,
        )
        self._silence_ms = min(options.silence_secs, PAUSE_SECS) * 1000
        self._show = show
        self._total_secs = sum(track.samples / track.rate for track in manifest.tracks)
        self._read_secs = 0.0
        self._talks: set[Talk] = set()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Transcribe everything; raises what went wrong first."""
        tracks = iter(self._manifest.tracks)
        problem: Exception | None = None
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for _ in range(TRACKS):
                    self._tasks.create_task(self._read_all(tracks))
        except* (RtmsdError, OSError) as group:
            problem = group
            while isinstance(problem, ExceptionGroup):
                problem = problem.exceptions[0]
        if isinstance(problem, EngineRefused):
            raise EngineRefused(f"{_sentence(problem)} Nothing is written.")
        if problem is not None:  # raised in there it would come out in a group
            raise problem
        self.result.sent_secs = self._account.sent.get(self._manifest.stream_id, {})
        self._tick()

    async def _read_all(self, tracks: Iterator[TrackEntry]) -> None:
        for track in tracks:
            read_secs = await self._read(track)
            self._read_secs += track.samples / track.rate - read_secs  # what has no file counts too

    async def _read(self, entry: TrackEntry) -> float:
        """Let a track be heard; return how much of it there was to read."""
        secs = 0.0
        track = Track(silence_ms=self._silence_ms, longest_ms=LONGEST_SECS * 1000, begin=self._begin)
        for frame in hear(self._directory, self._manifest, entry):
            await self._room()
            if frame.data.strip(b"\0"):  # where Zoom sent nothing there is nothing to be heard
                track.take(frame)
            secs += frame.duration_ms / 1000
            self._read_secs += frame.duration_ms / 1000
            self._tick()
            await asyncio.sleep(0)
        await self._room()
        track.end()
        return secs

    async def _room(self) -> None:
        """Wait while too many speeches are over and not yet answered: this bounds memory and sessions."""
        while sum(talk.speech.ended for talk in self._talks) >= ENDED:
            self._over.clear()
            await self._over.wait()

    def _begin(self, speech: Speech) -> None:
        talk = Talk(
            speech,
            stream_id=self._manifest.stream_id,
            lineup=self._lineup,
            account=self._account,
            manner=self._manner,
            publish=self._publish,
            log=structlog.get_logger("rtmsd.transcribe"),
        )
        self._talks.add(talk)
        self._tasks.create_task(self._carry(talk), name=f"talk of {speech.user_id}")

    def _publish(self, frame: TranscriptFrame) -> None:
        self.result.frames.append(frame)
        self._lineup.spoke(frame.source)

    async def _carry(self, talk: Talk) -> None:
        try:
            # A session that waited for sound would wait for ever, were it the only one that its service allows: its track is
            # not read on while others, which are over, wait for a session.
            while not talk.speech.ended:
                await talk.speech.changed(_ALWAYS_SECS)
            await talk.run()
        finally:
            self._talks.remove(talk)
            self.result.lost_secs += talk.lost_secs
            self._over.set()
        self._tick()

    def _tick(self) -> None:
        waiting = sum(talk.speech.end - talk.speech.first for talk in self._talks) / RATE
        secs = min(max(self._read_secs - waiting, 0.0), self._total_secs)
        self._show.tick(secs, self._total_secs, len(self.result.frames))


class Engines(Lineup):
    """Asks an engine no more that refuses, or is lost too often; says so once."""

    def __init__(
        self, engines: Sequence[Engine], *, say: Callable[[str], None], log: FilteringBoundLogger
    ) -> None:
        super().__init__(engines, log=log)
        self._say = say
        self._in_vain = Counter[str]()
        self._heard: set[str] = set()
        self._said: set[str] = set()  # of whom it was said that they are asked again

    def spoke(self, name: str) -> None:
        """Note that an engine said something."""
        self._heard.add(name)
        self._in_vain[name] = 0

    def lost(self, seat: Seat, error: EngineLost, *, opened: bool = True) -> None:
        name, failures = seat.engine.name, seat.failures
        super().lost(seat, error, opened=opened)
        if seat.failures == failures:
            return  # several at once are one
        if seat.sessions and not opened:
            return  # it is at work, and allows no more sessions
        self._in_vain[name] += 1
        if self._in_vain[name] >= (TRIES_AGAIN if name in self._heard else TRIES):
            self.leave(seat, error)
        elif name not in self._said:
            self._said.add(name)
            self._say(f"{name}: {_sentence(error)} It is asked again.")

    def refused(self, seat: Seat, error: EngineRefused) -> None:
        self.leave(seat, error)

    def leave(self, seat: Seat, error: EngineLost | EngineRefused) -> None:
        before = len(self)
        super().leave(seat, error)
        if 0 < len(self) < before:  # the last one's sentence is how the pass ends
            self._say(f"{seat.engine.name}: {_sentence(error)} It is asked no more.")


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."
