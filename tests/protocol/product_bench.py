"""A bench for any product and any medium, with the confirmed parameters as a test wants them."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import msgspec
from stream_bench import HOST, INFO, WALL_MS, Bench

from rtmsd.frames import Event, MediaKind
from rtmsd.protocol.media import URL_KEYS, MediaRequest
from rtmsd.protocol.stream import StreamMachine

ALL = frozenset(MediaKind)
ALL_URLS = {key: f"{HOST}/{key}" for key in URL_KEYS.values()}


class ProductBench(Bench):
    """A stream of `product`, joined with `answers` as each medium's `media_params` block."""

    def __init__(
        self,
        product: str = "meeting",
        *,
        answers: dict[str, Any] | None = None,
        join: bool = True,
        **request: Any,
    ) -> None:
        request.setdefault("kinds", ALL)
        super().__init__(kinds=request["kinds"])
        self.machine = StreamMachine(
            info=msgspec.structs.replace(INFO, product=product),
            server_urls=(HOST,),
            client_id="demo_client_id",
            client_secret="demo_client_secret",
            request=MediaRequest(**request),
            allowed_hosts=("*.zoom.us",),
            backoff=lambda: itertools.repeat(0.5),
            wall_offset=WALL_MS / 1000 - 1000.0,
        )
        self.answers = answers or {}
        if join:
            self.join()

    def greet(self) -> None:
        self.opened("signaling")
        self.receive(
            "signaling", {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": ALL_URLS}}
        )
        for kind in sorted(self.kinds):
            self.opened(kind)
            key = URL_KEYS[MediaKind(kind)]
            block = {key: self.answers[key]} if key in self.answers else None
            self.receive(kind, {"msg_type": 4, "status_code": 0, "media_params": block})

    def content(self, kind: str, number: int, **content: Any) -> list[Any]:
        """Receive a media message; return what was delivered of it."""
        before = len(self.items)
        given = {"user_id": 16778240, "user_name": "Ann", "timestamp": WALL_MS} | content
        if isinstance(given.get("data"), bytes):
            given["data"] = base64.b64encode(given["data"]).decode()
        given = {key: value for key, value in given.items() if value is not ...}
        self.receive(kind, {"msg_type": number, "content": given})
        return self.items[before:]

    def event(self, **body: Any) -> list[Event]:
        """Receive message 6; return the events that were delivered."""
        before = len(self.items)
        self.receive("signaling", {"msg_type": 6, "event": {"timestamp": WALL_MS} | body})
        return [item for item in self.items[before:] if isinstance(item, Event)]

    @property
    def counters(self) -> dict[str, int]:
        return self.machine.counters

    def said(self, number: int, kind: str = "signaling") -> list[dict[str, Any]]:
        """What was sent of one type on the sockets of one kind."""
        return [one for socket, one in self.sent if socket.kind == kind and one["msg_type"] == number]
