"""What 20 ms of a meeting are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtmsd.protocol.codes import ContactCenterEventType, EventType
from rtmsd.simulator.audio_codecs import Step
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.truth import Phrase, Written

SOME_STEP = Step("hum0", 0)


@dataclass(frozen=True)
class Sound:
    """One participant's 20 ms. `spurt_ms` is when this stretch of talk began; packets are counted from there."""

    person: Person
    spurt_ms: int
    pcm: bytes
    step: Step = SOME_STEP


@dataclass(frozen=True)
class Happening:
    """Something that Zoom tells in an event."""

    kind: EventType | ContactCenterEventType
    person: Person
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What there is to see: whose cameras are on, which of them the active speaker's video shows, who shares."""

    cameras: tuple[Person, ...] = ()
    active: Person | None = None
    sharer: Person | None = None


NOTHING_TO_SEE = View()


@dataclass(frozen=True)
class Moment:
    """What 20 ms of meeting brought. `phrases` are those whose transcript, or its correction, is ready now."""

    at_ms: int
    sounds: tuple[Sound, ...]
    mixed_spurt_ms: int
    happenings: tuple[Happening, ...]
    phrases: tuple[Phrase, ...]
    chats: tuple[Written, ...] = ()
    view: View = NOTHING_TO_SEE
