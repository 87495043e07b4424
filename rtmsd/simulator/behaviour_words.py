"""How a scenario writes its `[behaviour]`."""

from __future__ import annotations

from typing import Any, get_args

from rtmsd.simulator import distortions
from rtmsd.simulator.behaviour import (
    Behaviour,
    InterruptedUrls,
    MediaKeepAlives,
    MediaParams,
    PausesAre,
    RetriedWebhooks,
    SecondSignaling,
    WindowReason,
    WrongSignature,
)
from rtmsd.simulator.reading import Fields

_CHOICES: dict[str, object] = {
    "wrong_signature": WrongSignature,
    "second_signaling": SecondSignaling,
    "media_params": MediaParams,
    "media_keep_alives": MediaKeepAlives,
    "window_reason": WindowReason,
    "interrupted_urls": InterruptedUrls,
    "pauses": PausesAre,
    "retried_webhooks": RetriedWebhooks,
}


def read_behaviour(fields: Fields) -> Behaviour:
    """Read the table; what is wrong with it is noted in the problems of `fields`."""
    usual = Behaviour()
    chosen: dict[str, Any] = {  # of one Literal type each
        key: fields.one_of(key, get_args(words), getattr(usual, key)) for key, words in _CHOICES.items()
    }
    for key in ("signaling_window_secs", "media_window_secs"):
        chosen[key] = fields.number(key, least=1, most=3600) if fields.has(key) else None
    chosen["distort"] = tuple(fields.words("distort", distortions.WORDS, ()))
    chosen["official_client_strict"] = fields.flag("official_client_strict", False)
    fields.finish()
    return Behaviour(**chosen)
