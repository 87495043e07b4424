"""The composition root: builds every part, introduces them to each other, and stops them in order."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from rtmsd import __version__
from rtmsd.api.sinks import SinkContext
from rtmsd.config import AppConfig, Config, Listen, SystemdListen, UnixListen
from rtmsd.delivery.numbers import SinkNumbers
from rtmsd.delivery.pump import DeliveryRules
from rtmsd.delivery.route import StreamRoute
from rtmsd.delivery.router import LaneRules, Outlet, Router
from rtmsd.delivery.tapping import Taps
from rtmsd.diagnosis.codes import stop_reason
from rtmsd.diagnosis.holes import explain_connection, explain_gap
from rtmsd.diagnosis.notices import explain_notice
from rtmsd.diagnosis.streams import explain_end, explain_medium
from rtmsd.errors import ConfigError, JournalError, RtmsdError
from rtmsd.frames import Event, Gap, Item, MediaKind, StreamInfo
from rtmsd.outward import Outward, hear_events, keep_looking, outward
from rtmsd.plugins import Plugins, blamed
from rtmsd.protocol.actions import Finished
from rtmsd.protocol.media import MEDIA_TYPES
from rtmsd.protocol.products import product_of
from rtmsd.protocol.webhook import Credentials, WebhookEvent
from rtmsd.report import Report, one_line
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.leaving import leave_within
from rtmsd.runtime.systemd import Systemd
from rtmsd.runtime.tasks import supervise
from rtmsd.start.coordinator import Coordinator
from rtmsd.state.journal import Journal
from rtmsd.streams.manager import StreamManager
from rtmsd.streams.roster import Explanation
from rtmsd.streams.transport import client_tls
from rtmsd.web.admin import admin_app
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.server import serving
from rtmsd.web.taking import Taking
from rtmsd.web.webhook import webhook_app, webhook_routes

_CLOSING_SECS = 4.5
"""For listeners, abandoned writers and the sinks themselves to end; with the lanes' ten it stays below 15 s."""


@dataclass(frozen=True)
class Ready:
    """The daemon takes webhooks: where, and where it shows itself."""

    webhook: Listen | UnixListen
    admin: Listen | UnixListen
    report: Report


PRUNE_SECS = 86_400.0

HANDLE_AGAIN_SECS = (1.0, 2.0, 5.0, 10.0, 20.0)
"""A journal that was busy or full may be well again while Zoom still waits for us."""


class _Stop(Exception):
    """Raised by the task that waits for the end, to end the group."""


class _Explain:
    """The sentences of `diagnosis`, for the streams."""

    def end(self, finished: Finished, *, app: str) -> Explanation:
        sentence = explain_end(
            outcome=finished.outcome,
            reason=finished.reason,
            status=finished.status,
            detail=finished.detail,
            app=app,
        )
        expected = finished.outcome == "ended" and (
            finished.reason is None or stop_reason(finished.reason).expected
        )
        return Explanation(sentence, problem=not expected)

    def medium(self, kind: MediaKind, status: int | None, cause: str) -> str:
        return explain_medium(kind.value, status, cause)


class Daemon:
    """The whole of rtmsd for one configuration. Without `systemd` nobody started it who wants to be told."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        *,
        clock: Clock,
        chance: random.Random,
        systemd: Systemd | None = None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._clock = clock
        self._chance = chance
        self._systemd = systemd or Systemd()
        self._apps = {app.name: app for app in config.apps}
        self._router: Router | None = None
        self._log = structlog.get_logger("rtmsd")

    @property
    def stop_secs(self) -> float:
        """How long stopping may take; what takes longer is left behind."""
        return max(one.delivery.drain_secs for one in self._config.sinks) + _CLOSING_SECS

    async def run(self, *, stop: asyncio.Event, ready: Callable[[Ready], None] | None = None) -> None:
        """Serve until `stop` is set. `ready` is called once webhooks are accepted.

        Raises RtmsdError when something cannot be started. Stopping: no more webhooks, then no more sockets, then
        the lanes are drained within the sinks' `drain_secs`, then the sinks are left. Cancelling does the same, but
        abandons what waits.
        """
        inherited = self._inherited()
        async with (
            Journal.open(self._config.state_dir, self._clock) as journal,
            AsyncExitStack() as sinks,
        ):
            self._router = Router(
                [await self._outlet(one.name, sinks) for one in self._config.sinks], clock=self._clock
            )
            router = self._router
            try:
                await self._serve(journal, router, inherited, stop, ready)
            finally:
                await router.drain()
        self._log.info("stopped")

    def _inherited(self) -> list[socket.socket]:
        """Return the sockets that systemd listens on for us; ConfigError when they are not as configured."""
        passed = ", ".join(self._systemd.passed)
        if not isinstance(self._config.webhook.listen, SystemdListen):
            if passed:
                self._log.warning(
                    'systemd passed sockets that nobody serves; webhook.listen = "systemd" would',
                    sockets=passed,
                )
            return []
        if sockets := self._systemd.listeners("webhook"):
            return sockets
        came = f"sockets named {passed}, none of them webhook" if passed else "no socket"
        raise ConfigError(
            [
                f'webhook.listen: is "systemd", but {came} came from there: start rtmsd.socket '
                '(systemctl enable --now rtmsd.socket), or write "host:port"'
            ]
        )

    async def _outlet(self, name: str, sinks: AsyncExitStack) -> Outlet:
        """Build, enter and check one sink; SinkError or PluginError tells why it cannot be used."""
        config = next(one for one in self._config.sinks if one.name == name)
        sink_type = self._plugins.sink_types[config.type]
        log = structlog.get_logger("rtmsd.sink").bind(sink=name)
        numbers = SinkNumbers(
            refused=lambda why: log.warning("a number of the sink's own is left out", why=why)
        )
        context = SinkContext(
            name=name,
            version=__version__,
            state_dir=self._config.state_dir / "sinks" / name,
            publish=partial(self._publish, name) if sink_type.publishes else SinkContext.publish,
            drain_secs=config.delivery.drain_secs,
            count=numbers.count,
            measure=numbers.measure,
            log=log,
        )
        with blamed(self._plugins.origins[config.type], f"broke when sink {name!r} was set up"):
            wants = sink_type.wants(config.options)
            sink = await sinks.enter_async_context(sink_type.build(config.options, context))
            await sink.check()
        rules = config.delivery
        return Outlet(
            name=name,
            type_name=config.type,
            sink=sink,
            wants=wants,
            lane_rules=LaneRules(
                limit_bytes=rules.queue_bytes,
                batch_secs=rules.batch_ms / 1000,
                drop_oldest=rules.when_full == "drop_oldest",
            ),
            rules=DeliveryRules(write_timeout_secs=rules.write_timeout_secs, drain_secs=rules.drain_secs),
            publishes=sink_type.publishes,
            replaces=sink_type.replaces(config.options),
            numbers=numbers,
        )

    def _publish(self, name: str, stream: StreamInfo, item: Item) -> None:
        if self._router is not None:  # before it there is no stream
            self._router.publish(name, stream, item)

    async def _serve(
        self,
        journal: Journal,
        router: Router,
        inherited: Sequence[socket.socket],
        stop: asyncio.Event,
        ready: Callable[[Ready], None] | None,
    ) -> None:
        def open_route(info: StreamInfo, app: AppConfig) -> StreamRoute:
            route = router.open(info, app.sinks)
            makes = any(router.outlets[name].publishes for name in app.sinks)
            made = frozenset({MediaKind.TRANSCRIPT}) if makes else frozenset[MediaKind]()
            taps.opened(info, route, (wanted(app) & product_of(info).media) | made)
            return route

        def revoke(info: StreamInfo) -> None:
            router.revoke(info, self._apps[info.app].sinks)

        def wanted(app: AppConfig) -> frozenset[MediaKind]:
            outlets = [router.outlets[name] for name in app.sinks]
            wants = frozenset[MediaKind]().union(*(outlet.wants for outlet in outlets))
            made_here = frozenset[MediaKind]().union(*(outlet.replaces for outlet in outlets))
            return (wants - made_here) & MEDIA_TYPES.keys()

        def ended(info: StreamInfo, finished: Finished) -> None:
            if out is not None:
                out.stream_ended(info, finished)

        def noted(info: StreamInfo, item: Gap | Event) -> None:
            if out is None or info.app not in self._apps:
                return
            story = out.starters[info.app].story
            if isinstance(item, Gap):
                story.note_stream(info, "gap", explain_gap(item), problem=True)
            elif sentence := explain_connection(item):
                story.note_stream(info, "connection", sentence)

        def schedule(work: Coroutine[Any, Any, None]) -> None:
            if stop.is_set():  # nothing new is begun any more
                work.close()
            else:
                tasks.create_task(supervise(work, what="talking with Zoom"), name="zoom")

        out: Outward | None = None
        taps = Taps()
        streams = StreamManager(
            journal=journal,
            ended=ended,
            noted=noted,
            tls=client_tls(self._config.zoom.ca_file),
            allowed_hosts=self._config.zoom.allowed_hosts,
            open_route=open_route,
            revoke=revoke,
            wanted=wanted,
            explain=_Explain(),
            clock=self._clock,
            chance=self._chance,
        )
        counters = WebhookCounters()
        problem: Exception | None = None
        try:
            async with (
                outward(self._config, journal=journal, clock=self._clock, schedule=schedule) as out,
                asyncio.TaskGroup() as tasks,  # left first: nobody asks when there is nobody to ask any more
            ):
                coordinator = Coordinator(
                    apps=self._apps,
                    starters=out.starters,
                    streams=streams,
                    journal=journal,
                    clock=self._clock,
                    explain_notice=lambda event: (
                        explain_notice(event.event, uuid=event.uuid, said=event.said).sentence
                    ),
                )
                report = Report(
                    apps=tuple(self._apps),
                    streams=streams,
                    coordinator=coordinator,
                    starters=out.starters,
                    event_sockets=out.sockets,
                    router=router,
                    counters=counters,
                    clock=self._clock,
                )
                taking = self._taking(journal, coordinator, counters, schedule)
                started = asyncio.Event()
                moving = tasks.create_task(streams.run(started), name="streams")
                await started.wait()
                tasks.create_task(report.watch(), name="report")
                await coordinator.catch_up()
                report.remember(await journal.recent_streams(20))
                tasks.create_task(supervise(_prune(journal), what="pruning the journal"), name="prune")
                keep_looking(out, self._config, schedule)
                hear_events(
                    out,
                    self._config,
                    taking,
                    clock=self._clock,
                    chance=self._chance,
                    schedule=schedule,
                )
                async with serving(
                    self._webhooks(taking, counters),
                    self._config.webhook.listen,
                    inherited=inherited,
                ) as webhook:
                    report.accept(True)
                    async with serving(self._admin(report, taps), self._config.admin.listen) as admin:
                        self._log.info(
                            "ready", webhook=f"{webhook}{self._config.webhook.path}", status_page=str(admin)
                        )
                        for warning in self._config.warnings:
                            self._log.warning(warning)
                        if ready is not None:
                            ready(Ready(webhook, admin, report))
                        self._systemd.ready()
                        tasks.create_task(self._systemd.feed(lambda: not moving.done()), name="watchdog")
                        tasks.create_task(self._systemd.show(lambda: one_line(streams)), name="status line")
                        try:
                            await stop.wait()
                        finally:
                            self._systemd.stopping()
                            report.accept(False)
                            self._log.info("stopping", streams=streams.living, **_prospect(streams.living))
                raise _Stop
        except* _Stop:
            pass
        except* RtmsdError as group:
            problem = group.exceptions[0]
        if problem is not None:  # raised in there it would come out in a group
            raise problem

    def _taking(
        self,
        journal: Journal,
        coordinator: Coordinator,
        counters: WebhookCounters,
        schedule: Callable[[Coroutine[Any, Any, None]], None],
    ) -> Taking:
        async def on_event(taken_id: int, app: str, event: WebhookEvent) -> None:
            for pause in (*HANDLE_AGAIN_SECS, None):
                try:
                    return await coordinator.handle(taken_id, app, event)
                except JournalError as error:
                    self._log.error(
                        "a webhook was not handled to its end", webhook=event.event, error=str(error)
                    )
                if pause is not None:
                    await asyncio.sleep(pause)

        return Taking(
            journal=journal,
            on_event=on_event,
            schedule=schedule,
            clock=self._clock,
            counters=counters,
        )

    def _webhooks(self, taking: Taking, counters: WebhookCounters) -> web.Application:
        routes = webhook_routes(
            path=self._config.webhook.path,
            credentials=[_credentials(app) for app in self._config.apps],
            taking=taking,
            clock=self._clock,
            counters=counters,
        )
        return webhook_app(routes)

    def _admin(self, report: Report, taps: Taps) -> web.Application:
        return admin_app(
            source=report,
            clock=self._clock,
            version=__version__,
            token=self._config.admin.token,
            taps=taps,
        )


def _credentials(app: AppConfig) -> Credentials:
    """The secrets that name an app: its own, and those of the controller that may get its meetings' events."""
    secrets = [*app.webhook_secrets, *(app.manual.webhook_secrets if app.manual is not None else ())]
    return Credentials(app.name, tuple(secret.reveal() for secret in secrets))


def _prospect(living: int) -> dict[str, str]:
    return {"then": "started again within 60 s, rtmsd goes on with their recordings"} if living else {}


async def _prune(journal: Journal) -> None:
    """Forget what is old, now and once a day."""
    while True:
        try:
            await journal.prune()
        except JournalError as error:
            structlog.get_logger("rtmsd").error("the journal could not be pruned", error=str(error))
        await asyncio.sleep(PRUNE_SECS)


async def run_until_signal(daemon: Daemon) -> None:
    """Run the daemon until SIGTERM or SIGINT, and let the process end with 0 within the daemon's `stop_secs` of it.

    A signal does not wait for the start, which the next one does again, and a second signal not for the sinks.
    """
    stop, started = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def asked() -> None:
        again = stop.is_set()
        leave_within(_CLOSING_SECS if again else daemon.stop_secs)
        if again or not started.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    try:
        await daemon.run(stop=stop, ready=lambda _: started.set())
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
