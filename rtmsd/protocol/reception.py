"""What one stream receives, and what it has to say to receive it: media, events, whose camera (protocol.md §5.5–§5.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rtmsd.frames import Event, Item, MediaKind, StreamInfo
from rtmsd.protocol import media, signaling
from rtmsd.protocol.codes import MessageType, StatusCode
from rtmsd.protocol.events import number_in, read_events, table_of, wanted_events
from rtmsd.protocol.handshake_fields import ANSWERS, unknown_fields
from rtmsd.protocol.intake import CONTENTS, Intake
from rtmsd.protocol.messages import Content, Message
from rtmsd.protocol.people import People
from rtmsd.protocol.products import product_of
from rtmsd.protocol.video_choice import VideoChoice

# Reserved, or of an unpublished shape (§5.6): counted by name, and nothing else.
_IGNORED = frozenset(one for one in MessageType if one.name.startswith("META_DATA_"))
_HARMLESS = (StatusCode.STATUS_OK, StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION)


class Reception:
    """Turns messages into items by what the stream's product is, what was asked for and what was confirmed.

    `handshake_fields` holds, by socket, what the answers had that nobody knows; for the status page.
    """

    def __init__(self, info: StreamInfo, request: media.MediaRequest, counters: Counter[str]) -> None:
        self.handshake_fields: dict[str, dict[str, str]] = {}
        self._request = request
        self._counters = counters
        self._table = table_of(info.product)
        self._people = People()
        self._told: dict[MediaKind, dict[str, Any]] = {}  # the changes that are known already
        self._choice = VideoChoice(request.video_participant) if request.chooses_video else None
        channels = product_of(info).channels
        self.intake = Intake(
            counters,
            self._people,
            kinds=request.kinds,
            sound=media.audio_format(media.asked(MediaKind.AUDIO, request), request),
            pictures={
                kind: media.picture_format(media.asked(kind, request))
                for kind in (MediaKind.VIDEO, MediaKind.SHARE)
            },
            channels=channels,
        )
        self.audio = self.intake.channel_audio if channels else self.intake.audio
        """Reads the content of message 14, as `Intake.audio`."""

    # Media

    def confirmed(self, kind: MediaKind, answer: Mapping[str, Any] | None, *, now_ms: int) -> list[Item]:
        """A medium is accepted with these `media_params`: they drive the decoders from now on."""
        parameters = media.confirmed(kind, answer, self._request)
        if kind is MediaKind.AUDIO:
            self.intake.hear(media.audio_format(parameters, self._request))
        elif kind in (MediaKind.VIDEO, MediaKind.SHARE):
            self.intake.see(kind, media.picture_format(parameters))
        details = media.changes(kind, parameters, self._request)
        told = self._told.get(kind, {})
        if details == told:
            return []
        self._told[kind] = details
        if not details:  # what was changed is as it was asked for, again
            details = told | {"confirmed": told["asked"]}
        return [Event("media_changed", now_ms, details=details)]

    def take(self, number: int, content: Content | None) -> list[Item] | None:
        """Read a media message; None: it is none."""
        return self.intake.take(number, content) if number in CONTENTS else None

    def unhandled(self, number: int) -> None:
        """Count a message that has no use here, by its kind."""
        if number in _IGNORED:
            self._counters[f"ignored_{MessageType(number).name.lower()}"] += 1
        else:
            self._counters[f"unhandled_message_{number}" if 0 <= number < 64 else "unhandled_message"] += 1

    def salvaged(self, number: int) -> None:
        """Count a message of which only a part could be taken."""
        self._counters[f"salvaged_message_{number}" if 0 <= number < 64 else "salvaged_message"] += 1

    def note_answer(self, socket: str, number: int, data: bytes | memoryview) -> None:
        """Keep what of a handshake's answer nobody knows."""
        if number in ANSWERS and (found := unknown_fields(data)):
            self.handshake_fields[socket] = found

    # Events

    def subscriptions(self, *, at_ms: int) -> list[bytes]:
        """Return what to send on a signaling connection that is joined: which events, and whose camera."""
        numbers = wanted_events(
            self._table,
            sharing=MediaKind.SHARE in self._request.kinds,
            cameras=self._choice is not None,
        )
        if self._choice is not None:
            self._choice.renew()
        asked = [signaling.subscription(numbers)] if numbers else []
        return asked + self.choose_video(at_ms=at_ms)

    def events(self, body: Mapping[str, Any] | None, *, now_ms: int) -> list[Event]:
        """Turn message 6 into events, news of people first; what has no name is counted by its number."""
        found = read_events(body, self._table, self._people, now_ms=now_ms) if body is not None else []
        if not found:
            number = number_in(body) if body is not None else None
            known = number is not None and 0 <= number < 64
            self._counters[f"unhandled_event_{number}" if known else "unhandled_events"] += 1
        if self._choice is not None:
            for event in found:
                self._choice.observe(event.name, event.user_id)
        return [*self._people.taken(), *found]

    # Whose camera

    def choose_video(self, *, at_ms: int) -> list[bytes]:
        """Return what to send on signaling so that the right camera comes; empty when all is as it should be."""
        change = self._choice.change() if self._choice is not None else None
        if change is None:
            return []
        user_id, subscribe = change
        return [signaling.video_subscription(user_id, subscribe=subscribe, at_ms=at_ms)]

    def video_answer(self, message: Message) -> None:
        """Message 29: a participant who cannot be looked at is left out. That we look already is no harm (§6.4)."""
        status = signaling.status_of(message)
        if status is None or status in _HARMLESS:
            return
        known = 0 <= status <= max(StatusCode)
        self._counters[f"video_refused_{status}" if known else "video_refused"] += 1
        if self._choice is not None and message.user_id is not None:
            self._choice.refused(message.user_id)
