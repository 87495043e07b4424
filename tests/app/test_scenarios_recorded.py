"""A shipped scenario, recorded by a daemon."""

from __future__ import annotations

from pathlib import Path

from running_daemon import assert_equals_truth, finished, manifest, running, webhook_url

from rtmsd.recording import verify
from rtmsd.simulator import Simulator, load_scenario

SCENARIOS = Path(__file__).parents[2] / "config" / "scenarios"


async def test_a_bad_network_costs_no_sound(tmp_path: Path) -> None:
    """Late and doubled webhooks, a reset, a Close frame, an end of TLS and a silence: all that was said is recorded."""
    meeting = load_scenario(SCENARIOS / "bad-network.toml")
    async with Simulator(meeting=meeting, directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready:
            await zoom.play(webhook=webhook_url(ready))
            recording = await finished(tmp_path)
            assert ready.report.webhooks().by_result() == {"taken": 3, "duplicate": 3}
    assert_equals_truth(recording, zoom.truth)
    about = manifest(recording)
    assert about["completeness"] == 1.0
    assert [gap for gap in about["gaps"] if gap["media"] == "audio"] == []
    assert zoom.connections["signaling"] == 2 and zoom.connections["audio"] == 3
    assert verify(recording).problems == []
