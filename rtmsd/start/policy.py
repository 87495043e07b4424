"""What to do about an announced stream. Pure: values in, a value out."""

from __future__ import annotations

from dataclasses import dataclass

from rtmsd.protocol.webhook import WebhookEvent
from rtmsd.start.rules import Refusal

JOIN_WINDOW_MS = 60_000
"""Zoom waits about so long for us after the event (protocol.md §2.4, §8)."""


@dataclass(frozen=True, kw_only=True)
class KnownStream:
    """What is known of a stream that was announced before. `alive`: sockets are open, being opened or regained.

    `given_up`: it ended by our doing, not by Zoom's word.
    """

    alive: bool
    ended: bool
    given_up: bool = False
    server_urls: tuple[str, ...]


@dataclass(frozen=True)
class Join:
    """Join the stream at the first of these that may be connected to."""

    server_urls: tuple[str, ...]


@dataclass(frozen=True)
class Failover:
    """Close this stream's sockets and join it at another server, at once (protocol.md §7.1 #1)."""

    server_urls: tuple[str, ...]


@dataclass(frozen=True)
class Ignore:
    """Do nothing. `problem`: somebody should know that a meeting is not recorded, and why; `rule`: of `[apps.only]`, that
    decided it."""

    sentence: str
    problem: bool
    rule: str = ""


Decision = Join | Failover | Ignore


def decide(
    event: WebhookEvent, *, refusal: Refusal | None, now_ms: int, known: KnownStream | None
) -> Decision:
    """Decide about one `rtms_started`. `refusal`: the rule that forbids it, unless it is known. `now_ms` and
    `event.event_ts` are Unix milliseconds."""
    assert event.kind == "started"
    if not event.stream_id:
        return Ignore(_not_entitled("rtms_stream_id"), problem=True)
    if known is not None and known.ended:
        if not known.given_up:
            return Ignore(
                "The stream has already ended; Zoom sent its start again. Nothing to do.", problem=False
            )
        known = None  # its recording is closed, but Zoom still has it: join it as if it were new
    if not event.server_urls:
        return _without_urls(known)
    # An event without a time is taken as new: its signature's age was checked.
    age_ms = now_ms - event.event_ts if event.event_ts > 0 else 0
    if known is not None:
        return _again(event, known, age_ms)
    if refusal is not None:
        return Ignore(refusal.sentence, problem=refusal.unknown, rule=refusal.rule)
    if age_ms > JOIN_WINDOW_MS:
        return Ignore(_too_late(age_ms), problem=True)
    return Join(event.server_urls)


def _without_urls(known: KnownStream | None) -> Decision:
    if known is None:
        return Ignore(_not_entitled("server_urls"), problem=True)
    if known.alive or not known.server_urls:
        return Ignore(
            "The stream is known, and its start came again without an address. Nothing to do.", problem=False
        )
    return Join(known.server_urls)


def _again(event: WebhookEvent, known: KnownStream, age_ms: int) -> Decision:
    """A repeat is a duplicate, or Zoom's way of saying that another server has taken over (protocol.md §7.1 #1)."""
    if set(event.server_urls) != set(known.server_urls):
        # A late repeat of an earlier start must not undo a failover that came in between; nor must it in an outage, when the
        # stream is about to come back where it was.
        if age_ms > JOIN_WINDOW_MS:
            return Ignore(
                "The stream is being recorded; an old start names another server. Nothing to do.",
                problem=False,
            )
        return Failover(event.server_urls)
    if known.alive:
        return Ignore(
            "The stream is being recorded; Zoom sent its start again. Nothing to do.", problem=False
        )
    return Join(event.server_urls)


def _not_entitled(missing: str) -> str:
    return (
        f"Zoom announced a stream without {missing}, so that it cannot be joined: this is seen when the trial of the "
        "Developer Pack has expired. Check that the account that owns the app has Developer Pack credits."
    )


def _too_late(age_ms: int) -> str:
    return (
        f"The start of this stream arrived {_span(age_ms)} after the event; it is probably Zoom's retry of a webhook that "
        "could not be delivered, and came too late to join: Zoom waits about 60 s. See why the first delivery failed "
        "(was rtmsd or its proxy down, did it answer within 3 s?), and that this machine's clock is right."
    )


def _span(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
