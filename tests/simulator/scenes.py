"""A simulator with a meeting that plays, a client driven by hand, and the webhooks that came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
from hand_client import FastClock, HandClient, until

from rtmsd.simulator import Joins, Leaves, Meeting, Person, Says, Sentence, Simulator, Timings

ANN, BO = 16778240, 16779264
MULTI = {
    "audio": {"content_type": 2, "codec": 1, "sample_rate": 1, "channel": 1, "data_opt": 2, "send_rate": 100}
}


def noise(ms: int, seed: int = 1) -> Sentence:
    return Sentence("some words", np.random.default_rng(seed).integers(-9000, 9000, ms * 16, "<i2").tobytes())


def meeting(*, ends_ms: int, joins_ms: int = 0) -> Meeting:
    """One who talks all the time, one who joins and leaves."""
    talk = ends_ms // 20 * 20 - 40
    timeline = (Joins(0, ANN), Joins(joins_ms, BO), Says(20, ANN, noise(talk)), Leaves(ends_ms - 200, BO))
    return Meeting((Person(ANN, "A"), Person(BO, "B")), timeline, ends_ms)


class Playing:
    """A simulator with a meeting that plays, a client, and the webhooks that came."""

    def __init__(
        self, simulator: Simulator, client: HandClient, webhooks: list[tuple[Mapping[str, str], bytes]]
    ):
        self.simulator = simulator
        self.client = client
        self.webhooks = webhooks
        self.play = asyncio.create_task(simulator.play())

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        bodies = [json.loads(body) for _, body in self.webhooks]
        return [(body["event"].removeprefix("meeting.rtms_"), body["payload"]) for body in bodies]

    async def over(self) -> dict[str, Any]:
        """Wait for the end; give the payload of rtms_stopped."""
        async with asyncio.timeout(10):
            await self.play
        name, payload = self.events()[-1]
        assert name == "stopped"
        return payload


@asynccontextmanager
async def playing(what: Meeting, *, secret: str | None = None, **knobs: Any) -> AsyncIterator[Playing]:
    webhooks: list[tuple[Mapping[str, str], bytes]] = []
    knobs.setdefault("clock", FastClock())
    knobs["timings"] = replace(knobs.get("timings", Timings()), goodbye_secs=0.1)
    async with (
        Simulator(meeting=what, on_webhook=lambda *args: webhooks.append(args), **knobs) as simulator,
        HandClient(simulator, secret=secret) as client,
    ):
        scene = Playing(simulator, client, webhooks)
        try:
            await until(lambda: bool(webhooks))
            client.started = scene.events()[0][1]
            yield scene
        finally:
            scene.play.cancel()
            with suppress(asyncio.CancelledError):
                await scene.play
