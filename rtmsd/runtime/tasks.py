"""Tasks that may fail without taking their siblings with them."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog


async def supervise(work: Awaitable[None], *, what: str) -> None:
    """Await `work`; log what it raises instead of passing it on. Cancelling goes through."""
    try:
        await work
    except Exception as error:  # noqa: BLE001  # supervision is this function's purpose
        structlog.get_logger("rtmsd").error(f"{what} failed", error=type(error).__name__, exc_info=error)
