"""Takes verified events, whichever way they came: onto the disk first, then acted upon, each once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from rtmsd.diagnosis.notices import explain_notice
from rtmsd.protocol.webhook import WebhookEvent, kept_body
from rtmsd.runtime.clock import Clock
from rtmsd.web.counters import Warned, WebhookCounters

# Events that are counted by their name (protocol.md §2.5.5).
_NOTICES = (
    "rtms.concurrency_near_limit",
    "rtms.concurrency_limited",
    "rtms.start_failed",
    "rtms.request_status",
)


class Kept(Protocol):
    """An event that is on the disk; `duplicate`: it already was."""

    @property
    def id(self) -> int: ...
    @property
    def duplicate(self) -> bool: ...


class WebhookJournal(Protocol):
    """Where events are kept before they are acknowledged."""

    async def take_webhook(
        self,
        *,
        app: str,
        event: str,
        event_ts: int,
        stream_id: str | None,
        body: bytes,
        received_ms: int,
        kept: bytes | None = None,
        meeting: tuple[str, str] = ("", ""),
    ) -> Kept: ...


OnEvent = Callable[[int, str, WebhookEvent], Coroutine[Any, Any, None]]
"""Called with the event's id in the journal and the app's name."""


class Taking:
    """Keeps events in `journal`; `schedule` gets the coroutine `on_event(id, app, event)` of those that are new."""

    def __init__(
        self,
        *,
        journal: WebhookJournal,
        on_event: OnEvent,
        schedule: Callable[[Coroutine[Any, Any, None]], object],
        clock: Clock,
        counters: WebhookCounters,
    ) -> None:
        self._journal = journal
        self._on_event = on_event
        self._schedule = schedule
        self._clock = clock
        self._counters = counters
        self._log = structlog.get_logger("rtmsd.webhook")

    async def take(self, event: WebhookEvent, body: bytes, app: str) -> Kept:
        """Keep a verified event. Raises JournalError: then nothing was kept. Follow with `act`, however that may end."""
        kept = await self._journal.take_webhook(
            app=app,
            event=event.event,
            event_ts=event.event_ts,
            stream_id=event.stream_id or None,
            body=body,
            received_ms=self._clock.wall_ms(),
            kept=kept_body(event, body),
            meeting=(event.uuid, event.meeting_id),
        )
        self._counters.count(_counted(event), "duplicate" if kept.duplicate else "taken")
        self._counters.last_taken_ms = self._clock.wall_ms()
        self._log.info(
            "webhook taken",
            app=app,
            webhook=event.event,
            stream_id=event.stream_id,
            duplicate=kept.duplicate,
        )
        if event.kind == "notice" and not kept.duplicate:
            self._show(event, app)
        return kept

    def act(self, kept: Kept, app: str, event: WebhookEvent) -> None:
        """Have an event that was kept acted upon, unless it was before."""
        if not kept.duplicate:
            self._schedule(self._on_event(kept.id, app, event))

    def _show(self, event: WebhookEvent, app: str) -> None:
        """Say what Zoom says; what is a problem stands on the status page (§2.5.5)."""
        notice = explain_notice(event.event, uuid=event.uuid, said=event.said)
        if notice.problem:
            now_ms = self._clock.wall_ms()
            self._counters.warned.append(Warned(app, event.event, event.event_ts, notice.sentence, now_ms))
            self._log.warning(notice.sentence, app=app, webhook=event.event)
        else:
            self._log.info(notice.sentence, app=app, webhook=event.event)


def _counted(event: WebhookEvent) -> str:
    """The name that an event is counted by; strangers' names must not become metrics."""
    if event.kind == "notice" and event.event not in _NOTICES:
        return "rtms.other"
    return event.event
