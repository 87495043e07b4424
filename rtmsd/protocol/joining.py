"""The way into a stream: signaling is accepted, then its media, then we say that we are ready (protocol.md §5.1)."""

from __future__ import annotations

from rtmsd.frames import Event, Item, MediaKind
from rtmsd.protocol import signaling
from rtmsd.protocol.actions import Action, Deliver, Send
from rtmsd.protocol.connections import Connections
from rtmsd.protocol.coverage import Coverage
from rtmsd.protocol.link import Link, Phase
from rtmsd.protocol.reception import Reception
from rtmsd.protocol.windows import Patience


class Joining:
    """Says when the stream is joined, and again after every reconnect; what it wants done is appended to `out`."""

    def __init__(
        self,
        *,
        connections: Connections,
        coverage: Coverage,
        reception: Reception,
        patience: Patience,
        out: list[Action],
    ) -> None:
        self.ready = False
        """Whether Zoom was told that we are ready: then media flow."""
        self.ever = False
        """Whether that was so at some time."""
        self._connections = connections
        self._coverage = coverage
        self._reception = reception
        self._patience = patience
        self._out = out

    def left(self, now: float) -> None:
        """Signaling is gone: everything begins anew."""
        self.ready = False
        self._patience.left(now)

    def accepted(self, link: Link, now: float) -> None:
        """A medium is accepted. One that came late or back needs its own acknowledgement (§10 C18)."""
        link.since = None
        if self.ready:
            self._acknowledge()
            self._reopened(link, now)
            self._deliver(*self._coverage.live(MediaKind(link.kind), now))

    def check(self, now: float) -> bool:
        """Acknowledge once every medium is accepted, refused or late, and at least one is accepted.

        False: there is signaling, and not one medium left.
        """
        settle_at = self._patience.settle_at
        if self._connections.signaling.phase is not Phase.LIVE or settle_at is None:
            return True
        links = self._connections.media.values()
        if all(one.phase is Phase.REFUSED for one in links):
            return False
        settled = all(one.settled for one in links) or now >= settle_at
        if settled and any(one.phase is Phase.LIVE for one in links):
            self._patience.joined()
            if not self.ready:
                self._join(now)
        return True

    def _join(self, now: float) -> None:
        self.ready = True
        link = self._connections.signaling
        link.since = None
        self._acknowledge()
        at_ms = self._coverage.media_ms(now)
        self._out.extend(Send(link.socket, one) for one in self._reception.subscriptions(at_ms=at_ms))
        if self.ever:
            self._reopened(link, now)
        else:
            self.ever = True
            self._deliver(Event("stream_joined", at_ms))
        for kind, one in self._connections.media.items():
            if one.phase is Phase.LIVE:  # nothing flows before the acknowledgement (§5.5.1)
                self._deliver(*self._coverage.live(kind, now))

    def _acknowledge(self) -> None:
        ack = signaling.ready_ack(self._connections.stream_id)
        self._out.append(Send(self._connections.signaling.socket, ack))

    def _reopened(self, link: Link, now: float) -> None:
        self._deliver(Event("socket_reopened", self._coverage.media_ms(now), details={"socket": link.kind}))

    def _deliver(self, *items: Item) -> None:
        self._out.extend(Deliver(one) for one in items)
