"""Does what a StreamMachine decides: sockets, timers, deliveries of one stream."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from rtmsd.frames import AudioFrame, Item, MediaKind
from rtmsd.protocol.actions import (
    Action,
    CloseSocket,
    Deliver,
    Finished,
    Hurry,
    Note,
    OpenSocket,
    Send,
    Socket,
    WakeAt,
)
from rtmsd.protocol.stream import StreamMachine
from rtmsd.runtime.clock import Clock
from rtmsd.streams.gathering import Gathering
from rtmsd.streams.transport import (
    MAX_MESSAGE_BYTES,
    MAX_PICTURE_BYTES,
    ConnectError,
    Connection,
    connect,
)

Log = structlog.stdlib.BoundLogger

LAST_LOOK_SECS = 0.05
"""So long at the end what has come is still read: enough for the kernel to hand it over."""

_PICTURES = frozenset((MediaKind.VIDEO, MediaKind.SHARE))


class StreamDriver:
    """Runs one stream. `deliver` must return at once and not fail: it is called from the socket readers."""

    def __init__(
        self,
        machine: StreamMachine,
        *,
        tls: ssl.SSLContext,
        gathering: Gathering | None,
        deliver: Callable[[Item], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._machine = machine
        self._tls = tls
        self._gathering = gathering
        self._deliver = deliver
        self._clock = clock
        self._log = log
        self._connections: dict[Socket, Connection] = {}
        self._connecting: dict[Socket, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._early: list[Callable[[float], Sequence[Action]]] = []  # what was told before `run`
        self._running = False
        self._over: asyncio.Future[Finished] | None = None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> Finished:
        """Join the stream and stay with it until it is over; return how it ended.

        An exception from the machine is our bug: it comes out here and no other stream notices. When cancelled,
        the sockets are closed without a word to Zoom.
        """
        self._over = asyncio.get_running_loop().create_future()
        self._running = True
        try:
            async with asyncio.TaskGroup() as self._tasks:
                try:
                    self.tell(self._machine.start)
                    for change in self._early:
                        self.tell(change)
                    return await self._over
                except asyncio.CancelledError:
                    await self._read_rest()
                    raise
                finally:
                    self._release()
        finally:
            self._running = False
            self._tasks = None

    def tell(self, change: Callable[[float], Sequence[Action]]) -> None:
        """Give the machine an input and do what it answers. Synchronous; does nothing once the stream is over, and
        waits for `run` before that."""
        if not self._running:
            if self._over is None:
                self._early.append(change)
            return
        try:
            self._perform(change(self._clock.monotonic()))
        except Exception as error:  # noqa: BLE001  # supervision: run() raises it, other streams go on
            self._broke(error)

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            # In order of frequency.
            if type(action) is Deliver:
                self._deliver(action.item)
            elif type(action) is Send:
                if connection := self._connections.get(action.socket):
                    connection.send(action.data)
            elif type(action) is WakeAt:
                self._wake_at(action.at)
            elif type(action) is OpenSocket:
                assert self._tasks is not None
                self._connecting[action.socket] = self._tasks.create_task(self._connect(action))
            elif type(action) is CloseSocket:
                self._close(action.socket)
            elif type(action) is Hurry:
                if connection := self._connections.get(action.socket):
                    connection.hurry()
            elif type(action) is Note:
                self._log.info(action.name.replace("_", " "), **action.details)
            elif type(action) is Finished:
                assert self._over is not None
                self._running = False
                self._over.set_result(action)

    async def _connect(self, action: OpenSocket) -> None:
        socket, machine = action.socket, self._machine
        try:
            connection = await connect(
                action.url,
                tls=self._tls,
                gathering=self._gathering if socket.kind != "signaling" else None,  # its word counts at once
                on_message=self._reader(socket),
                on_closed=partial(self._closed, socket),
                max_message_bytes=MAX_PICTURE_BYTES if socket.kind in _PICTURES else MAX_MESSAGE_BYTES,
            )
        except ConnectError as error:
            why = str(error)
            self.tell(lambda now: machine.open_failed(socket, why, now))
        else:
            self._connections[socket] = connection
            self.tell(lambda now: machine.opened(socket, now))
        finally:
            self._connecting.pop(socket, None)

    def _reader(self, socket: Socket) -> Callable[[bytes | memoryview], None]:
        """The way of every frame: as `tell`, without the detours."""
        received, deliver, now = self._machine.received, self._deliver, self._clock.monotonic

        def read(data: bytes | memoryview) -> None:
            if not self._running:
                return
            try:
                answer = received(socket, data, now())
                if type(answer) is AudioFrame:
                    deliver(answer)
                else:
                    self._perform(answer)  # type: ignore[arg-type]  # mypy does not narrow by `type(…) is`
            except Exception as error:  # noqa: BLE001  # supervision, as in `tell`
                self._broke(error)

        return read

    def _broke(self, error: Exception) -> None:
        self._running = False
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _closed(self, socket: Socket, code: int | None) -> None:
        self._connections.pop(socket, None)
        for other in self._connections.values():
            other.read_now()
        self.tell(lambda now: self._machine.closed(socket, code, now))

    def _close(self, socket: Socket) -> None:
        if task := self._connecting.pop(socket, None):
            task.cancel()
        if connection := self._connections.pop(socket, None):
            connection.close()

    def _wake_at(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            delay = max(0.0, at - self._clock.monotonic())
            # A timer may come a little early: never ask the machine before its time.
            self._timer = asyncio.get_running_loop().call_later(delay + 0.001, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.tell(lambda now: self._machine.woken(now))

    async def _read_rest(self) -> None:
        """Take what waits in the sockets: Zoom takes it for received, and will not send it again. Cancelling is safe."""
        for connection in self._connections.values():
            connection.hurry()
        await asyncio.sleep(LAST_LOOK_SECS)

    def _release(self) -> None:
        self._wake_at(None)
        for socket in [*self._connecting, *self._connections]:
            with contextlib.suppress(OSError):
                self._close(socket)
