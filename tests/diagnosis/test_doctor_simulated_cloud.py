"""The doctor asks the simulator's token endpoint, which knows many wrong ways of asking and of answering."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from examined import app, case, config
from small_world import APP, CONTROLLER, SmallWorld, small_cloud

from rtmsd.config import ManualConfig, Secret
from rtmsd.diagnosis.controller import scopes, tokens
from rtmsd.diagnosis.finding import Finding
from rtmsd.simulator.cloud.oauth import BadToken

GOOD = ManualConfig(
    account_id=CONTROLLER.account_id,
    client_id=CONTROLLER.client_id,
    client_secret=Secret(CONTROLLER.client_secret),
)


async def found(
    *, bad: BadToken | None = None, world: SmallWorld | None = None, **changes: Any
) -> tuple[Finding, Finding]:
    async with small_cloud(world) as zoom:
        if bad is not None:
            zoom.face.break_tokens(bad)
        apps = (app(manual=replace(GOOD, **changes)),)
        async with case(config(zoom.base, apps=apps)) as one:
            return await tokens(one), await scopes(one)


async def test_the_simulated_cloud_is_whole() -> None:
    """Its controller has every scope that the doctor looks for."""
    token, scope = await found()
    assert (token.state, scope.state) == ("ok", "ok") and scope.sentence == "Whoever starts may do so."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": APP.client_id, "client_secret": Secret(APP.client_secret)}, "not the RTMS app itself"),
        ({"account_id": "another"}, "account_id"),
        ({"client_secret": Secret("another")}, "copy both again"),
    ],
    ids=["the RTMS app's pair", "another account", "another secret"],
)
async def test_a_wrong_controller(changes: dict[str, Any], words: str) -> None:
    """Each wrong value of [apps.manual] has its own remedy."""
    token, scope = await found(**changes)
    assert token.state == "broken" and words in token.sentence and scope.state == "skipped", token


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("html", "without a token"),
        ("json", "without a token"),
        ("500", "fault of its own"),
        ("nothing", "could not be reached"),
    ],
)
async def test_a_bad_endpoint(bad: BadToken, words: str) -> None:
    """A page, half a document, a fault and nothing at all are told apart, without what they say."""
    token, _ = await found(bad=bad)
    assert token.state == "broken" and words in token.sentence and "maintenance" not in token.sentence, token


async def test_a_token_without_scopes() -> None:
    """Zoom need not say which scopes there are; a controller that may only read cannot start."""
    _, scope = await found(bad="no_scope")
    assert scope.state == "ok" and "does not say" in scope.sentence
    reader = SmallWorld(controllers=[replace(CONTROLLER, scopes=("meeting:read:meeting:admin",))])
    _, scope = await found(world=reader)
    assert scope.state == "broken" and "participant_rtms_app_status:admin" in scope.sentence
