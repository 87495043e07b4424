"""A meeting written down in TOML (docs/scenarios.md)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import LANGUAGE_NUMBERS, MediaDataType
from rtmsd.simulator.actions import Action
from rtmsd.simulator.admission import ID_KEYS
from rtmsd.simulator.behaviour_words import read_behaviour
from rtmsd.simulator.cast import Cast
from rtmsd.simulator.held import Held, read_held
from rtmsd.simulator.held_actions import HeldAction
from rtmsd.simulator.meeting import Meeting, Person, Role, zoom_user_id
from rtmsd.simulator.products import MEETING, PRODUCTS
from rtmsd.simulator.reading import Fields
from rtmsd.simulator.speech import STEP_MS, load_sentences
from rtmsd.simulator.vocabulary import read_action

MEDIA = {
    "audio": MediaDataType.AUDIO,
    "video": MediaDataType.VIDEO,
    "share": MediaDataType.DESKSHARE,
    "transcript": MediaDataType.TRANSCRIPT,
    "chat": MediaDataType.CHAT,
}


@dataclass(frozen=True)
class Script:
    """A meeting, and how it is held; None when only its stream is played."""

    meeting: Meeting
    held: Held | None = None


def load_scenario(path: Path, *, number: int = 0) -> Meeting:
    """Read a scenario's meeting; see `load_script`."""
    return load_script(path, number=number).meeting


def load_script(path: Path, *, number: int = 0) -> Script:
    """Read a scenario; blocks while it reads.

    `number` counts from 0 where one scenario is played several times: each has another seed, so that no two of them
    sound alike. Raises SimulatorError that names every problem with its path.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SimulatorError(f"{path}: expected a scenario, could not read it ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SimulatorError(f"{path}: expected TOML: {error}") from error
    problems: list[str] = []
    script = _read(Fields(document, path="", problems=problems), number)
    if script is None:
        heading = f"{path}: {len(problems)} problem{'s' * (len(problems) != 1)}; nothing was played"
        raise SimulatorError("\n  ".join([heading, *problems]))
    return script


def _read(fields: Fields, number: int) -> Script | None:
    ends_ms = int(fields.number("seconds", least=1, most=86_400) * 1000) // STEP_MS * STEP_MS
    seed = fields.whole("seed", 1) + number
    media = MediaDataType(0)
    for name in fields.words("media", MEDIA, ("audio", "transcript")):
        media |= MEDIA.get(name, 0)
    product = PRODUCTS.get(fields.one_of("product", PRODUCTS, "meeting"), MEETING)
    if fields.has("id_key"):
        product = replace(product, id_key=fields.one_of("id_key", ID_KEYS))
    if media & ~product.media:
        fields.problem("media", f"there are no scopes for all of that in the product {product.name}")
    nested = fields.flag("nested", False)
    language_after_secs = fields.number("language_after_secs", 30.0)
    behaviour = read_behaviour(fields.table("behaviour"))
    pace = fields.number("pace", 1.0, least=1, most=1000)
    people = _people(fields)
    cast = Cast({person.name: person.user_id for person in people}, load_sentences(), media, seed, product)
    timeline = [_action(entry, cast, ends_ms) for entry in fields.tables("timeline")]
    held = read_held(fields.table("meeting"), people) if fields.has("meeting") else None
    if held is not None and product is not MEETING:
        fields.problem("meeting", f"people gather in a meeting only, not in the product {product.name}")
    if held is None and any(isinstance(action, HeldAction) for action in timeline):
        fields.problem(
            "timeline", "nobody is let in or takes over in a meeting that is not held; write [meeting]"
        )
    fields.finish()
    if fields.problems:
        return None
    happens = tuple(action for action in timeline if action is not None)
    try:
        meeting = Meeting(
            people,
            happens,
            ends_ms,
            media=media,
            seed=seed,
            product=product,
            nested=nested,
            language_after_secs=language_after_secs,
            behaviour=behaviour,
            pace=pace,
        )
    except SimulatorError as error:
        fields.problem("timeline", str(error))
        return None
    return Script(meeting, held)


def _people(fields: Fields) -> tuple[Person, ...]:
    people: list[Person] = []
    for number, entry in enumerate(fields.tables("people")):
        person = Person(
            entry.whole("user_id", zoom_user_id(number), least=1, most=2**31 - 1),
            entry.text("name"),
            LANGUAGE_NUMBERS.get(entry.one_of("language", LANGUAGE_NUMBERS, "en"), 0),
            "consumer" if entry.one_of("role", get_args(Role), "agent") == "consumer" else "agent",
        )
        entry.finish()
        if person.name in [other.name for other in people]:
            entry.problem("name", f'there is already a person "{person.name}"; timelines name people by it')
        if person.user_id in [other.user_id for other in people]:
            entry.problem("user_id", f"{person.user_id} is already somebody else's")
        people.append(person)
    if not people:
        fields.problem("people", 'nobody is there; write people = [{ name = "…" }]')
    return tuple(people)


def _action(entry: Fields, cast: Cast, ends_ms: int) -> Action | None:
    at_ms = round(entry.number("at_secs") * 1000)
    if at_ms % STEP_MS:
        entry.problem("at_secs", f"expected a multiple of {STEP_MS / 1000:g} s, got {at_ms / 1000:g}")
    elif at_ms >= ends_ms > 0:
        entry.problem("at_secs", f"{at_ms / 1000:g} s is not before the end at {ends_ms / 1000:g} s")
    return read_action(entry, cast, at_ms)
