"""Drives a StreamMachine by hand and checks, after every input, what must always hold."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from rtmsd.frames import AudioFrame, Event, Gap, Item, MediaKind, StreamInfo
from rtmsd.protocol.actions import (
    Action,
    CloseSocket,
    Deliver,
    Finished,
    Note,
    OpenSocket,
    Send,
    Socket,
    WakeAt,
)
from rtmsd.protocol.media import MediaRequest
from rtmsd.protocol.stream import StreamMachine

HOST = "wss://zoomsjc1.sjc.zoom.us:443"
WALL_MS = 1_738_392_033_699
INFO = StreamInfo(
    app="notes",
    product="meeting",
    stream_id="609340fb2a7946909659956c8aa9250c",
    meeting_uuid="4444AAAiAAAAAiAiAiiAii==",
    started_ms=WALL_MS,
)
BOTH = frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT})
URLS = {"audio": f"{HOST}/audio", "transcript": f"{HOST}/transcript"}


class Bench:
    """A machine, a clock, and a record of what it wanted; broken invariants fail at once."""

    def __init__(
        self,
        *,
        kinds: frozenset[MediaKind] = BOTH,
        urls: Sequence[str] = (HOST,),
        resumed_ms: int | None = None,
        product: str = "meeting",
        backoff: Callable[[], Iterator[float]] | None = None,
    ) -> None:
        self.now = 1000.0
        self.machine = StreamMachine(
            info=msgspec.structs.replace(INFO, product=product),
            server_urls=urls,
            client_id="demo_client_id",
            client_secret="demo_client_secret",
            request=MediaRequest(kinds=kinds),
            allowed_hosts=("*.zoom.us",),
            backoff=backoff or (lambda: itertools.chain([0.5, 1.0, 2.0, 4.0, 8.0], itertools.repeat(15.0))),
            wall_offset=WALL_MS / 1000 - 1000.0,
            resumed_ms=resumed_ms,
        )
        self.kinds = kinds
        self.live: dict[str, Socket] = {}
        self.urls: dict[Socket, str] = {}
        self.sent: list[tuple[Socket, dict[str, Any]]] = []
        self.items: list[Item] = []
        self.notes: list[Note] = []
        self.finished: Finished | None = None
        self.wake_at: float | None = None
        self._settled: set[str] = set()
        self._accepted: set[str] = set()
        self._answered_at: float | None = None
        self._acked = False

    # Inputs

    def start(self) -> None:
        self.do(self.machine.start(self.now))

    def opened(self, kind: str) -> None:
        self.do(self.machine.opened(self.live[kind], self.now))

    def open_failed(self, kind: str, why: str = "no connection") -> None:
        socket = self.live.pop(kind)
        self.do(self.machine.open_failed(socket, why, self.now))

    def closed(self, kind: str, code: int | None = None) -> None:
        socket = self.live.pop(kind)
        self._forget(socket)
        self.do(self.machine.closed(socket, code, self.now))

    def receive(self, kind: str, message: dict[str, Any] | bytes) -> None:
        """Receive on the live socket of a kind, and check that keep-alives are answered on it."""
        socket = self.live[kind]
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        if isinstance(message, dict):
            self._observe(kind, message)
        before = len(self.sent)
        actions = self.machine.received(socket, data, self.now)
        self.do(actions)
        if isinstance(message, dict) and message.get("msg_type") == 12:
            # What is no number is not Zoom's: the answer does without it.
            echo = {key: message[key] for key in ("sequence", "timestamp") if type(message.get(key)) is int}
            replies = [one for to, one in self.sent[before:] if to == socket and one["msg_type"] == 13]
            assert [one.items() >= echo.items() for one in replies] == [True], "a keep-alive was not answered"

    def later(self, secs: float) -> None:
        """Let time pass, waking the machine whenever it asked for it."""
        end = self.now + secs
        for _ in range(1000):
            if self.wake_at is None or self.wake_at > end:
                break
            self.now = max(self.now, self.wake_at)
            self.wake_at = None  # a timer goes off once
            self.do(self.machine.woken(self.now))
        else:
            raise AssertionError("the machine wants to be woken again and again")
        self.now = end

    # Shortcuts

    def join(self) -> None:
        self.start()
        self.greet()

    def greet(self) -> None:
        """From an opening signaling socket to a running stream."""
        self.opened("signaling")
        self.receive("signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": URLS}})
        for kind in sorted(self.kinds):
            self.opened(kind)
            self.receive(kind, {"msg_type": 4, "status_code": 0, "media_params": None})

    def audio(self, timestamp_ms: int, *, user_id: int = 16778240, data: bytes = b"\x01\x00" * 1600) -> None:
        content = {"user_id": user_id, "user_name": "Ann", "timestamp": timestamp_ms}
        self.receive(
            "audio", {"msg_type": 14, "content": content | {"data": base64.b64encode(data).decode()}}
        )

    @property
    def wall_ms(self) -> int:
        return int(WALL_MS + (self.now - 1000.0) * 1000)

    def sent_types(self, kind: str = "signaling") -> list[int]:
        return [message["msg_type"] for socket, message in self.sent if socket.kind == kind]

    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    def events(self) -> list[str]:
        return [item.name for item in self.items if isinstance(item, Event)]

    # Invariants

    def do(self, actions: AudioFrame | Sequence[Action]) -> None:
        for action in [Deliver(actions)] if isinstance(actions, AudioFrame) else actions:
            assert self.finished is None, f"{action} after the end"
            match action:
                case OpenSocket(socket, url):
                    assert socket.kind not in self.live, f"a second {socket.kind} socket"
                    assert socket not in self.urls, "a number was used again"
                    self.live[socket.kind] = socket
                    self.urls[socket] = url
                case CloseSocket(socket):
                    if self.live.get(socket.kind) == socket:
                        del self.live[socket.kind]
                        self._forget(socket)
                case Send(socket, data):
                    assert self.live.get(socket.kind) == socket, "sent on a socket that is not there"
                    self._check_sent(socket, json.loads(data))
                case Deliver(item):
                    self.items.append(item)
                case WakeAt(at):
                    self.wake_at = at
                case Note():
                    self.notes.append(action)
                case Finished():
                    assert not self.live, "sockets left open at the end"
                    self.finished = action

    def _observe(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "signaling" and message.get("msg_type") == 2 and self._answered_at is None:
            self._answered_at = self.now
        if kind != "signaling" and message.get("msg_type") == 4:
            self._settled.add(kind)
            if not message.get("status_code"):
                self._accepted.add(kind)

    def _check_sent(self, socket: Socket, message: dict[str, Any]) -> None:
        self.sent.append((socket, message))
        if message["msg_type"] == 7:
            assert socket.kind == "signaling"
            refused = {
                item.details["media"]
                for item in self.items
                if isinstance(item, Event) and item.name == "media_refused"
            }
            late = self._answered_at is not None and self.now >= self._answered_at + 10
            open_questions = {str(kind) for kind in self.kinds} - self._settled - refused
            assert self._acked or late or not open_questions, f"READY_ACK before {open_questions} settled"
            assert self._acked or self._accepted, "READY_ACK without one accepted medium"
            self._acked = True

    def _forget(self, socket: Socket) -> None:
        if socket.kind == "signaling":
            self._settled.clear()
            self._accepted.clear()
            self._answered_at = None
            self._acked = False
        elif not self._acked:
            self._accepted.discard(socket.kind)
            self._settled.discard(socket.kind)
