"""`rtmsd sim`: Zoom's side alone, for a client that is driven by hand, or for a daemon in another process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import orjson

from rtmsd.errors import SimulatorError
from rtmsd.simulator.cloud.cloud import HOST_ID, Cloud
from rtmsd.simulator.cloud.credentials import new_credentials
from rtmsd.simulator.cloud.world import CloudApp, Controller
from rtmsd.simulator.control import controlling
from rtmsd.simulator.guest_first import GUEST_FIRST_SECONDS, guest_first_meeting
from rtmsd.simulator.held import Held
from rtmsd.simulator.meeting import DEFAULT_SECONDS, default_meeting
from rtmsd.simulator.scenario import Script, load_script
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.truth_files import write_truth
from rtmsd.simulator.webhooks import WEBHOOK_PACE

_HEAD_START_SECS = 0.5
_MOST_MEETINGS = 1000


async def run_sim(
    *,
    out: TextIO,
    scenario: Path | None = None,
    meetings: int = 1,
    listen: tuple[str, int] = ("127.0.0.1", 0),
    webhook: str | None = None,
    seconds: float | None = None,
    json_lines: bool = False,
    directory: Path | None = None,
    truth: Path | None = None,
    manual: bool = False,
) -> None:
    """Print where and who Zoom is, play the scenario or the default meeting, `meetings` times at once, and return.

    A meeting begins with its stream, unless the scenario says how it is held (`[meeting]`): then people come and go, and
    every app hears of it. `manual` holds it so in any case, and no stream starts by itself; without a scenario it is one in
    which a guest comes first.

    With 0 `meetings` only those are played that the control URL is asked for with `{"do": "play"}`, until cancelled.

    The first thing printed tells a client all it needs; with `json_lines` it is one JSON object, and everything that
    follows is JSON lines too (`{"news": …}` when webhooks are sent). Without `webhook` each webhook is printed as a
    JSON line `{"headers": …, "body": "…"}` instead of sent. `seconds` makes the default meeting longer or shorter, and
    cuts a scenario. The CA file is in `directory`, or in a temporary one that is removed at the end; what was really
    said goes to `truth`. Every line is flushed. Raises OSError when `listen` cannot be listened on or the truth not
    written, SimulatorError when there is no such meeting. Cancelling stops at once.
    """
    if not 0 <= meetings <= _MOST_MEETINGS:
        raise SimulatorError(f"expected 0 to {_MOST_MEETINGS} meetings at once, got {meetings}")
    scripts = [_script(scenario, seconds, number, manual) for number in range(max(meetings, 1))]
    pace, held = max(script.meeting.pace for script in scripts), scripts[0].held
    app, controller = _credentials(webhook, held)
    numbers = itertools.count(meetings)
    printer = _Printer(out, json_lines=json_lines, sends=webhook is not None)
    tasks = asyncio.TaskGroup()

    def play(script: Script) -> None:
        tasks.create_task(_play(cloud, script, truth))

    def play_another(its_seconds: float | None) -> None:
        play(_script(scenario, seconds if its_seconds is None else its_seconds, next(numbers), manual))

    async with (
        Cloud(
            apps=[app],
            controllers=[controller],
            era=held.era if held else "2026-10",
            listen=listen,
            on_webhook=printer.show if webhook is None else None,
            directory=directory,
            tell=printer.tell,
            pace=pace if pace != 1 else WEBHOOK_PACE,
        ) as cloud,
        controlling(cloud, play=play_another, face=cloud.face, gatherings=cloud.gatherings) as control_url,
    ):
        try:
            async with tasks:
                printer.introduce(cloud, app, controller, control_url)
                await asyncio.sleep(_HEAD_START_SECS)  # for a reader to get ready
                for script in scripts[:meetings]:
                    play(script)
                if not meetings:
                    await asyncio.Event().wait()  # until cancelled
        except* OSError as errors:
            raise errors.exceptions[0] from None


class _Printer:
    """Writes what happens to `out`, each line flushed. `sends`: webhooks are sent and not printed."""

    def __init__(self, out: TextIO, *, json_lines: bool, sends: bool) -> None:
        self._out = out
        self._json_lines = json_lines
        self._sends = sends

    def introduce(self, cloud: Cloud, app: CloudApp, controller: Controller, control_url: str) -> None:
        facts = {
            "signaling_url": cloud.signaling_url,
            "ca_file": str(cloud.ca_file),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "webhook_secret": app.webhook_secret,
            "control_url": control_url,
            "oauth_url": cloud.oauth_url,
            "api_url": cloud.api_url,
            "events_url": cloud.events_url,
            "subscription_id": app.subscription_id,
            "account_id": controller.account_id,
            "controller_client_id": controller.client_id,
            "controller_client_secret": controller.client_secret,
        }
        if self._json_lines:
            self._say(orjson.dumps(facts).decode())
        else:
            for name, value in facts.items():
                self._say(f"{name:24} {value}")

    def tell(self, sentence: str) -> None:
        if not self._json_lines:
            self._say(sentence)
        elif self._sends:  # else every line after the first is a webhook
            self._say(orjson.dumps({"news": sentence}).decode())

    def show(self, headers: Mapping[str, str], body: bytes) -> None:
        self._say(orjson.dumps({"headers": headers, "body": body.decode()}).decode())

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


async def _play(cloud: Cloud, script: Script, truth: Path | None) -> None:
    if script.held is None:
        truths = [await cloud.perform(script.meeting)]
    else:
        truths = await _hold(cloud, script, script.held)
    if truth is not None:
        for played in truths:
            await asyncio.to_thread(write_truth, truth, played)


async def _hold(cloud: Cloud, script: Script, held: Held) -> list[Truth]:
    zoom_users = held.zoom_users(HOST_ID)
    gathering = cloud.plan(
        meeting=script.meeting,
        host_id=HOST_ID,
        join_before_host=held.join_before_host,
        waiting_room=held.waiting_room,
        alternative_hosts=[zoom_users[user_id] for user_id in held.alternative_hosts],
        invitees=[zoom_users[user_id] for user_id in held.invitees],
        zoom_users=zoom_users,
    )
    await gathering.play()
    return list(gathering.truths.values())


def _credentials(webhook: str | None, held: Held | None) -> tuple[CloudApp, Controller]:
    """Make the one app, and the one controller of its account."""
    app, controller = new_credentials("simulated")
    app = replace(
        app,
        webhook=webhook,
        subscription_id="simulated-subscription",
        lifecycle=held is not None,
        auto_start=held is not None and held.start == "auto",
    )
    return app, controller


def _script(scenario: Path | None, seconds: float | None, number: int, manual: bool) -> Script:
    if scenario is not None:
        script = load_script(scenario, number=number)
        if seconds is not None:
            script = replace(script, meeting=script.meeting.cut(seconds))
    elif manual:
        script = Script(guest_first_meeting(GUEST_FIRST_SECONDS if seconds is None else seconds))
    else:
        script = Script(default_meeting(DEFAULT_SECONDS if seconds is None else seconds))
    if not manual:
        return script
    held = script.held or Held(host=script.meeting.people[0].user_id)
    return replace(script, held=replace(held, start="api"))
