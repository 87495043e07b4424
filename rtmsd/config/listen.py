"""Where a listener accepts: `host:port`, `[v6]:port`, `unix:/path`, or the socket that systemd holds."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listen:
    """A TCP address; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class UnixListen:
    """A Unix domain socket; its directory's permissions say who may connect."""

    path: Path

    @property
    def local(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True)
class SystemdListen:
    """The socket that systemd listens on for us (socket activation); where that is, only its unit says."""

    def __str__(self) -> str:
        return "systemd"


def parse_listen(text: str) -> Listen | UnixListen | SystemdListen:
    """Read an address. Raise ValueError with a sentence."""
    if text == "systemd":
        return SystemdListen()
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute():
            raise ValueError(
                'expected an absolute path after "unix:", such as "unix:/run/rtmsd/webhook.sock"'
            )
        return UnixListen(path)
    match = re.fullmatch(r"(\[[^\[\]]+\]|[^\[\]:/\s]+):([0-9]{1,5})", text)
    if match is None:
        raise ValueError(
            f'expected "host:port", "[IPv6 address]:port" or "unix:/path", such as "127.0.0.1:8080", got "{text}"'
        )
    host, port = match[1], int(match[2])
    if port > 65535:
        raise ValueError(f"expected a port from 0 to 65535, got {port}")
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f'expected an IPv6 address in the brackets, got "{host}"') from None
    return Listen(host, port)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own loopback; names other than localhost are not."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
