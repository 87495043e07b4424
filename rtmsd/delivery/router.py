"""Every sink of the daemon, and the lanes from each stream to the sinks of its app."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from rtmsd.api.sinks import Sink
from rtmsd.delivery.lane import Lane
from rtmsd.delivery.numbers import SinkNumbers
from rtmsd.delivery.produced import ProducedRoute
from rtmsd.delivery.pump import DeliveryRules, Pump, SinkCounters
from rtmsd.delivery.route import LaneEnd, StreamRoute
from rtmsd.frames import Item, MediaKind, StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.ticker import Ticker

ABANDON_SECS = 2.0
"""For a writer that was cancelled to put away what it has."""

PURGE_AGAIN_SECS = (1.0, 10.0, 60.0, 600.0)
"""Between tries to delete what was revoked."""

PURGE_SECS = 5.0
"""How long deleting may keep a daemon that stops."""

PRODUCERS_SHARE = 0.5
"""Of its `drain_secs`, what a sink that publishes has when the daemon stops: the others must write it afterwards."""


@dataclass(frozen=True)
class LaneRules:
    limit_bytes: int
    batch_secs: float
    drop_oldest: bool


class Outlet:
    """One configured sink: the sink itself, how it is served, and its counts."""

    def __init__(
        self,
        *,
        name: str,
        type_name: str,
        sink: Sink,
        wants: frozenset[MediaKind],
        lane_rules: LaneRules,
        rules: DeliveryRules,
        publishes: bool = False,
        replaces: frozenset[MediaKind] = frozenset(),
        numbers: SinkNumbers | None = None,
    ) -> None:
        self.name = name
        self.publishes = publishes
        self.replaces = replaces
        self.type_name = type_name
        self.sink = sink
        self.wants = wants
        self.lane_rules = lane_rules
        self.rules = rules
        self.counters = SinkCounters()
        self.numbers = numbers or SinkNumbers()
        self.ticker = Ticker(lane_rules.batch_secs)
        self.lanes: list[Lane] = []
        self._dropped_before = 0  # by lanes that are gone

    @property
    def queued_items(self) -> int:
        return sum(lane.queued_items for lane in self.lanes)

    @property
    def queued_bytes(self) -> int:
        return sum(lane.queued_bytes for lane in self.lanes)

    @property
    def dropped(self) -> int:
        """Frames that this sink never got: its lanes were full, or it failed."""
        return (
            self.counters.dropped + self._dropped_before + sum(lane.counters.dropped for lane in self.lanes)
        )

    def release(self, lane: Lane) -> None:
        self.lanes.remove(lane)
        self._dropped_before += lane.counters.dropped


class Router:
    """Opens a route for each stream and runs its pumps until they are through."""

    def __init__(self, outlets: Sequence[Outlet], *, clock: Clock) -> None:
        self.outlets = {outlet.name: outlet for outlet in outlets}
        self._clock = clock
        self._pumps: dict[asyncio.Task[None], tuple[Pump, Outlet]] = {}
        self._purges: set[asyncio.Task[None]] = set()
        self._produced: dict[str, ProducedRoute] = {}  # by stream id
        self._log = structlog.get_logger("rtmsd.delivery")

    def open(self, stream: StreamInfo, sink_names: Sequence[str]) -> StreamRoute:
        """Make the lanes of a stream. They end with StreamEnd, or when the router drains."""
        outlets = [self.outlets[name] for name in sink_names]
        tasks: dict[asyncio.Task[None], LaneEnd] = {}
        for outlet in outlets:
            rules = outlet.lane_rules
            lane = Lane(limit_bytes=rules.limit_bytes, ticker=outlet.ticker, drop_oldest=rules.drop_oldest)
            pump = Pump(
                lane=lane,
                sink=outlet.sink,
                name=outlet.name,
                stream=stream,
                rules=outlet.rules,
                counters=outlet.counters,
                clock=self._clock,
            )
            task = asyncio.create_task(
                self._run(pump, outlet, lane), name=f"pump {outlet.name} {stream.stream_id}"
            )
            self._pumps[task] = pump, outlet
            task.add_done_callback(self._pumps.pop)
            outlet.lanes.append(lane)
            tasks[task] = LaneEnd(outlet.name, lane, outlet.wants)
        hurry = min((outlet.lane_rules.batch_secs for outlet in outlets), default=0.0)
        patience = [outlet.rules.drain_secs for outlet in outlets if outlet.publishes]
        if patience:
            return self._produce(stream, tasks, batch_secs=hurry, patience_secs=max(patience))
        return StreamRoute(list(tasks.values()), batch_secs=hurry)

    def _produce(
        self,
        stream: StreamInfo,
        tasks: Mapping[asyncio.Task[None], LaneEnd],
        *,
        batch_secs: float,
        patience_secs: float,
    ) -> StreamRoute:
        """Make the route of a stream some of whose sinks publish."""
        producers = {end.name for end in tasks.values() if self.outlets[end.name].publishes}
        route = ProducedRoute(
            list(tasks.values()), producers, batch_secs=batch_secs, patience_secs=patience_secs
        )
        self._produced[stream.stream_id] = route
        left = set(tasks)

        def over(task: asyncio.Task[None]) -> None:
            route.closed(tasks[task].name)
            left.discard(task)
            if not left and self._produced.get(stream.stream_id) is route:
                del self._produced[stream.stream_id]

        for task in tasks:
            task.add_done_callback(over)
        return route

    def publish(self, name: str, stream: StreamInfo, item: Item) -> None:
        """Hand what the sink `name` made of a stream to that stream's other sinks; to nobody when it is over."""
        if route := self._produced.get(stream.stream_id):
            route.publish(name, item)

    def revoke(self, stream: StreamInfo, sink_names: Sequence[str]) -> None:
        """Let every sink delete what it has of a stream, also while it is written and long after (protocol.md §6.6)."""
        for name in sink_names:
            task = asyncio.create_task(
                self._purge(self.outlets[name], stream), name=f"purge {name} {stream.stream_id}"
            )
            self._purges.add(task)
            task.add_done_callback(self._purges.discard)

    async def _purge(self, outlet: Outlet, stream: StreamInfo) -> None:
        log = self._log.bind(sink=outlet.name, stream_id=stream.stream_id)
        for pause in (*PURGE_AGAIN_SECS, None):
            try:
                await outlet.sink.purge(stream)
            except Exception as error:  # noqa: BLE001  # supervision: any fault of a sink's
                outlet.counters.errors += 1
                outlet.counters.last_error = "what was revoked could not be deleted"
                then = "delete it by hand" if pause is None else f"it is tried again in {pause:.0f} s"
                log.error("what was revoked could not be deleted", error=str(error), then=then)
                if pause is not None:
                    await asyncio.sleep(pause)
            else:
                log.warning("what was revoked is deleted")
                return

    async def drain(self) -> None:
        """Write what waits in every lane, each sink within its `drain_secs`; then abandon the rest. Those that publish
        come first, and have only a share of it.

        Call it when no stream offers any more. Cancelling abandons at once.
        """
        pumps = dict(self._pumps)
        loop = asyncio.get_running_loop()
        for purge in self._purges:
            loop.call_later(PURGE_SECS, purge.cancel)
        await asyncio.gather(*self._purges, return_exceptions=True)
        began = loop.time()
        producing = {task: one for task, one in pumps.items() if one[1].publishes}
        others = {task: one for task, one in pumps.items() if task not in producing}
        try:
            await _stop(producing, began, share=PRODUCERS_SHARE)
            for route in self._produced.values():
                route.release()
            await _stop(others, began, share=1.0)
        finally:
            for task, (_, outlet) in pumps.items():
                if not task.done() or task.cancelled():
                    task.cancel()
                    self._log.error(
                        "sink did not finish in time: what waited is not written", sink=outlet.name
                    )

    async def _run(self, pump: Pump, outlet: Outlet, lane: Lane) -> None:
        try:
            await pump.run()
        finally:
            outlet.release(lane)


async def _stop(
    pumps: Mapping[asyncio.Task[None], tuple[Pump, Outlet]], began: float, *, share: float
) -> None:
    """Stop these, and wait until they are through; each has this share of its `drain_secs`, counted from `began`."""
    if not pumps:
        return
    loop = asyncio.get_running_loop()
    for task, (pump, outlet) in pumps.items():
        pump.stop()
        loop.call_at(began + share * outlet.rules.drain_secs, task.cancel)
    ends = began + share * max(outlet.rules.drain_secs for _, outlet in pumps.values())
    await asyncio.wait(pumps, timeout=max(0.0, ends - loop.time()) + ABANDON_SECS)
