"""The simulator's side of an event WebSocket, as a client of another make sees it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from event_bench import SUBSCRIPTION, TOKEN, Zoom, fast, until, zoom
from yarl import URL


def dial(
    bench: Zoom, *, token: str = TOKEN + "-1", subscription: str = SUBSCRIPTION
) -> aiohttp.client._BaseRequestContextManager[aiohttp.ClientWebSocketResponse]:
    url = URL(bench.url).with_query(subscriptionId=subscription, access_token=token)
    return bench.session.ws_connect(url, ssl=bench.tls)


def test_it_greets_answers_and_delivers(tmp_path: Path) -> None:
    """The forms that were seen of Zoom (protocol.md §2.4), and no other message."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, dial(bench) as socket:
            said = {"success": True, "header": {}}
            assert await socket.receive_json() == {"module": "build_connection", "content": "ok", **said}
            await socket.send_str("what?")
            await socket.send_json({"module": "heartbeat"})
            assert await socket.receive_json() == {"module": "heartbeat", "content": "live", **said}
            body = '{"event":"meeting.started","topic":"Zürich"}'
            assert await bench.send(body.encode())
            assert await socket.receive_json() == {"module": "message", "content": body, "header": {}}
            assert not await bench.sockets.send("another subscription", b"{}")

    fast(scenario())


@pytest.mark.parametrize("wrong", [{"token": "other-1"}, {"token": "-1"}, {"subscription": "other"}])
def test_it_refuses_what_may_not_connect(tmp_path: Path, wrong: dict[str, str]) -> None:
    """With HTTP 401, or with a message and a close."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await dial(bench, **wrong)
            assert caught.value.status == 401
            bench.sockets.refusal = "message"
            async with dial(bench, **wrong) as socket:
                said = await socket.receive_json()
                assert (said["module"], said["success"]) == ("build_connection", False)
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert bench.sockets.refused == 2 and not bench.sockets.connections

    fast(scenario())


def test_who_sends_no_heartbeat_is_closed(tmp_path: Path) -> None:
    """After a minute; other messages do not count."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, dial(bench) as socket:
            await socket.receive_json()
            began = bench.clock.monotonic()
            await socket.send_json({"module": "hello"})
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert 59 < bench.clock.monotonic() - began
            await until(lambda: not bench.sockets._open)
            assert not await bench.send(b"{}")

    fast(scenario())


def test_a_second_connection_closes_the_first(tmp_path: Path) -> None:
    """One connection for a subscription: events go to the newer one."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, dial(bench) as first:
            await first.receive_json()
            async with dial(bench) as second:
                assert (await first.receive()).type is aiohttp.WSMsgType.CLOSE
                await second.receive_json()
                assert await bench.send(b"{}")
                assert (await second.receive_json())["module"] == "message"

    fast(scenario())
