"""What the words of a scenario may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator.products import MEETING, Product
from rtmsd.simulator.reading import Fields
from rtmsd.simulator.speech import Sentence


@dataclass(frozen=True)
class Cast:
    """People by their names, sentences by theirs; `seed` goes into all noise."""

    people: Mapping[str, int]
    sentences: Mapping[str, Sentence]
    media: MediaDataType
    seed: int = 1
    product: Product = MEETING


def who(fields: Fields, cast: Cast) -> int:
    return cast.people.get(fields.one_of("who", cast.people), 0)
