"""Where the events of one app go: to its webhook, to its event WebSocket, and into a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import PostsWebhooks
from rtmsd.simulator.cloud.world import CloudApp
from rtmsd.simulator.event_socket import EventSockets
from rtmsd.simulator.webhooks import WEBHOOK_PACE, OnWebhook, Webhooks, event_body


@dataclass(frozen=True)
class Sent:
    """An event that was sent to an app, whether or not it was taken."""

    app: str
    event: str
    event_ms: int
    payload: Mapping[str, object]


class Outlet:
    """Sends the events of an app, in the order of the calls unless one has to be sent again.

    `faults` says of an event, by its whole name or of "all", how often and how late it is sent; 0 copies lose it.
    """

    def __init__(
        self,
        app: CloudApp,
        *,
        sockets: EventSockets,
        clock: Clock,
        on_webhook: OnWebhook | None,
        sent: Callable[[Sent], None],
        tell: Callable[[str], None],
        pace: float,
    ) -> None:
        self.faults: dict[str, PostsWebhooks] = {}
        self.webhooks = Webhooks(
            url=app.webhook,
            secret=app.webhook_secret,
            clock=clock,
            on_webhook=on_webhook,
            tell=tell,
            pace=pace,
        )
        self._app = app
        self._sockets = sockets
        self._sent = sent
        self._tell = tell

    async def send(
        self,
        event: str,
        event_ms: int,
        payload: Mapping[str, object],
        *,
        pace: float = WEBHOOK_PACE,
        retry_refused: bool = False,
    ) -> bool:
        """Send an event; False when nobody took it. Cancelling abandons it."""
        fault = self.faults.get(event) or self.faults.get("all") or PostsWebhooks(0)
        if fault.delay_secs:
            await asyncio.sleep(fault.delay_secs)
        taken = True
        for _ in range(fault.copies):
            self._sent(Sent(self._app.name, event, event_ms, payload))
            if self._app.subscription_id:
                body = event_body(event, event_ms, payload)
                taken = await self._sockets.send(self._app.subscription_id, body)
                if not taken and not self.webhooks.reach_somebody:
                    self._tell(f"event {event}: nobody listens on the event WebSocket of {self._app.name}")
            taken &= await self.webhooks.send(
                event, event_ms, payload, pace=pace, retry_refused=retry_refused
            )
        return taken
