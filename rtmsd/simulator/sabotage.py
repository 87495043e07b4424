"""What a timeline does to the open connections of a stream."""

from __future__ import annotations

from rtmsd.errors import SimulatorError
from rtmsd.simulator.actions import Drops
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.fault_actions import Blackholes
from rtmsd.simulator.stream import Stream


def drop(stream: Stream, action: Drops) -> list[Connection]:
    """Take living sockets away; gives them. Raises SimulatorError when there is none of that name."""
    dropped = _called(stream, action.socket)
    if not dropped:
        raise SimulatorError(f"no {action.socket} socket is connected that could be dropped")
    if action.seconds:
        stream.faults.send_away(action.socket, action.seconds)
    for connection in dropped:
        match action.how:
            case "reset":
                connection.abort()
            case "close":
                connection.close(action.code, "dropped")
            case "eof":
                connection.end()
    return dropped


def fall_silent(stream: Stream, seconds: float) -> None:
    """Hold back all that is sent on the sockets that are open now."""
    for connection in stream.connections:
        connection.hold(seconds)


def go_dark(stream: Stream, action: Blackholes) -> None:
    """Let nothing in or out, on what is open and on what comes."""
    stream.faults.add(action)
    for connection in _called(stream, action.socket):
        connection.darken(action.seconds)


def _called(stream: Stream, name: str) -> list[Connection]:
    return [one for one in stream.connections if name == "all" or name in one.names]
