"""The two HMACs of RTMS, over bytes as they are on the wire."""

from __future__ import annotations

import hashlib
import hmac


def handshake_signature(*, client_id: str, client_secret: str, uuid: str, stream_id: str) -> str:
    """Sign a signaling or media handshake. `uuid` is raw, never URL-encoded (protocol.md §5.2.1)."""
    message = f"{client_id},{uuid},{stream_id}".encode()
    return hmac.new(client_secret.encode(), message, hashlib.sha256).hexdigest()


def webhook_signature(*, secret: str, timestamp: str, body: bytes) -> str:
    """Compute the value of `x-zm-signature` (protocol.md §2.2)."""
    return (
        "v0="
        + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    )


def validation_token(*, secret: str, plain_token: str) -> str:
    """Compute `encryptedToken` of the URL validation (protocol.md §2.3).

    The key is that of webhook signatures: never call this on text that could be a signed webhook.
    """
    return hmac.new(secret.encode(), plain_token.encode(), hashlib.sha256).hexdigest()
