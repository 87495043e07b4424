"""Meetings that rtmsd starts, or that Zoom does: a simulated cloud and a daemon in one fast loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fast_time import FastClock, run_fast
from running_daemon import configuration, daemon_of

from rtmsd.app import Ready
from rtmsd.config import load_config
from rtmsd.diagnosis.why import why
from rtmsd.plugins import load_plugins
from rtmsd.recording import verify
from rtmsd.simulator import Joins, Meeting, Person, Says, load_sentences
from rtmsd.simulator.cloud import Cloud, CloudApp, Controller, HostGrant
from rtmsd.simulator.cloud.gathering import Gathering
from rtmsd.simulator.cloud.world import Era
from rtmsd.state import Story, read_journal

SPEED = 40.0
ACCOUNT = "SimulatedAccount"
ANN, BO, CY = 16778240, 16779264, 16780288
HOST, DEPUTY, INVITEE = "ann-the-host", "bo-the-deputy", "cy-the-invitee"

NOTES = CloudApp(
    name="notes",
    client_id="receiver-production",
    client_secret="secret-of-the-receiver-app",
    webhook_secret="secret-token-of-notes",
    installed_by=frozenset({"*", HOST, DEPUTY, INVITEE}),
)
CONTROLLER = Controller(account_id=ACCOUNT, client_id="controller", client_secret="secret-of-the-controller")

MANUAL = """
start = "manual"
[apps.manual]
account_id = "SimulatedAccount"
client_id = "controller"
client_secret = { env = "CONTROLLER_SECRET" }
"""


class Scene:
    """A cloud, a daemon that hears of it, and what came of it."""

    def __init__(self, cloud: Cloud, ready: Ready, tmp: Path, clock: FastClock) -> None:
        self.cloud = cloud
        self.ready = ready
        self.tmp = tmp
        self.clock = clock

    def plan(self, **about: Any) -> Gathering:
        """Plan a meeting of three: the host, a deputy and an invitee, who are guests unless `about` says otherwise."""
        about.setdefault("zoom_users", {ANN: HOST})
        return self.cloud.plan(meeting=meeting(), host_id=HOST, **about)

    async def until(self, what: Callable[[], object], secs: float = 60.0) -> None:
        """Wait until something is so; fail when it is not after so many seconds."""
        end = self.clock.monotonic() + secs
        while not what():
            assert self.clock.monotonic() < end, f"not so within {secs:g} s\n{self.tell()}"
            await asyncio.sleep(0.05)

    async def streaming(self, gathering: Gathering, secs: float = 60.0) -> None:
        """Wait until a stream of this meeting is recorded."""
        await self.until(lambda: self.live(gathering), secs)

    def live(self, gathering: Gathering) -> list[str]:
        return [
            one.stream_id
            for one in self.ready.report.streams()
            if one.state == "live" and one.meeting_id == str(gathering.number)
        ]

    def starts(self) -> list[dict[str, Any]]:
        """The requests to start, oldest first."""
        return [
            {"at": one.at, "status": one.status, **one.settings}
            for one in self.cloud.face.requests
            if one.action == "start"
        ]

    def announced(self, gathering: Gathering) -> list[int]:
        """When each stream of this meeting was announced, in Unix ms."""
        number = str(gathering.number)
        told = {
            str(one.payload["rtms_stream_id"]): one.event_ms
            for one in self.cloud.sent
            if one.event == "meeting.rtms_started" and str(one.payload.get("meeting_id")) == number
        }
        return list(told.values())

    def story(self, gathering: Gathering) -> Story:
        with read_journal(self.tmp / "state") as past:
            return past.story(str(gathering.number))

    def sentences(self, gathering: Gathering, kind: str = "") -> list[str]:
        """The sentences of a meeting's story, oldest first."""
        return [one.sentence for one in self.story(gathering).notes if kind in ("", one.kind)]

    def why(self, gathering: Gathering) -> str:
        """What `rtmsd why` says of this meeting."""
        with read_journal(self.tmp / "state") as past:
            told = why(past, str(gathering.number), now_ms=self.clock.wall_ms())
        return "\n".join(told.lines)

    def tell(self) -> str:
        with read_journal(self.tmp / "state") as past:
            rows = past._db.execute("SELECT kind, sentence FROM notes").fetchall()
        return "\n".join(f"{kind}: {sentence}" for kind, sentence in rows)

    async def wait(self, secs: float) -> None:
        await asyncio.sleep(secs)


def meeting(secs: float = 600.0) -> Meeting:
    """Everybody speaks now and then; who is heard depends on who is there."""
    sentences = load_sentences()
    says = [
        Says(at_ms, who, sentences[name])
        for at_ms in range(400, int(secs * 1000) - 8000, 8000)
        for who, name in ((ANN, "begin"), (BO, "tests"), (CY, "late"))
    ]
    people = (Person(ANN, "Mira Tal"), Person(BO, "Tomas Vik"), Person(CY, "Ines Roy"))
    comings = tuple(Joins(0, person.user_id) for person in people)
    return Meeting(people, (*comings, *says), int(secs * 1000))


Act = Callable[[Scene], Awaitable[None]]


def play(
    act: Act,
    tmp: Path,
    *,
    config: str = MANUAL,
    apps: Sequence[CloudApp] = (NOTES,),
    grants: Sequence[HostGrant] = (),
    era: Era = "2026-10",
    client: CloudApp | None = None,
    webhooks: bool = True,
    clock_off_secs: float = 0.0,
    speed: float = SPEED,
) -> list[Path]:
    """Let `act` happen with a daemon whose app has this `config` and the credentials of `client`, the first app if
    nothing else is said; return the recordings, each of which verifies. `clock_off_secs`: how far the daemon's machine is
    ahead of Zoom."""
    clock, daemons_clock = FastClock(speed), FastClock(speed)
    right = daemons_clock.wall
    daemons_clock.wall = lambda: right() + clock_off_secs  # type: ignore[method-assign]

    async def main() -> None:
        async with (
            Cloud(
                apps=apps,
                controllers=[CONTROLLER],
                grants=grants,
                era=era,
                clock=clock,
                directory=tmp / "zoom",
            ) as cloud,
            daemon(cloud, tmp, daemons_clock, config=config, app=client or apps[0]) as ready,
        ):
            if webhooks:
                for app in apps:
                    cloud.set_webhook(app.name, f"http://{ready.webhook}/webhook")
            await act(Scene(cloud, ready, tmp, clock))

    run_fast(main(), speed)
    recordings = sorted(path.parent for path in tmp.glob("recordings/*/*/*/SHA256SUMS"))
    for recording in recordings:
        assert verify(recording).problems == []
    return recordings


@asynccontextmanager
async def daemon(
    cloud: Cloud, tmp: Path, clock: FastClock, *, config: str, app: CloudApp
) -> AsyncIterator[Ready]:
    path = tmp / "rtmsd.toml"
    urls = f"""
oauth_url = "{cloud.oauth_url}"
api_url = "{cloud.api_url}"
events_url = "{cloud.events_url}"
"""
    path.write_text(configuration(tmp, ca_file=cloud.ca_file, client_id=app.client_id, zoom=urls, app=config))
    environ = {
        "CLIENT_SECRET": app.client_secret,
        "WEBHOOK_SECRET": app.webhook_secret,
        "CONTROLLER_SECRET": CONTROLLER.client_secret,
        "REFRESH_TOKEN": "refresh-token-1",
    }
    plugins = load_plugins()
    loaded = load_config(path, sink_types=plugins.sink_types, environ=environ)
    async with daemon_of(loaded, plugins, clock=clock) as ready:
        yield ready
