"""What can go wrong with a stream's server, beyond a lost socket. All of these are stream actions (see `actions`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SocketName = Literal["signaling", "audio", "video", "deskshare", "transcript", "chat", "all"]
RefuseHow = Literal["status", "close", "reset", "never"]
FailoverId = Literal["same", "new"]
OldServer = Literal["reset", "silent"]


@dataclass(frozen=True)
class Distorts:
    """From now on, or for `seconds`, what is sent on these sockets is wrong in the way named by `word`.

    `share` is the part of the messages that is hit, drawn from the seed.
    """

    at_ms: int
    word: str
    socket: SocketName = "all"
    seconds: float = 0.0
    share: float = 1.0


@dataclass(frozen=True)
class Refuses:
    """Turn away the next `times` handshakes of a kind, or all of them with 0: with a status, a bare Close frame, a
    reset, or by never answering. Sockets that are open already are left alone."""

    at_ms: int
    socket: SocketName
    how: RefuseHow = "status"
    status: int = 45
    times: int = 1


@dataclass(frozen=True)
class Delays:
    """Answer the next `times` handshakes of a kind only after `seconds`."""

    at_ms: int
    socket: SocketName
    seconds: float
    times: int = 1


@dataclass(frozen=True)
class Blackholes:
    """For so long nothing comes in or goes out on these sockets, though TCP stays: no pong, no reset, no answer to
    handshakes. Then all that was sent meanwhile comes at once."""

    at_ms: int
    socket: SocketName
    seconds: float


@dataclass(frozen=True)
class Replays:
    """Send the audio of the last `seconds` once more, in a burst."""

    at_ms: int
    seconds: float


@dataclass(frozen=True)
class FailsOver:
    """The server dies, and another takes the stream over: `rtms_started` comes again with another URL, under the same
    stream id or (§10 C34) under a new one. The old sockets are reset, or say nothing more. `after_secs` later."""

    at_ms: int
    stream_id: FailoverId = "same"
    old: OldServer = "reset"
    after_secs: float = 0.0


@dataclass(frozen=True)
class SessionChanges:
    """Tell a state of another session of the stream: that of a second user of the app (§5.7)."""

    at_ms: int
    session: str
    state: int
    reason: int = 0
