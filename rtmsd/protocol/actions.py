"""What a StreamMachine wants done. The driver does it, in the order given."""

from __future__ import annotations

from typing import Any

import msgspec

from rtmsd.frames import Item


class Socket(msgspec.Struct, frozen=True, gc=False):
    """One connection: "signaling" or a media kind, and a number that is never used again in this stream."""

    kind: str
    number: int


class OpenSocket(msgspec.Struct, frozen=True):
    """Connect; answer with `opened` or `open_failed`. The URL has been checked against the allowed hosts."""

    socket: Socket
    url: str


class Send(msgspec.Struct, frozen=True):
    socket: Socket
    data: bytes

    def __repr__(self) -> str:
        return f"Send({self.socket}, {len(self.data)} bytes)"  # handshakes hold a signature


class CloseSocket(msgspec.Struct, frozen=True):
    """Close with 1000, or give up connecting; nothing is to be reported of this socket any more."""

    socket: Socket


class Hurry(msgspec.Struct, frozen=True):
    """Read from now on at once what comes on this socket, in no bunches: it will soon be closed."""

    socket: Socket


class Deliver(msgspec.Struct, frozen=True, gc=False):
    item: Item


class WakeAt(msgspec.Struct, frozen=True):
    """Call `woken` at this time; replaces every earlier WakeAt. None: no need to."""

    at: float | None


class Note(msgspec.Struct, frozen=True):
    """Worth a line in the log: a name in the past tense and details that are safe to print."""

    name: str
    details: dict[str, Any]


class Finished(msgspec.Struct, frozen=True):
    """The stream is over; nothing follows.

    Outcomes: ended (Zoom gave `reason`), refused (closed before the handshake was answered), rejected (`status` in
    the signaling handshake), unreachable (no connection in time), no_media (every medium refused), lost (connection
    not regained within Zoom's window), ended_unknown (everything closed, or the stream is not known any more, and no
    reason came for 90 s), bad_url.
    """

    outcome: str
    end_ms: int
    reason: int | None = None
    status: int | None = None
    detail: str = ""


Action = OpenSocket | Send | CloseSocket | Hurry | Deliver | WakeAt | Note | Finished
