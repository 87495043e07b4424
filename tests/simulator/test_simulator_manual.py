"""`rtmsd sim` with REST: streams that are started, stopped and refused over its printed addresses."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hand_client import until
from rest_curl import Curl

from rtmsd.errors import SimulatorError
from rtmsd.simulator import guest_first_meeting, read_truth, run_sim
from rtmsd.simulator.actions import Joins
from rtmsd.simulator.held import Held
from rtmsd.simulator.scenario import load_script

NUMBER = 85746065432


class Sim:
    """A simulator that runs, and somebody who has what it printed."""

    def __init__(self, out: io.StringIO, session: aiohttp.ClientSession) -> None:
        self.out, self.session = out, session

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads(self.out.getvalue().splitlines()[0]))

    def events(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()[1:]]
        return [json.loads(line["body"]) for line in lines]

    def names(self) -> list[str]:
        return [event["event"].partition(".")[2] for event in self.events()]

    async def until(self, event: str, number: int = 1) -> dict[str, Any]:
        """Wait for the so-manyth of these events; give its payload."""
        await until(lambda: self.names().count(event) >= number)
        return dict([one for one in self.events() if one["event"].endswith(event)][number - 1]["payload"])

    async def app(self, action: str, *, participant: str) -> tuple[int, str]:
        facts = self.facts
        curl = Curl(self.session, **{name: facts[name] for name in ("ca_file", "oauth_url", "api_url")})
        token = await curl.token(
            facts["controller_client_id"],
            facts["controller_client_secret"],
            grant_type="account_credentials",
            account_id=facts["account_id"],
        )
        return await curl.app(
            token, NUMBER, action, client_id=facts["client_id"], participant_user_id=participant
        )

    async def control(self, **action: object) -> tuple[int, str]:
        async with self.session.post(self.facts["control_url"], json=action) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Sim]:
    out = io.StringIO()
    task = asyncio.create_task(run_sim(out=out, json_lines=True, **options))
    try:
        async with aiohttp.ClientSession() as session:
            await until(lambda: bool(out.getvalue()) or task.done())
            yield Sim(out, session)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


SHORT = """
seconds = 6
people = [{ name = "Mira" }, { name = "Tomas" }]
timeline = [
    { at_secs = 0, do = "join", who = "Tomas" },
    { at_secs = 2, do = "join", who = "Mira" },
]
"""


async def test_the_guest_first_story_is_played(tmp_path: Path) -> None:
    """Nothing starts by itself; before the host has come a start does nothing, then it does; the truth is written."""
    (tmp_path / "short.toml").write_text(SHORT)
    async with running(scenario=tmp_path / "short.toml", manual=True, truth=tmp_path) as sim:
        host = (await sim.until("started"))["object"]["host_id"]
        assert (await sim.app("start", participant=host))[0] == 204
        await sim.until("participant_joined", 2)
        assert "rtms_started" not in sim.names()
        assert (await sim.app("start", participant=host))[0] == 204
        started = await sim.until("rtms_started")
        assert started["meeting_id"] == str(NUMBER) and started["operator_id"] == host
        await sim.until("ended")
        assert (await sim.until("rtms_stopped"))["stop_reason"] == 6
        place = tmp_path / started["rtms_stream_id"]
        await until((place / "truth.json").is_file)
        assert [one.user_id for one in read_truth(place).joins] == [16779264, 16778240]


async def test_a_stream_that_began_by_itself_is_stopped_and_started_again() -> None:
    """The default meeting has a stream at once, as ever; what a controller stops it may start anew, under another id."""
    async with running(seconds=6) as sim:
        first = await sim.until("rtms_started")
        operator = first["operator_id"]
        status, text = await sim.app("start", participant=operator)
        assert status == 400 and "already started" in text
        assert (await sim.app("stop", participant=operator))[0] == 204
        await sim.until("rtms_stopped")
        assert (await sim.app("start", participant=operator))[0] == 204
        second = await sim.until("rtms_started", 2)
        assert second["rtms_stream_id"] != first["rtms_stream_id"]
        assert second["meeting_uuid"] == first["meeting_uuid"]
        assert set(sim.names()) == {"rtms_started", "rtms_stopped"}, "of people's comings nobody is told"


async def test_rest_is_disturbed_through_the_control_url() -> None:
    """The next answer is an error, every answer a 429, a token is worth nothing: as asked, and what is no such thing is 400."""
    async with running(seconds=6) as sim:
        operator = (await sim.until("rtms_started"))["operator_id"]
        for does, status, text in (
            ({"do": "rest_error", "code": 2310}, 400, "2310"),
            ({"do": "rest_error", "code": 503}, 503, ""),
            ({"do": "rest_error", "answer": "silent"}, 204, ""),
            ({"do": "rest_limit", "secs": 60, "style": "date"}, 429, "daily"),
        ):
            assert (await sim.control(**does))[0] == 200
            answered = await sim.app("stop", participant=operator)
            assert answered[0] == status and text in answered[1]
        assert (await sim.control(do="revoke_tokens"))[0] == 200
        for does, complaint in (
            ({"do": "rest_error", "code": 777}, "no answer 777"),
            ({"do": "rest_error", "code": 2310, "secs": 1}, "unknown key"),
            ({"do": "rest_limit"}, "is missing"),
        ):
            status, text = await sim.control(**does)
            assert status == 400 and complaint in text


async def test_a_scenario_says_how_its_meeting_is_held(tmp_path: Path) -> None:
    """Without join-before-host the guest waits; with the host Zoom starts the app by itself."""
    (tmp_path / "held.toml").write_text(SHORT + '[meeting]\njoin_before_host = false\nstart = "auto"\n')
    async with running(scenario=tmp_path / "held.toml") as sim:
        await sim.until("rtms_started")
        assert sim.names()[:2] == ["participant_jbh_waiting", "started"]
        await sim.until("ended")


def test_the_meeting_table_is_read(tmp_path: Path) -> None:
    """Names become ids, everything has a default, and without the table nobody holds the meeting."""
    path = tmp_path / "one.toml"
    path.write_text(SHORT)
    assert load_script(path).held is None
    path.write_text(SHORT + "[meeting]\n")
    assert load_script(path).held == Held(host=16778240)
    path.write_text(
        SHORT + '[meeting]\nhost = "Tomas"\ninvitees = ["Mira"]\nalternative_hosts = ["Mira"]\n'
        'waiting_room = true\nera = "2026-07"\n'
    )
    assert load_script(path).held == Held(
        host=16779264, invitees=(16778240,), alternative_hosts=(16778240,), waiting_room=True, era="2026-07"
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('host = "Nobody"', 'meeting.host: expected one of "Mira", "Tomas"'),
        ('start = "later"', "meeting.start: expected one of"),
        ("join_before = true", "meeting.join_before: unknown key; did you mean"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(tmp_path: Path, table: str, complaint: str) -> None:
    """With its path, like everything else in a scenario."""
    path = tmp_path / "bad.toml"
    path.write_text(f"{SHORT}[meeting]\n{table}\n")
    with pytest.raises(SimulatorError, match=complaint):
        load_script(path)


def test_only_meetings_are_held(tmp_path: Path) -> None:
    """A call centre has no waiting room."""
    path = tmp_path / "call.toml"
    path.write_text('product = "contact_center"\n' + SHORT + "[meeting]\n")
    with pytest.raises(SimulatorError, match="people gather in a meeting only"):
        load_script(path)


@pytest.mark.parametrize(("seconds", "joins"), [(32.0, 2), (13.0, 2), (5.0, 1)])
def test_the_guest_comes_first(seconds: float, joins: int) -> None:
    """Cut short, the host never comes."""
    meeting = guest_first_meeting(seconds)
    comings = [action for action in meeting.timeline if isinstance(action, Joins)]
    assert len(comings) == joins and comings[0].user_id != meeting.people[0].user_id
    assert meeting.ends_ms == seconds * 1000


async def test_a_held_meeting_is_moved_by_hand(tmp_path: Path) -> None:
    """People are let in, take over, go, and the meeting ends, for the meeting and not for one stream; GET shows it."""
    table = '[meeting]\nwaiting_room = true\nstart = "auto"\n'
    (tmp_path / "held.toml").write_text(SHORT.replace("seconds = 6", "seconds = 60") + table)
    async with running(scenario=tmp_path / "held.toml") as sim:
        await sim.until("rtms_started")
        assert (await sim.control(do="admit", who="Tomas"))[0] == 200
        assert (await sim.control(do="make_host", who="Tomas", meeting=NUMBER))[0] == 200
        async with sim.session.get(sim.facts["control_url"]) as answer:
            [gathering] = (await answer.json())["gatherings"]
        assert gathering["in_progress"] and len(gathering["stream_ids"]) == 1
        assert [(one["name"], one["role"]) for one in gathering["attendees"]] == [
            ("Tomas", "host"),
            ("Mira", "attendee"),
        ]
        for action, complaint in (
            ({"do": "admit", "who": "Mira"}, "not in the waiting room"),
            ({"do": "leave", "who": "Mira", "meeting": 7}, "there is no meeting 7"),
            ({"do": "leave", "who": "Nobody"}, "expected one of"),
        ):
            status, text = await sim.control(**action)
            assert status == 400 and complaint in text
        assert (await sim.control(do="leave", who="Mira"))[0] == 200
        assert (await sim.control(do="end", reason=8))[0] == 200
        await sim.until("ended")
        assert (await sim.until("rtms_stopped"))["stop_reason"] == 8


async def test_a_timeline_lets_people_in_and_hands_over(tmp_path: Path) -> None:
    """In a meeting that is held; in one that is only played there is nothing to be let into."""
    more = SHORT.rstrip().removesuffix("]") + (
        '{ at_secs = 2.5, do = "admit", who = "Tomas" },\n'
        '{ at_secs = 3, do = "make_host", who = "Tomas" },\n]\n'
    )
    (tmp_path / "held.toml").write_text(more + "[meeting]\nwaiting_room = true\n")
    async with running(scenario=tmp_path / "held.toml") as sim:
        await sim.until("participant_admitted")
        await sim.until("participant_role_changed", 2)
    (tmp_path / "played.toml").write_text(more)
    with pytest.raises(SimulatorError, match=r"write \[meeting\]"):
        load_script(tmp_path / "played.toml")
