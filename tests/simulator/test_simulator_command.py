import asyncio
import io
import json
from pathlib import Path

from rtmsd.simulator import run_sim


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
    assert set(first) == {"signaling_url", "ca_file", "client_id", "client_secret", "webhook_secret"}
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
