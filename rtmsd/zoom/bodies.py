"""The body of an answer, whole and bounded."""

from __future__ import annotations

import aiohttp


async def read_body(response: aiohttp.ClientResponse, *, most_bytes: int) -> bytes:
    """Read an answer's body to its end, or its first `most_bytes`; however many pieces it comes in.

    Raises aiohttp.ClientError when it breaks off. What is not read goes with the connection.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) >= most_bytes:
            break
    return bytes(body[:most_bytes])
