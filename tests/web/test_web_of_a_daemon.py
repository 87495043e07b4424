"""What a running daemon tells the page and the metrics of a real meeting: the report, the activity and the totals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_daemon import finished, running, webhook_url

from rtmsd.simulator import Simulator, default_meeting
from rtmsd.streams.activity import CELL_MS, MERGE_MS


async def test_a_meeting_with_a_pause_and_a_lost_socket(tmp_path: Path) -> None:
    """The timeline is the truth's, to within a cell; the metrics count each frame, stop and reconnect once."""
    async with Simulator(meeting=default_meeting(12.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            tasks.create_task(zoom.play(webhook=webhook_url(ready)))
            await asyncio.sleep(2.0)
            await zoom.pause()
            await asyncio.sleep(1.0)
            await zoom.resume()
            await asyncio.sleep(1.0)
            [living] = ready.report.streams()
            early = ready.report.timeline(living.stream_id)
            await zoom.drop("audio")
            await finished(tmp_path)
            [stream] = ready.report.streams()
            timeline = ready.report.timeline(stream.stream_id)
            [sink] = ready.report.sinks()
            async with aiohttp.ClientSession() as http, http.get(f"http://{ready.admin}/metrics") as answer:
                families = list(text_string_to_metric_families(await answer.text()))
    assert living.state == "live" and early is not None and not early.over
    assert stream.state == "ended" and timeline is not None and timeline.over
    assert [speaker.user_id for speaker in timeline.speakers] == list(zoom.truth.tracks)
    for speaker in timeline.speakers:
        truth: list[list[int]] = []
        for span in zoom.truth.tracks[speaker.user_id]:
            end_ms = span.timestamp_ms + len(span.pcm) // 32
            if truth and span.timestamp_ms - truth[-1][1] <= MERGE_MS:
                truth[-1][1] = end_ms
            else:
                truth.append([span.timestamp_ms, end_ms])
        assert len(speaker.spans) == len(truth)
        for (start, end), (true_start, true_end) in zip(speaker.spans, truth, strict=True):
            assert start == true_start and 0 <= end - true_end <= CELL_MS
    [(paused_from, paused_to)] = timeline.paused
    [pause] = zoom.truth.pauses
    assert pause.end_ms is not None
    assert (paused_from, paused_to) == pytest.approx((pause.start_ms, pause.end_ms), abs=200)
    assert timeline.missing == [] and timeline.away is None
    assert timeline.from_ms <= min(speaker.spans[0][0] for speaker in timeline.speakers)

    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert values["rtmsd_streams_active", "notes"] == 0
    assert values["rtmsd_stream_stops_total", "meeting_ended"] == 1
    assert values["rtmsd_socket_reconnects_total", "audio"] == 1
    assert values["rtmsd_frames_received_total", "audio"] == stream.frames["audio"] > 0
    assert values["rtmsd_frames_received_total", "transcript"] == len(zoom.truth.phrases)
    assert values["rtmsd_media_received_bytes_total", "audio"] == sum(
        len(span.pcm) for spans in zoom.truth.tracks.values() for span in spans
    )
    assert values["rtmsd_webhook_ack_seconds_count",] == 2
    assert abs(values["rtmsd_webhook_clock_skew_seconds",]) < 60
    assert sink.written > stream.frames["audio"] and sink.dropped == 0 and not sink.problem
