"""How an action is written, in a scenario's timeline and for the control URL alike: `do` names it, the rest says more.

docs/scenarios.md lists the words.
"""

from __future__ import annotations

from collections.abc import Callable

from rtmsd.simulator.actions import Action, Joins, Leaves, Mutes, Says, Unmutes
from rtmsd.simulator.cast import Cast, who
from rtmsd.simulator.held_actions import Admits, MakesHost
from rtmsd.simulator.person_words import PERSON_WORDS
from rtmsd.simulator.reading import Fields
from rtmsd.simulator.speech import STEP_MS, Sentence
from rtmsd.simulator.speech.generated import noise, tone
from rtmsd.simulator.stream_words import STREAM_WORDS

_LONGEST_SOUND_SECS = 600.0


def read_action(fields: Fields, cast: Cast, at_ms: int) -> Action | None:
    """Read one action that happens at `at_ms`; what is wrong with it is noted in the problems of `fields`."""
    word = fields.one_of("do", _WORDS)
    if not word:
        return None  # without it nobody knows which other keys there may be
    action = _WORDS[word](fields, cast, at_ms)
    if (problem := cast.product.problem(action, cast.media)) is not None:
        fields.problem("do", problem)
    fields.finish()
    return action


def _says(fields: Fields, cast: Cast, at_ms: int) -> Action:
    user_id = who(fields, cast)
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


_WORDS: dict[str, Callable[[Fields, Cast, int], Action]] = {
    "join": lambda fields, cast, at_ms: Joins(at_ms, who(fields, cast)),
    "leave": lambda fields, cast, at_ms: Leaves(at_ms, who(fields, cast)),
    "mute": lambda fields, cast, at_ms: Mutes(at_ms, who(fields, cast)),
    "unmute": lambda fields, cast, at_ms: Unmutes(at_ms, who(fields, cast)),
    "say": _says,
    "admit": lambda fields, cast, at_ms: Admits(at_ms, who(fields, cast)),
    "make_host": lambda fields, cast, at_ms: MakesHost(at_ms, who(fields, cast)),
    **PERSON_WORDS,
    **STREAM_WORDS,
}
WORDS = tuple(_WORDS)
