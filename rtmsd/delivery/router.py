"""Every sink of the daemon, and the lanes from each stream to the sinks of its app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from rtmsd.api.sinks import Sink
from rtmsd.delivery.lane import Lane
from rtmsd.delivery.pump import DeliveryRules, Pump, SinkCounters
from rtmsd.frames import (
    AudioFrame,
    ChatFrame,
    Event,
    Gap,
    Item,
    MediaKind,
    ShareFrame,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.ticker import Ticker

ABANDON_SECS = 2.0
"""For a writer that was cancelled to put away what it has."""

PURGE_AGAIN_SECS = (1.0, 10.0, 60.0, 600.0)
"""Between tries to delete what was revoked."""

PURGE_SECS = 5.0
"""How long deleting may keep a daemon that stops."""

_KINDS: dict[type, MediaKind] = {
    VideoFrame: MediaKind.VIDEO,
    ShareFrame: MediaKind.SHARE,
    AudioFrame: MediaKind.AUDIO,
    TranscriptFrame: MediaKind.TRANSCRIPT,
    ChatFrame: MediaKind.CHAT,
}


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
    ) -> None:
        self.name = name
        self.type_name = type_name
        self.sink = sink
        self.wants = wants
        self.lane_rules = lane_rules
        self.rules = rules
        self.counters = SinkCounters()
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


class StreamRoute:
    """One stream's way to its sinks. `batch_secs`: how long even the most hurried of them lets frames gather."""

    def __init__(self, lanes: Sequence[tuple[Lane, frozenset[MediaKind]]], *, batch_secs: float) -> None:
        self.batch_secs = batch_secs
        everyone = tuple(lane for lane, _ in lanes)
        self._offers: dict[type, tuple[Callable[[Item], None], ...]] = {
            Event: _offers(everyone),
            Gap: _offers(everyone),
            StreamEnd: _offers(everyone),
        }
        for item_type, kind in _KINDS.items():
            self._offers[item_type] = _offers(lane for lane, wants in lanes if kind in wants)

    @property
    def audio_offers(self) -> tuple[Callable[[Item], None], ...]:
        """What `offer` calls for an audio frame."""
        return self._offers[AudioFrame]

    def offer(self, item: Item) -> None:
        """Hand an item to every lane that wants it. Returns at once; cannot fail."""
        for offer in self._offers[type(item)]:
            offer(item)


def _offers(lanes: Iterable[Lane]) -> tuple[Callable[[Item], None], ...]:
    return tuple(lane.offer for lane in lanes)


class Router:
    """Opens a route for each stream and runs its pumps until they are through."""

    def __init__(self, outlets: Sequence[Outlet], *, clock: Clock) -> None:
        self.outlets = {outlet.name: outlet for outlet in outlets}
        self._clock = clock
        self._pumps: dict[asyncio.Task[None], tuple[Pump, Outlet]] = {}
        self._purges: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("rtmsd.delivery")

    def open(self, stream: StreamInfo, sink_names: Sequence[str]) -> StreamRoute:
        """Make the lanes of a stream. They end with StreamEnd, or when the router drains."""
        lanes = []
        for name in sink_names:
            outlet = self.outlets[name]
            rules = outlet.lane_rules
            lane = Lane(limit_bytes=rules.limit_bytes, ticker=outlet.ticker, drop_oldest=rules.drop_oldest)
            pump = Pump(
                lane=lane,
                sink=outlet.sink,
                name=name,
                stream=stream,
                rules=outlet.rules,
                counters=outlet.counters,
                clock=self._clock,
            )
            task = asyncio.create_task(self._run(pump, outlet, lane), name=f"pump {name} {stream.stream_id}")
            self._pumps[task] = pump, outlet
            task.add_done_callback(self._pumps.pop)
            outlet.lanes.append(lane)
            lanes.append((lane, outlet.wants))
        hurry = min((self.outlets[name].lane_rules.batch_secs for name in sink_names), default=0.0)
        return StreamRoute(lanes, batch_secs=hurry)

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
        """Write what waits in every lane, each sink within its `drain_secs`; then abandon the rest.

        Call it when no stream offers any more. Cancelling abandons at once.
        """
        pumps = dict(self._pumps)
        loop = asyncio.get_running_loop()
        for purge in self._purges:
            loop.call_later(PURGE_SECS, purge.cancel)
        await asyncio.gather(*self._purges, return_exceptions=True)
        for task, (pump, outlet) in pumps.items():
            pump.stop()
            loop.call_later(outlet.rules.drain_secs, task.cancel)
        patience = max((outlet.rules.drain_secs for _, outlet in pumps.values()), default=0.0)
        try:
            if pumps:
                await asyncio.wait(pumps, timeout=patience + ABANDON_SECS)
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
