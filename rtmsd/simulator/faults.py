"""What is wrong, at the moment, with the server that serves one stream: who is turned away, what is garbled, how dark it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.distortions import MESSAGES, Sent
from rtmsd.simulator.fault_actions import Blackholes, Delays, Distorts, Refuses
from rtmsd.simulator.messages import Message
from rtmsd.simulator.official_client import rejection

ALL = "all"


@dataclass
class _Timed:
    """Something that holds until a time on the clock, or for so many handshakes."""

    what: Distorts | Refuses | Delays
    until: float
    left: int


class Faults:
    """Consulted by the connections of a stream and by its handshakes; changed by the actions of its timeline.

    `chance` decides for each message whether a distortion with a share below 1 hits it. `refused_to_send` counts what
    Zoom's own client would have thrown away, by reason.
    """

    def __init__(self, behaviour: Behaviour, *, seed: int, clock: Clock) -> None:
        self.behaviour = behaviour
        self.chance = Random(seed)  # noqa: S311  # the same faults with the same seed
        self.refused_to_send: Counter[str] = Counter()
        self._clock = clock
        self._distorted = [_Timed(Distorts(0, word), float("inf"), 0) for word in behaviour.distort]
        self._refused: list[_Timed] = []
        self._delayed: list[_Timed] = []
        self._away: dict[str, float] = {}
        self._dark: dict[str, float] = {}

    # What the timeline says

    def add(self, action: Distorts | Refuses | Delays | Blackholes) -> None:
        now = self._clock.monotonic()
        match action:
            case Distorts():
                until = now + action.seconds if action.seconds else float("inf")
                self._distorted.append(_Timed(action, until, 0))
            case Refuses():
                self._refused.append(_Timed(action, float("inf"), action.times))
            case Delays():
                self._delayed.append(_Timed(action, float("inf"), action.times))
            case Blackholes():
                self._dark[action.socket] = now + action.seconds

    def send_away(self, socket: str, seconds: float) -> None:
        """Reset for so long whoever comes back with such a socket."""
        self._away[socket] = self._clock.monotonic() + seconds

    # What handshakes ask

    def is_away(self, names: Iterable[str]) -> bool:
        return _lasts(self._away, names, self._clock.monotonic())

    def is_dark(self, names: Iterable[str]) -> bool:
        """Whether nothing comes in or goes out on such a socket now."""
        return _lasts(self._dark, names, self._clock.monotonic())

    def refusal(self, names: Iterable[str]) -> Refuses | None:
        """Take the refusal that the next handshake of this kind gets."""
        return _take(self._refused, names)  # type: ignore[return-value]  # it holds nothing else

    def delay_secs(self, names: Iterable[str]) -> float:
        """Take how long the next handshake of this kind has to wait for its answer."""
        delay = _take(self._delayed, names)
        return delay.seconds if isinstance(delay, Delays) else 0.0

    # What connections ask

    def hits(self, word: str, names: Iterable[str]) -> bool:
        """Whether a distortion of frames or order hits the next message."""
        if not self._distorted:
            return False
        return any(one.word == word and self._chosen(one) for one in self._hitting(names))

    def distorted(self, message: Message, names: Iterable[str]) -> list[Sent]:
        """Give what is sent in place of a message; usually it alone."""
        if not self._distorted and not self.behaviour.official_client_strict:
            return [message]
        sent: list[Sent] = [message]
        for one in list(self._hitting(names)):
            if (change := MESSAGES.get(one.word)) is None:
                continue
            changed: list[Sent] = []
            for before in sent:
                if isinstance(before, dict) and self._chosen(one):
                    changed.extend(change(before, self.chance))
                else:
                    changed.append(before)
            sent = changed
        return [one for one in sent if self._may_be_sent(one)]

    def _chosen(self, one: Distorts) -> bool:
        return one.share >= 1 or self.chance.random() < one.share

    def _hitting(self, names: Iterable[str]) -> Iterable[Distorts]:
        now = self._clock.monotonic()
        for one in self._distorted:
            if isinstance(one.what, Distorts) and now < one.until and _concerns(one.what.socket, names):
                yield one.what

    def _may_be_sent(self, sent: Sent) -> bool:
        if not self.behaviour.official_client_strict:
            return True
        why = rejection(sent)
        if why:
            self.refused_to_send[why] += 1
        return not why


def _concerns(socket: str, names: Iterable[str]) -> bool:
    return socket == ALL or socket in names


def _lasts(until: dict[str, float], names: Iterable[str], now: float) -> bool:
    return any(_concerns(socket, names) and now < end for socket, end in until.items())


def _take(waiting: list[_Timed], names: Iterable[str]) -> Distorts | Refuses | Delays | None:
    for one in waiting:
        if _concerns(one.what.socket, names):
            if one.left:  # 0 from the start: as often as they come
                one.left -= 1
                if not one.left:
                    waiting.remove(one)
            return one.what
    return None
