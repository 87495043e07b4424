"""pocketsphinx: on this machine, offline, its model of American English inside its wheel.

It understands little of real speech; it is there so that everything can be tried without a service and a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

from msgspec import Meta

from rtmsd_transcribe.engines.local import Local

# A quarter of a second per second of sound when the machine is idle.
_LONGEST_SECS, _ANSWER_SECS, _START_SECS = 15.0, 120.0, 60.0


@dataclass(frozen=True, kw_only=True)
class PocketSphinxOptions:
    """`processes`: how many pieces are understood at the same time; each takes a core and 100 MB."""

    processes: Annotated[int, Meta(ge=1, le=64)] = 1
    pause_secs: Annotated[float, Meta(ge=0.2, le=5)] = 0.4

    def __post_init__(self) -> None:
        if find_spec("pocketsphinx") is None:
            raise ValueError("pocketsphinx is not installed: pip install 'rtmsd[pocketsphinx]'")


class PocketSphinx(Local):
    """The engine; see `engine.Engine`. It takes every language for English."""

    name = "pocketsphinx"
    options = PocketSphinxOptions

    def __init__(self, options: PocketSphinxOptions) -> None:
        super().__init__(
            {},
            processes=options.processes,
            longest_secs=_LONGEST_SECS,
            pause_secs=options.pause_secs,
            start_secs=_START_SECS,
            answer_secs=_ANSWER_SECS,
        )
