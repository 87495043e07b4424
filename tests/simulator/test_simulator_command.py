import asyncio
import io
import json
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from hand_client import until

from rtmsd.errors import SimulatorError
from rtmsd.simulator import read_truth, run_sim


class Watched(io.StringIO):
    """Remembers whether every line was flushed, and whether the CA file was there when it was named."""

    flushes = 0
    ca_was_there = False

    def flush(self) -> None:
        self.flushes += 1
        first = self.getvalue().splitlines()[0]
        if first.startswith("{"):
            self.ca_was_there = self.ca_was_there or Path(json.loads(first)["ca_file"]).is_file()


async def test_json_lines_let_any_client_be_driven_by_hand() -> None:
    """First one line with what a client needs, then each webhook as headers and raw body; the CA goes at the end."""
    out = Watched()
    await run_sim(out=out, json_lines=True, seconds=1)
    first, *webhooks = [json.loads(line) for line in out.getvalue().splitlines()]
    assert set(first) == {
        "signaling_url",
        "ca_file",
        "client_id",
        "client_secret",
        "webhook_secret",
        "control_url",
        "oauth_url",
        "api_url",
        "events_url",
        "subscription_id",
        "account_id",
        "controller_client_id",
        "controller_client_secret",
    }
    assert out.ca_was_there and Path(first["ca_file"]).is_absolute() and not Path(first["ca_file"]).exists()
    assert [json.loads(webhook["body"])["event"] for webhook in webhooks] == [
        "meeting.rtms_started",
        "meeting.rtms_stopped",
    ]
    assert all(webhook["headers"]["x-zm-signature"].startswith("v0=") for webhook in webhooks)
    assert out.flushes == 3


async def test_a_webhook_that_nobody_takes_is_said(tmp_path: Path) -> None:
    """A receiver that is not there is named, in words for people and as news, and the CA stays where it was wanted."""
    url = "http://127.0.0.1:9/webhook"
    words, news = Watched(), Watched()
    await asyncio.gather(
        run_sim(out=words, webhook=url, seconds=1, directory=tmp_path),
        run_sim(out=news, webhook=url, seconds=1, json_lines=True),
    )
    for lines in (
        words.getvalue().splitlines(),
        [json.loads(line).get("news", "") for line in news.getvalue().splitlines()],
    ):
        assert any(url in line and line.endswith("gave up") for line in lines)
    assert (tmp_path / "ca.pem").is_file()


SCENARIO = """
seconds = 5
people = [{ name = "A" }]
timeline = [
    { at_secs = 0, do = "join", who = "A" },
    { at_secs = 0.1, do = "say", who = "A", seconds = 4, noise = 1, text = "hiss" },
]
"""


async def test_a_scenario_is_played_several_times_at_once_and_its_truth_written(tmp_path: Path) -> None:
    """Each meeting is another stream with other sounds, cut as asked; the truth of each can be read."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    out = Watched()
    await run_sim(
        out=out, scenario=scenario, meetings=3, seconds=1, json_lines=True, truth=tmp_path / "truth"
    )
    _, *webhooks = [json.loads(line) for line in out.getvalue().splitlines()]
    started = [json.loads(webhook["body"])["payload"] for webhook in webhooks[:3]]
    truths = [read_truth(tmp_path / "truth" / payload["rtms_stream_id"]) for payload in started]
    assert {(truth.ended_ms or 0) - truth.started_ms for truth in truths} == {1000}
    sounds = {bytes(truth.tracks[16778240][0].pcm) for truth in truths}
    assert len(sounds) == 3 and {len(sound) for sound in sounds} == {900 * 32}


async def test_meetings_can_be_played_on_demand(tmp_path: Path) -> None:
    """With none at the start, the control URL begins them, until the simulator is stopped."""
    out = Watched()
    sim = asyncio.create_task(run_sim(out=out, meetings=0, json_lines=True, truth=tmp_path))
    await until(lambda: bool(out.getvalue()))
    url = json.loads(out.getvalue().splitlines()[0])["control_url"]
    async with aiohttp.ClientSession() as session:
        for action, status in (
            ({"do": "play", "seconds": 1}, 200),
            ({"do": "play", "secs": 1}, 400),
            ({"do": "play", "seconds": 0}, 400),
        ):
            async with session.post(url, json=action) as answer:
                assert answer.status == status, await answer.text()
    await until(lambda: len(list(tmp_path.glob("*/truth.json"))) == 1)
    assert not sim.done()
    sim.cancel()
    with suppress(asyncio.CancelledError):
        await sim


@pytest.mark.parametrize("meetings", [0, 1])
async def test_a_bad_scenario_is_told_before_anything_else(tmp_path: Path, meetings: int) -> None:
    """Nothing is printed and nobody is asked to connect."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("seconds = 5")
    out = Watched()
    with pytest.raises(SimulatorError, match="nobody is there"):
        await run_sim(out=out, scenario=scenario, meetings=meetings)
    assert out.getvalue() == ""
