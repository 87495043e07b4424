"""A pure model of Zoom's side of one stream: sockets, windows, keep-alives, buffered audio and the end (protocol.md §7).

It knows nothing of our client's code. Time is given with every call, in seconds; what it wants done lies in `out`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEEP_ALIVE_SECS = 10.0
MISSES = 3
SIGNALING_WINDOW = 60.0
MEDIA_WINDOW = 65.0
BUFFER_SECS = 60
PACKET_MS = 1000


@dataclass(frozen=True)
class Say:
    """A message to the client on a connection."""

    connection: int
    message: dict[str, Any]


@dataclass(frozen=True)
class Close:
    """A Close frame with `code`, or a broken connection (None)."""

    connection: int
    code: int | None


@dataclass(frozen=True)
class Tell:
    """A webhook: started, interrupted or stopped."""

    event: str
    reason: int | None = None
    urls: tuple[str, ...] = ()


Effect = Say | Close | Tell


@dataclass
class Peer:
    """One connection of the client, as the server sees it."""

    kind: str
    accepted: bool = False
    ready: bool = False
    misses: int = 0
    next_keep_alive: float = 0.0


@dataclass
class Rules:
    """Where Zoom may do one thing or another."""

    replays: bool = True
    """Whether audio is kept while nobody is connected any more; before the first connection it always is (§5.6.2)."""
    kicks: bool = False
    """Whether a second connection of a kind throws the first out, or is refused (§10 C15)."""
    says_status_2: bool = False
    """What the handshake for a stream that is over gets: status 2, or a Close frame."""
    refusals: list[int | None] = field(default_factory=list)
    """What the next handshakes get instead of an answer: a status, or None for a Close frame."""


class Server:
    """Zoom's side. `base_ms` is the Unix time of second 0; a packet of audio is `PACKET_MS` long, from one person."""

    def __init__(
        self, *, host: str, base_ms: int, begun: float, kinds: tuple[str, ...], rules: Rules
    ) -> None:
        self.host = host
        self.rules = rules
        self.out: list[Effect] = []
        self.truth: list[int] = []
        self.over_at: float | None = None
        self.reason: int | None = None
        self.paused = False
        self._base_ms = base_ms
        self._begun = begun
        self._kinds = kinds
        self._peers: dict[int, Peer] = {}
        self._buffer: list[int] = []
        self._produced = begun
        self._joined = False
        self._missing: dict[str, float] = {"signaling": begun}

    @property
    def now_ms(self) -> int:
        return self._base_ms + round(self._produced * 1000)

    # What the client does

    def connected(self, connection: int, kind: str) -> None:
        self._peers[connection] = Peer(kind)

    def gone(self, connection: int, now: float) -> None:
        """The client closed, or the connection broke."""
        peer = self._peers.pop(connection, None)
        if peer is None or not peer.accepted or self.over_at is not None:
            return
        self._missing.setdefault(peer.kind, now)
        if peer.kind == "signaling":
            for other, media in list(self._peers.items()):
                if media.accepted:
                    self._drop(other, None)
            self.out.append(Tell("interrupted"))
        elif self._signaling is not None:
            self._signal({"msg_type": 6, "event": {"event_type": 7, "timestamp": self.now_ms}})
            self._signal({"msg_type": 8, "state": 2, "reason": 14, "timestamp": self.now_ms})

    def received(self, connection: int, message: dict[str, Any], now: float) -> None:
        peer = self._peers.get(connection)
        if peer is None:
            return
        match message["msg_type"]:
            case 1 | 3:
                self._handshake(connection, peer, now)
            case 7:
                self._joined = self._joined or any(
                    one.kind == "audio" and one.ready for one in self._peers.values()
                )
                for media in self._peers.values():
                    media.ready = media.accepted
                self._signal({"msg_type": 8, "state": 1, "reason": 0, "timestamp": self.now_ms})
                self._flush()
            case 13:
                peer.misses = 0

    def _handshake(self, connection: int, peer: Peer, now: float) -> None:
        number = 2 if peer.kind == "signaling" else 4
        if self.over_at is not None:
            self._refuse(connection, number, 2 if self.rules.says_status_2 else None)
            return
        if self.rules.refusals:
            self._refuse(connection, number, self.rules.refusals.pop(0))
            return
        for other, older in list(self._peers.items()):
            if other != connection and older.kind == peer.kind and older.accepted:
                if not self.rules.kicks:
                    self._refuse(connection, number, 8 if number == 2 else 16)
                    return
                self._drop(other, 1000)
        peer.accepted, peer.misses, peer.next_keep_alive = True, 0, now + KEEP_ALIVE_SECS
        self._missing.pop(peer.kind, None)
        answer: dict[str, Any] = {"msg_type": number, "status_code": 0}
        if number == 2:
            urls = {kind: f"{self.host}/{kind}" for kind in self._kinds}
            answer["media_server"] = {"server_urls": urls}
        self.out.append(Say(connection, answer))

    def _refuse(self, connection: int, number: int, status: int | None) -> None:
        if status is not None:
            self.out.append(Say(connection, {"msg_type": number, "status_code": status, "reason": ""}))
        self._drop(connection, 1000)

    # Time

    def tick(self, now: float) -> None:
        """Produce audio, send keep-alives, close windows. Call it at least once a second."""
        while self._produced + PACKET_MS / 1000 <= now and self.over_at is None:
            if not self.paused:
                self.truth.append(self.now_ms)
                self._buffer.append(self.now_ms)
            self._produced += PACKET_MS / 1000
        self._flush()
        for connection, peer in list(self._peers.items()):
            if peer.accepted and now >= peer.next_keep_alive and self.over_at is None:
                self._keep_alive(connection, peer, now)
        if self.over_at is None:
            self._check_windows(now)

    def _flush(self) -> None:
        """Send what is kept to an audio socket that is ready; otherwise keep the last minute, or nothing."""
        ready = next((c for c, one in self._peers.items() if one.kind == "audio" and one.ready), None)
        if ready is not None:
            for stamp in self._buffer:
                content = {"user_id": 16778240, "user_name": "Ann", "timestamp": stamp, "data": "AAAAAA=="}
                self.out.append(Say(ready, {"msg_type": 14, "content": content}))
            self._buffer.clear()
        elif self.rules.replays or not self._joined:
            del self._buffer[:-BUFFER_SECS]
        else:
            self._buffer.clear()

    def _keep_alive(self, connection: int, peer: Peer, now: float) -> None:
        if peer.misses >= MISSES:
            self._drop(connection, None)
            return
        peer.misses += 1
        peer.next_keep_alive = now + KEEP_ALIVE_SECS
        self.out.append(Say(connection, {"msg_type": 12, "sequence": 1, "timestamp": self.now_ms}))

    def _check_windows(self, now: float) -> None:
        for kind, since in self._missing.items():
            if now - since > (SIGNALING_WINDOW if kind == "signaling" else MEDIA_WINDOW):
                self.end(19 if kind == "signaling" else 14, now)
                return

    # What happens in the meeting

    def pause(self, paused: bool) -> None:
        if self.paused != paused:
            self.paused = paused
            state = 3 if paused else 4
            self._signal({"msg_type": 9, "rtms_session_id": "s", "state": state, "timestamp": self.now_ms})

    def end(
        self, reason: int, now: float, *, in_band: bool = True, webhook: bool = True, close: bool = True
    ) -> None:
        """The stream is over; any of the ways in which Zoom says so may fail (§7.8)."""
        if self.over_at is not None:
            return
        self.over_at, self.reason = now, reason
        if in_band:
            stopped = {"msg_type": 9, "rtms_session_id": "s", "state": 5, "reason": reason}
            self._signal(stopped | {"timestamp": self.now_ms})
            self._signal({"msg_type": 8, "state": 4, "reason": reason, "timestamp": self.now_ms})
        if close:
            for connection in list(self._peers):
                self._drop(connection, 1000)
        if webhook:
            self.out.append(Tell("stopped", reason))

    def die(self, *, break_connections: bool) -> None:
        """The machine that served the stream is gone, with or without a word from its TCP stack."""
        for connection in list(self._peers):
            if break_connections:
                self.out.append(Close(connection, None))
        self._peers.clear()
        self._missing = {"signaling": self._produced}

    def drop(self, kind: str, code: int | None, now: float) -> None:
        """Close or break the client's connection of a kind, from outside."""
        for connection, peer in list(self._peers.items()):
            if peer.kind == kind:
                self.out.append(Close(connection, code))
                self.gone(connection, now)

    @property
    def _signaling(self) -> int | None:
        return next((c for c, one in self._peers.items() if one.kind == "signaling" and one.accepted), None)

    def _signal(self, message: dict[str, Any]) -> None:
        if (connection := self._signaling) is not None:
            self.out.append(Say(connection, message))

    def _drop(self, connection: int, code: int | None) -> None:
        peer = self._peers.pop(connection, None)
        if peer is None:
            return
        self.out.append(Close(connection, code))
        if peer.accepted and self.over_at is None:
            self._missing.setdefault(peer.kind, self._produced)
            if peer.kind == "signaling":
                for other, media in list(self._peers.items()):
                    if media.accepted:
                        self._drop(other, None)
                self.out.append(Tell("interrupted"))
            elif self._signaling is not None:
                self._signal({"msg_type": 6, "event": {"event_type": 7, "timestamp": self.now_ms}})
