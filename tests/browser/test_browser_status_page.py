"""The status page in a real browser: it follows a meeting, and everybody can use it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hostile_sinks import VICES, hostile_config, with_hostile_sinks
from page_in_chromium import CHROMIUM, CONTRASTS, chromium, looking_at
from page_source import (
    DISK,
    ENDED,
    FAILED,
    GUEST_FIRST,
    LIVE,
    NOW_MS,
    STREAMS,
    TALK,
    UNREACHED,
    RunningClock,
    SetClock,
    Source,
)
from playwright.async_api import Page, expect
from running_daemon import finished, running, webhook_url

from rtmsd.config import Listen
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Simulator, default_meeting
from rtmsd.web import live
from rtmsd.web.admin import admin_app
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.server import serving

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")

SCREENSHOT = os.environ.get("RTMSD_SCREENSHOT")
"""Where to write the picture of the README; without it a test run writes nothing into the checkout."""

DESK = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}

THRICE = re.compile("M.*M.*M")
"""The path of somebody who has begun to speak for the third time."""


def everything() -> Source:
    """Everything that the page can show, at once."""
    return Source(
        all_streams=[
            LIVE,
            replace(LIVE, stream_id="paused", state="paused"),
            replace(LIVE, stream_id="lost", state="reconnecting", problem=True, sentence="long" * 60),
            ENDED,
            FAILED,
            *(replace(ENDED, stream_id=f"old-{number}") for number in range(10)),
        ],
        all_timelines={
            LIVE.stream_id: TALK,
            "lost": replace(TALK, away=(NOW_MS - 3000, NOW_MS)),
            ENDED.stream_id: replace(TALK, over=True),
        },
        all_meetings=[
            STREAMS,
            GUEST_FIRST,
            replace(GUEST_FIRST, uuid="asked", state="requested", sentence="Zoom is asked. " * 20),
            *(
                replace(STREAMS, uuid=state, state=state, sentence=f"It is {state}.", streams=())
                for state in ("idle", "armed", "requested", "accepted", "refused", "not_taken")
            ),
            *(
                replace(STREAMS, uuid=f"armed-{number}", state="armed", sentence="It waits.", streams=())
                for number in range(10)
            ),
        ],
        all_event_sockets=[
            UNREACHED,
            replace(UNREACHED, app="connected", connected_since_ms=NOW_MS - 5000),
            replace(UNREACHED, app="connecting", problem=""),
        ],
        all_sinks=[
            DISK,
            replace(DISK, name="slow", problem=True, sentence="9 frames did not reach it.", errors=1),
            replace(DISK, name="mended", last_trouble_ms=NOW_MS - 5000, sentence="It failed once."),
        ],
        counters=WebhookCounters(
            results={("meeting.rtms_started", "taken"): 3, ("unknown", "bad_signature"): 1},
            last_refused_ms=NOW_MS - 1000,
            last_refusal="bad_signature",
        ),
    )


@asynccontextmanager
async def shown(source: Source, clock: Clock | None = None) -> AsyncIterator[str]:
    app = admin_app(source=source, clock=clock or RunningClock(), version="9.8.7")
    async with serving(app, Listen("127.0.0.1", 0)) as bound:
        yield f"http://{bound}/"


async def drawn_to(page: Page) -> int:
    """Return how much speech of everybody is drawn."""
    paths = await page.locator("#open path.speech").evaluate_all(
        "all => all.map(one => one.getAttribute('d'))"
    )
    return sum(int(width) for path in paths for width in _widths(path))


def _widths(path: str) -> list[str]:
    return [part.split("h")[1].split("v")[0] for part in path.split("M") if part]


async def test_the_page_follows_a_meeting(tmp_path: Path) -> None:
    """Without being loaded again: the stream comes, speech grows, sinks write, the meeting ends; nothing goes wrong."""
    meeting = default_meeting(24.5 if SCREENSHOT else 12.0)
    async with (
        Simulator(meeting=meeting, directory=tmp_path / "zoom") as zoom,
        running(zoom, tmp_path) as ready,
        chromium() as browser,
        looking_at(browser, f"http://{ready.admin}/", viewport=DESK) as seen,
        asyncio.TaskGroup() as tasks,
    ):
        page = seen.page
        await expect(page.locator("#live")).to_have_text("live")
        await expect(page.locator("#open")).to_contain_text("None.")
        await page.evaluate("window.loadedOnce = true")
        await page.locator("nav a").first.focus()
        tasks.create_task(zoom.play(webhook=webhook_url(ready)))

        card = page.locator("#open article")
        await expect(card).to_have_attribute("data-state", "live")
        await expect(card.locator("svg")).to_have_count(3, timeout=15_000)
        early, written = await drawn_to(page), int(await _attribute(page, "data-written"))
        await expect(page.locator(".who[title='user 16778240']")).to_have_text("Speaker 1")
        await asyncio.sleep(2.0)
        assert await drawn_to(page) > early
        assert int(await _attribute(page, "data-written")) > written
        if SCREENSHOT:
            await expect(card.locator("path.speech").first).to_have_attribute("d", THRICE, timeout=20_000)
            await _picture(page, SCREENSHOT)

        over = page.locator("#recent details")
        await expect(over).to_have_attribute("data-state", "ended", timeout=30_000)
        await expect(over).to_contain_text("The meeting ended")
        await expect(page.locator("#open")).to_contain_text("None.")
        await expect(page.locator("#verdict")).to_contain_text("All is well")
        await finished(tmp_path)
        assert await page.evaluate("window.loadedOnce") is True
        assert await page.evaluate("document.activeElement.textContent") == "Open"
        assert seen.wrong == []


async def test_what_hostile_sinks_lose_is_seen(tmp_path: Path) -> None:
    """While a meeting goes on, the page begins to say which sinks lose frames, how many, and that the file sink does not."""
    plugins, _ = with_hostile_sinks()
    after = hostile_config(queue_bytes=65_536)
    async with (
        Simulator(meeting=default_meeting(10.0), directory=tmp_path / "zoom") as zoom,
        running(zoom, tmp_path, send_rate_ms=20, after=after, plugins=plugins) as ready,
        chromium() as browser,
        looking_at(browser, f"http://{ready.admin}/", viewport=DESK) as seen,
        asyncio.TaskGroup() as tasks,
    ):
        page = seen.page
        await expect(page.locator("#verdict")).to_contain_text("All is well")
        tasks.create_task(zoom.play(webhook=webhook_url(ready)))
        for vice in VICES:
            sink = page.locator(f"#sink-{vice}")
            await expect(sink).to_have_attribute("data-dropped", re.compile("[1-9]"), timeout=30_000)
            await expect(sink.locator(".state")).to_have_text("problem")
            await expect(page.locator("#verdict")).to_contain_text(f"Sink {vice}")
        await expect(page.locator("#recent details")).to_have_attribute("data-state", "ended", timeout=30_000)
        await expect(page.locator("#sink-disk")).to_have_attribute("data-dropped", "0")
        await expect(page.locator("#sink-disk .state")).to_have_text("ok")
        assert seen.wrong == []


async def test_the_reader_is_not_disturbed() -> None:
    """Focus, opened and closed details, and the elements themselves stay as they are while the page changes."""
    source = everything()
    async with shown(source) as url, chromium() as browser, looking_at(browser, url) as seen:
        page = seen.page
        await expect(page.locator("#live")).to_have_text("live")
        await page.locator(f"#stream-{ENDED.stream_id} summary").click()
        await page.locator("#more-recent summary").click()
        await page.locator("#stream-old-0 summary").focus()
        await page.evaluate("window.card = document.getElementById('stream-paused')")
        new = replace(LIVE, stream_id="new", age_secs=1)
        resumed = replace(LIVE, stream_id="paused", state="live")
        others = [one for one in source.all_streams if one is not FAILED and one.stream_id != "paused"]
        source.all_streams = [new, resumed, *others]
        await expect(page.locator("#stream-new")).to_be_visible()
        await expect(page.locator("#stream-paused")).to_have_attribute("data-state", "live")
        assert await page.evaluate("window.card === document.getElementById('stream-paused')")
        await expect(page.locator(f"#stream-{FAILED.stream_id}")).to_have_count(0)
        assert await page.evaluate("document.activeElement.parentElement.id") == "stream-old-0"
        assert not await page.locator(f"#stream-{ENDED.stream_id}").evaluate("one => one.open")
        assert await page.locator("#more-recent").evaluate("one => one.open")
        ids = await page.evaluate("[...document.querySelectorAll('#open > [id]')].map(one => one.id)")
        assert ids == ["open-title", "stream-lost", "stream-new", "stream-paused", f"stream-{LIVE.stream_id}"]
        assert seen.wrong == []


async def test_the_page_comes_back_with_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a daemon, or a place at it, the page says that it is not live; as soon as it can it goes on by itself."""
    monkeypatch.setattr(live, "MAX_VIEWERS", 0)
    source = everything()
    async with chromium() as browser:
        app = admin_app(source=source, clock=RunningClock(), version="1")
        async with serving(app, Listen("127.0.0.1", 0)) as bound:
            assert isinstance(bound, Listen)
            context = looking_at(browser, f"http://{bound}/")
            seen = await context.__aenter__()
            await expect(seen.page.locator("#live")).to_have_text("not live: no connection")
            monkeypatch.setattr(live, "MAX_VIEWERS", 1)
            await expect(seen.page.locator("#live")).to_have_text("live", timeout=15_000)
        await expect(seen.page.locator("#live")).to_have_text("not live: no connection")
        async with serving(admin_app(source=source, clock=RunningClock(), version="2"), bound):
            await expect(seen.page.locator("#live")).to_have_text("live", timeout=15_000)
            await expect(seen.page.locator("#at")).to_contain_text("2 ·")
            await context.__aexit__(None, None, None)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_can_be_read(scheme: str) -> None:
    """In light and in dark, every text has a contrast of 4.5 to what is behind it, and all that is drawn 3."""
    async with shown(everything()) as url, chromium() as browser:
        async with looking_at(browser, url, color_scheme=scheme, viewport=DESK) as seen:
            found = await seen.page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [one for one in found if one[1] < one[2]] == []


async def test_on_a_phone_nothing_is_cut_off() -> None:
    """At 390 pixels the page scrolls down only."""
    async with shown(everything()) as url, chromium() as browser:
        async with looking_at(browser, url, viewport=PHONE) as seen:
            await seen.page.evaluate(
                "for (const one of document.querySelectorAll('details')) one.open = true"
            )
            assert await seen.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            assert await seen.page.locator("#open svg").first.evaluate("one => one.clientWidth") > 150


async def test_without_javascript_everything_is_there() -> None:
    """A browser that runs no script shows the same streams, drawings, problems and sinks."""
    async with shown(everything(), SetClock()) as url, chromium() as browser:
        texts = []
        for runs_scripts in (True, False):
            async with looking_at(browser, url, java_script_enabled=runs_scripts, viewport=DESK) as seen:
                texts.append(await seen.page.inner_text("main"))
                assert await seen.page.locator("svg").count() == 6
                if not runs_scripts:
                    assert await seen.page.inner_text("#live") == "refreshes every 10 s"
                assert seen.wrong == []
    assert texts[0] == texts[1]
    assert "7 things to look at" in texts[0] and "paused" in texts[0] and LIVE.stream_id in texts[0]


async def test_the_keyboard_reaches_everything() -> None:
    """Tab goes through links and details in the order in which they are read, each with a visible focus."""
    async with shown(everything()) as url, chromium() as browser, looking_at(browser, url) as seen:
        page = seen.page
        await expect(page.locator("#live")).to_have_text("live")
        expected = await page.evaluate(
            "[...document.querySelectorAll('a, summary')].filter(one => one.checkVisibility())"
            ".map(one => one.textContent.trim())"
        )
        reached = []
        for _ in expected:
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.textContent.trim()"))
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert reached == expected and reached[0] == "Skip to the open streams"
        await page.locator(".skip").focus()
        assert await page.locator(".skip").evaluate("one => one.getBoundingClientRect().left") >= 0
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "open"


async def _attribute(page: Page, name: str) -> str:
    return await page.locator("#sink-disk").get_attribute(name) or ""


async def _picture(page: Page, path: str) -> None:
    """Write what the README shows: from the top to the last sink."""
    await page.evaluate("document.activeElement.blur()")
    box = await page.locator("#sinks").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] + 16
    await page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": 1200, "height": height})
    await page.locator("nav a").first.focus()
