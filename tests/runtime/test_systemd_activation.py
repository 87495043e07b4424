"""The webhook's socket, when systemd holds it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from played_systemd import post_event, rtmsd_run

from rtmsd.config import Listen, UnixListen
from rtmsd.config.listen import SystemdListen
from rtmsd.errors import ConfigError
from rtmsd.runtime.systemd import Systemd
from rtmsd.web.server import serving

_STOPPED = {"meeting_uuid": "abc==", "rtms_stream_id": "0123456789abcdef", "stop_reason": 6}


def _listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


async def test_a_webhook_posted_while_rtmsd_is_down_is_answered_by_the_next(tmp_path: Path) -> None:
    """Nothing is refused over a restart: what came in between waits in systemd's socket."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        url = f"http://127.0.0.1:{held.getsockname()[1]}/webhook"
        async with rtmsd_run(tmp_path, listen="systemd", activated=held) as first:
            assert await post_event(url, "meeting.rtms_stopped", _STOPPED) == 200
            first.terminate()
            assert await first.ended() == 0
        assert _listens(held)
        meanwhile = asyncio.create_task(post_event(url, "meeting.rtms_stopped", _STOPPED))
        await asyncio.wait([meanwhile], timeout=0.2)
        assert not meanwhile.done()
        async with rtmsd_run(tmp_path, listen="systemd", activated=held) as second:
            assert await meanwhile == 200
            second.terminate()
            assert await second.ended() == 0


async def test_without_activation_it_says_what_to_do(tmp_path: Path) -> None:
    """Started without its socket, rtmsd ends with 78, so that systemd does not try again, and names the socket unit."""
    async with rtmsd_run(tmp_path, listen="systemd") as rtmsd:
        assert await rtmsd.ended() == 78
        assert "webhook.listen" in rtmsd.log and "rtmsd.socket" in rtmsd.log
        assert "Traceback" not in rtmsd.log


async def test_a_socket_that_nobody_serves_is_told(tmp_path: Path) -> None:
    """With the socket unit on and another address in the configuration, the log says that it is not served."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        async with rtmsd_run(tmp_path, activated=held) as rtmsd:
            await rtmsd.until_logged("nobody serves")
            await rtmsd.until_logged("ready")
            rtmsd.terminate()
            assert await rtmsd.ended() == 0


async def test_an_address_in_use_is_a_sentence(tmp_path: Path) -> None:
    """When the address cannot be had, the daemon ends with 1 and a sentence, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"127.0.0.1:{held.getsockname()[1]}"
        async with rtmsd_run(tmp_path, listen=address) as rtmsd:
            assert await rtmsd.ended() == 1
            assert f"cannot listen on {address}" in rtmsd.log and "Traceback" not in rtmsd.log


@pytest.mark.parametrize("family", ["tcp", "unix"])
async def test_an_inherited_socket_is_served_and_left_to_systemd(family: str, tmp_path: Path) -> None:
    """Both families are served, the address is told, and afterwards the socket still listens where it did."""
    if family == "tcp":
        held = socket.create_server(("127.0.0.1", 0))
        expected: Listen | UnixListen = Listen("127.0.0.1", held.getsockname()[1])
    else:
        path = tmp_path / "webhook.sock"
        held = socket.socket(socket.AF_UNIX)
        held.bind(str(path))
        held.listen()
        expected = UnixListen(path)

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    connector = aiohttp.UnixConnector(str(tmp_path / "webhook.sock")) if family == "unix" else None
    with held:
        async with aiohttp.ClientSession(connector=connector) as http:
            async with serving(app, SystemdListen(), inherited=[held.dup()]) as bound:
                assert bound == expected
                url = f"http://{bound}/" if family == "tcp" else "http://localhost/"
                async with http.get(url) as answer:
                    assert await answer.text() == "hello"
        assert _listens(held)
        assert family == "tcp" or (tmp_path / "webhook.sock").exists()


def test_the_socket_is_found_by_its_name_or_by_being_the_only_one() -> None:
    """All sockets named webhook are taken; one alone may have any name; several others are nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        fds = one.fileno(), other.fileno()

        def found(*names: str) -> list[int]:
            handed = Systemd(sockets=list(zip(names, fds, strict=False))).listeners("webhook")
            return [each.detach() for each in handed]

        assert found("webhook", "webhook") == list(fds)
        assert found("admin", "webhook") == [fds[1]]
        assert found("unknown") == [fds[0]]
        assert found("admin", "metrics") == []


def test_what_does_not_listen_is_refused() -> None:
    """A unit with Accept=yes or ListenDatagram= is told what it needs, and the descriptor is not closed."""
    with socket.socket() as connected, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        for one in (connected, datagram):
            with pytest.raises(ConfigError, match=r"ListenStream= and Accept=no"):
                Systemd(sockets=[("webhook", one.fileno())]).listeners("webhook")
            assert one.getsockname() is not None
    with pytest.raises(ConfigError, match="no listening stream socket"):
        Systemd(sockets=[("webhook", 9999)]).listeners("webhook")
