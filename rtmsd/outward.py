"""What of the daemon goes out to Zoom's cloud: each app's calls, the starters that make them, and the event WebSockets."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from rtmsd import __version__
from rtmsd.config import AppConfig, Config
from rtmsd.frames import StreamInfo
from rtmsd.protocol.actions import Finished
from rtmsd.protocol.webhook import BadWebhook, parse
from rtmsd.runtime.clock import Clock
from rtmsd.start.look import Look
from rtmsd.start.starter import Starter
from rtmsd.state import Journal
from rtmsd.streams.transport import client_tls
from rtmsd.web.taking import Taking
from rtmsd.zoom.calls import AppCalls
from rtmsd.zoom.events import EventSocket
from rtmsd.zoom.limits import Budget

_BROKE = frozenset({"lost", "unreachable", "no_media", "internal_error"})
"""Ends that are nobody's will: the stream is started again, where somebody may ask for it."""

Schedule = Callable[[Coroutine[Any, Any, None]], object]


@dataclass
class Outward:
    """What goes out, by the apps' names."""

    calls: Mapping[str, AppCalls]
    starters: Mapping[str, Starter]
    looks: Mapping[str, Look]
    sockets: dict[str, EventSocket]
    session: aiohttp.ClientSession
    tls: ssl.SSLContext

    def stream_ended(self, info: StreamInfo, finished: Finished) -> None:
        """Tell the starter of a stream's app that it is over."""
        starter = self.starters.get(info.app)
        if starter is not None:
            starter.stream_stopped(
                info.meeting_uuid,
                info.zoom_id or info.stream_id,
                finished.reason,
                info.operator_id,
                broke=finished.reason is None and finished.outcome in _BROKE,
            )


@asynccontextmanager
async def outward(
    config: Config, *, journal: Journal, clock: Clock, schedule: Schedule
) -> AsyncIterator[Outward]:
    """Make what goes out; nothing is asked of anybody yet. `schedule` runs a coroutine as a supervised task."""
    tls = client_tls(config.zoom.ca_file)
    budgets: dict[str, Budget] = {}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"User-Agent": f"rtmsd/{__version__}"})
        )
        calls: dict[str, AppCalls] = {}
        starters: dict[str, Starter] = {}
        looks: dict[str, Look] = {}
        for app in config.apps:
            own = calls[app.name] = AppCalls(
                app,
                zoom=config.zoom,
                session=session,
                journal=journal,
                clock=clock,
                budgets=budgets,
                tls=tls,
            )
            stack.push_async_callback(own.close)
            starter = Starter(app, calls=own, journal=journal, clock=clock, schedule=schedule)
            starters[app.name] = starter
            stack.callback(starter.close)
            looks[app.name] = Look(starter, calls=own, journal=journal, clock=clock)
        yield Outward(calls, starters, looks, {}, session, tls)


def keep_looking(out: Outward, config: Config, schedule: Schedule) -> None:
    """Begin to reconcile with Zoom what is known, for the apps that may ask, and to wait for expected meetings."""
    for app in config.apps:
        look = out.looks[app.name]
        if app.manual is not None or app.hosts:
            schedule(look.run())
        if app.expected:
            schedule(look.expect())


def hear_events(
    out: Outward, config: Config, taking: Taking, *, clock: Clock, chance: random.Random, schedule: Schedule
) -> None:
    """Open the event WebSockets that are configured; what they bring is taken as webhooks are."""
    for app in config.apps:
        if app.events is None:
            continue
        calls = out.calls[app.name]
        tokens = calls.controller_tokens if app.events.owner == "manual" else calls.own_tokens
        assert tokens is not None, "the configuration is checked for it"
        socket = out.sockets[app.name] = EventSocket(
            session=out.session,
            events_url=config.zoom.events_url,
            subscription_id=app.events.subscription_id,
            tokens=tokens,
            on_event=_taker(taking, app),
            clock=clock,
            chance=chance,
            tls=out.tls,
            on_gap=out.looks[app.name].soon,
        )
        schedule(socket.run())


def _taker(taking: Taking, app: AppConfig) -> Callable[[bytes], Coroutine[Any, Any, None]]:
    log = structlog.get_logger("rtmsd.webhook").bind(app=app.name)

    async def take(body: bytes) -> None:
        event = parse(body)
        if isinstance(event, BadWebhook):
            log.warning("an event is not understood", found=event.sentence)
        elif event.kind in ("other", "validation"):
            log.info("event ignored: rtmsd has no use for it", event_name=event.event)
        else:
            taking.act(await taking.take(event, body, app.name), app.name, event)

    return take
