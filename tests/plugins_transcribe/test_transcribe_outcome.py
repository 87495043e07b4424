"""Which sound is sent again, and which is given up: after how many lost sessions, and how much of it."""

from __future__ import annotations

import random

import pytest

from rtmsd_transcribe.engine import RATE
from rtmsd_transcribe.outcome import LOST_TRIES, STALLED_TRIES, Outcome

Step = tuple[str, int]


def after(steps: list[Step], *, engines: int = 1) -> tuple[int, float]:
    """Say where the next session begins, and what is lost (s)."""
    outcome = Outcome()
    for what, secs in steps:
        if what == "answered":
            outcome.answer(secs * RATE)
        elif what == "forgotten":
            outcome.give_up(secs * RATE)
        elif what == "skipped":
            outcome.lose(0, secs * RATE)
        else:
            outcome.fail(secs * RATE, stalled=what == "stalled", engines=engines)
    return outcome.answered // RATE, outcome.lost_secs


LOST = [("lost", 10)]
LONG = [("lost", 30)]

TABLE: dict[str, tuple[list[Step], int, tuple[int, float]]] = {
    "not yet": (LOST * (LOST_TRIES - 1), 1, (0, 0.0)),
    "often enough": (LOST * LOST_TRIES, 1, (10, 10.0)),
    "each of many engines has it": (LOST * (LOST_TRIES + 1), LOST_TRIES + 2, (0, 0.0)),
    "not what only the last one took": (LOST * (LOST_TRIES - 1) + LONG, 1, (10, 10.0)),
    "nor what only the first one took": (LONG + LOST * (LOST_TRIES - 1), 1, (10, 10.0)),
    "what follows has fewer tries left": (LONG * 7 + LOST + LONG, 1, (30, 30.0)),
    "an answer begins anew": (LOST * 7 + [("answered", 2)] + LOST * 7, 1, (2, 0.0)),
    "then from there on": (LOST * 7 + [("answered", 2)] + LOST * 8, 1, (10, 8.0)),
    "an old answer is none": (LOST * 7 + [("answered", 0)] + LOST, 1, (10, 10.0)),
    "who took nothing new tried nothing": ([("answered", 10)] + LOST * 99, 1, (10, 0.0)),
    "stalled once": ([("stalled", 10)], 1, (0, 0.0)),
    "stalled twice": ([("stalled", 10)] * STALLED_TRIES, 1, (10, 10.0)),
    "with other losses between": ([("stalled", 10), *LOST, ("stalled", 12)], 1, (10, 10.0)),
    "a stall is a loss too": ([*LOST * 7, ("stalled", 10)], 1, (10, 10.0)),
    "three engines": ([("stalled", 10)] * 2, 3, (0, 0.0)),
    "three engines, each": ([("stalled", 10)] * 3, 3, (10, 10.0)),
    "what is forgotten is lost": ([("answered", 2), ("forgotten", 5)], 1, (5, 3.0)),
    "and its tries stay": (LOST * 7 + [("forgotten", 5)] + LOST, 1, (10, 10.0)),
    "each part is lost once": ([("skipped", 6), ("skipped", 6), ("forgotten", 8)], 1, (8, 8.0)),
}


@pytest.mark.parametrize(("steps", "engines", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_given_up(steps: list[Step], engines: int, expected: tuple[int, float]) -> None:
    """After these steps the next session begins there, and so much is lost."""
    assert after(steps, engines=engines) == expected


@pytest.mark.parametrize("seed", range(20))
def test_no_sound_is_sent_more_often_than_allowed(seed: int) -> None:
    """However far sessions come before they are lost: each second has its tries, all of them, and no more."""
    chance = random.Random(seed)
    outcome, sent = Outcome(), [0] * 60
    while outcome.answered < 60 * RATE:
        first, end = outcome.answered // RATE, chance.randint(1, 60)
        for second in range(first, end):
            sent[second] += 1
        outcome.fail(end * RATE, stalled=False, engines=1)
    assert sent == [LOST_TRIES] * 60 and outcome.lost_secs == 60
