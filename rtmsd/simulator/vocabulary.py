"""How an action is written, in a scenario's timeline and for the control URL alike: `do` names it, the rest says more.

docs/scenarios.md lists the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from rtmsd.protocol.codes import MediaDataType, StopReason
from rtmsd.simulator.actions import (
    Action,
    Chats,
    DropHow,
    Drops,
    Ends,
    FallsSilent,
    Joins,
    Leaves,
    Mutes,
    Pauses,
    PostsWebhooks,
    Resumes,
    Says,
    SocketName,
    Unmutes,
)
from rtmsd.simulator.reading import Fields
from rtmsd.simulator.speech import STEP_MS, Sentence
from rtmsd.simulator.speech.generated import noise, tone

_LONGEST_SOUND_SECS = 600.0
_DAY_SECS = 86_400.0


@dataclass(frozen=True)
class Cast:
    """What actions may name: people by their names, sentences by theirs; `seed` goes into all noise."""

    people: Mapping[str, int]
    sentences: Mapping[str, Sentence]
    media: MediaDataType
    seed: int = 1


def read_action(fields: Fields, cast: Cast, at_ms: int) -> Action | None:
    """Read one action that happens at `at_ms`; what is wrong with it is noted in the problems of `fields`."""
    word = fields.one_of("do", _WORDS)
    if not word:
        return None  # without it nobody knows which other keys there may be
    action = _WORDS[word](fields, cast, at_ms)
    fields.finish()
    return action


def _who(fields: Fields, cast: Cast) -> int:
    return cast.people.get(fields.one_of("who", cast.people), 0)


def _says(fields: Fields, cast: Cast, at_ms: int) -> Action:
    user_id = _who(fields, cast)
    if fields.has("sentence"):
        name = fields.one_of("sentence", cast.sentences)
        return Says(at_ms, user_id, cast.sentences.get(name, Sentence("", b"")))
    if fields.has("tone_hz") == fields.has("noise"):
        fields.problem(
            "", 'says something: give "sentence", or "seconds" and either "tone_hz" or "noise" (a seed)'
        )
    longest = _LONGEST_SOUND_SECS
    length_ms = int(fields.number("seconds", least=STEP_MS / 1000, most=longest) * 1000) // STEP_MS * STEP_MS
    text = fields.text("text", "")
    if fields.has("tone_hz"):
        return Says(
            at_ms, user_id, Sentence(text, tone(fields.number("tone_hz", least=20, most=8000), length_ms))
        )
    return Says(at_ms, user_id, Sentence(text, noise((cast.seed, fields.whole("noise", 0)), length_ms)))


def _chats(fields: Fields, cast: Cast, at_ms: int) -> Action:
    if MediaDataType.CHAT not in cast.media:
        fields.problem("do", 'this meeting has no chat; write media = ["audio", "transcript", "chat"]')
    return Chats(at_ms, _who(fields, cast), fields.text("text"))


def _drops(fields: Fields, _: Cast, at_ms: int) -> Action:
    socket = fields.one_of("socket", get_args(SocketName), "signaling")
    how = fields.one_of("how", get_args(DropHow), "reset")
    if fields.has("code") and how != "close":
        fields.problem("code", 'only a Close frame has one; write how = "close"')
    # Literal members: one_of has just checked both
    return Drops(at_ms, socket, how, fields.whole("code", 1000, least=1000, most=4999))  # type: ignore[arg-type]


_WORDS: dict[str, Callable[[Fields, Cast, int], Action]] = {
    "join": lambda fields, cast, at_ms: Joins(at_ms, _who(fields, cast)),
    "leave": lambda fields, cast, at_ms: Leaves(at_ms, _who(fields, cast)),
    "mute": lambda fields, cast, at_ms: Mutes(at_ms, _who(fields, cast)),
    "unmute": lambda fields, cast, at_ms: Unmutes(at_ms, _who(fields, cast)),
    "say": _says,
    "chat": _chats,
    "pause": lambda fields, cast, at_ms: Pauses(at_ms),
    "resume": lambda fields, cast, at_ms: Resumes(at_ms),
    "drop": _drops,
    "silence": lambda fields, cast, at_ms: FallsSilent(at_ms, fields.number("seconds", most=_DAY_SECS)),
    "webhooks": lambda fields, cast, at_ms: PostsWebhooks(
        at_ms, fields.whole("copies", 1, most=100), fields.number("delay_secs", 0.0, most=_DAY_SECS)
    ),
    "end": lambda fields, cast, at_ms: Ends(
        at_ms, fields.whole("reason", StopReason.MEETING_ENDED, most=10_000)
    ),
}
WORDS = tuple(_WORDS)
