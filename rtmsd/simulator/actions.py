"""What can happen in a meeting and to its connections: one vocabulary for timelines and for the control URL.

`at_ms` counts from the start of the stream. How each is written in TOML and JSON stands in `vocabulary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtmsd.protocol.codes import StopReason
from rtmsd.simulator.fault_actions import (
    Blackholes,
    Delays,
    Distorts,
    FailsOver,
    Refuses,
    Replays,
    SessionChanges,
    SocketName,
)
from rtmsd.simulator.held_actions import HeldAction
from rtmsd.simulator.person_actions import (
    ChangesGroup,
    Chats,
    Corrects,
    Holds,
    Shares,
    TurnsCamera,
    VoiceEvent,
)
from rtmsd.simulator.speech import Sentence

DropHow = Literal["reset", "close", "eof"]
WebhookName = Literal["all", "started", "interrupted", "stopped"]


@dataclass(frozen=True)
class Joins:
    at_ms: int
    user_id: int


@dataclass(frozen=True)
class Leaves:
    at_ms: int
    user_id: int


@dataclass(frozen=True)
class Mutes:
    at_ms: int
    user_id: int


@dataclass(frozen=True)
class Unmutes:
    at_ms: int
    user_id: int


@dataclass(frozen=True)
class Says:
    """Begin a sentence. Nobody hears the part of it that is said while muted or not in the meeting."""

    at_ms: int
    user_id: int
    sentence: Sentence

    @property
    def end_ms(self) -> int:
        return self.at_ms + self.sentence.duration_ms


@dataclass(frozen=True)
class Pauses:
    """Pause the session: sockets stay, nothing is heard."""

    at_ms: int


@dataclass(frozen=True)
class Resumes:
    at_ms: int


@dataclass(frozen=True)
class Drops:
    """Take a living socket away: by TCP reset, by a Close frame with `code`, or by the end of TLS without one.

    For `seconds` after that, whoever comes back with such a socket is reset.
    """

    at_ms: int
    socket: SocketName
    how: DropHow = "reset"
    code: int = 1000
    seconds: float = 0.0


@dataclass(frozen=True)
class FallsSilent:
    """For so long nothing comes over the sockets that are open now, keep-alives included; then all of it at once."""

    at_ms: int
    seconds: float


@dataclass(frozen=True)
class PostsWebhooks:
    """From now on each webhook, or those of one kind, is sent `copies` times, `delay_secs` late."""

    at_ms: int
    copies: int = 1
    delay_secs: float = 0.0
    event: WebhookName = "all"


@dataclass(frozen=True)
class Ends:
    """End the stream. The stop webhook comes after it, or `webhook_early_secs` before it; without `in_band` nothing is
    said on the sockets, which are only closed."""

    at_ms: int
    reason: int = StopReason.MEETING_ENDED
    webhook_early_secs: float = 0.0
    in_band: bool = True


PersonAction = (
    Joins
    | Leaves
    | Mutes
    | Unmutes
    | Says
    | TurnsCamera
    | Shares
    | Chats
    | ChangesGroup
    | Corrects
    | Holds
    | VoiceEvent
    | HeldAction
)
FaultAction = Distorts | Refuses | Delays | Blackholes | Replays | FailsOver | SessionChanges
StreamAction = Pauses | Resumes | Drops | FallsSilent | PostsWebhooks | Ends | FaultAction
Action = PersonAction | StreamAction
