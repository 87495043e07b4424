"""Which pictures one socket sees when: of a camera, or of the shared screen."""

from __future__ import annotations

from dataclasses import dataclass

from rtmsd.protocol.codes import MediaDataOption
from rtmsd.simulator.meeting import FIRST_USER_ID, USER_ID_STEP, Person
from rtmsd.simulator.moment import View
from rtmsd.simulator.picture_params import PictureParams
from rtmsd.simulator.pictures import SCREEN, Picture, camera, pictures
from rtmsd.simulator.speech import STEP_MS


@dataclass(frozen=True)
class SentPicture:
    person: Person
    timestamp_ms: int
    picture: Picture


class PictureFeed:
    """The pictures of whoever is to be seen, `fps` a second from when they came into view, beginning with a key frame.

    Nothing is kept for those who come late: Zoom does not buffer video (protocol.md §5.6.2).
    """

    def __init__(self, params: PictureParams, *, of_screen: bool) -> None:
        self.params = params
        self._of_screen = of_screen
        self._who: Person | None = None
        self._began_ms = 0
        self._sent = 0

    def next(self, view: View, at_ms: int, subscribed_to: int | None) -> list[SentPicture]:
        """Give the pictures of the 20 ms from `at_ms` on; `subscribed_to` is whose video was asked for, if anybody's."""
        who = self._seen(view, subscribed_to)
        if who != self._who:
            self._who, self._began_ms, self._sent = who, at_ms, 0
        if who is None:
            return []
        name = SCREEN if self._of_screen else camera((who.user_id - FIRST_USER_ID) // USER_ID_STEP)
        shown = pictures(name, self.params.codec)
        sent = []
        while (timestamp_ms := self._began_ms + self._sent * 1000 // self.params.fps) < at_ms + STEP_MS:
            sent.append(SentPicture(who, timestamp_ms, shown[self._sent % len(shown)]))
            self._sent += 1
        return sent

    def _seen(self, view: View, subscribed_to: int | None) -> Person | None:
        if self._of_screen:
            return view.sharer
        if self.params.data_opt == MediaDataOption.VIDEO_SINGLE_ACTIVE_STREAM:
            return view.active
        return next((person for person in view.cameras if person.user_id == subscribed_to), None)
