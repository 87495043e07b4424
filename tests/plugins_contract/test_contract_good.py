"""A sink that keeps its contract passes every scenario."""

from __future__ import annotations

from pathlib import Path

from memory_sink import MemoryOptions, MemorySink, Store, sink_type

from rtmsd.api.testing import SCENARIOS, check_sink


async def test_a_good_sink_passes(tmp_path: Path) -> None:
    """Nothing is found, with everything asked for."""
    store = Store()
    report = await check_sink(
        sink_type(MemorySink),
        MemoryOptions(store=store),
        tmp_path=tmp_path,
        read_back=store.count,
        outage=store.outage,
        unusable=MemoryOptions(store=store, usable=False),
    )
    assert report.played == tuple(SCENARIOS) and report.skipped == {}
