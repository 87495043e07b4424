"""The transcription sink keeps the contract that others' sinks are held to."""

from __future__ import annotations

from pathlib import Path

from hearing_engine import HearingEngine

from rtmsd.api.testing import check_sink
from rtmsd_transcribe import rtmsd_sink_types


async def test_the_sink_keeps_the_contract(tmp_path: Path) -> None:
    """Every scenario, with an engine that knows nothing of what is said there."""
    HearingEngine.made.clear()
    [kind] = rtmsd_sink_types()
    options = kind.options(engines=("hearing_engine:HearingEngine",))
    report = await check_sink(kind, options, tmp_path=tmp_path)
    assert set(report.skipped) == {"outage"}
    assert all(session.left for engine in HearingEngine.made for session in engine.sessions)
