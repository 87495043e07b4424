"""Which addresses sound and keys may be sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def check_address(url: str, *, kind: str) -> None:
    """Raise ValueError unless `url` is one of `kind` ("ws" or "http"), encrypted unless it stays in this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"url must be a {kind}s:// address") from None
    if parts.scheme not in (kind, f"{kind}s") or not host:
        raise ValueError(f"url must begin with {kind}s:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not hold a key or a password: give it as key")
    if parts.scheme == kind and not _stays_here(host):
        raise ValueError(
            f"url must begin with {kind}s://: only a server in this machine may be reached without TLS"
        )


def host_of(url: str) -> str:
    """Name the host of a URL, for people."""
    return urlsplit(url).hostname or "?"


def _stays_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
