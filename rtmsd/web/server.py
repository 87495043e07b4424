"""Listeners: an aiohttp application on a TCP address or a Unix socket, for as long as a context lasts."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from rtmsd.config import Listen, SystemdListen, UnixListen
from rtmsd.errors import RtmsdError

_IDLE_SECS = 30.0
_SHUTDOWN_SECS = 2.0


@asynccontextmanager
async def serving(
    app: web.Application,
    listen: Listen | UnixListen | SystemdListen,
    *,
    inherited: Sequence[socket.socket] = (),
    idle_secs: float = _IDLE_SECS,
    shutdown_secs: float = _SHUTDOWN_SECS,
) -> AsyncIterator[Listen | UnixListen]:
    """Serve `app`; yield the address that is bound, with the port that port 0 became.

    `inherited` are the listening sockets, one or more, that SystemdListen stands for; they are closed here, and go on
    listening where systemd holds them.

    Connections that send no complete request head for `idle_secs` are closed; leaving waits up to `shutdown_secs` for
    answers in progress. Raise RtmsdError when the address cannot be had.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=idle_secs,
        shutdown_timeout=shutdown_secs,
        lingering_time=1.0,
        max_line_size=8190,
        max_field_size=8190,
        # Signatures are over the bytes as they came, and nothing may grow by being unpacked.
        auto_decompress=False,
    )
    await runner.setup()
    try:
        yield await _bind(runner, listen, inherited)
    finally:
        await runner.cleanup()
        if isinstance(listen, UnixListen):
            listen.path.unlink(missing_ok=True)


async def _bind(
    runner: web.AppRunner, listen: Listen | UnixListen | SystemdListen, inherited: Sequence[socket.socket]
) -> Listen | UnixListen:
    try:
        if isinstance(listen, SystemdListen):
            address = _address(inherited[0])
            for one in inherited:
                # aiohttp's own backlog is shorter, and would stay with systemd's socket.
                await web.SockSite(runner, one, backlog=socket.SOMAXCONN).start()
            return address
        if isinstance(listen, UnixListen):
            _make_directory(listen.path.parent)
            await web.UnixSite(runner, listen.path).start()
            return listen
        await web.TCPSite(runner, listen.host, listen.port).start()
        return Listen(listen.host, runner.addresses[0][1])
    except OSError as error:
        # asyncio's own text repeats the address; the number of a name that cannot be resolved is below zero.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise RtmsdError(
            f"cannot listen on {listen}: {reason}; see that no other program uses it and that rtmsd's user may"
        ) from error


def _address(listening: socket.socket) -> Listen | UnixListen:
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return UnixListen(Path(os.fsdecode(name)))
    return Listen(name[0], name[1])


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
