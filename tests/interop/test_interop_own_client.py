"""rtmsd's own messages beside those of Zoom's client, against the same simulator; what differs has its reason here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from messages_compared import Ids, Said, assert_explained, differences, fields_of
from running_daemon import running, webhook_url
from sdk_process import Webhooks, needs_sdk, sdk

from rtmsd.simulator import Joins, Meeting, Person, Simulator, Timings

pytestmark = needs_sdk

REASONS = {
    "* sequence": "the SDK's is a tick of its process, ours a counter",
    "* 1 rtms_client_agent": "the SDK's name of itself; Zoom documents no such field",
    "signaling 1 buffer_data": "ours is explicit: we want the audio from before we were connected, which is the default",
    "* 3 payload_encryption": "ours is explicit; TLS encrypts, and so the default is false",
    "transcript 3 media_params*": "the SDK asks for nothing and gets the defaults; we say every parameter",
    "* frame": "the SDK sends JSON in binary frames; Zoom takes text too, and a trace of it can be read",
}


@asynccontextmanager
async def simulated() -> AsyncIterator[tuple[Simulator, Webhooks]]:
    webhooks = Webhooks()
    ada = 16778240
    meeting = Meeting((Person(ada, "Ada"),), (Joins(0, ada),), 60_000)
    timings = Timings(keep_alive_secs=0.3, goodbye_secs=0.2)
    async with Simulator(meeting=meeting, on_webhook=webhooks, timings=timings) as simulator:
        yield simulator, webhooks


async def all_said(simulator: Simulator) -> dict[str, object]:
    """Wait until every socket has answered a keep-alive; give the fields of what the client said."""
    [play] = simulator.playing.values()
    async with asyncio.timeout(15):
        while {one.socket for one in simulator.received if one.message["msg_type"] == 13} != {
            "signaling",
            "audio",
            "transcript",
        }:
            await asyncio.sleep(0.02)
    identity = play.stream.identity
    ids = Ids(identity.client_id, identity.client_secret, identity.meeting_uuid, identity.stream_id)
    return fields_of([Said(one.socket, one.frame, one.message) for one in simulator.received], ids)


async def test_our_client_says_what_zoom_s_says(tmp_path: Path) -> None:
    """Kinds, order, fields and values of all that is said on each socket are the same, or the table says why not."""
    async with simulated() as (simulator, webhooks), asyncio.TaskGroup() as tasks:
        tasks.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path, transcript="default"):
            theirs = await all_said(simulator)
            await simulator.end()
    async with simulated() as (simulator, _), running(simulator, tmp_path, send_rate_ms=20) as ready:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(simulator.play(webhook=webhook_url(ready)))
            while not simulator.received:
                await asyncio.sleep(0.02)
            ours = await all_said(simulator)
            await simulator.end()
    assert_explained(differences(theirs, ours), REASONS)
