"""Whose camera is shown when only one can be: message 28, by a policy (protocol.md §5.8).

Pure: what happened goes in, whom to subscribe to comes out. A new subscription replaces the old one.
"""

from __future__ import annotations

from typing import Literal

MAX_CAMERAS = 2000

Policy = Literal["active_speaker", "first"]


class VideoChoice:
    """Keeps who has the camera on, and says whom to look at.

    "first": whoever switched the camera on first, until it goes off; then the next. "active_speaker": who speaks,
    among those with the camera on; while nobody of them speaks, who was looked at before, or the first.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._cameras: dict[int, None] = {}  # in the order in which they went on
        self._speaker: int | None = None
        self._chosen: int | None = None
        self._told: int | None = None  # whom Zoom was last asked for on this connection

    @property
    def chosen(self) -> int | None:
        """Whom to look at; None: no camera is on."""
        return self._chosen

    def observe(self, name: str, user_id: int | None) -> None:
        """An event came, by the name that it has in recordings; others than these say nothing of cameras."""
        if user_id is None:
            return
        if name == "participant_video_on":
            if len(self._cameras) < MAX_CAMERAS:
                self._cameras[user_id] = None
        elif name in ("participant_video_off", "participant_left"):
            self._cameras.pop(user_id, None)
        elif name == "active_speaker_changed":
            self._speaker = user_id
        self._choose()

    def refused(self, user_id: int) -> None:
        """Zoom does not show this one: look at another, until the camera goes on again."""
        self._cameras.pop(user_id, None)
        if self._told == user_id:
            self._told = None
        self._choose()

    def renew(self) -> None:
        """The signaling connection is a new one, and knows of no subscription; the cameras are as they were."""
        self._told = None

    def change(self) -> tuple[int, bool] | None:
        """Return what to ask for now, once: (user, True) to look at somebody, (user, False) when nobody is left."""
        if self._chosen == self._told:
            return None
        before, self._told = self._told, self._chosen
        if self._told is not None:
            return self._told, True
        assert before is not None
        return before, False

    def _choose(self) -> None:
        if self._policy == "active_speaker" and self._speaker in self._cameras:
            self._chosen = self._speaker
        elif self._chosen not in self._cameras:
            self._chosen = next(iter(self._cameras), None)
