"""A meeting's start in a real browser: from the guest who is alone to the stream, and the event WebSocket beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fast_time import FastClock
from page_in_chromium import CHROMIUM, chromium, looking_at
from playwright.async_api import expect
from started_meetings import ANN, BO, CONTROLLER, HOST, MANUAL, NOTES, daemon, meeting

from rtmsd.simulator.cloud import Cloud
from rtmsd.start import attempts

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")


async def test_the_page_follows_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being loaded again: the request is accepted, nothing comes and the page says why; the host comes, and it streams."""
    monkeypatch.setattr(attempts, "CONFIRM_SECS", 2.0)
    clock = FastClock(1.0)
    async with (
        Cloud(apps=[NOTES], controllers=[CONTROLLER], directory=tmp_path / "zoom", clock=clock) as cloud,
        daemon(cloud, tmp_path, clock, config=MANUAL, app=NOTES) as ready,
        chromium() as browser,
        looking_at(browser, f"http://{ready.admin}/") as seen,
    ):
        cloud.set_webhook("notes", f"http://{ready.webhook}/webhook")
        held = cloud.plan(meeting=meeting(), host_id=HOST, zoom_users={ANN: HOST})
        page = seen.page
        section, verdict = page.locator("#meetings"), page.locator("#verdict")
        await expect(page.locator("#live")).to_have_text("live")
        await expect(section).to_contain_text("None.")
        await page.evaluate("window.loadedOnce = true")

        held.join(BO)
        row = section.locator("li")
        await expect(row).to_have_attribute("data-state", "accepted")
        await expect(row).to_contain_text(f"Meeting {held.number} accepted notes")
        await expect(verdict).to_contain_text("All is well")
        await expect(verdict).to_contain_text("1 meeting goes on without one so far.")

        await expect(row).to_have_attribute("data-state", "armed", timeout=10_000)
        await expect(row).to_contain_text("The host is not in the meeting.")
        await expect(verdict).to_contain_text("1 thing to look at")
        await expect(verdict).to_contain_text("The host is not in the meeting.")
        await verdict.locator("a").first.click()
        assert await row.evaluate("one => one.matches(':target')")

        held.join(ANN)
        stream = section.locator("#streaming a")
        await expect(stream).to_have_text(f"Meeting {held.number}", timeout=10_000)
        await expect(row).to_have_count(0)
        await expect(verdict).to_contain_text("All is well")
        await expect(verdict).to_contain_text("Lately: 1 thing that is over")
        await stream.click()
        card = page.locator("#open article")
        assert await card.evaluate("one => one.matches(':target')")
        await expect(card).to_have_attribute("data-state", "live")
        held.end()
        await held.settled()
        await expect(section).to_contain_text("None.")
        await expect(page.locator("#recent details")).to_have_attribute("data-state", "ended", timeout=10_000)
        assert await page.evaluate("window.loadedOnce") is True
        assert seen.wrong == []
