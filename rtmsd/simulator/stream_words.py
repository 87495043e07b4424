"""How what happens to a stream, its sockets and its webhooks is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from rtmsd.protocol.codes import SessionState, StatusCode, StopReason
from rtmsd.simulator import distortions
from rtmsd.simulator.actions import (
    DropHow,
    Drops,
    Ends,
    FallsSilent,
    Pauses,
    PostsWebhooks,
    Resumes,
    StreamAction,
    WebhookName,
)
from rtmsd.simulator.cast import Cast
from rtmsd.simulator.fault_actions import (
    Blackholes,
    Delays,
    Distorts,
    FailoverId,
    FailsOver,
    OldServer,
    RefuseHow,
    Refuses,
    Replays,
    SessionChanges,
    SocketName,
)
from rtmsd.simulator.reading import Fields

StreamWord = Callable[[Fields, Cast, int], StreamAction]

_DAY_SECS = 86_400.0
_MOST_TIMES = 10_000
_SESSION_STATES = {state.name.lower(): state for state in SessionState}


def _word(
    fields: Fields, key: str, known: object, default: str | None = None
) -> Any:  # one of a Literal's words
    return fields.one_of(key, get_args(known), default)


def _seconds(fields: Fields, default: float | None = None, key: str = "seconds") -> float:
    return fields.number(key, default, most=_DAY_SECS)


def _drops(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    socket = _word(fields, "socket", SocketName, "signaling")
    how = _word(fields, "how", DropHow, "reset")
    if fields.has("code") and how != "close":
        fields.problem("code", 'only a Close frame has one; write how = "close"')
    return Drops(at_ms, socket, how, fields.whole("code", 1000, least=1000, most=4999), _seconds(fields, 0.0))


def _refuses(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    socket = _word(fields, "socket", SocketName, "signaling")
    how = _word(fields, "how", RefuseHow, "status")
    if fields.has("status") and how != "status":
        fields.problem("status", 'only an answer has one; write how = "status", or leave it out')
    status = fields.whole("status", StatusCode.INTERNAL_EXCEPTION, least=1, most=max(StatusCode))
    return Refuses(at_ms, socket, how, status, fields.whole("times", 1, most=_MOST_TIMES))


def _webhooks(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    return PostsWebhooks(
        at_ms,
        fields.whole("copies", 1, most=100),
        _seconds(fields, 0.0, "delay_secs"),
        _word(fields, "event", WebhookName, "all"),
    )


def _ends(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    return Ends(
        at_ms,
        fields.whole("reason", StopReason.MEETING_ENDED, most=10_000),
        _seconds(fields, 0.0, "webhook_early_secs"),
        fields.flag("in_band", True),
    )


def _fails_over(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    return FailsOver(
        at_ms,
        _word(fields, "id", FailoverId, "same"),
        _word(fields, "old", OldServer, "reset"),
        _seconds(fields, 0.0, "after_secs"),
    )


def _session(fields: Fields, _: Cast, at_ms: int) -> StreamAction:
    state = _SESSION_STATES.get(fields.one_of("state", _SESSION_STATES), SessionState.INACTIVE)
    return SessionChanges(at_ms, fields.text("id"), state, fields.whole("reason", 0, most=10_000))


STREAM_WORDS: dict[str, StreamWord] = {
    "pause": lambda fields, _, at_ms: Pauses(at_ms),
    "resume": lambda fields, _, at_ms: Resumes(at_ms),
    "session": _session,
    "drop": _drops,
    "silence": lambda fields, _, at_ms: FallsSilent(at_ms, _seconds(fields)),
    "blackhole": lambda fields, _, at_ms: Blackholes(
        at_ms, _word(fields, "socket", SocketName, "all"), _seconds(fields)
    ),
    "refuse": _refuses,
    "delay": lambda fields, _, at_ms: Delays(
        at_ms,
        _word(fields, "socket", SocketName, "all"),
        _seconds(fields),
        fields.whole("times", 1, most=_MOST_TIMES),
    ),
    "distort": lambda fields, _, at_ms: Distorts(
        at_ms,
        fields.one_of("what", distortions.WORDS),
        _word(fields, "socket", SocketName, "all"),
        _seconds(fields, 0.0),
        fields.number("share", 1.0, most=1.0),
    ),
    "replay": lambda fields, _, at_ms: Replays(at_ms, fields.number("seconds", least=0.1, most=60)),
    "failover": _fails_over,
    "webhooks": _webhooks,
    "end": _ends,
}
