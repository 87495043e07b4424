"""/metrics: the names that dashboards and alerts are written with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml
from page_source import DISK, GUEST_FIRST, NOW_MS, STREAMS, Source, admin
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from rtmsd.delivery.numbers import RESERVED
from rtmsd.protocol.codes import StopReason
from rtmsd.web.counters import REFUSALS, WebhookCounters
from rtmsd.web.status import MeetingState, OwnNumber, Starts, Sums

EXPECTED = {
    "rtmsd_build_info": ("gauge", "Which rtmsd this is."),
    "rtmsd_webhooks_total": ("counter", "Webhooks by what became of them."),
    "rtmsd_webhook_ack_seconds": ("histogram", "From a webhook's last byte to its answer; Zoom waits 3 s."),
    "rtmsd_webhook_clock_skew_seconds": (
        "gauge",
        "This machine's clock less Zoom's, at the last verified webhook.",
    ),
    "rtmsd_start_attempts_total": ("counter", "Requests to start a stream, by what Zoom's answer meant."),
    "rtmsd_start_confirm_seconds": ("summary", "From a request to the stream that followed it."),
    "rtmsd_start_pending": ("gauge", "Meetings that go on and have no stream yet, and may still get one."),
    "rtmsd_start_meetings": ("gauge", "Meetings that go on, by where the start of their stream stands."),
    "rtmsd_start_never_started_total": ("counter", "Meetings that had no stream by their deadline."),
    "rtmsd_streams_active": ("gauge", "Streams that are open."),
    "rtmsd_stream_stops_total": ("counter", "Streams that ended, by reason."),
    "rtmsd_socket_reconnects_total": ("counter", "Sockets that were lost and opened again."),
    "rtmsd_frames_received_total": ("counter", "Media frames received, each once."),
    "rtmsd_media_received_bytes_total": ("counter", "Media received, decoded."),
    "rtmsd_gap_seconds_total": ("counter", "Length of what Zoom did not deliver to rtmsd, by cause."),
    "rtmsd_gaps_total": ("counter", "Spans that Zoom did not deliver to rtmsd, by cause."),
    "rtmsd_unknown_messages_total": ("counter", "Messages that rtmsd did not understand."),
    "rtmsd_event_loop_lag_seconds": (
        "gauge",
        "How late the event loop came to a timer, at worst in the last 15 s.",
    ),
    "rtmsd_sink_queue_depth": ("gauge", "Items that wait for the sink."),
    "rtmsd_sink_dropped_frames_total": ("counter", "Frames that the sink never got."),
    "rtmsd_sink_errors_total": ("counter", "Failures of the sink; retries are none."),
    "rtmsd_sink_last_success_timestamp_seconds": ("gauge", "When the sink last took a batch."),
    "rtmsd_sink_sent_seconds_total": ("counter", "Told by the sink: sent seconds."),
    "rtmsd_sink_lost_seconds_total": ("counter", "Told by the sink: lost seconds."),
    "rtmsd_sink_spool_bytes": ("gauge", "Told by the sink: spool bytes."),
    "rtmsd_sink_spool_limit_bytes": ("gauge", "Told by the sink: spool limit bytes."),
}
"""Every name, its type and its help: what is renamed here breaks somebody's dashboard."""


SENT = OwnNumber("sent_seconds", (("engine", "deepgram"),), 61.5, True)
LOST = OwnNumber("lost_seconds", (), 2.0, True)
LIMIT = OwnNumber("spool_limit_bytes", (), 8192.0, False)
SPOOL = OwnNumber("spool_bytes", (), 4096.0, False)


def busy() -> Source:
    counters = WebhookCounters(skew_secs=0.25)
    for event, result in (("meeting.rtms_started", "taken"), ("meeting.rtms_started", "duplicate")):
        counters.count(event, result)
    for secs in (0.004, 0.005, 0.3, 60.0):
        counters.ack_secs.add(secs)
    sums = Sums(
        active={"notes": 2, "other": 0},
        stops={"meeting_ended": 7, "lost": 1},
        reconnects={"audio": 3},
        frames={"audio": 12_874, "transcript": 213},
        media_bytes={"audio": 41_196_800},
        gaps={"socket_down": (2, 3.4)},
        unknown={"malformed_not_json": 1},
        loop_lag_secs=0.003,
        starts=Starts(attempts={"accepted": 3, "changed": 1}, confirmed=2, confirm_secs=2.5, never_started=4),
    )
    meetings = [GUEST_FIRST, STREAMS, replace(GUEST_FIRST, over=True)]
    sink = replace(DISK, drops={"lane_full": 40, "not_written": 2}, errors=3, numbers=[SPOOL, LIMIT])
    words = replace(DISK, name="words", numbers=[SENT, SENT._replace(labels=(), value=2.0), LOST, SPOOL])
    return Source(counters=counters, all_sums=sums, all_sinks=[sink, words], all_meetings=meetings)


async def exposed(source: Source, accept: str = "") -> tuple[str, str]:
    async with admin(source) as session, session.get("/metrics", headers={"Accept": accept}) as response:
        assert response.status == 200
        return response.headers["Content-Type"], await response.text()


def values(families: list[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def test_names_types_and_help() -> None:
    """The exposition has exactly the documented names, with their types and what they mean."""
    content_type, text = await exposed(busy())
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(text):
        name = family.name + "_total" * (family.type == "counter")
        found[name] = family.type, family.documentation
    assert found == EXPECTED


async def test_values_and_labels() -> None:
    """Every number comes with its labels, which are configured names and fixed words: never a meeting's or stream's id."""
    _, text = await exposed(busy())
    found = values(list(text_string_to_metric_families(text)))
    expected = {
        ("rtmsd_build_info", ("version", "9.8.7")): 1,
        ("rtmsd_webhooks_total", ("event", "meeting.rtms_started"), ("result", "duplicate")): 1,
        ("rtmsd_webhook_clock_skew_seconds",): 0.25,
        ("rtmsd_start_attempts_total", ("result", "accepted")): 3,
        ("rtmsd_start_confirm_seconds_count",): 2,
        ("rtmsd_start_confirm_seconds_sum",): 2.5,
        ("rtmsd_start_pending",): 1,
        ("rtmsd_start_meetings", ("state", "armed")): 1,
        ("rtmsd_start_meetings", ("state", "confirmed")): 1,
        ("rtmsd_start_meetings", ("state", "refused")): 0,
        ("rtmsd_start_never_started_total",): 4,
        ("rtmsd_streams_active", ("app", "other")): 0,
        ("rtmsd_stream_stops_total", ("reason", "meeting_ended")): 7,
        ("rtmsd_socket_reconnects_total", ("kind", "audio")): 3,
        ("rtmsd_frames_received_total", ("media", "audio")): 12_874,
        ("rtmsd_media_received_bytes_total", ("media", "audio")): 41_196_800,
        ("rtmsd_gap_seconds_total", ("cause", "socket_down")): 3.4,
        ("rtmsd_gaps_total", ("cause", "socket_down")): 2,
        ("rtmsd_unknown_messages_total", ("kind", "malformed_not_json")): 1,
        ("rtmsd_event_loop_lag_seconds",): 0.003,
        ("rtmsd_sink_queue_depth", ("sink", "disk")): 12,
        ("rtmsd_sink_dropped_frames_total", ("sink", "disk"), ("reason", "lane_full")): 40,
        ("rtmsd_sink_errors_total", ("sink", "disk")): 3,
        ("rtmsd_sink_last_success_timestamp_seconds", ("sink", "disk")): (NOW_MS - 5000) / 1000,
        ("rtmsd_sink_sent_seconds_total", ("sink", "words"), ("engine", "deepgram")): 61.5,
        ("rtmsd_sink_sent_seconds_total", ("sink", "words")): 2,
        ("rtmsd_sink_spool_bytes", ("sink", "disk")): 4096,
        ("rtmsd_sink_spool_bytes", ("sink", "words")): 4096,
        ("rtmsd_webhook_ack_seconds_bucket", ("le", "0.005")): 2,
        ("rtmsd_webhook_ack_seconds_bucket", ("le", "0.5")): 3,
        ("rtmsd_webhook_ack_seconds_bucket", ("le", "+Inf")): 4,
        ("rtmsd_webhook_ack_seconds_count",): 4,
        ("rtmsd_webhook_ack_seconds_sum",): pytest.approx(60.309),
    }
    for (name, *labels), value in expected.items():
        assert found[name, frozenset(labels)] == value, name  # type: ignore[arg-type]


async def test_openmetrics() -> None:
    """Who asks for OpenMetrics gets it, and it parses, too."""
    content_type, text = await exposed(busy(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    families = list(openmetrics_parser.text_string_to_metric_families(text))
    assert len(families) == len(EXPECTED)


async def test_what_sinks_count_cannot_spoil_the_rest() -> None:
    """Of two sinks that call a sum and a level the same, the first is shown, and all of it can be parsed."""
    other = replace(DISK, name="odd", numbers=[SENT._replace(grows=False, labels=(("a", 'b"\n'),))])
    for first, second, kind in ((SENT, other, "counter"), (None, other, "gauge")):
        sinks = [*([replace(DISK, numbers=[first])] if first else []), second]
        for accept in ("", "application/openmetrics-text; version=1.0.0"):
            _, text = await exposed(Source(all_sinks=sinks), accept)
            parse = (
                openmetrics_parser.text_string_to_metric_families
                if accept
                else text_string_to_metric_families
            )
            [family] = [one for one in parse(text) if one.name.startswith("rtmsd_sink_sent_seconds")]
            assert family.type == kind and len(family.samples) == 1


def test_no_sink_has_a_number_of_ours() -> None:
    """The names that sinks cannot use are those of what rtmsd counts of each sink."""
    ours = [name for name, (_, meaning) in EXPECTED.items() if not meaning.startswith("Told by the sink")]
    sinks = {name.removeprefix("rtmsd_sink_").removesuffix("_total") for name in ours if "_sink_" in name}
    assert sinks == RESERVED


async def test_a_daemon_that_has_just_started() -> None:
    """Without any webhook or stream there is no nonsense: what is not known is not exposed."""
    _, text = await exposed(Source(all_sinks=[replace(DISK, last_success_ms=None)]))
    names = {name for name, _ in values(list(text_string_to_metric_families(text)))}
    assert "rtmsd_webhook_clock_skew_seconds" not in names
    assert "rtmsd_sink_last_success_timestamp_seconds" not in names
    assert {"rtmsd_build_info", "rtmsd_webhook_ack_seconds_count"} <= names


def test_the_alerts_ask_for_what_there_is() -> None:
    """config/prometheus-rules.yml names metrics, results and states that rtmsd has, and each alert says what it means."""
    rules = yaml.safe_load((Path(__file__).parents[2] / "config" / "prometheus-rules.yml").read_text())
    [group] = rules["groups"]
    for rule in group["rules"]:
        names = re.findall(r"rtmsd_[a-z_]+", rule["expr"])
        assert {name.removesuffix("_bucket") for name in names} <= EXPECTED.keys(), rule["alert"]
        for label, values in re.findall(r'(result|state|reason)[!=]~?"([^"]+)"', rule["expr"]):
            known = {
                "result": {"taken", "duplicate", "ignored", "validated", *REFUSALS},
                "state": set(get_args(MeetingState)),
                "reason": {reason.name.lower() for reason in StopReason},
            }[label]
            assert set(values.split("|")) <= known, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"].endswith(
            "."
        )
    alerts = [rule["alert"] for rule in group["rules"]]
    assert len(alerts) == len(set(alerts))
