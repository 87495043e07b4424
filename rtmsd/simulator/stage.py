"""Plays a meeting in steps of 20 ms and writes down the truth. Knows no sockets and no clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import EventType
from rtmsd.simulator.actions import (
    Chats,
    Joins,
    Leaves,
    Mutes,
    PersonAction,
    Says,
    StreamAction,
    Unmutes,
)
from rtmsd.simulator.meeting import TRANSCRIPT_LATEST_MS, Meeting, Person
from rtmsd.simulator.speech import STEP_BYTES, STEP_MS
from rtmsd.simulator.truth import Change, Pause, Phrase, Span, Truth, Written

_TRANSCRIPT_EARLIEST_MS = 500


@dataclass(frozen=True)
class Sound:
    """One participant's 20 ms. `spurt_ms` is when this stretch of talk began; packets are counted from there."""

    person: Person
    spurt_ms: int
    pcm: bytes


@dataclass(frozen=True)
class Happening:
    kind: EventType  # PARTICIPANT_JOIN, PARTICIPANT_LEAVE or ACTIVE_SPEAKER_CHANGE
    person: Person


@dataclass(frozen=True)
class Moment:
    """What 20 ms of meeting brought. `phrases` are those whose transcript is ready now."""

    at_ms: int
    sounds: tuple[Sound, ...]
    mixed_spurt_ms: int
    happenings: tuple[Happening, ...]
    phrases: tuple[Phrase, ...]
    chats: tuple[Written, ...] = ()


@dataclass
class Part:
    """What one person is doing."""

    person: Person
    present: bool = False
    muted: bool = False
    saying: Says | None = None
    spoken_steps: int = 0
    heard_steps: int = 0
    began_ms: int = 0
    span: Span | None = None


class Stage:
    """The meeting as it goes on. `zero_ms` is the Unix time of its first moment.

    What the timeline says of people happens in `step`; the rest of it waits in `due` for those who hold the sockets.
    """

    def __init__(self, meeting: Meeting, *, zero_ms: int, truth: Truth) -> None:
        self.parts = {person.user_id: Part(person) for person in meeting.people}
        self._meeting = meeting
        self._zero_ms = zero_ms
        self._chance = random.Random(meeting.seed)  # noqa: S311  # how late a transcript is, not a secret
        self._truth = truth
        timeline = sorted(meeting.timeline, key=lambda action: action.at_ms)
        self._people_do = deque(one for one in timeline if isinstance(one, PersonAction))
        self._stream_does = deque(one for one in timeline if isinstance(one, StreamAction))
        self._steps = 0
        self._speaker: int | None = None
        self._mixed_spurt_ms: int | None = None
        self._happenings: list[Happening] = []
        self._chats: list[Written] = []
        self._transcribed: list[tuple[int, Phrase]] = []
        truth.started_ms = zero_ms
        truth.names.update({person.user_id: person.name for person in meeting.people})

    @property
    def now_ms(self) -> int:
        """When the next moment begins, in Unix ms."""
        return self._zero_ms + self._steps * STEP_MS

    @property
    def over(self) -> bool:
        return self._steps * STEP_MS >= self._meeting.ends_ms

    @property
    def paused(self) -> bool:
        return bool(self._truth.pauses) and self._truth.pauses[-1].end_ms is None

    @property
    def present(self) -> list[Person]:
        return [part.person for part in self.parts.values() if part.present]

    def due(self) -> list[StreamAction]:
        """Take what the timeline says must be done to the stream before the next step."""
        return list(_due(self._stream_does, self._steps * STEP_MS))

    def perform(self, action: PersonAction) -> None:
        """Let somebody do something now. Raises SimulatorError when it cannot be done now."""
        part = self.parts[action.user_id]
        name = part.person.name
        if not part.present and isinstance(action, Leaves | Chats):
            raise SimulatorError(f"{name} is not in the meeting; let them join first")
        match action:
            case Joins() if part.present:
                raise SimulatorError(f"{name} is in the meeting already")
            case Joins():
                part.present = True
                self._truth.joins.append(Change(self.now_ms, action.user_id))
                self._happenings.append(Happening(EventType.PARTICIPANT_JOIN, part.person))
            case Leaves():
                part.present = False
                self._truth.leaves.append(Change(self.now_ms, action.user_id))
                self._happenings.append(Happening(EventType.PARTICIPANT_LEAVE, part.person))
            case Mutes() | Unmutes():
                part.muted = isinstance(action, Mutes)
            case Says() if part.saying is not None:
                raise SimulatorError(
                    f"{name} has not finished the last sentence; nobody says two things at once"
                )
            case Says():
                part.saying, part.spoken_steps, part.heard_steps = action, 0, 0
                part.began_ms = self.now_ms
                part.span = None
            case Chats() if not self.paused:
                message_id = f"{self._zero_ms:X}-{len(self._truth.chats):04X}"
                self._chats.append(Written(action.user_id, self.now_ms, action.text, message_id))
                self._truth.chats.append(self._chats[-1])

    def pause(self) -> None:
        if not self.paused:
            self._truth.pauses.append(Pause(self.now_ms))

    def resume(self) -> None:
        if self.paused:
            self._truth.pauses[-1].end_ms = self.now_ms

    def end(self) -> tuple[Phrase, ...]:
        """Stop here; give the phrases that were heard and whose transcripts are still owed."""
        self._truth.ended_ms = self.now_ms
        return tuple(phrase for _, phrase in self._transcribed)

    def step(self) -> Moment:
        """Play the next 20 ms."""
        now_ms = self.now_ms
        for action in _due(self._people_do, self._steps * STEP_MS):
            with suppress(SimulatorError):  # who joins twice has joined
                self.perform(action)
        sounds = []
        for part in self.parts.values():
            pcm = self._spoken_by(part)
            if pcm is None:
                part.span = None
                continue
            if part.span is None:
                part.span = Span(now_ms)
                self._truth.tracks.setdefault(part.person.user_id, []).append(part.span)
                self._speaks_now(part.person)
            part.span.pcm += pcm
            sounds.append(Sound(part.person, part.span.timestamp_ms, pcm))
        if not sounds:
            self._mixed_spurt_ms = None
        elif self._mixed_spurt_ms is None:
            self._mixed_spurt_ms = now_ms
        self._steps += 1
        happenings, self._happenings = tuple(self._happenings), []
        chats, self._chats = tuple(self._chats), []
        return Moment(
            now_ms, tuple(sounds), self._mixed_spurt_ms or now_ms, happenings, self._transcripts(), chats
        )

    def _spoken_by(self, part: Part) -> bytes | None:
        if part.saying is None:
            return None
        sentence = part.saying.sentence
        offset = part.spoken_steps * STEP_BYTES
        pcm = sentence.pcm[offset : offset + STEP_BYTES]
        heard = part.present and not part.muted and not self.paused
        part.spoken_steps += 1
        part.heard_steps += heard
        if offset + STEP_BYTES >= len(sentence.pcm):
            part.saying = None
            if part.heard_steps == part.spoken_steps:
                self._heard(Phrase(part.person.user_id, part.began_ms, self.now_ms + STEP_MS, sentence.text))
        return pcm if heard else None

    def _heard(self, phrase: Phrase) -> None:
        if not phrase.text:
            return  # a sound without words
        self._truth.phrases.append(phrase)
        ready_ms = phrase.end_ms + self._chance.randint(
            _TRANSCRIPT_EARLIEST_MS, TRANSCRIPT_LATEST_MS - STEP_MS
        )
        self._transcribed.append((ready_ms, phrase))

    def _transcripts(self) -> tuple[Phrase, ...]:
        if self.paused:
            return ()
        ready = tuple(phrase for ready_ms, phrase in self._transcribed if ready_ms <= self.now_ms)
        self._transcribed = [entry for entry in self._transcribed if entry[0] > self.now_ms]
        return ready

    def _speaks_now(self, person: Person) -> None:
        if self._speaker != person.user_id:
            self._speaker = person.user_id
            self._truth.speakers.append(Change(self.now_ms, person.user_id))
            self._happenings.append(Happening(EventType.ACTIVE_SPEAKER_CHANGE, person))


_Timed = TypeVar("_Timed", PersonAction, StreamAction)


def _due(timeline: deque[_Timed], at_ms: int) -> Iterator[_Timed]:
    while timeline and timeline[0].at_ms <= at_ms:
        yield timeline.popleft()
