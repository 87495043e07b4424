"""What can be seen in a meeting as it goes on: cameras and the shared screen."""

from __future__ import annotations

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import EventType
from rtmsd.simulator.meeting import Person
from rtmsd.simulator.moment import Happening, View
from rtmsd.simulator.person_actions import Shares, TurnsCamera


class Scenery:
    """Whose camera is on, and who shares.

    The active speaker's video stays where it is until somebody else with a camera speaks: protocol.md does not say
    what Zoom shows when the speaker has none.
    """

    def __init__(self) -> None:
        self._cameras: dict[int, Person] = {}
        self._active: Person | None = None
        self._sharer: Person | None = None

    @property
    def view(self) -> View:
        return View(tuple(self._cameras.values()), self._active, self._sharer)

    def spoke(self, person: Person) -> None:
        if person.user_id in self._cameras:
            self._active = person

    def camera(self, person: Person, action: TurnsCamera) -> list[Happening]:
        """Switch a camera. Raises SimulatorError when it is so already."""
        if (person.user_id in self._cameras) == action.on:
            raise SimulatorError(f"{person.name}'s camera is {'on' if action.on else 'off'} already")
        if not action.on:
            return self._camera_off(person)
        self._cameras[person.user_id] = person
        self._active = self._active or person
        return [Happening(EventType.PARTICIPANT_VIDEO_ON, person)]

    def share(self, person: Person, action: Shares) -> list[Happening]:
        """Begin or stop to share. Raises SimulatorError when it is so already."""
        if (self._sharer == person) == action.on:
            raise SimulatorError(f"{person.name} {'shares already' if action.on else 'does not share'}")
        before = [] if self._sharer is None else [Happening(EventType.SHARING_STOP, self._sharer)]
        self._sharer = person if action.on else None
        return [*before, Happening(EventType.SHARING_START, person)] if action.on else before

    def left(self, person: Person) -> list[Happening]:
        """Take a camera and a shared screen with who leaves."""
        happenings = self._camera_off(person) if person.user_id in self._cameras else []
        if self._sharer == person:
            self._sharer = None
            happenings.append(Happening(EventType.SHARING_STOP, person))
        return happenings

    def _camera_off(self, person: Person) -> list[Happening]:
        del self._cameras[person.user_id]
        if self._active == person:
            self._active = next(iter(self._cameras.values()), None)
        return [Happening(EventType.PARTICIPANT_VIDEO_OFF, person)]
