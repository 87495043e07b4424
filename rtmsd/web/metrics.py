"""The same numbers for Prometheus: read when it asks, in labels that are few whatever happens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from rtmsd.web.counters import Histogram
from rtmsd.web.status import PENDING, MeetingState, SinkStatus, StatusSource


class Metrics:
    """Answers /metrics, in whichever of Prometheus' formats is asked for."""

    def __init__(self, source: StatusSource, version: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Numbers(source, version))

    async def answer(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})


class _Numbers(Collector):
    def __init__(self, source: StatusSource, version: str) -> None:
        self._source = source
        self._version = version

    def describe(self) -> list[Metric]:
        """Nothing: asked at registration, when there is nothing to count yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("rtmsd_build", "Which rtmsd this is.", value={"version": self._version})
        yield from self._webhooks()
        yield from self._starts()
        yield from self._streams()
        yield from self._sinks()

    def _webhooks(self) -> Iterator[Metric]:
        webhooks = self._source.webhooks()
        results = CounterMetricFamily(
            "rtmsd_webhooks", "Webhooks by what became of them.", labels=["event", "result"]
        )
        for (event, result), number in sorted(webhooks.results.items()):
            results.add_metric([event, result], number)
        yield results
        yield _histogram(
            "rtmsd_webhook_ack_seconds",
            "From a webhook's last byte to its answer; Zoom waits 3 s.",
            webhooks.ack_secs,
        )
        if webhooks.skew_secs is not None:
            yield GaugeMetricFamily(
                "rtmsd_webhook_clock_skew_seconds",
                "This machine's clock less Zoom's, at the last verified webhook.",
                value=webhooks.skew_secs,
            )

    def _starts(self) -> Iterator[Metric]:
        starts = self._source.sums().starts
        going_on = [one.state for one in self._source.meetings() if not one.over]
        yield _counter(
            "rtmsd_start_attempts",
            "Requests to start a stream, by what Zoom's answer meant.",
            "result",
            starts.attempts,
        )
        yield SummaryMetricFamily(
            "rtmsd_start_confirm_seconds",
            "From a request to the stream that followed it.",
            count_value=starts.confirmed,
            sum_value=starts.confirm_secs,
        )
        yield GaugeMetricFamily(
            "rtmsd_start_pending",
            "Meetings that go on and have no stream yet, and may still get one.",
            value=sum(state in PENDING for state in going_on),
        )
        yield _gauge(
            "rtmsd_start_meetings",
            "Meetings that go on, by where the start of their stream stands.",
            "state",
            {state: going_on.count(state) for state in get_args(MeetingState)},
        )
        yield CounterMetricFamily(
            "rtmsd_start_never_started",
            "Meetings that had no stream by their deadline.",
            value=starts.never_started,
        )

    def _streams(self) -> Iterator[Metric]:
        sums = self._source.sums()
        yield _gauge("rtmsd_streams_active", "Streams that are open.", "app", sums.active)
        yield _counter("rtmsd_stream_stops", "Streams that ended, by reason.", "reason", sums.stops)
        yield _counter(
            "rtmsd_socket_reconnects", "Sockets that were lost and opened again.", "kind", sums.reconnects
        )
        yield _counter("rtmsd_frames_received", "Media frames received, each once.", "media", sums.frames)
        yield _counter("rtmsd_media_received_bytes", "Media received, decoded.", "media", sums.media_bytes)
        yield _counter(
            "rtmsd_gap_seconds",
            "Length of what Zoom did not deliver to rtmsd, by cause.",
            "cause",
            {cause: secs for cause, (_, secs) in sums.gaps.items()},
        )
        yield _counter(
            "rtmsd_gaps",
            "Spans that Zoom did not deliver to rtmsd, by cause.",
            "cause",
            {cause: number for cause, (number, _) in sums.gaps.items()},
        )
        yield _counter(
            "rtmsd_unknown_messages", "Messages that rtmsd did not understand.", "kind", sums.unknown
        )
        yield GaugeMetricFamily(
            "rtmsd_event_loop_lag_seconds",
            "How late the event loop came to a timer, at worst in the last 15 s.",
            value=sums.loop_lag_secs,
        )

    def _sinks(self) -> Iterator[Metric]:
        sinks = self._source.sinks()
        yield _gauge(
            "rtmsd_sink_queue_depth",
            "Items that wait for the sink.",
            "sink",
            {sink.name: sink.queue_items for sink in sinks},
        )
        dropped = CounterMetricFamily(
            "rtmsd_sink_dropped_frames", "Frames that the sink never got.", labels=["sink", "reason"]
        )
        for sink in sinks:
            for reason, number in sink.drops.items():
                dropped.add_metric([sink.name, reason], number)
        yield dropped
        yield _counter(
            "rtmsd_sink_errors",
            "Failures of the sink; retries are none.",
            "sink",
            {sink.name: sink.errors for sink in sinks},
        )
        yield _gauge(
            "rtmsd_sink_last_success_timestamp_seconds",
            "When the sink last took a batch.",
            "sink",
            {sink.name: sink.last_success_ms / 1000 for sink in sinks if sink.last_success_ms is not None},
        )
        yield from _own_numbers(sinks)


def _own_numbers(sinks: Iterable[SinkStatus]) -> Iterator[Metric]:
    """What sinks tell of themselves: a family for each name, whose kind and labels are the sinks' to choose."""
    families: dict[str, Metric] = {}
    for sink in sinks:
        for name, labels, value, grows in sink.numbers:
            full = f"rtmsd_sink_{name}"
            kind = CounterMetricFamily if grows else GaugeMetricFamily
            family = families.setdefault(full, kind(full, f"Told by the sink: {name.replace('_', ' ')}."))
            if isinstance(family, kind):  # two sinks that do not agree what it is: the first is right
                suffix = "_total" if grows else ""
                family.add_sample(full + suffix, {"sink": sink.name, **dict(labels)}, value)
    yield from families.values()


def _counter(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _histogram(name: str, help_text: str, values: Histogram) -> Metric:
    bounds = [*(str(bound) for bound in values.bounds), "+Inf"]
    buckets = list(zip(bounds, itertools.accumulate(values.numbers), strict=True))
    return HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=values.total)
