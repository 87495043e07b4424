"""Zoom's own client on a stream that a controller started by REST, in the middle of a meeting."""

import asyncio
import base64
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from sdk_process import needs_sdk, sdk

from rtmsd.simulator import Joins, Leaves, Meeting, Person, Says, Truth, load_sentences
from rtmsd.simulator.cloud import Cloud, CloudApp, Controller, Gathering

pytestmark = needs_sdk

HOST, GUEST = 16778240, 16779264
APP = CloudApp(name="notes", client_id="notes-id", client_secret="notes-secret", webhook_secret="whsec")
CONTROLLER = Controller(account_id="SimulatedAccount", client_id="control-id", client_secret="control")


def meeting() -> Meeting:
    """The guest comes first and talks; the host comes after two seconds; both are heard after that."""
    sentences = load_sentences()
    return Meeting(
        (Person(HOST, "Mira Tal"), Person(GUEST, "Tomás Vík")),
        (
            Joins(0, GUEST),
            Says(200, GUEST, sentences["open"]),
            Joins(2_000, HOST),
            Says(4_600, HOST, sentences["begin"]),
            Says(5_000, GUEST, sentences["tests"]),
            Leaves(8_000, HOST),
        ),
        9_000,
    )


async def start(cloud: Cloud, it: Gathering) -> None:
    """What a controller does with curl."""
    basic = base64.b64encode(f"{CONTROLLER.client_id}:{CONTROLLER.client_secret}".encode()).decode()
    tls = ssl.create_default_context(cafile=str(cloud.ca_file))
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "account_credentials", "account_id": CONTROLLER.account_id}
        headers = {"Authorization": f"Basic {basic}"}
        async with session.post(cloud.oauth_url, data=form, headers=headers, ssl=tls) as answer:
            token = (await answer.json())["access_token"]
        url = f"{cloud.api_url}/live_meetings/{it.number}/rtms_app/status"
        settings = {"client_id": APP.client_id, "participant_user_id": it.host_id}
        body = {"action": "start", "settings": settings}
        headers = {"Authorization": f"Bearer {token}"}
        async with session.patch(url, json=body, headers=headers, ssl=tls) as answer:
            assert answer.status == 204, await answer.text()


async def payload_of(cloud: Cloud, event: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while not (found := [one.payload for one in cloud.sent if one.event == event]):
            await asyncio.sleep(0.01)
    return dict(found[0])


async def test_the_official_sdk_joins_a_stream_started_by_rest(tmp_path: Path, proof: list[str]) -> None:
    """It hears byte for byte what is said from then on, is told who is there, and leaves when the meeting ends."""
    async with Cloud(apps=[APP], controllers=[CONTROLLER]) as cloud, asyncio.TaskGroup() as group:
        it = cloud.plan(meeting=meeting())
        play = group.create_task(it.play())
        while len(it.attendees) < 2:
            await asyncio.sleep(0.01)
        await start(cloud, it)
        about = SimpleNamespace(
            ca_file=cloud.ca_file, client_id=APP.client_id, client_secret=APP.client_secret
        )
        started = await payload_of(cloud, "meeting.rtms_started")
        async with sdk(about, started, tmp_path, transcript="default") as run:  # type: ignore[arg-type]
            await run.ended()
        await play
        [truth] = it.truths.values()
        stopped = await payload_of(cloud, "meeting.rtms_stopped")
    assert [entry["reason"] for entry in run.of("join_confirm")] == [0]
    heard = _heard(run.of("audio"))
    assert heard == {user_id: truth.packets(user_id, 20) for user_id in (HOST, GUEST)}
    assert _spoken_once(truth), "what the guest said before is not in it"
    assert {entry["id"] for entry in run.of("user")} == {GUEST, HOST}
    assert [entry["reason"] for entry in run.of("leave")] == [6] == [stopped["stop_reason"]]
    proof.append(f"Zoom's SDK received {sum(map(len, heard.values()))} packets of a stream started by REST")


def _heard(said: list[dict[str, Any]]) -> dict[int, list[tuple[int, bytes]]]:
    heard: dict[int, list[tuple[int, bytes]]] = {}
    for entry in said:
        heard.setdefault(entry["user"], []).append((entry["timestamp"], base64.b64decode(entry["data"])))
    return heard


def _spoken_once(truth: Truth) -> bool:
    return all(len(spans) == 1 for spans in truth.tracks.values())
