"""What systemd does for a service, played: the notify socket, the sockets that it holds, and `rtmsd run` in a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from rtmsd.protocol.signature import webhook_signature

WEBHOOK_SECRET = "the-webhook-secret"
PATIENCE_SECS = 30.0

CONFIG = """
state_dir = "{tmp}/state"
[webhook]
listen = "{listen}"
[admin]
listen = "127.0.0.1:{admin_port}"
[zoom]
allowed_hosts = ["127.0.0.1"]
{ca_file}
[[apps]]
name = "notes"
client_id = "simulated-client-id"
client_secret = {{ env = "CLIENT_SECRET" }}
webhook_secrets = [{{ env = "WEBHOOK_SECRET" }}]
[[sinks]]
name = "disk"
{sink}
"""

# systemd puts the sockets where the protocol wants them, and names the process that is to come.
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""


class NotifySocket:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        self.told: list[str] = []
        """Every message that was looked at."""

    def next(self) -> str | None:
        """Return the next message, without waiting; None when none has come."""
        try:
            message = self._receiver.recv(4096).decode()
        except BlockingIOError:
            return None
        self.told.append(message)
        return message

    def waiting(self) -> list[str]:
        """Return all messages that have come since the last look, without waiting."""
        return list(iter(self.next, None))

    async def until(self, wanted: Callable[[str], bool], what: str) -> None:
        """Wait for a message, and leave those that come after it for later."""
        await until(lambda: any(wanted(message) for message in iter(self.next, None)), what)


@contextmanager
def notify_socket(address: str) -> Iterator[NotifySocket]:
    """Listen where NOTIFY_SOCKET=`address` points: a path, or `@name`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind("\0" + address[1:] if address.startswith("@") else address)
        yield NotifySocket(receiver)


@dataclass(frozen=True)
class Running:
    """One `rtmsd run`."""

    process: asyncio.subprocess.Process
    admin_port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    async def health(self) -> int | None:
        """Return the status of /healthz; None when nobody answers."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.admin_port}/healthz") as answer,
            ):
                return answer.status
        except aiohttp.ClientConnectionError:
            return None

    async def until_logged(self, text: str) -> None:
        def logged() -> bool:
            assert self.process.returncode is None or text in self.log, self.log
            return text in self.log

        await until(logged, f"{text!r} in the log")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, *, within_secs: float = PATIENCE_SECS) -> int:
        return await asyncio.wait_for(self.process.wait(), within_secs)


@asynccontextmanager
async def rtmsd_run(
    tmp: Path,
    *,
    listen: str = "127.0.0.1:0",
    sink: str = "",
    ca_file: Path | None = None,
    environ: dict[str, str] | None = None,
    client_secret: str = "the-client-secret",
    webhook_secret: str = WEBHOOK_SECRET,
    activated: socket.socket | None = None,
) -> AsyncIterator[Running]:
    """Start `rtmsd run` as systemd would; `activated` is the webhook's listening socket. Leaving kills what is left."""
    tmp.mkdir(exist_ok=True)
    admin_port = free_port()
    config = tmp / "rtmsd.toml"
    config.write_text(
        CONFIG.format(
            tmp=tmp,
            listen=listen,
            admin_port=admin_port,
            sink=sink or f'type = "file"\ndirectory = "{tmp}/recordings"',
            ca_file=f'ca_file = "{ca_file}"' if ca_file else "",
        )
    )
    command = ["-m", "rtmsd", "run", "-c", str(config)]
    if activated is not None:
        command = ["-c", _ACTIVATE, str(activated.fileno()), "webhook", *command]
    log_file = tmp / "rtmsd.log"
    secrets = {"CLIENT_SECRET": client_secret, "WEBHOOK_SECRET": webhook_secret}
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={**os.environ, **secrets, **(environ or {})},
            stdout=log,
            stderr=log,
            pass_fds=() if activated is None else (activated.fileno(),),
        )
    running = Running(process, admin_port, log_file)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        print(running.log)  # pytest shows it when the test failed


async def post_event(url: str, event: str, payload: dict[str, object]) -> int:
    """Post a signed webhook; return the answer's status."""
    body = json.dumps({"event": event, "event_ts": int(time.time() * 1000), "payload": payload}).encode()
    timestamp = str(int(time.time()))
    headers = {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": webhook_signature(secret=WEBHOOK_SECRET, timestamp=timestamp, body=body),
    }
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        return answer.status


async def until(happened: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECS):
            while not happened():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"waited in vain for {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
