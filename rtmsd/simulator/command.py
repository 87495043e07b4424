"""`rtmsd sim`: Zoom's side alone, for a client that is driven by hand, or for a daemon in another process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import orjson

from rtmsd.errors import SimulatorError
from rtmsd.simulator.control import controlling
from rtmsd.simulator.meeting import DEFAULT_SECONDS, Meeting, default_meeting
from rtmsd.simulator.scenario import load_scenario
from rtmsd.simulator.server import Simulator
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
) -> None:
    """Print where and who Zoom is, play the scenario or the default meeting, `meetings` times at once, and return.

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
    first = [_meeting(scenario, seconds, number) for number in range(max(meetings, 1))][:meetings]
    pace = max((meeting.pace for meeting in first), default=1.0)
    numbers = itertools.count(meetings)
    printer = _Printer(out, json_lines=json_lines, sends=webhook is not None)
    tasks = asyncio.TaskGroup()

    def play(meeting: Meeting) -> None:
        tasks.create_task(_play(simulator, meeting, truth))

    def play_another(its_seconds: float | None) -> None:
        play(_meeting(scenario, seconds if its_seconds is None else its_seconds, next(numbers)))

    async with (
        Simulator(
            listen=listen,
            webhook=webhook,
            on_webhook=printer.show if webhook is None else None,
            directory=directory,
            tell=printer.tell,
            pace=pace if pace != 1 else WEBHOOK_PACE,
        ) as simulator,
        controlling(simulator, play=play_another) as control_url,
    ):
        try:
            async with tasks:
                printer.introduce(simulator, control_url)
                await asyncio.sleep(_HEAD_START_SECS)  # for a reader to get ready
                for meeting in first:
                    play(meeting)
                if not first:
                    await asyncio.Event().wait()  # until cancelled
        except* OSError as errors:
            raise errors.exceptions[0] from None


class _Printer:
    """Writes what happens to `out`, each line flushed. `sends`: webhooks are sent and not printed."""

    def __init__(self, out: TextIO, *, json_lines: bool, sends: bool) -> None:
        self._out = out
        self._json_lines = json_lines
        self._sends = sends

    def introduce(self, simulator: Simulator, control_url: str) -> None:
        facts = {
            "signaling_url": simulator.signaling_url,
            "ca_file": str(simulator.ca_file),
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "webhook_secret": simulator.webhook_secret,
            "control_url": control_url,
        }
        if self._json_lines:
            self._say(orjson.dumps(facts).decode())
        else:
            for name, value in facts.items():
                self._say(f"{name:15} {value}")

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


async def _play(simulator: Simulator, meeting: Meeting, truth: Path | None) -> None:
    played = await simulator.play(meeting=meeting)
    if truth is not None:
        await asyncio.to_thread(write_truth, truth, played)


def _meeting(scenario: Path | None, seconds: float | None, number: int) -> Meeting:
    if scenario is None:
        return default_meeting(DEFAULT_SECONDS if seconds is None else seconds)
    meeting = load_scenario(scenario, number=number)
    return meeting if seconds is None else meeting.cut(seconds)
