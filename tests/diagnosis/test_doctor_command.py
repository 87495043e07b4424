"""`rtmsd doctor`, whole: over TLS to a Zoom and to our own webhook, each link broken once."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from examined import MANUAL, app, behind, config, rtmsd, served

from rtmsd.config import Config, Secret
from rtmsd.diagnosis.doctor import examine
from rtmsd.diagnosis.finding import Finding
from rtmsd.frames import StreamInfo
from rtmsd.protocol.webhook import Credentials
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.certificates import server_tls
from rtmsd.state import Journal
from rtmsd.streams.transport import client_tls

STEPS = ["config", "clock", "names", "tls", "webhook", "token", "scopes", "events", "credentials"]
SCOPES = "meeting:update:participant_rtms_app_status:admin meeting:read:meeting:admin meeting:read:list_meetings:admin"
EVENTS = ["meeting.started", "meeting.participant_joined", "meeting.rtms_started", "meeting.rtms_stopped"]


@dataclass
class World:
    """What can be broken; as it is made here, all is whole."""

    scopes: str = SCOPES
    controller_secret: str = "controller-secret"
    webhook_secret: str = "notes-webhook-secret"
    events: tuple[str, ...] = tuple(EVENTS)
    reason: int = 6
    ahead_secs: float = 0.0
    trusted: bool = True
    public_host: str = "127.0.0.1"

    def clock(self) -> Clock:
        clock = Clock()
        clock.wall = lambda: time.time() + self.ahead_secs
        return clock

    async def answer(self, request: web.Request) -> web.Response:
        """Be Zoom."""
        if request.path != "/oauth/token":
            return web.Response(status=404)
        expected = aiohttp.encode_basic_auth("controller", self.controller_secret)
        if request.headers.get("Authorization") != expected:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": "t0ken", "expires_in": 3599, "scope": self.scopes})

    async def write_journal(self, state_dir: Path) -> None:
        """Have had one stream, which ended an hour ago."""
        then = int((time.time() - 3600) * 1000)
        info = StreamInfo(
            app="notes",
            product="meeting",
            stream_id="609340fb",
            meeting_uuid="u==",
            meeting_id="85746065432",
            account_id="AAAAAABBBB",
            operator_id="ann",
            started_ms=then,
        )
        async with Journal.open(state_dir, Clock()) as journal:
            for event in self.events:
                await journal.take_webhook(
                    app="notes", event=event, event_ts=then, stream_id="a", body=b"{}", received_ms=then
                )
            await journal.stream_started(info, ["wss://zoom.us"])
            await journal.stream_ended("609340fb", then, self.reason, "", "")


@asynccontextmanager
async def standing(world: World, tmp_path: Path) -> AsyncIterator[Config]:
    """Serve a world over TLS; yield the configuration that fits it as it should be."""
    ca_file = tmp_path / "ca.pem"
    tls = server_tls(ca_file, host="127.0.0.1", unix_seconds=time.time())
    await world.write_journal(tmp_path / "state")
    async with (
        rtmsd(Credentials("notes", (world.webhook_secret,))) as daemon,
        behind(daemon, tls=tls) as own,
        served(world.answer, tls=tls) as zoom,
    ):
        yield config(
            zoom,
            apps=(app(start="manual", manual=MANUAL),),
            public_url=own.replace("127.0.0.1", world.public_host) + "/webhook",
            ca_file=ca_file if world.trusted else None,
            state_dir=tmp_path / "state",
        )


async def walk(world: World, config: Config) -> list[Finding]:
    tls = client_tls(config.zoom.ca_file)
    return [finding async for finding in examine(config, tls=tls, clock=world.clock())]


async def test_all_is_whole(tmp_path: Path) -> None:
    """Every step is there, in its order, and ok; no secret and no token is in what it says."""
    world = World()
    async with standing(world, tmp_path) as config:
        findings = await walk(world, config)
    assert [(one.step, one.state) for one in findings] == [(step, "ok") for step in STEPS], findings
    said = " ".join(one.sentence for one in findings)
    assert "t0ken" not in said and "-secret" not in said


@pytest.mark.parametrize(
    ("broken", "step", "remedy"),
    [
        (World(ahead_secs=400), "clock", "timedatectl"),
        (World(public_host="rtmsd.invalid"), "names", "DNS"),
        (World(trusted=False), "tls", "zoom.ca_file"),
        (World(webhook_secret="another"), "webhook", "start it again"),
        (World(controller_secret="another"), "token", "copy both again"),
        (World(scopes="meeting:read:meeting:admin"), "scopes", "add the scope"),
        (World(events=("meeting.rtms_started", "meeting.rtms_stopped")), "events", "Event subscription"),
        (World(reason=18), "credentials", "copy both from the page"),
    ],
    ids=STEPS[1:],
)
async def test_each_link_broken_once(broken: World, step: str, remedy: str, tmp_path: Path) -> None:
    """It names that link and stops there, with what to do; those before it are whole, or could not be looked at."""
    async with standing(broken, tmp_path) as config:
        findings = await walk(broken, config)
    assert findings[-1].step == step and findings[-1].state == "broken", findings
    assert [one.step for one in findings] == STEPS[: len(findings)]
    assert "broken" not in [one.state for one in findings[:-1]]
    assert remedy in findings[-1].sentence


async def test_an_odd_secret_is_named_last(tmp_path: Path) -> None:
    """What Zoom takes no offence at, and what nobody has tried yet, is still looked at."""
    world = World()
    async with standing(world, tmp_path) as config:
        odd = replace(config.apps[0], client_secret=Secret('"quoted"'))
        findings = await walk(world, replace(config, apps=(odd,)))
    assert findings[-1].step == "credentials" and findings[-1].state == "broken"
    assert "quotation marks" in findings[-1].sentence and "quoted" not in findings[-1].sentence


CONFIG = """
state_dir = "{state_dir}"
[webhook]
listen = "127.0.0.1:0"
public_url = "{public_url}"
[zoom]
oauth_url = "{oauth_url}"
api_url = "{api_url}"
ca_file = "{ca_file}"
[[apps]]
name = "notes"
client_id = "notes-client"
client_secret = {{ env = "CLIENT_SECRET" }}
webhook_secrets = [{{ env = "WEBHOOK_SECRET" }}]
[[sinks]]
name = "disk"
type = "file"
directory = "/var/lib/rtmsd/recordings"
"""


async def doctor(path: Path) -> tuple[int | None, list[str], str]:
    """Run the command; return its exit status and what it printed."""
    environ = {"CLIENT_SECRET": "notes-client-secret", "WEBHOOK_SECRET": "notes-webhook-secret"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rtmsd", "doctor", "-c", str(path)),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_the_command(tmp_path: Path) -> None:
    """A line for each step and exit 0; a broken link is the last line and exit 1; a bad configuration is exit 78."""
    path = tmp_path / "rtmsd.toml"
    async with standing(World(), tmp_path) as good:
        values = {
            "state_dir": good.state_dir,
            "public_url": good.webhook.public_url,
            "oauth_url": good.zoom.oauth_url,
            "api_url": good.zoom.api_url,
            "ca_file": good.zoom.ca_file,
        }
        path.write_text(CONFIG.format(**values))
        status, lines, err = await doctor(path)
        assert status == 0 and err == "", (lines, err)
        assert [line.split()[1] for line in lines] == STEPS
        assert [line.split()[0] for line in lines] == [
            "skipped" if step in ("token", "scopes") else "ok" for step in STEPS
        ]
    status, lines, _ = await doctor(path)
    assert status == 1 and lines[-1].startswith("BROKEN   tls"), lines
    path.write_text("state_dir = 1\n")
    status, lines, err = await doctor(path)
    assert status == 78 and lines == [] and "state_dir" in err
