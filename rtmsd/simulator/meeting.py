"""A meeting as data: people, a timeline, what Zoom grants of it; and the meeting that is played without a scenario."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaDataType, StopReason
from rtmsd.simulator.actions import Action, Joins, Leaves, Mutes, Says, StreamAction, Unmutes
from rtmsd.simulator.behaviour import DEFAULT_BEHAVIOUR, Behaviour
from rtmsd.simulator.person_actions import Chats
from rtmsd.simulator.products import MEETING, Product
from rtmsd.simulator.remaining import remaining
from rtmsd.simulator.speech import STEP_MS, Sentence, load_sentences

Role = Literal["consumer", "agent"]

TRANSCRIPT_LATEST_MS = 1500
"""A transcript comes at most this long after its phrase (protocol.md §5.6 measured 0.5–2.1 s)."""


@dataclass(frozen=True)
class Person:
    """Somebody of the meeting. `language` (protocol.md §6.10) is what their transcripts are found to be in.

    In a contact centre a person is a party of the call: `role` is "consumer" or "agent", and their sound is known by
    `channel` alone.
    """

    user_id: int
    name: str
    language: int = 9
    role: Role = "agent"

    @property
    def channel(self) -> str:
        """The SIP channel's id. What Zoom's look like is not published."""
        return f"sip-channel-{self.user_id:08x}"


@dataclass(frozen=True)
class Meeting:
    """A meeting to play. Times are multiples of 20 ms; people are outside and unmuted until the timeline says otherwise.

    `media` is what Zoom grants of it; `seed` decides how late transcripts are; `nested` puts the payload of webhooks
    into an `object`; `language_after_secs` is when Zoom begins to tell languages apart; `pace` makes its patience shorter
    by that factor, without changing the meeting. Raises SimulatorError when the
    timeline cannot be played.
    """

    people: tuple[Person, ...]
    timeline: tuple[Action, ...]
    ends_ms: int
    reason: int = StopReason.MEETING_ENDED
    media: MediaDataType = MediaDataType.AUDIO | MediaDataType.TRANSCRIPT
    seed: int = 1
    product: Product = MEETING
    nested: bool = False
    language_after_secs: float = 30.0
    behaviour: Behaviour = DEFAULT_BEHAVIOUR
    pace: float = 1.0

    def __post_init__(self) -> None:
        known = {person.user_id for person in self.people}
        if len(known) != len(self.people) or 0 in known:
            raise SimulatorError(
                f"the people of a meeting need distinct user ids other than 0, got {self.people}"
            )
        for action in self.timeline:
            if action.at_ms % STEP_MS or action.at_ms < 0:
                raise SimulatorError(f"{action} must be at a multiple of {STEP_MS} ms from the start")
            if isinstance(action, StreamAction):
                continue
            if action.user_id not in known:
                raise SimulatorError(
                    f"{action} is about nobody: the meeting has the user ids {sorted(known)}"
                )
            if (problem := self.product.problem(action, self.media)) is not None:
                raise SimulatorError(problem)
        for user_id in known:
            self._check_speech(user_id)
        self._check_chat(known)

    def cut(self, seconds: float) -> Meeting:
        """Give the same meeting, ended after so many seconds if it is longer."""
        ends_ms = whole_steps_ms(seconds)
        if ends_ms >= self.ends_ms:
            return self
        timeline = tuple(action for action in self.timeline if action.at_ms < ends_ms)
        return replace(self, timeline=timeline, ends_ms=ends_ms)

    def rest(self, from_ms: int, *, present: Collection[int] | None = None) -> Meeting:
        """Give the same meeting as it goes on from then, for a stream that begins in the middle of it.

        Who is there, and how, is so at its first moment; sentences that have begun are left out. With `present`, these
        people are there instead, and the timeline lets nobody come or go. What is over has a rest of no length.
        """
        from_ms = from_ms // STEP_MS * STEP_MS
        timeline = remaining(self.timeline, from_ms, present)
        return replace(self, timeline=timeline, ends_ms=max(self.ends_ms - from_ms, 0))

    def without(self, actions: Collection[Action]) -> Meeting:
        """Give the same meeting in which these do not happen."""
        return replace(self, timeline=tuple(action for action in self.timeline if action not in actions))

    def _check_chat(self, known: Collection[int]) -> None:
        labels = set()
        for action in sorted(self.timeline, key=lambda action: action.at_ms):
            if isinstance(action, Chats):
                if action.of and action.of not in labels:
                    raise SimulatorError(
                        f'no earlier chat message is labelled "{action.of[:40]}"; write label = "{action.of[:40]}" at it'
                    )
                if action.to is not None and action.to not in known:
                    raise SimulatorError(
                        f"{action} is to nobody: the meeting has the user ids {sorted(known)}"
                    )
                labels.add(action.label)

    def _check_speech(self, user_id: int) -> None:
        phrases = [one for one in self.timeline if isinstance(one, Says) and one.user_id == user_id]
        for earlier, later in itertools.pairwise(sorted(phrases, key=lambda phrase: phrase.at_ms)):
            if later.at_ms < earlier.end_ms:
                raise SimulatorError(
                    f"user {user_id} begins a sentence at {later.at_ms} ms before the one before has ended"
                    f" at {earlier.end_ms} ms; nobody says two things at once"
                )


FIRST_USER_ID, USER_ID_STEP = 0x01000400, 1024


def zoom_user_id(number: int) -> int:
    """Give the id of the person that came as the `number`th, from 0: Zoom counts in steps of 1024 (protocol.md §5.0)."""
    return FIRST_USER_ID + USER_ID_STEP * number


_ANN, _BO, _CY = (zoom_user_id(number) for number in range(3))
_ROUND_MS = 24_000
DEFAULT_SECONDS = 24.5


def default_meeting(seconds: float = DEFAULT_SECONDS) -> Meeting:
    """Three people talk about a release: overlap, mute, a late arrival, an early leave, then the end.

    A shorter meeting keeps the sentences whose transcript still comes before its end; a longer one goes round again.
    """
    ends_ms = whole_steps_ms(seconds)
    return Meeting(
        people=(Person(_ANN, "Mira Tal"), Person(_BO, "Tomas Vik"), Person(_CY, "Ines Roy")),
        timeline=tuple(_shortened(_rounds(ends_ms), ends_ms)),
        ends_ms=ends_ms,
    )


def _rounds(ends_ms: int) -> Iterable[Action]:
    sentences = load_sentences()
    yield Joins(0, _ANN)
    yield Joins(0, _BO)
    for start_ms in range(0, ends_ms, _ROUND_MS):
        for action in _one_round(sentences):
            yield replace(action, at_ms=start_ms + action.at_ms)


def _one_round(sentences: dict[str, Sentence]) -> tuple[Action, ...]:
    return (
        Says(700, _ANN, sentences["begin"]),
        Says(3_400, _BO, sentences["tests"]),
        Joins(5_000, _CY),
        Says(7_000, _CY, sentences["late"]),
        Mutes(9_000, _BO),
        Says(9_900, _ANN, sentences["open"]),
        Says(10_200, _BO, sentences["mine"]),  # on mute, until 12 700: nobody hears it
        Says(12_000, _CY, sentences["names"]),  # until 14 080
        Unmutes(12_900, _BO),
        Says(13_100, _BO, sentences["mine"]),  # both are heard for a second
        Says(15_900, _ANN, sentences["thursday"]),
        Says(18_400, _CY, sentences["leaving"]),
        Leaves(21_200, _CY),
        Says(21_000, _ANN, sentences["close"]),
    )


def _shortened(timeline: Iterable[Action], ends_ms: int) -> Iterable[Action]:
    for action in timeline:
        last_ms = action.end_ms + TRANSCRIPT_LATEST_MS if isinstance(action, Says) else action.at_ms + STEP_MS
        if last_ms <= ends_ms:
            yield action


def whole_steps_ms(seconds: float) -> int:
    """Give a meeting's length in ms, a multiple of 20. Raises SimulatorError when no meeting is so long or so short."""
    if not 1 <= seconds <= 86_400:
        raise SimulatorError(f"a meeting lasts between 1 second and a day, not {seconds:g} seconds")
    return int(seconds * 1000) // STEP_MS * STEP_MS
