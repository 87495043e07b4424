"""The doctor's first steps: clock, names, TLS, against real servers."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from examined import app, case, config, served

from rtmsd.config import EventsConfig, ZoomConfig
from rtmsd.diagnosis.reach import clock, encryption, names
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.certificates import server_tls

DAY = 86_400.0


class Off(Clock):
    """A clock that is so many seconds ahead."""

    def __init__(self, secs: float) -> None:
        self.wall = lambda: time.time() + secs


async def _answers(request: web.Request) -> web.Response:
    return web.Response(status=404)


@pytest.mark.parametrize(
    ("secs", "state", "words"),
    [
        (0.0, "ok", "within"),
        (25.0, "ok", "within"),
        (600.0, "broken", "ahead of Zoom's"),
        (-600.0, "broken", "behind Zoom's"),
    ],
)
async def test_the_clock(secs: float, state: str, words: str) -> None:
    """A clock that is ten minutes off is told with its direction; a few seconds are nothing."""
    async with served(_answers) as zoom, case(config(zoom), clock=Off(secs)) as one:
        found = await clock(one)
    assert found.state == state and words in found.sentence, found
    if state == "broken":
        assert "timedatectl" in found.sentence and any(
            f"{one} s" in found.sentence for one in (599, 600, 601)
        )


@pytest.mark.parametrize("date", ["yesterday", ""])
async def test_no_date_is_no_problem_of_the_clock(date: str) -> None:
    """What cannot be compared is skipped, and so is a Zoom that does not answer: later steps say why."""

    async def undated(request: web.Request) -> web.Response:
        return web.Response(headers={"Date": date})

    async with served(undated) as zoom, case(config(zoom)) as one:
        assert (await clock(one)).state == "skipped"
    async with case(config("http://127.0.0.1:9")) as one:
        assert (await clock(one)).state == "skipped"


async def test_names() -> None:
    """Every host is looked up, our own too; the one that is not found is named, with where it stands."""
    async with case(config("https://localhost", public_url="https://localhost/webhook")) as one:
        assert (await names(one)).state == "ok"
    async with case(config("https://localhost", public_url="https://rtmsd.invalid/webhook")) as one:
        found = await names(one)
    assert found.state == "broken" and "rtmsd.invalid (webhook.public_url)" in found.sentence, found


async def test_the_event_socket_is_looked_up_when_it_is_used() -> None:
    """`zoom.events_url` counts only when an app has [apps.events]."""
    zoom = ZoomConfig(
        oauth_url="https://localhost", api_url="https://localhost", events_url="wss://ws.rtmsd.invalid/ws"
    )
    with_events = (app(events=EventsConfig(subscription_id="abc")),)
    async with case(replace(config(apps=with_events), zoom=zoom)) as one:
        found = await names(one)
    assert found.state == "broken" and "ws.rtmsd.invalid (zoom.events_url)" in found.sentence, found
    async with case(replace(config(), zoom=zoom)) as one:
        assert (await names(one)).state == "ok"


@pytest.mark.parametrize(
    ("age", "trusted", "words"),
    [
        (0.0, True, "trusted"),
        (0.0, False, "ca_file"),
        (60 * DAY, True, "clock"),
        (-10 * DAY, True, "clock"),
    ],
)
async def test_tls_of_zoom(tmp_path: Path, age: float, trusted: bool, words: str) -> None:
    """A certificate of an unknown CA, an expired one and a future one each have their remedy."""
    ca_file = tmp_path / "ca.pem"
    tls = server_tls(ca_file, host="127.0.0.1", unix_seconds=time.time() - age)
    async with (
        served(_answers, tls=tls) as zoom,
        case(config(zoom, ca_file=ca_file if trusted else None)) as one,
    ):
        found = await encryption(one)
    good = trusted and age == 0
    assert found.state == ("ok" if good else "broken") and words in found.sentence, found
    if not good:
        assert "127.0.0.1 (zoom.oauth_url)" in found.sentence


async def test_tls_of_our_own_webhook(tmp_path: Path) -> None:
    """An incomplete chain, another host's certificate, and one that only we trust are explained; none is accepted in silence."""
    ca_file = tmp_path / "ca.pem"
    tls = server_tls(ca_file, host="127.0.0.1", unix_seconds=time.time())
    async with served(_answers) as zoom, served(_answers, tls=tls) as own:
        async with case(config(zoom, public_url=f"{own}/webhook")) as one:
            found = await encryption(one)
        assert found.state == "broken" and "fullchain.pem" in found.sentence, found
        async with case(config(zoom, public_url=f"{own}/webhook", ca_file=ca_file)) as one:
            found = await encryption(one)
        assert found.state == "ok" and "zoom.ca_file only" in found.sentence, found
    async with served(_answers) as zoom, served(_answers, tls=tls, host="127.0.0.2") as own:
        async with case(config(zoom, public_url=f"{own}/webhook", ca_file=ca_file)) as one:
            found = await encryption(one)
        assert found.state == "broken" and "must name this very host" in found.sentence, found


async def test_rtmsd_does_not_run_yet() -> None:
    """A webhook on this very machine that refuses the connection: no firewall is to blame, rtmsd has to be started."""
    async with served(_answers) as zoom:
        async with case(config(zoom, public_url="http://127.0.0.1:9/webhook")) as one:
            found = await encryption(one)
        assert found.state == "broken" and found.sentence.startswith("127.0.0.1 (webhook.public_url): nobody")
        assert "is rtmsd running?" in found.sentence and "443" not in found.sentence
        async with case(config(zoom, public_url="https://127.0.0.1:9/webhook")) as one:
            found = await encryption(one)
        assert "proxy in front of rtmsd" in found.sentence


async def test_nobody_is_there() -> None:
    """A port on which nobody listens, and a server that speaks no TLS."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{closed.getsockname()[1]}"
        async with case(config(nobody)) as one:
            found = await encryption(one)
    assert found.state == "broken" and "no connection" in found.sentence and "443" in found.sentence, found
    async with served(_answers) as zoom, case(config(zoom.replace("http:", "https:"))) as one:
        found = await encryption(one)
    assert found.state == "broken" and "TLS" in found.sentence, found
