"""The truth of a meeting's sound as a socket with certain parameters must carry it, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator

from rtmsd.simulator.audio_codecs import AudioParams, Step
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.moment import Moment, Sound
from rtmsd.simulator.sound import PacketCutter
from rtmsd.simulator.speech import STEP_BYTES, STEP_MS
from rtmsd.simulator.truth import Span, Truth


def sent_audio(truth: Truth, params: AudioParams) -> dict[int, list[tuple[int, bytes]]]:
    """List what one who heard all of it has received, by user id: (timestamp, data)."""
    cutter = PacketCutter(params)
    packets = [packet for moment in _moments(truth) for packet in cutter.cut(moment)] + cutter.rest()
    sent: dict[int, list[tuple[int, bytes]]] = {}
    for packet in packets:
        sent.setdefault(packet.person.user_id, []).append((packet.timestamp_ms, packet.data))
    return sent


def _moments(truth: Truth) -> Iterator[Moment]:
    """Play the sound of the meeting again, in the order of its people."""
    sounds: dict[int, list[Sound]] = {}
    for user_id, name in truth.names.items():
        for span in truth.tracks.get(user_id, []):
            for at_ms, sound in _sounds(span, Person(user_id, name)):
                sounds.setdefault(at_ms, []).append(sound)
    last_ms: int | None = None
    mixed_spurt_ms = 0
    for at_ms in sorted(sounds):
        if last_ms is None or at_ms != last_ms + STEP_MS:
            yield Moment(at_ms - STEP_MS, (), 0, (), ())  # silence ends what was being said
            mixed_spurt_ms = at_ms
        last_ms = at_ms
        yield Moment(at_ms, tuple(sounds[at_ms]), mixed_spurt_ms, (), ())


def _sounds(span: Span, person: Person) -> Iterator[tuple[int, Sound]]:
    steps = [
        Step(run.name, number) for run in span.runs for number in range(run.first, run.first + run.steps)
    ]
    for number, step in enumerate(steps):
        pcm = bytes(span.pcm[number * STEP_BYTES : (number + 1) * STEP_BYTES])
        yield span.timestamp_ms + number * STEP_MS, Sound(person, span.timestamp_ms, pcm, step)
