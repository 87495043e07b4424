"""What a service manager and this process tell each other: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence

import structlog

from rtmsd.errors import ConfigError

FIRST_FD = 3
"""SD_LISTEN_FDS_START: the first of the sockets that systemd passes."""

_STATUS_SECS = 1.0


class Systemd:
    """The service manager, as far as it can be told of; without one, telling it anything does nothing.

    `notify_socket` is a path, or `@name` of an abstract socket. `sockets` are the (name, file descriptor) that were
    passed, and are this object's to hand out. Nothing that is told may hold a secret or a person's name: every user
    of the machine can read the status of a unit.
    """

    def __init__(
        self,
        *,
        notify_socket: str = "",
        watchdog_secs: float = 0.0,
        sockets: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._address = f"\0{notify_socket[1:]}" if notify_socket.startswith("@") else notify_socket
        self._watchdog_secs = watchdog_secs
        self._sockets = tuple(sockets)
        self._log = structlog.get_logger("rtmsd")

    @property
    def passed(self) -> tuple[str, ...]:
        """The names of the sockets that systemd passed."""
        return tuple(name for name, _ in self._sockets)

    def listeners(self, name: str) -> list[socket.socket]:
        """Return the listening sockets called `name`, or the only one, whatever it is called; none when none fits.

        Closing them does not close systemd's: connections wait there for the next process. Call it once. Raise
        ConfigError when one is no listening stream socket.
        """
        found = [fd for known, fd in self._sockets if known == name]
        if not found and len(self._sockets) == 1:
            found = [self._sockets[0][1]]
        return [_listening(fd, name) for fd in found]

    def ready(self) -> None:
        """Tell that the start is complete."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._tell("STOPPING=1\nSTATUS=Stopping")

    async def feed(self, alive: Callable[[], bool]) -> None:
        """Feed the watchdog twice in each of its times, from this event loop, for as long as `alive`.

        A loop that is blocked feeds nothing, and systemd starts another process. Cancelling is safe.
        """
        while self._address and self._watchdog_secs and alive():
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_secs / 2)

    async def show(self, line: Callable[[], str]) -> None:
        """Show `line` in `systemctl status`, at most once a second, when it changes. Cancelling is safe."""
        shown = ""
        while self._address:
            if (now := line()) != shown:
                self._tell(f"STATUS={now}")
                shown = now
            await asyncio.sleep(_STATUS_SECS)

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            self._log.warning("systemd could not be told", told=message.split("\n")[0], error=error.strerror)


def take_over(environ: MutableMapping[str, str], *, pid: int) -> Systemd:
    """Read what systemd says to process `pid`, and take it out of `environ`: it is not for our children.

    What is meant for another process counts as not said. File descriptors are closed on exec from now on.
    """
    notify_socket = environ.pop("NOTIFY_SOCKET", "")
    watchdog = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(pid))
    fds, fds_pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    watchdog_usec = _whole(watchdog[0]) if watchdog[1] == str(pid) else 0
    number = _whole(fds) if fds_pid == str(pid) else 0
    sockets = []
    for index in range(number):
        fd = FIRST_FD + index
        os.set_inheritable(fd, False)
        sockets.append((names[index] if index < len(names) else "unknown", fd))
    return Systemd(notify_socket=notify_socket, watchdog_secs=watchdog_usec / 1e6, sockets=sockets)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _listening(fd: int, name: str) -> socket.socket:
    try:
        one = socket.socket(fileno=fd)
        if one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            one.setblocking(False)
            return one
        one.detach()
    except OSError:
        pass  # no socket at all
    raise ConfigError(
        [
            f'the file descriptor {fd} that systemd passed as "{name}" is no listening stream socket; '
            "the socket unit needs ListenStream= and Accept=no"
        ]
    )
