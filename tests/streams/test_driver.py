"""The driver's own promises; what the machine decides is tested in tests/protocol."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from raw_websocket import Peer, raw_websocket

from rtmsd.frames import Item, MediaKind, StreamInfo
from rtmsd.protocol.media import MediaRequest
from rtmsd.protocol.stream import StreamMachine
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.certificates import server_tls
from rtmsd.streams.driver import StreamDriver
from rtmsd.streams.gathering import Gathering
from rtmsd.streams.transport import client_tls, connect


def driver(items: list[Item], url: str = "wss://127.0.0.1:9/") -> tuple[StreamDriver, StreamMachine]:
    clock = Clock()
    machine = StreamMachine(
        info=StreamInfo(
            app="a", product="meeting", stream_id="s", meeting_uuid="u", started_ms=clock.wall_ms()
        ),
        server_urls=[url],
        client_id="id",
        client_secret="secret",
        request=MediaRequest(kinds=frozenset({MediaKind.AUDIO})),
        allowed_hosts=["127.0.0.1"],
        backoff=lambda: itertools.repeat(0.01),
        wall_offset=clock.wall() - clock.monotonic(),
    )
    log = structlog.get_logger()
    return StreamDriver(
        machine, tls=client_tls(None), gathering=Gathering(), deliver=items.append, clock=clock, log=log
    ), machine


async def test_what_is_told_before_it_runs_counts() -> None:
    """A stop webhook may be handled before the stream's task has begun: the stream ends at once."""
    one, machine = driver([])
    one.tell(lambda now: machine.stopped(2, 5, now))
    async with asyncio.timeout(5):
        finished = await one.run()
    assert (finished.outcome, finished.reason) == ("ended", 2)


async def test_a_fault_of_the_machine_comes_out_of_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours ends this stream with its exception, and nothing else."""
    one, machine = driver([])

    def broken(now: float) -> list[object]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(machine, "woken", broken)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(15):
            await one.run()
    assert caught.group_contains(RuntimeError, match="a bug")


@pytest.mark.parametrize("turns", range(12))
async def test_a_connection_that_is_cancelled_while_it_opens_is_closed(tmp_path: Path, turns: int) -> None:
    """Whenever the cancelling comes, no socket is left that Zoom would take for a second one of ours."""
    accepted, gone = asyncio.Event(), asyncio.Event()

    async def behave(peer: Peer) -> None:
        accepted.set()
        try:
            await peer.receive()  # a Close frame, or the end
        except (asyncio.IncompleteReadError, OSError):
            pass
        gone.set()

    async with raw_websocket(tmp_path, behave) as (url, ca_file), asyncio.timeout(10):
        tls = client_tls(ca_file)
        opening = asyncio.create_task(
            connect(url, tls=tls, gathering=Gathering(), on_message=lambda _: None, on_closed=lambda _: None)
        )
        await accepted.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        if opening.done():
            (await opening).close()
        else:
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled():
                (await opening).close()
        await gone.wait()


@pytest.mark.parametrize("answered", [True, False])
async def test_a_connection_that_is_cancelled_before_its_upgrade_is_answered_is_closed(
    tmp_path: Path, answered: bool
) -> None:
    """The server sees the end at once, whether it would have answered later or never."""
    asked, gone = asyncio.Event(), asyncio.Event()
    tls = server_tls(tmp_path / "ca.pem", host="127.0.0.1", unix_seconds=Clock().wall())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        if answered:
            await asyncio.sleep(0.1)
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        with suppress(OSError):
            await reader.read()
        gone.set()
        writer.close()

    gathering = Gathering()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    opening = asyncio.create_task(
        connect(
            url,
            tls=client_tls(tmp_path / "ca.pem"),
            gathering=gathering,
            on_message=lambda _: None,
            on_closed=lambda _: None,
        )
    )
    async with asyncio.timeout(10):
        await asked.wait()
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
        await gone.wait()
    server.close()
    assert not gathering._marks
