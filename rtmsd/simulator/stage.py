"""Plays a meeting in steps of 20 ms and writes down the truth. Knows no sockets and no clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import ContactCenterEventType, DataMessageAttribute, EventType
from rtmsd.simulator.actions import (
    Joins,
    Leaves,
    Mutes,
    PersonAction,
    Says,
    StreamAction,
    Unmutes,
)
from rtmsd.simulator.audio_codecs import Step
from rtmsd.simulator.chatroom import Chatroom, group_happening
from rtmsd.simulator.held_actions import Admits, MakesHost
from rtmsd.simulator.meeting import TRANSCRIPT_LATEST_MS, Meeting, Person
from rtmsd.simulator.moment import NOTHING_TO_SEE, Happening, Moment, Sound, View
from rtmsd.simulator.person_actions import (
    ChangesGroup,
    Chats,
    Corrects,
    Holds,
    OnlyInside,
    Shares,
    TurnsCamera,
    VoiceEvent,
)
from rtmsd.simulator.scenery import Scenery
from rtmsd.simulator.speech import STEP_BYTES, STEP_MS
from rtmsd.simulator.speech.encoded import encoded_name
from rtmsd.simulator.truth import Change, Pause, Phrase, Span, Truth, Written

_TRANSCRIPT_EARLIEST_MS = 500


@dataclass
class Part:
    """What one person is doing."""

    person: Person
    present: bool = False
    muted: bool = False
    held: bool = False
    saying: Says | None = None
    spoken_steps: int = 0
    heard_steps: int = 0
    began_ms: int = 0
    span: Span | None = None
    said: Phrase | None = None


class Stage:
    """The meeting as it goes on. `zero_ms` is the Unix time of its first moment.

    What the timeline says of people happens in `step`; the rest of it waits in `due` for those who hold the sockets.
    `tell` gets a sentence for what cannot be done when its time has come.
    """

    def __init__(
        self,
        meeting: Meeting,
        *,
        zero_ms: int,
        truth: Truth,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.parts = {person.user_id: Part(person) for person in meeting.people}
        self._meeting = meeting
        self._zero_ms = zero_ms
        self._chance = random.Random(meeting.seed)  # noqa: S311  # how late a transcript is, not a secret
        self._truth = truth
        self._tell = tell
        timeline = sorted(meeting.timeline, key=lambda action: action.at_ms)
        self._people_do = deque(one for one in timeline if isinstance(one, PersonAction))
        self._stream_does = deque(one for one in timeline if isinstance(one, StreamAction))
        self._steps = 0
        self._speaker: int | None = None
        self._mixed_spurt_ms: int | None = None
        self._happenings: list[Happening] = []
        self._chats: list[Written] = []
        self._transcribed: list[tuple[int, Phrase]] = []
        self._corrected: list[Phrase] = []
        self._scenery = Scenery()
        self._chatroom = Chatroom(zero_ms)
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

    @property
    def languages_told(self) -> bool:
        """Whether Zoom tells languages apart by now (protocol.md §5.5: after 30 s)."""
        return self._steps * STEP_MS >= self._meeting.language_after_secs * 1000

    @property
    def view(self) -> View:
        """What there is to see, whether or not the session is paused."""
        return self._scenery.view

    def due(self) -> list[StreamAction]:
        """Take what the timeline says must be done to the stream before the next step."""
        return list(_due(self._stream_does, self._steps * STEP_MS))

    def perform(self, action: PersonAction) -> None:
        """Let somebody do something now. Raises SimulatorError when it cannot be done now."""
        part = self.parts[action.user_id]
        name = part.person.name
        if not part.present and isinstance(action, (Leaves, *OnlyInside)):
            raise SimulatorError(f"{name} is not in the meeting; let them join first")
        match action:
            case Admits() | MakesHost():
                pass  # the gathering's business, if there is one
            case Joins() if part.present:
                raise SimulatorError(f"{name} is in the meeting already")
            case Joins():
                part.present = True
                self._truth.joins.append(Change(self.now_ms, action.user_id))
                self._happenings.append(Happening(EventType.PARTICIPANT_JOIN, part.person))
            case Leaves():
                part.present = False
                self._truth.leaves.append(Change(self.now_ms, action.user_id))
                self._happenings += self._scenery.left(part.person)
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
            case TurnsCamera():
                self._happenings += self._scenery.camera(part.person, action)
            case Shares():
                self._happenings += self._scenery.share(part.person, action)
            case Chats() if not self.paused:
                self._chats.append(self._chatroom.write(action, self.now_ms))
                self._truth.chats.append(self._chats[-1])
            case ChangesGroup():
                self._happenings.append(group_happening(action, part.person, self._truth.names))
            case Corrects():
                self._correct(part, action)
            case Holds():
                part.held = action.on
                kind = ContactCenterEventType.USER_HOLD if action.on else ContactCenterEventType.USER_UNHOLD
                self._happenings.append(Happening(kind, part.person))
            case VoiceEvent():
                self._happenings.append(Happening(ContactCenterEventType(action.event), part.person))

    def pause(self) -> None:
        if not self.paused:
            self._truth.pauses.append(Pause(self.now_ms))

    def resume(self) -> None:
        if self.paused:
            self._truth.pauses[-1].end_ms = self.now_ms

    def end(self) -> tuple[Phrase, ...]:
        """Stop here; give the phrases that were heard and whose transcripts are still owed."""
        self._truth.ended_ms = self.now_ms
        return (*(phrase for _, phrase in self._transcribed), *self._corrected)

    def step(self) -> Moment:
        """Play the next 20 ms."""
        now_ms = self.now_ms
        for action in _due(self._people_do, self._steps * STEP_MS):
            try:
                self.perform(action)
            except SimulatorError as error:
                if not isinstance(action, Joins):  # who joins twice has joined
                    self._tell(f"at {action.at_ms / 1000:g} s the timeline could not be followed: {error}")
        sounds = []
        for part in self.parts.values():
            spoken = self._spoken_by(part)
            if spoken is None:
                part.span = None
                continue
            if part.span is None:
                part.span = Span(now_ms)
                self._truth.tracks.setdefault(part.person.user_id, []).append(part.span)
                self._speaks_now(part.person)
            pcm, step = spoken
            part.span.add(pcm, step.name, step.number)
            self._scenery.spoke(part.person)
            sounds.append(Sound(part.person, part.span.timestamp_ms, pcm, step))
        if not sounds:
            self._mixed_spurt_ms = None
        elif self._mixed_spurt_ms is None:
            self._mixed_spurt_ms = now_ms
        self._steps += 1
        happenings, self._happenings = tuple(self._happenings), []
        chats, self._chats = tuple(self._chats), []
        view = NOTHING_TO_SEE if self.paused else self._scenery.view
        mixed_spurt_ms = self._mixed_spurt_ms or now_ms
        return Moment(now_ms, tuple(sounds), mixed_spurt_ms, happenings, self._transcripts(), chats, view)

    def _spoken_by(self, part: Part) -> tuple[bytes, Step] | None:
        if part.saying is None:
            return None
        sentence = part.saying.sentence
        offset = part.spoken_steps * STEP_BYTES
        pcm = sentence.pcm[offset : offset + STEP_BYTES]
        step = Step(encoded_name(sentence), part.spoken_steps)
        heard = part.present and not part.muted and not part.held and not self.paused
        part.spoken_steps += 1
        part.heard_steps += heard
        if offset + STEP_BYTES >= len(sentence.pcm):
            part.saying = None
            if part.heard_steps == part.spoken_steps:
                self._heard(part, sentence.text)
        return (pcm, step) if heard else None

    def _heard(self, part: Part, text: str) -> None:
        if not text:
            return  # a sound without words
        person = part.person
        phrase = Phrase(person.user_id, part.began_ms, self.now_ms + STEP_MS, text, person.language)
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
        for phrase in ready:
            self.parts[phrase.user_id].said = phrase
        corrected, self._corrected = tuple(self._corrected), []
        return ready + corrected

    def _correct(self, part: Part, action: Corrects) -> None:
        if part.said is None or part.said.attribute == DataMessageAttribute.DELETE:
            raise SimulatorError(f"there is no transcript of {part.person.name} that could be corrected")
        deleted = action.text is None
        attribute = DataMessageAttribute.DELETE if deleted else DataMessageAttribute.UPDATE
        part.said = replace(part.said, text=action.text or "", attribute=int(attribute))
        self._corrected.append(part.said)

    def _speaks_now(self, person: Person) -> None:
        if self._speaker != person.user_id:
            self._speaker = person.user_id
            self._truth.speakers.append(Change(self.now_ms, person.user_id))
            self._happenings.append(Happening(EventType.ACTIVE_SPEAKER_CHANGE, person))


_Timed = TypeVar("_Timed", PersonAction, StreamAction)


def _due(timeline: deque[_Timed], at_ms: int) -> Iterator[_Timed]:
    while timeline and timeline[0].at_ms <= at_ms:
        yield timeline.popleft()
