"""The meeting of `--manual`: a guest comes first, the host some time later, and nothing starts by itself."""

from __future__ import annotations

from rtmsd.simulator.actions import Joins, Says
from rtmsd.simulator.meeting import Meeting, Person, whole_steps_ms, zoom_user_id
from rtmsd.simulator.speech import load_sentences

GUEST_FIRST_SECONDS = 32.0
HOST_COMES_MS = 12_000
HOST, GUEST = zoom_user_id(0), zoom_user_id(1)


def guest_first_meeting(seconds: float = GUEST_FIRST_SECONDS) -> Meeting:
    """The guest talks alone, the host comes after 12 s, and from the 16th second on both talk.

    A longer meeting is silent at its end, a shorter one is cut.
    """
    sentences = load_sentences()
    timeline = (
        Joins(0, GUEST),
        Says(2_000, GUEST, sentences["late"]),
        Joins(HOST_COMES_MS, HOST),
        Says(16_000, HOST, sentences["begin"]),
        Says(19_000, GUEST, sentences["tests"]),
        Says(22_000, HOST, sentences["open"]),
        Says(25_000, GUEST, sentences["mine"]),
        Says(28_000, HOST, sentences["close"]),
    )
    ends_ms = whole_steps_ms(seconds)
    people = (Person(HOST, "Mira Tal"), Person(GUEST, "Tomas Vik"))
    return Meeting(people, tuple(one for one in timeline if one.at_ms < ends_ms), ends_ms)
