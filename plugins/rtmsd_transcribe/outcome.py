"""What became of one speech's sound: how far it is answered, how often the rest was sent in vain, what is given up."""

from __future__ import annotations

from rtmsd_transcribe.engine import RATE

LOST_TRIES, STALLED_TRIES = 8, 2
"""So many sessions may be lost with the same sound, so many of them because the engine took it and did not answer: then it
is given up. More, if there are more engines: each gets it once."""


class Outcome:
    """Positions are those of the speech. `answered`: nothing before it is sent again; `lost_secs`: what nobody heard.

    No sound is sent to more sessions that are lost with it than the tries above allow, unless something is answered.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.lost_secs = 0.0
        self._lost_to = 0
        self._tries: list[tuple[int, bool]] = []  # how far each took sound, and whether it stalled

    def answer(self, to: int) -> None:
        """All before `to` was heard. What follows has its tries anew: sound in which something is heard breaks nothing."""
        if to > self.answered:
            self.answered = to
            self._tries.clear()

    def fail(self, to: int, *, stalled: bool, engines: int) -> None:
        """A session was lost with what lies before `to`; give up what was tried often enough by so many engines."""
        if to <= self.answered:
            return  # it had taken nothing that is not answered
        self._tries.append((to, stalled))
        every = [to for to, _ in self._tries]
        stalls = [to for to, stalled in self._tries if stalled]
        self.give_up(_tried(every, max(LOST_TRIES, engines)))
        self.give_up(_tried(stalls, max(STALLED_TRIES, engines)))

    def give_up(self, to: int) -> None:
        """Nothing before `to` is sent any more: what was not answered is lost."""
        if to > self.answered:
            self.lose(self.answered, to)
            self.answered = to
            self._tries = [one for one in self._tries if one[0] > to]

    def lose(self, start: int, end: int) -> None:
        """Count what nobody will hear, each part once."""
        self.lost_secs += max(0, end - max(start, self._lost_to)) / RATE
        self._lost_to = max(self._lost_to, end)


def _tried(ends: list[int], times: int) -> int:
    """Say up to where sound was tried so often, when each try took all before its end."""
    return sorted(ends, reverse=True)[times - 1] if len(ends) >= times else 0
