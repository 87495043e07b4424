"""Why there is no connection to Zoom's event WebSocket, in sentences: cause, and where to look."""

from __future__ import annotations

import aiohttp

from rtmsd.errors import RtmsdError
from rtmsd.zoom.event_messages import Kind, read_message

MOST_BYTES = 1024 * 1024
"""Of one message. Events are a few kB."""

REDIRECTS = range(300, 400)

AGAIN = "It is tried again by itself; what Zoom sends meanwhile is not delivered."


class Lost(RtmsdError):
    """There is no connection, or no more; the text says why. `refused`: a new token may help."""

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(sentence)


def unreachable(why: str) -> Lost:
    return Lost(f"Zoom's event WebSocket could not be reached: {why}. {AGAIN}")


def not_upgraded(status: int) -> Lost:
    if status in (401, 403):
        return _refused(f"HTTP {status}")
    if status == 429 or status >= 500:
        return Lost(f"Zoom's event WebSocket has a fault of its own (HTTP {status}). {AGAIN}")
    what = "sent us elsewhere" if status in REDIRECTS else "opened no WebSocket"
    return Lost(f"Zoom's event WebSocket {what} (HTTP {status}): is `zoom.events_url` right? {AGAIN}")


def _refused(how: str) -> Lost:
    return Lost(
        f"Zoom did not take the access token for the event WebSocket, nor a new one ({how}): the subscription has to belong to the "
        "same app as the credentials, its id has to be copied whole, and the app has to be activated.",
        refused=True,
    )


def end_of(message: aiohttp.WSMessage) -> Lost | None:
    """Say why a message is the last one; None if it is not."""
    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        refusal = read_message(message.data).kind is Kind.REFUSAL
        return _refused("it said so") if refusal else None
    code = _close_code(message)
    if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return Lost(
            f"Zoom's event WebSocket sent a message of more than {MOST_BYTES // 1024} KiB, which no event is: closed. {AGAIN}"
        )
    how = "without a word" if code is None else f"code {code}"
    return Lost(
        f"Zoom's event WebSocket was closed ({how}). {AGAIN} If this goes on: Zoom keeps one connection for a "
        "subscription, so look whether another program uses the same one."
    )


def _close_code(message: aiohttp.WSMessage) -> int | None:
    """Give Zoom's code, or the one we closed with. The socket's own is another when the peer did not wait for ours."""
    if message.type is aiohttp.WSMsgType.CLOSE and isinstance(message.data, int):
        return message.data
    if message.type is aiohttp.WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
        return int(message.data.code)
    return None
