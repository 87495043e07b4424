"""The products that have RTMS: what their webhooks are called and carry, and which media they have (protocol.md §1, §2.5)."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator.person_actions import (
    ChangesGroup,
    Chats,
    Corrects,
    Holds,
    Shares,
    TurnsCamera,
    VoiceEvent,
)

Payload = dict[str, object]

ACCOUNT_ID, OPERATOR_ID = "SimulatedAccount", "SimulatedOperatorId00"
"""Whose a meeting is that nobody planned."""

_EVERYTHING = ~MediaDataType.ALL & MediaDataType(63)
_VOICE = MediaDataType.AUDIO | MediaDataType.TRANSCRIPT
_NEEDS = {
    Chats: (MediaDataType.CHAT, "chat"),
    ChangesGroup: (MediaDataType.CHAT, "chat"),
    TurnsCamera: (MediaDataType.VIDEO, "video"),
    Shares: (MediaDataType.DESKSHARE, "share"),
    Corrects: (MediaDataType.TRANSCRIPT, "transcript"),
}


@dataclass(frozen=True)
class Product:
    """`events` is how its webhooks begin, `id_key` what the id of the session is called in them.

    `media` is what there are scopes for. `has_events`: the events of protocol.md §6.2 are its own.
    """

    name: str
    events: str
    id_key: str
    media: MediaDataType = _EVERYTHING
    has_events: bool = True

    @property
    def is_call_centre(self) -> bool:
        return self.name == "contact_center"

    @property
    def tells_events(self) -> bool:
        """Zoom Phone does so by `event_code`s only, which are not published (protocol.md §12)."""
        return self.name != "phone"

    def event(self, what: str) -> str:
        """Name a webhook: `started` is `meeting.rtms_started`."""
        return self.events + what

    def new_id(self) -> str:
        """Make an id such as the product's sessions have."""
        token = secrets.token_bytes(16)
        if self.name == "phone":
            return str(int.from_bytes(token[:8], "big"))
        encoded = b64encode(token).decode()
        if self.is_call_centre:  # 22 letters and digits
            return encoded.rstrip("=").replace("+", "A").replace("/", "B")
        return encoded

    def ids_of(self, started: Mapping[str, object]) -> Payload:
        """Take from the payload of `rtms_started` what every webhook of the stream carries."""
        return {key: started[key] for key in (self.id_key, "session_key", "rtms_stream_id") if key in started}

    def started(self, uuid: str, stream_id: str, number: int, signaling_url: str) -> Payload:
        """Write the payload of `rtms_started` (protocol.md §2.5.1, §2.5.4); `number` counts the meetings."""
        payload: Payload = {"account_id": ACCOUNT_ID, self.id_key: uuid, "rtms_stream_id": stream_id}
        if self.name == "video_sdk":
            payload["session_key"] = f"room-{number}"
        else:
            payload["operator_id"] = OPERATOR_ID
        if self.has_events and self.name != "video_sdk":
            payload[f"{self.name}_id"] = str(number)
            payload["is_original_host"] = True
        return {**payload, "server_urls": signaling_url}

    def problem(self, action: object, media: MediaDataType) -> str | None:
        """Say why an action cannot happen in such a meeting with these media, if so."""
        if isinstance(action, Holds | VoiceEvent) and not self.is_call_centre:
            return f'holds and voice events happen in a contact centre; write product = "contact_center", not "{self.name}"'
        needed, word = _NEEDS.get(type(action), (MediaDataType(0), ""))
        if needed & ~media:
            return f'this meeting has no {word}: {word} is not among the media granted; write media = ["audio", "transcript", "{word}"]'
        return None


MEETING = Product("meeting", "meeting.rtms_", "meeting_uuid")
PRODUCTS = {
    product.name: product
    for product in (
        MEETING,
        Product("webinar", "webinar.rtms_", "webinar_uuid"),
        Product("video_sdk", "session.rtms_", "session_id"),
        Product("contact_center", "contact_center.voice_rtms_", "engagement_id", _VOICE, has_events=False),
        Product("phone", "phone.rtms_", "call_id", _VOICE, has_events=False),
    )
}
