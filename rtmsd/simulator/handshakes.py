"""What both kinds of handshake go through: the first message, and the faults that hit it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rtmsd.protocol.codes import StatusCode
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.messages import Message
from rtmsd.simulator.stream import Stream

_CHECK_SECS = 0.02


async def first_message(connection: Connection, seconds: float) -> Message | None:
    """Read the client's first message; None when it is gone, or said nothing for so long."""
    try:
        async with asyncio.timeout(seconds):
            return await connection.read()
    except TimeoutError:
        return None


async def admitted(
    connection: Connection,
    stream: Stream,
    names: Sequence[str],
    *,
    respond: Callable[[StatusCode], Message],
    clock: Clock,
) -> bool:
    """Let a handshake through the faults that hit its stream; False when nothing more is to be done for it.

    `respond` makes the answer that refuses with a status.
    """
    faults = stream.faults
    connection.names, connection.faults = names, faults
    if stream.server != connection.server or faults.is_away(names):
        connection.abort()  # the server that it came to is dead, or unreachable
        return False
    answers_at = clock.monotonic() + faults.delay_secs(names)
    refusal = faults.refusal(names)
    while faults.is_dark(names) or clock.monotonic() < answers_at or (refusal and refusal.how == "never"):
        if connection.ending or stream.stop_reason is not None:
            return False
        await asyncio.sleep(_CHECK_SECS)
    if refusal is None:
        return not connection.ending
    if refusal.how == "status":
        connection.send(respond(StatusCode(refusal.status)))
    elif refusal.how == "reset":
        connection.abort()
    return False  # with a Close frame, unless it is reset
