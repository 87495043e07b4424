"""The doctor looks at tokens, scopes, and at what cannot be right in ids and secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from examined import MANUAL, app, case, config, served
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.config import HostConfig, Secret
from rtmsd.diagnosis.controller import scopes, tokens
from rtmsd.diagnosis.finding import Finding
from rtmsd.diagnosis.mixups import contradictions, odd_text

START = "meeting:update:participant_rtms_app_status:admin"
READ = "meeting:read:meeting:admin meeting:read:list_meetings:admin"
HOST = HostConfig(user_id="30R7kT7bTIKSNUFEuH_Qlg", refresh_token=Secret("once-only"))


async def found(
    scope: str = "", *, status: int = 200, document: dict[str, Any] | None = None, **of_app: Any
) -> tuple[Finding, Finding, list[dict[str, Any]]]:
    """Run both steps against a token endpoint that answers so; return their findings and what was asked."""
    asked: list[dict[str, Any]] = []

    async def endpoint(request: web.Request) -> web.Response:
        asked.append(dict(await request.post()))
        good = {"access_token": "t0ken", "token_type": "bearer", "expires_in": 3599, "scope": scope}
        return web.json_response(document if document is not None else good, status=status)

    async with (
        served(endpoint) as zoom,
        case(config(zoom, apps=(app(**({"manual": MANUAL} | of_app)),))) as one,
    ):
        return await tokens(one), await scopes(one), asked


async def test_a_token_with_every_scope() -> None:
    """One request for the account's token, and nothing to add."""
    token, scope, asked = await found(f"{START} {READ}")
    assert (token.state, scope.state) == ("ok", "ok") and scope.sentence == "Whoever starts may do so."
    assert asked == [{"grant_type": "account_credentials", "account_id": "AAAAAABBBB"}]
    assert "t0ken" not in token.sentence + scope.sentence


@pytest.mark.parametrize(
    ("scope", "state", "words"),
    [
        ("meeting:write:admin meeting:read:admin", "ok", "may do so."),
        ("meeting:update:participant_rtms_app_status " + READ, "ok", "may do so."),
        (START, "ok", "lacks meeting:read:meeting:admin and meeting:read:list_meetings:admin"),
        (f"{START} meeting:read:meeting:admin", "ok", "lacks meeting:read:list_meetings:admin:"),
        (READ, "broken", f"add the scope {START}"),
        ("", "ok", "does not say which scopes"),
    ],
)
async def test_scopes(scope: str, state: str, words: str) -> None:
    """Classic and granular scopes count alike; without that for starting nothing works, without the others less."""
    _, finding, _ = await found(scope)
    assert finding.state == state and words in finding.sentence, finding


async def test_refresh_tokens_are_not_spent() -> None:
    """A host's refresh token works once, and is rtmsd's to use: the doctor asks nothing with it."""
    token, scope, asked = await found(manual=None, hosts=(HOST,))
    assert (token.state, scope.state, asked) == ("skipped", "skipped", [])
    assert (
        "1 host has a refresh token, which is not tried" in token.sentence
        and "once-only" not in token.sentence
    )
    token, _, asked = await found(f"{START} {READ}", hosts=(HOST, HOST))
    assert "2 hosts have" in token.sentence and len(asked) == 1


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        (400, {"error": "unsupported_grant_type", "reason": "unsupported grant type"}, "Server-to-Server"),
        (401, {"error": "invalid_client"}, "copy both again"),
        (500, {}, "fault of its own"),
        (200, {}, "without a token"),
    ],
)
async def test_no_token(status: int, document: dict[str, Any], words: str) -> None:
    """What the token endpoint says is told with its remedy, and the app is named; no step follows with a token."""
    token, scope, _ = await found(status=status, document=document)
    assert token.state == "broken" and words in token.sentence and "app notes" in token.sentence, token
    assert scope.state == "skipped"


async def test_a_secret_in_quotes_is_named_when_there_is_no_token() -> None:
    """The likeliest cause stands beside what Zoom says; the secret does not."""
    manual = replace(MANUAL, client_secret=Secret('"hidden"'))
    token, _, _ = await found(status=401, document={"error": "invalid_client"}, manual=manual)
    assert "client_secret holds quotation marks" in token.sentence and "hidden" not in token.sentence


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("30R7kT7bTIKSNUFEuH_Qlg", ""),
        ("A9+/=-._~", ""),
        ('"30R7kT7b"', "quotation marks"),
        ("'x'", "quotation marks"),
        ("30R7 kT7b", "white space"),
        ("<client-id>", "placeholder"),
        ("abc…", "placeholder"),
        ("abc;", "comma or semicolon"),
        ("сlient", "look-alikes"),
    ],
)
def test_odd_values(value: str, words: str) -> None:
    """What a copy may have added or lost is named; real ids and secrets are left alone."""
    assert words in odd_text(value) if words else odd_text(value) == ""


@given(st.text(max_size=20))
def test_odd_values_are_never_shown(value: str) -> None:
    """A sentence about a secret is one of a few, whatever the secret is."""
    assert len(odd_text(value)) in {len(odd_text(one)) for one in ("a", " ", '"', "<", ",", "é")}


def test_contradictions_between_apps() -> None:
    """Each app has its own pair, and a controller that is none of the apps."""
    good = (app(), app("sales", manual=MANUAL))
    assert list(contradictions(good)) == []
    one_secret = (app(), app("sales", client_secret=Secret("notes-client-secret")))
    [sentence] = contradictions(one_secret)
    assert "client_secret of app sales is the same as that of app notes" in sentence
    mixed = (app(), app("sales", manual=replace(MANUAL, client_id="notes-client")))
    [sentence] = contradictions(mixed)
    assert "manual.client_id of app sales is the client_id of app notes" in sentence
    quoted = (app(webhook_secrets=(Secret("good"), Secret("'bad'"))),)
    [sentence] = contradictions(quoted)
    assert (
        sentence.startswith("webhook_secrets[1] of app notes holds quotation marks") and "bad" not in sentence
    )
