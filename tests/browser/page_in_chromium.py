"""Debian's Chromium looking at the status page, and what is seen in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

CONTRASTS = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    const name = `${element.nodeName} ${element.getAttribute("class") || ""} ${element.textContent.trim().slice(0, 30)}`;
    if (element.nodeName === "path") {
      const colour = style.stroke === "none" ? style.fill : style.stroke;
      found.push([name, ratio(colour, behind(element)), 3]);
    } else if ([...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim()) && element.checkVisibility()) {
      found.push([name, ratio(style.color, behind(element)), 4.5]);
    }
  }
  return found;
}
"""
"""For every text and every drawn thing: what it is, its contrast to what is behind it, and the least it may be."""


@dataclass
class Seen:
    """A page, and what went wrong in it: errors of its script, of its policy, and requests to anybody else."""

    page: Page
    wrong: list[str] = field(default_factory=list)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser that asks nobody else anything."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking_at(browser: Browser, url: str, **options: Any) -> AsyncIterator[Seen]:
    """Open a page in a window of its own; `options` are Playwright's for a context."""
    context = await browser.new_context(**options)
    try:
        seen = Seen(await context.new_page())
        seen.page.on("console", lambda message: seen.wrong.append(f"{message.type}: {message.text}"))
        seen.page.on("pageerror", lambda error: seen.wrong.append(str(error)))
        seen.page.on(
            "request",
            lambda request: None if request.url.startswith(url) else seen.wrong.append(request.url),
        )
        await seen.page.goto(url)
        yield seen
    finally:
        await context.close()
