"""What a stream's story tells of its holes and connections, in a sentence each."""

from __future__ import annotations

from datetime import UTC, datetime

from rtmsd.frames import Event, Gap
from rtmsd.protocol.coverage import DAEMON_RESTART, NOT_DELIVERED, SOCKET_DOWN

_CAUSES = {
    SOCKET_DOWN: "the connection to Zoom was lost, and this did not come back",
    DAEMON_RESTART: "rtmsd was not running",
    NOT_DELIVERED: "it began before rtmsd was connected, or Zoom did not send it",
}

_EVENTS = {
    "stream_joined": "Connected to Zoom; the stream is received.",
    "session_paused": "The stream was paused, in Zoom.",
    "session_resumed": "The stream goes on after the pause.",
}


def explain_gap(gap: Gap) -> str:
    """Say what is missing of a stream, from when on, and why."""
    secs = (gap.to_ms - gap.from_ms) / 1000
    at = datetime.fromtimestamp(gap.from_ms / 1000, UTC).strftime("%H:%M:%S")
    what = gap.media.value if gap.media is not None else "everything"
    cause = _CAUSES.get(gap.cause, gap.cause.replace("_", " "))
    return f"{secs:.1f} s of {what} are missing, from {at} UTC: {cause}."


def explain_connection(event: Event) -> str:
    """Say what an event means for the recording; empty when it means nothing for it."""
    if event.name == "socket_lost":
        return f"The connection for {event.details.get('socket', 'a medium')} was lost; rtmsd connects again."
    return _EVENTS.get(event.name, "")
