"""Every row of the table of Zoom's errors, as the answer to a start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from rtmsd.config import Secret
from rtmsd.runtime.clock import Clock
from rtmsd.zoom.limits import Budget
from rtmsd.zoom.meetings import ZoomMeetings
from rtmsd.zoom.oauth import Token
from rtmsd.zoom.replies import BY_CODE, BY_STATUS, SCOPE_CODES, Meaning, Reply, Verdict, meaning

API = "https://api.zoom.us/v2"
START = API + "/live_meetings/85746065432/rtms_app/status"


class Answer(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not know the argument that aiohttp 3.14 has added: it is asked how much was sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **kwargs})


class CountedTokens:
    """Tokens with a number each, a new one after each that was refused."""

    def __init__(self) -> None:
        self.number = 1

    async def token(self) -> Token:
        return Token(Secret(f"token-{self.number}"), renew_at=1e12)

    def refused(self, token: Token) -> None:
        self.number += 1


class Asked:
    """An API whose answers are made up, and what was asked of it."""

    def __init__(self, session: aiohttp.ClientSession, answers: aioresponses) -> None:
        clock = Clock()
        self.tokens = CountedTokens()
        self.budget = Budget(clock=clock, per_sec=1000)
        self._answers = answers
        self._api = ZoomMeetings(
            session=session, api_url=API, tokens=self.tokens, budget=self.budget, clock=clock
        )

    async def start(self, **answer: Any) -> Reply:
        self._answers.patch(START, repeat=True, response_class=Answer, **answer)
        return await self._api.set_app(
            "85746065432", "start", client_id="receiver", participant_user_id="30R7"
        )

    @property
    def calls(self) -> list[dict[str, Any]]:
        [calls] = self._answers.requests.values()
        return [call.kwargs for call in calls]


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    with aioresponses() as answers:
        async with aiohttp.ClientSession() as session:
            yield Asked(session, answers)


def explained(found: Meaning) -> bool:
    """It has a cause and, unless nobody can do anything, a remedy: whole sentences, with no place left open."""
    return found.sentence.endswith(".") and bool(found.remedy) and "None" not in found.sentence


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", BY_CODE)
async def test_a_code_decides_whatever_the_status(asked: Asked, code: int, status: int) -> None:
    """The row of the code is found, by number or text; one call was made, with what was documented in it."""
    form = str(code) if status == 403 else code
    reply = await asked.start(status=status, payload={"code": form, "message": "Some words of Zoom's."})
    assert meaning(reply) is BY_CODE[code]
    assert explained(meaning(reply))
    assert str(code) in meaning(reply).cause
    [call] = asked.calls
    assert call["json"] == {
        "action": "start",
        "settings": {"client_id": "receiver", "participant_user_id": "30R7"},
    }
    assert call["headers"] == {"Authorization": "Bearer token-1"}
    assert asked.tokens.number == (2 if code in SCOPE_CODES else 1)


@pytest.mark.parametrize("status", [status for status in BY_STATUS if status])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message":"Some words."}', b'{"code":77}'])
async def test_a_status_decides_where_no_code_is_known(asked: Asked, status: int, body: bytes) -> None:
    """The row of the status is found; 401 costs a second call with a new token, 429 holds the account's calls."""
    reply = await asked.start(status=status, body=body)
    assert meaning(reply) is BY_STATUS[status]
    assert explained(meaning(reply))
    used = [call["headers"]["Authorization"] for call in asked.calls]
    assert used == (["Bearer token-1", "Bearer token-2"] if status == 401 else ["Bearer token-1"])
    assert (asked.budget.held_secs > 1) is (status == 429)


@pytest.mark.parametrize(
    "exception",
    [
        TimeoutError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("broken off"),
        aiohttp.ClientOSError(104, "Connection reset by peer"),
    ],
)
async def test_no_answer_has_its_row(asked: Asked, exception: Exception) -> None:
    """Whatever the network does is one row, and no exception."""
    reply = await asked.start(exception=exception)
    assert meaning(reply) is BY_STATUS[0]
    assert explained(meaning(reply)) and reply.message


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"status": 204}, Verdict.ACCEPTED),
        ({"status": 400, "payload": {"message": "RTMS already started for this meeting"}}, Verdict.ALREADY),
        ({"status": 500, "body": b"<html>"}, Verdict.LATER),
        ({"status": 418, "payload": {"code": 9999}}, Verdict.NEVER),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Verdict.NEVER),
    ],
)
async def test_what_stands_in_no_table_has_a_verdict(
    asked: Asked, answer: dict[str, Any], verdict: Verdict
) -> None:
    """Good answers, the one that only its text tells, other statuses; a redirect is not followed."""
    reply = await asked.start(**answer)
    assert meaning(reply).verdict is verdict
    assert len(asked.calls) == 1
    assert meaning(reply).sentence.endswith(".")


def test_the_table_is_whole() -> None:
    """The rows that are walked are those of protocol.md §4.2."""
    assert set(BY_CODE) == {2308, 2310, 3000, 13262, 3001, 124, 4700, 4711, 300}
    assert set(BY_STATUS) == {0, 401, 403, 404, 429}
