"""The event WebSocket against the simulator's, over TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import re
import ssl
import traceback
from pathlib import Path

import pytest
from aiohttp import web
from event_bench import SUBSCRIPTION, Handler, fast, running, until, zoom
from structlog.testing import capture_logs

from rtmsd.errors import JournalError
from rtmsd.zoom.events import LASTED_SECS
from rtmsd.zoom.oauth import TokenError


def event(number: int) -> bytes:
    body = {"event": "meeting.started", "event_ts": number, "payload": {"topic": "Zürich 🎈"}}
    return json.dumps(body, ensure_ascii=False).encode()


def test_events_come_in_order_and_as_often_as_sent(tmp_path: Path) -> None:
    """What is handed over is each event's own text, byte for byte; telling doubles apart is not the socket's work."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: client.state.connected_since_ms)
            sent = [event(number) for number in (1, 2, 2, 3, 1)]
            for one in sent:
                assert await bench.send(one)
            await until(lambda: len(bench.received) == 5)
            assert bench.received == sent
            assert client.state.events == 5
            assert client.state.last_event_ms >= client.state.connected_since_ms
            assert (client.state.problem, bench.gaps) == ("", 0)

    fast(scenario())


NONSENSE = [
    "",
    "not json",
    "[]",
    "null",
    "[" * 100_000,
    '{"module":7}',
    '{"module":"message"}',
    '{"module":"message","content":"not json"}',
    '{"module":"message","content":"[1]"}',
    '{"module":"message","content":7}',
    '{"module":"message","content":"\\ud800"}',
]


def test_a_bad_message_hurts_no_other(tmp_path: Path) -> None:
    """Nonsense is counted, and said once; the connection stays, and the events around it arrive."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: client.state.connected_since_ms)
            await bench.send(event(1))
            for text in NONSENSE:
                await bench.sockets.send_raw(text)
            await bench.sockets.send_raw('{"module":"news","content":"{}"}')
            await bench.send(event(2))
            await until(lambda: len(bench.received) == 2)
            assert bench.received == [event(1), event(2)]
            assert (client.state.malformed, client.state.unknown) == (len(NONSENSE), 1)
            assert client.state.connections == 1

    with capture_logs() as lines:
        fast(scenario())
    assert [line["log_level"] for line in lines] == ["info", "warning"]


def test_heartbeats_keep_the_connection(tmp_path: Path) -> None:
    """Zoom closes after a minute without a heartbeat: two minutes later it is still the first connection."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: bench.sockets.heartbeats[SUBSCRIPTION] == 4)
            assert client.state.connections == 1 and client.state.problem == ""

    fast(scenario())


def test_a_lost_connection_comes_again_and_is_told_as_a_gap(tmp_path: Path) -> None:
    """What Zoom sends meanwhile is lost, so that somebody has to look what happened; what it sends then arrives."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: client.state.connected_since_ms)
            bench.sockets.drop()
            await until(lambda: client.state.connected_since_ms is None)
            assert not await bench.send(event(1))
            assert "closed" in client.state.problem and client.state.problem_ms
            assert bench.gaps == 0
            await until(lambda: client.state.connected_since_ms)
            assert bench.gaps == 1
            assert await bench.send(event(2))
            await until(lambda: bench.received == [event(2)])

    fast(scenario())


def test_silence_is_taken_for_death(tmp_path: Path) -> None:
    """Nothing for 65 s, not even an answer to a heartbeat: connect anew. A connection without a greeting is one, too."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: client.state.connected_since_ms)
            bench.sockets.silent(85)
            await until(lambda: client.state.connections == 2)
            assert "silent for 65 s" in client.state.problem
            assert bench.gaps == 1
            await until(lambda: not bench.sockets._silent)
            assert await bench.send(event(1))
            await until(lambda: bench.received == [event(1)])

    fast(scenario())


def test_pauses_grow_until_a_connection_has_lasted(tmp_path: Path) -> None:
    """Six losses in a row make the pause a minute; after a connection of more than a minute it is a second again."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            for number in range(1, 8):
                await until(lambda number=number: client.state.connections == number)
                if number < 7:
                    bench.sockets.drop()
            await asyncio.sleep(LASTED_SECS + 1)
            bench.sockets.drop()
            await until(lambda: client.state.connected_since_ms is None)
            lost = bench.clock.monotonic()
            await until(lambda: client.state.connections == 8)
            assert bench.clock.monotonic() - lost < 40
            assert bench.gaps == 7

    fast(scenario())


def test_two_programs_with_one_subscription_do_not_fight(tmp_path: Path) -> None:
    """Each connection ends the other's; the pauses grow, and the sentence says where to look."""

    async def scenario() -> None:
        async with (
            zoom(tmp_path) as bench,
            running(bench.client()) as first,
            running(bench.client()) as second,
        ):
            await asyncio.sleep(100)
            assert "another program" in first.state.problem + second.state.problem
            assert 4 <= bench.sockets.connections[SUBSCRIPTION] <= 20

    fast(scenario())


@pytest.mark.parametrize("refusal", ["status", "message"])
def test_a_refused_token_is_renewed_at_once(tmp_path: Path, refusal: str) -> None:
    """Whichever way Zoom refuses: a new token, no waiting, and nothing that anybody has to hear of."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:
            bench.sockets.refusal = refusal
            bench.good = {2}
            async with running(bench.client()) as client:
                await until(lambda: client.state.connected_since_ms)
                assert bench.tokens.number == 2 and bench.sockets.refused == 1
                assert (client.state.problem, bench.gaps) == ("", 0)

    fast(scenario())


@pytest.mark.parametrize("refusal", ["status", "message"])
def test_a_subscription_that_is_refused_for_good_is_explained(tmp_path: Path, refusal: str) -> None:
    """Two tries, then a pause, with the sentence that says what to look at; it is said once, and heals by itself."""

    async def scenario() -> None:
        with capture_logs() as lines:
            async with zoom(tmp_path) as bench:
                bench.sockets.refusal = refusal
                bench.good = set()
                async with running(bench.client()) as client:
                    await until(lambda: bench.sockets.refused == 8)
                    assert "did not take the access token" in client.state.problem
                    assert client.state.connections == 0
                    bench.good = set(range(100))
                    await until(lambda: client.state.connected_since_ms)
                    assert bench.gaps == 1
        assert [line["log_level"] for line in lines] == ["warning", "info"]

    fast(scenario())


def test_without_a_token_it_waits_and_says_so(tmp_path: Path) -> None:
    """Whether the fault can pass by itself or not: it is asked again, since a person may have mended it."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:
            bench.tokens.errors = [
                TokenError("Zoom's token endpoint could not be reached.", passing=True),
                TokenError("Zoom does not know this client id.", passing=False),
                JournalError("The refresh token could not be kept."),
            ]
            async with running(bench.client()) as client:
                for words in ("could not be reached", "does not know this client id", "could not be kept"):
                    await until(lambda words=words: words in client.state.problem)
                await until(lambda: client.state.connected_since_ms)
                assert bench.tokens.asked == 4 and bench.gaps == 1

    fast(scenario())


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """The token goes to nobody but the address that was configured."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        raise web.HTTPTemporaryRedirect(request.path_qs + "&again=1")

    async def scenario() -> None:
        async with zoom(tmp_path, elsewhere) as bench, running(bench.client()) as client:
            await until(lambda: client.state.problem)
            assert "elsewhere (HTTP 307)" in client.state.problem
            await until(lambda: len(asked) == 3)
            assert not [path for path in asked if "again" in path]

    fast(scenario())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (200, "opened no WebSocket (HTTP 200): is `zoom.events_url` right?"),
        (404, "opened no WebSocket (HTTP 404): is `zoom.events_url` right?"),
        (403, "did not take the access token"),
        (429, "has a fault of its own (HTTP 429)"),
        (503, "has a fault of its own (HTTP 503)"),
    ],
)
def test_an_answer_that_is_no_websocket_is_explained(tmp_path: Path, status: int, words: str) -> None:
    """Each kind of answer has its sentence, and the next try comes."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>")

    async def scenario() -> None:
        async with zoom(tmp_path, answer) as bench, running(bench.client()) as client:
            await until(lambda: client.state.problem)
            assert words in client.state.problem
            told = client.state.problem_ms
            await until(lambda: client.state.problem_ms > told)

    fast(scenario())


GREETED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no connection (ServerDisconnectedError)"),
        (b"\x00\xff\r\n\r\n", "could not be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000, "could not be reached"),
        (GREETED + b"Sec-WebSocket-Accept: guessed\r\n\r\n", "opened no WebSocket (HTTP 101)"),
        (GREETED + b"Sec-WebSocket-Accept: ACCEPT\r\n\r\n", "closed (without a word)"),
        (GREETED + b"Sec-WebSocket-Accept: ACCEPT\r\n\r\n\xff\xff\xff", "closed (code 1002)"),
        (GREETED + b"Sec-WebSocket-Accept: ACCEPT\r\n\r\n\x81\x02\xff\xfe", "closed (code 1007)"),
        (GREETED + b"Sec-WebSocket-Accept: ACCEPT\r\n\r\n\x88\x02\x03\xe9", "closed (code 1001)"),
    ],
)
def test_a_server_that_breaks_off_is_explained(tmp_path: Path, answer: bytes, words: str) -> None:
    """Whatever its first bytes are, and whenever the connection ends; the next try comes."""
    tries = 0

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            [key] = re.findall(rb"(?i)sec-websocket-key: *(\S+)", request)
            proof = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            writer.write(answer.replace(b"ACCEPT", base64.b64encode(proof)))
            await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:
            server = await asyncio.start_server(break_off, "localhost", 0, ssl=bench.server_tls)
            url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/"
            async with server, running(bench.client(url=url)) as client:
                await until(lambda: tries > 2)
                assert words in client.state.problem

    fast(scenario())


@pytest.mark.parametrize("reached", [False, True], ids=["nobody", "stranger"])
def test_a_server_that_is_not_there_or_not_zoom_is_explained(tmp_path: Path, reached: bool) -> None:
    """Nobody listens, or somebody with a certificate that nobody vouches for."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:
            bench.tls = ssl.create_default_context()
            url = bench.url if reached else "wss://localhost:9/ws"
            async with running(bench.client(url=url)) as client:
                await until(lambda: client.state.problem)
                assert "could not be reached: no connection" in client.state.problem
                assert ("Certificate" in client.state.problem) is reached
                assert bench.sockets.refused == 0 and not bench.sockets.connections

    fast(scenario())


def test_a_server_that_never_answers_is_left(tmp_path: Path) -> None:
    """Ten seconds are enough for an answer."""

    async def never(request: web.Request) -> web.Response:
        await asyncio.sleep(200)
        return web.Response()

    async def scenario() -> None:
        async with zoom(tmp_path, never) as bench, running(bench.client()) as client:
            await until(lambda: client.state.problem)
            assert "no answer within 10 s" in client.state.problem

    fast(scenario())


def test_a_huge_message_ends_the_connection_only(tmp_path: Path) -> None:
    """More than a MiB is no event: the connection is closed, said, and made anew."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench, running(bench.client()) as client:
            await until(lambda: client.state.connected_since_ms)
            await bench.sockets.send_raw("x" * (1024 * 1024 + 1))
            await until(lambda: client.state.connections == 2)
            assert "more than 1024 KiB" in client.state.problem
            await bench.send(event(1))
            await until(lambda: bench.received == [event(1)])
            assert bench.gaps == 1

    fast(scenario())


def test_an_event_that_the_journal_cannot_keep_is_told_as_lost(tmp_path: Path) -> None:
    """Nobody sends it again: an error in the log, a gap to look into, and the next event is taken."""

    async def scenario() -> None:
        async with zoom(tmp_path) as bench:

            async def full_disk(body: bytes) -> None:
                if body == event(1):
                    raise JournalError("The journal cannot be written: no space is left.")
                bench.received.append(body)

            with capture_logs() as lines:
                async with running(bench.client(on_event=full_disk)) as client:
                    await until(lambda: client.state.connected_since_ms)
                    await bench.send(event(1))
                    await bench.send(event(2))
                    await until(lambda: bench.received == [event(2)])
                    assert (client.state.events, client.state.not_kept, bench.gaps) == (2, 1, 1)
                    assert client.state.connections == 1
        [error] = [line for line in lines if line["log_level"] == "error"]
        assert "lost" in error["event"] and "no space is left" in error["error"]

    fast(scenario())


@pytest.mark.parametrize("when", ["at once", "asking", "connecting", "greeting", "living", "pausing"])
def test_it_can_be_cancelled_at_any_time(tmp_path: Path, when: str) -> None:
    """Nothing is left behind, wherever it was; Zoom sees the connection end."""
    came = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        came.set()
        await asyncio.sleep(30)
        return web.Response()

    async def scenario() -> None:
        async with zoom(tmp_path, never if when == "connecting" else None) as bench:
            if when == "asking":
                bench.tokens.token = asyncio.Event().wait
            elif when == "greeting":
                bench.sockets.silent(5)
            elif when == "pausing":
                bench.good = set()
            async with running(bench.client()) as client:
                if when == "connecting":
                    await came.wait()
                elif when == "greeting":
                    await until(lambda: bench.sockets.connections)
                elif when == "living":
                    await until(lambda: client.state.connected_since_ms)
                elif when == "pausing":
                    await until(lambda: client.state.problem)
                elif when == "asking":
                    await asyncio.sleep(1)
            assert client.state.connected_since_ms is None
            await until(lambda: not bench.sockets._open)

    fast(scenario())


def test_the_token_stands_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log line of ours, aiohttp's or asyncio's, not in a state, a repr or a traceback with its variables."""
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []

    async def broken(body: bytes) -> None:
        raise RuntimeError("a fault of ours")

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.path_qs)

    async def failing(answer: Handler | None, *, url: str = "") -> None:
        async with zoom(tmp_path, answer) as bench:
            bench.good = set()
            for refusal in ("status", "message"):
                bench.sockets.refusal = refusal
                async with running(bench.client(url=url)) as client:
                    await until(lambda: client.state.problem)
                    shown.extend([client, client.state, vars(client), asyncio.all_tasks()])

    async def scenario() -> None:
        asyncio.get_running_loop().set_debug(True)
        for answer in (None, redirect):
            await failing(answer)
        await failing(None, url="wss://localhost:9/ws")
        async with zoom(tmp_path) as bench:
            task = asyncio.create_task(bench.client(on_event=broken).run())
            await until(lambda: bench.sockets.connections)
            await bench.send(event(1))
            [fault] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(fault, ExceptionGroup)
            told = traceback.TracebackException.from_exception(fault, capture_locals=True)
            shown.extend([fault, "".join(told.format())])
            assert "a fault of ours" in shown[-1] and "websocket = " in shown[-1]

    with capture_logs() as lines:
        fast(scenario())
    everything = repr((lines, shown, caplog.records, caplog.text))
    assert "event WebSocket" in everything
    assert "token+of" not in everything and "token%2Bof" not in everything and "eyJ" not in everything
