"""From moments of a meeting to the audio packets that one socket asked for, and the buffer they wait in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtmsd.protocol.codes import MediaDataOption
from rtmsd.simulator.audio_codecs import AudioParams, payload
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.moment import Moment, Sound
from rtmsd.simulator.speech import STEP_MS

EVERYBODY = Person(0, "")
"""Who speaks in mixed audio: the official client drops it without a `user_name` key (protocol.md §5.6)."""


@dataclass(frozen=True)
class Packet:
    person: Person
    timestamp_ms: int
    data: bytes


class AudioBuffer:
    """The last seconds of a meeting, from which a socket that comes late, or comes back, is served first."""

    def __init__(self, seconds: float) -> None:
        self._moments: deque[Moment] = deque(maxlen=int(seconds * 1000 / STEP_MS))

    def append(self, moment: Moment) -> None:
        self._moments.append(moment)

    def since(self, from_ms: int) -> list[Moment]:
        return [moment for moment in self._moments if moment.at_ms >= from_ms]


class PacketCutter:
    """Collects the 20 ms pieces of each talk spurt into packets of the send rate that was asked for.

    Packets are counted from the start of their spurt, so that a replay cuts the same packets again; one that a
    replay would begin in the middle is left out. What remains at the end of a spurt is a shorter packet.

    Mixed sound is added up; but in Opus and G.722, which nobody can add, it is the first of those who speak.
    """

    def __init__(self, params: AudioParams) -> None:
        self._params = params
        self._open: dict[int, _Open] = {}

    def cut(self, moment: Moment) -> list[Packet]:
        """Take the next moment; give the packets that it completes."""
        sounds = moment.sounds
        if sounds and self._params.data_opt == MediaDataOption.AUDIO_MIXED_STREAM:
            mixed = mix(sound.pcm for sound in sounds)
            sounds = (Sound(EVERYBODY, moment.mixed_spurt_ms, mixed, sounds[0].step),)
        heard = {sound.person.user_id for sound in sounds}
        packets = [self._close(user_id) for user_id in list(self._open) if user_id not in heard]
        for sound in sounds:
            packets += self._add(sound, moment.at_ms)
        return packets

    def rest(self) -> list[Packet]:
        """Give what is left when the meeting ends or pauses."""
        return [self._close(user_id) for user_id in list(self._open)]

    def _add(self, sound: Sound, at_ms: int) -> list[Packet]:
        user_id = sound.person.user_id
        packets = []
        present = self._open.get(user_id)
        if present and present.first.spurt_ms != sound.spurt_ms:
            packets.append(self._close(user_id))
            present = None
        if present is None:
            if (at_ms - sound.spurt_ms) % self._params.send_rate:
                return packets
            present = self._open[user_id] = _Open(sound, at_ms, bytearray())
        present.pcm += sound.pcm
        if len(present.pcm) >= self._params.send_rate * 32:
            packets.append(self._close(user_id))
        return packets

    def _close(self, user_id: int) -> Packet:
        done = self._open.pop(user_id)
        person = done.first.person
        data = payload(
            bytes(done.pcm),
            done.first.step,
            self._params,
            user_id=person.user_id,
            timestamp_ms=done.start_ms,
        )
        return Packet(person, done.start_ms, data)


@dataclass
class _Open:
    first: Sound
    start_ms: int
    pcm: bytearray


def mix(voices: Iterable[bytes]) -> bytes:
    """Add 16-bit sounds of the same length, saturating."""
    total: NDArray[np.int32] = np.sum([np.frombuffer(pcm, "<i2").astype(np.int32) for pcm in voices], axis=0)
    return np.clip(total, -32768, 32767).astype("<i2").tobytes()
