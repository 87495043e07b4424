"""What people do beside coming, talking and going: cameras, shared screens, chat, corrections, contact centre voice.

`at_ms` counts from the start of the stream. Only who is in the meeting can do any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChatChange = Literal["new", "update", "delete", "add_emoji", "remove_emoji"]
GroupChange = Literal["create", "delete", "members_add", "members_delete", "member_status"]


@dataclass(frozen=True)
class TurnsCamera:
    at_ms: int
    user_id: int
    on: bool


@dataclass(frozen=True)
class Shares:
    """Begin or stop to share the screen; who begins takes it from who shared before."""

    at_ms: int
    user_id: int
    on: bool


@dataclass(frozen=True)
class Chats:
    """Write, or change what was written; nobody reads it from outside, or during a pause.

    `label` names a new message for later; `of` is the label of the message that is changed or answered. Written to
    everyone, to the person with the id `to`, or to a chat group. With an emoji operation `text` is the emoji.
    """

    at_ms: int
    user_id: int
    text: str
    operation: ChatChange = "new"
    label: str = ""
    of: str = ""
    to: int | None = None
    group: str = ""


@dataclass(frozen=True)
class ChangesGroup:
    """Make, unmake or change a chat group; `status` is Zoom's number of a member's (protocol.md §6.8)."""

    at_ms: int
    user_id: int
    change: GroupChange
    group: str
    members: tuple[int, ...] = ()
    status: int = 0


@dataclass(frozen=True)
class Corrects:
    """Zoom corrects the last transcript of this person to `text`, or takes it back when that is None."""

    at_ms: int
    user_id: int
    text: str | None


@dataclass(frozen=True)
class Holds:
    """A party of a contact centre's call is put on hold, when nobody hears it, or is taken back."""

    at_ms: int
    user_id: int
    on: bool


@dataclass(frozen=True)
class VoiceEvent:
    """Something else of protocol.md §6.3 happens to a party of a contact centre's call: a transfer, a monitor."""

    at_ms: int
    user_id: int
    event: int


OnlyInside = (TurnsCamera, Shares, Chats, ChangesGroup, Corrects, Holds, VoiceEvent)
"""What cannot be done from outside the meeting."""
