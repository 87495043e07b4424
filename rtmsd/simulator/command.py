"""`rtmsd sim`: Zoom's side alone, for a client that is driven by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import orjson

from rtmsd.simulator.meeting import DEFAULT_SECONDS, default_meeting
from rtmsd.simulator.server import Simulator

_HEAD_START_SECS = 0.5


async def run_sim(
    *,
    out: TextIO,
    listen: tuple[str, int] = ("127.0.0.1", 0),
    webhook: str | None = None,
    seconds: float | None = None,
    json_lines: bool = False,
    directory: Path | None = None,
) -> None:
    """Print where and who Zoom is, play the default meeting once, and return.

    The first thing printed tells a client all it needs; with `json_lines` it is one JSON object, and everything that
    follows is JSON lines too (`{"news": …}` when webhooks are sent). Without `webhook` each webhook is printed as a JSON line `{"headers": …, "body": "…"}`
    instead of sent. The CA file is in `directory`, or in a temporary one that is removed at the end. Every line is
    flushed. Raises OSError when `listen` cannot be listened on, SimulatorError when `seconds` makes no meeting.
    Cancelling stops at once.
    """

    def say(text: str) -> None:
        out.write(text + "\n")
        out.flush()

    def tell(sentence: str) -> None:
        if not json_lines:
            say(sentence)
        elif webhook is not None:  # else every line after the first is a webhook
            say(orjson.dumps({"news": sentence}).decode())

    def show(headers: Mapping[str, str], body: bytes) -> None:
        say(orjson.dumps({"headers": headers, "body": body.decode()}).decode())

    async with Simulator(
        meeting=default_meeting(DEFAULT_SECONDS if seconds is None else seconds),
        listen=listen,
        webhook=webhook,
        on_webhook=show if webhook is None else None,
        directory=directory,
        tell=tell,
    ) as simulator:
        facts = {
            "signaling_url": simulator.signaling_url,
            "ca_file": str(simulator.ca_file),
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "webhook_secret": simulator.webhook_secret,
        }
        if json_lines:
            say(orjson.dumps(facts).decode())
        else:
            for name, value in facts.items():
                say(f"{name:15} {value}")
        await asyncio.sleep(_HEAD_START_SECS)  # for a reader to get ready
        await simulator.play()
