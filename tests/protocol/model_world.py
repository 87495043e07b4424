"""Our machine and the model of Zoom's server, with a network between them that can be broken. Virtual time."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from server_model import PACKET_MS, Close, Rules, Say, Server, Tell
from stream_bench import BOTH, HOST, WALL_MS, Bench

from rtmsd.frames import AudioFrame, Gap, MediaKind
from rtmsd.protocol.actions import Action, CloseSocket, OpenSocket, Send, Socket
from rtmsd.protocol.windows import RETRY_DELAYS_SECS
from rtmsd.runtime.backoff import backoff

KINDS = ("audio", "transcript")
BEGUN = 1000.0
TOLERANCE_MS = 2 * PACKET_MS + 500
CLOSING_MS = 2_000
"""Zoom closes the sockets of a stream that ends in any order: what is missing at its very end is no gap."""
QUIET_MS = 18_000
"""For 15 s a dead connection is like a quiet one: when another event hides it, nobody can tell."""


class Client(Bench):
    """The bench, whose wishes reach the world; its invariants hold all the time."""

    def __init__(self, world: World, chance: random.Random) -> None:
        super().__init__(kinds=BOTH, backoff=lambda: backoff(chance, RETRY_DELAYS_SECS))
        self._world = world

    def do(self, actions: AudioFrame | Sequence[Action]) -> None:
        super().do(actions)
        if not isinstance(actions, AudioFrame):
            for action in actions:
                self._world.perform(action)


class World:
    """Everything between a start webhook and the end of a stream; the same seed is the same story."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.chance = random.Random(seed)
        self.latency = self.chance.uniform(0.01, 0.3)
        self.server = Server(
            host=HOST, base_ms=WALL_MS - 1_000_000, begun=BEGUN, kinds=KINDS, rules=rules or Rules()
        )
        self.client = Client(self, self.chance)
        self.unreachable: dict[str, tuple[float, bool]] = {}  # kind: until when, and whether connecting hangs
        self.answers_late = 0.0
        self.lost_webhooks: set[str] = set()
        self._void: set[int] = set()
        self._dead_ms: list[int] = []  # when a connection died without a word
        self._broken_ms: list[int] = []  # when one broke: what was under way is lost for both sides
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._frozen: dict[int, float] = {}

    # Running

    @property
    def now(self) -> float:
        return self.client.now

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a time; at the same time what was asked for first comes first."""
        heapq.heappush(self._agenda, (max(when, self.now), next(self._order), what))

    def begin(self) -> None:
        self.at(BEGUN, self.client.start)
        self.at(BEGUN, self._tick)

    def run(self, until: float) -> None:
        """Let time pass until then, or until our machine is done."""
        steps = 0
        while self.client.finished is None:
            wake = self.client.wake_at
            when = self._agenda[0][0]
            if min(when, wake if wake is not None else when) > until:
                break
            if wake is not None and wake <= when:
                self.client.now = max(self.now, wake)
                self.client.do(self.client.machine.woken(self.now))
            else:
                _, _, what = heapq.heappop(self._agenda)
                self.client.now = when
                what()
                self._carry()
            steps += 1
            assert steps < 200_000, "the machine wants to be woken again and again"

    def _tick(self) -> None:
        self.server.tick(self.now)
        self.at(self.now + 0.5, self._tick)

    # The network

    def perform(self, action: Action) -> None:
        if isinstance(action, OpenSocket):
            self._connect(action.socket, action.url)
        elif isinstance(action, Send) and action.socket.number not in self._void:
            message: dict[str, Any] = json.loads(action.data)
            number = action.socket.number
            self._soon(lambda: self.server.received(number, message, self.now))
        elif isinstance(action, CloseSocket) and action.socket.number not in self._void:
            self._soon(lambda: self.server.gone(action.socket.number, self.now))

    def _soon(self, what: Callable[[], None]) -> None:
        self.at(self.now + self.latency, what)

    def _connect(self, socket: Socket, url: str) -> None:
        def arrive() -> None:
            if not self._there(socket):
                return
            until, hangs = self.unreachable.get(socket.kind, (0.0, False))
            if self.now < until or not url.startswith(self.server.host):
                if not hangs:
                    self.client.open_failed(socket.kind)
                return
            self.server.connected(socket.number, socket.kind)
            self.client.opened(socket.kind)

        self._soon(arrive)

    def _there(self, socket: Socket) -> bool:
        return self.client.finished is None and self.client.live.get(socket.kind) == socket

    def _carry(self) -> None:
        """Bring what the server wants to say to the client."""
        effects, self.server.out = self.server.out, []
        for effect in effects:
            if isinstance(effect, Tell):
                self._webhook(effect)
            elif effect.connection not in self._void:
                if isinstance(effect, Close) and effect.code is None:
                    self._broken_ms.append(self.server.now_ms)
                delay = self.latency
                if isinstance(effect, Say) and effect.message["msg_type"] in (2, 4):
                    delay += self.answers_late
                # In order, whatever is late: what comes after a late answer waits for it.
                when = max(self.now + delay, self._frozen.get(effect.connection, 0.0))
                self._frozen[effect.connection] = when
                self.at(when, lambda effect=effect: self._arrive(effect))  # type: ignore[misc]

    def _arrive(self, effect: Say | Close) -> None:
        socket = next((s for s in self.client.live.values() if s.number == effect.connection), None)
        if socket is None or self.client.finished is not None or socket.number in self._void:
            return
        if isinstance(effect, Say):
            self.client.receive(socket.kind, effect.message)
        else:
            self.client.closed(socket.kind, effect.code)

    def _webhook(self, told: Tell) -> None:
        if told.event in self.lost_webhooks:
            return
        machine = self.client.machine

        def arrive() -> None:
            if self.client.finished is None:
                if told.event == "stopped":
                    self.client.do(machine.stopped(told.reason, self.server.now_ms, self.now))
                elif told.event == "interrupted":
                    self.client.do(machine.interrupted(told.urls, self.now))
                else:
                    self.client.do(machine.started_again(told.urls, self.now))

        self.at(self.now + self.chance.uniform(0.2, 3.0), arrive)

    # Faults

    def kill(self, kind: str, secs: float, *, hangs: bool) -> None:
        """Break the connection of a kind and let none come about for so long."""
        self.unreachable[kind] = self.now + secs, hangs
        if kind in self.client.live:
            self.server.drop(kind, None, self.now)
            if kind in self.client.live and not self._accepted(kind):
                self.client.open_failed(kind) if self._opening(kind) else self.client.closed(kind, None)

    def _opening(self, kind: str) -> bool:
        return self.client.machine._links[kind].phase.name == "OPENING"

    def _accepted(self, kind: str) -> bool:
        return any(peer.kind == kind for peer in self.server._peers.values())

    def blackhole(self, kind: str) -> None:
        """Nothing passes on this connection any more, and nobody is told."""
        if kind in self.client.live:
            self._void.add(self.client.live[kind].number)
            self._dead_ms.append(self.server.now_ms)

    def fail_over(self, secs: float, *, new_id: bool, broken: bool) -> None:
        """The server dies; after `secs` another one has taken over, and says so by webhook."""
        self.server.die(break_connections=broken)
        if not broken:
            self._void.update(socket.number for socket in self.client.live.values())
            self._dead_ms.append(self.server.now_ms)
        self.server.host = f"wss://zoomiad{next(self._order)}.iad.zoom.us"

        def announced() -> None:
            if self.client.finished is not None:
                return
            machine, urls = self.client.machine, [self.server.host]
            if not new_id:
                self.client.do(machine.started_again(urls, self.now))
            elif machine.silent(self.now):
                self.client.do(machine.continued("another", "signature", urls, self.now))
            else:
                self.at(self.now + 1.0, announced)

        self.at(self.now + secs, announced)

    # What came of it

    def check(self) -> None:
        """Every packet is delivered once, or lies in a gap; no gap lies where packets were delivered."""
        delivered = [item.timestamp_ms for item in self.client.items if isinstance(item, AudioFrame)]
        gaps = [gap for gap in self.client.gaps() if gap.media is MediaKind.AUDIO]
        assert len(set(delivered)) == len(delivered), "a packet was delivered twice"
        assert set(delivered) <= set(self.server.truth), "a packet was delivered that was not sent"
        assert self.client.finished is not None
        end_ms = self.client.finished.end_ms
        for stamp in sorted(set(self.server.truth) - set(delivered)):
            excused = (
                stamp + CLOSING_MS + TOLERANCE_MS > end_ms
                or any(_holds(gap, stamp, TOLERANCE_MS) for gap in gaps)
                or any(0 < stamp + 2 * TOLERANCE_MS - since < QUIET_MS for since in self._dead_ms)
                or any(-TOLERANCE_MS < when - stamp < 2 * TOLERANCE_MS for when in self._broken_ms)
            )
            assert excused, f"{(stamp - WALL_MS) / 1000} s is missing and not ledgered: {_seconds(gaps)}"
        had: list[int] = []  # what comes after a gap was ledgered, a recording takes out of it again
        for item in self.client.items:
            if isinstance(item, AudioFrame):
                had.append(item.timestamp_ms)
            elif isinstance(item, Gap) and item.media is MediaKind.AUDIO:
                wrong = [stamp for stamp in had if _holds(item, stamp, -TOLERANCE_MS)]
                assert not wrong, (
                    f"{(wrong[0] - WALL_MS) / 1000} s was had and is ledgered: {_seconds([item])}"
                )


def _holds(gap: Gap, stamp: int, tolerance_ms: int) -> bool:
    return gap.from_ms - tolerance_ms <= stamp and stamp + PACKET_MS <= gap.to_ms + tolerance_ms


def _seconds(gaps: Sequence[Gap]) -> list[tuple[float, float, str]]:
    return [((gap.from_ms - WALL_MS) / 1000, (gap.to_ms - WALL_MS) / 1000, gap.cause) for gap in gaps]
