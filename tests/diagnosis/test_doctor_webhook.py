"""The doctor asks our own webhook as Zoom does: rtmsd's real endpoint, behind proxies that do what proxies do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web
from examined import app, behind, case, config, rtmsd, served

from rtmsd.config import EventsConfig, Secret
from rtmsd.diagnosis.finding import Finding
from rtmsd.diagnosis.own_webhook import own_webhook
from rtmsd.protocol.webhook import Credentials
from rtmsd.runtime.clock import Clock


async def ask(base: str, *, clock: Clock | None = None, **of_app: Any) -> Finding:
    async with case(config(apps=(app(**of_app),), public_url=f"{base}/webhook"), clock=clock) as one:
        return await own_webhook(one)


async def test_it_answers() -> None:
    """rtmsd itself, with one app and with several, and through a proxy that leaves things as they are."""
    async with rtmsd() as daemon:
        assert (await ask(daemon)).state == "ok"
        async with behind(daemon) as proxy:
            assert (await ask(proxy)).state == "ok"
    two = [Credentials(name, (f"{name}-webhook-secret",)) for name in ("notes", "sales")]
    async with (
        rtmsd(*two) as daemon,
        case(config(apps=(app(), app("sales")), public_url=f"{daemon}/webhook")) as one,
    ):
        found = await own_webhook(one)
    assert found.state == "ok" and "2 apps" in found.sentence


async def test_without_an_address_it_is_skipped() -> None:
    """The sentence says what to set."""
    async with case(config()) as one:
        found = await own_webhook(one)
    assert (
        found.state == "skipped"
        and "public_url" in found.sentence
        and "https://your.name/webhook" in found.sentence
    )


async def test_apps_with_event_sockets_need_no_webhook() -> None:
    """Nothing is asked to be set when every app has [apps.events]."""
    async with case(config(apps=(app(events=EventsConfig(subscription_id="abc")),))) as one:
        found = await own_webhook(one)
    assert found.state == "skipped" and "public_url" not in found.sentence


async def test_a_body_that_is_rewritten() -> None:
    """A proxy that formats JSON anew breaks signatures; it is told from a wrong secret by asking without one."""
    async with rtmsd() as daemon, behind(daemon, rewrite=True) as proxy:
        found = await ask(proxy)
    assert found.state == "broken" and "rewrites the body" in found.sentence, found


async def test_another_secret() -> None:
    """The running rtmsd has another secret than the configuration: signed, it refuses; unsigned, it answers otherwise."""
    async with rtmsd() as daemon:
        found = await ask(daemon, webhook_secrets=(Secret("newer-secret"),))
    assert found.state == "broken" and "start it again" in found.sentence and "newer" not in found.sentence, (
        found
    )


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (301, {"Location": "https://www.your.name/webhook/notes?secret=x"}, "follows no redirect"),
        (401, {"WWW-Authenticate": "Basic"}, "asks for a login"),
        (401, {}, "rtmsd's log"),
        (403, {}, "firewall"),
        (404, {}, "/webhook/{app}"),
        (404, {"Server": "rtmsd"}, "rtmsd knows no such path"),
        (405, {}, "takes no POST"),
        (429, {}, "wait a minute"),
        (500, {}, "where Zoom wants 200"),
        (502, {}, "127.0.0.1:8080"),
        (503, {"Server": "rtmsd"}, "journal"),
        (200, {}, "something else than rtmsd"),
        (204, {}, "where Zoom wants 200"),
    ],
)
async def test_other_answers(status: int, headers: dict[str, str], words: str) -> None:
    """Every answer that is none has its remedy, with the address, and without what it says."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(
            status=status, headers=headers, text=None if status == 204 else "<html>SECRET</html>"
        )

    async with served(answer) as proxy:
        found = await ask(proxy)
    assert found.state == "broken" and words in found.sentence, found
    assert f"{proxy}/webhook/notes" in found.sentence and "SECRET" not in found.sentence
    assert "secret=x" not in found.sentence


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"encryptedToken": 1}', b'{"encryptedToken": "\xc3\xa4"}', b"\xff"]
)
async def test_an_answer_of_another_kind(body: bytes) -> None:
    """JSON that is no validation's, or no JSON, is something else's."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body)

    async with served(answer) as proxy:
        found = await ask(proxy)
    assert found.state == "broken" and "something else than rtmsd" in found.sentence, found


class Hurried(Clock):
    """A clock on which every second is a hundred."""

    monotonic = staticmethod(lambda: time.monotonic() * 100)


async def test_a_slow_answer() -> None:
    """It is right, but Zoom would not have waited for it."""
    async with rtmsd() as daemon, behind(daemon, delay=0.05) as proxy:
        found = await ask(proxy, clock=Hurried())
    assert found.state == "broken" and "Zoom waits 3 s" in found.sentence, found


async def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens; somebody listens and says nothing; somebody hangs up."""
    found = await ask("http://127.0.0.1:9")
    assert found.state == "broken" and "is rtmsd running?" in found.sentence
    monkeypatch.setattr("rtmsd.diagnosis.own_webhook.ANSWER_SECS", 0.1)

    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        await asked.wait()
        return web.Response()

    async with served(silent) as proxy:
        found = await ask(proxy)
        asked.set()
    assert found.state == "broken" and "no answer within" in found.sentence, found

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with served(hang_up) as proxy:
        found = await ask(proxy)
    assert found.state == "broken" and "broke off" in found.sentence, found
