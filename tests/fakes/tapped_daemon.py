"""The admin listener of a daemon whose streams are begun by a test, with a real registry of taps."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from page_source import NOW_MS, RunningClock, Source

from rtmsd.config import Listen, Secret, UnixListen
from rtmsd.delivery.route import StreamRoute
from rtmsd.delivery.tapping import Taps
from rtmsd.frames import AudioFormat, AudioFrame, MediaKind, StreamEnd, StreamInfo, TranscriptFrame
from rtmsd.web import tap
from rtmsd.web.admin import admin_app
from rtmsd.web.server import serving
from rtmsd.web.timeline import Speaker, Timeline

FORM = AudioFormat("L16", 16_000, 1, True)
BOTH = frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT})
STREAM = "abc/+=1"
_ANYWHERE = Listen("127.0.0.1", 0)
END = StreamEnd(6, "MEETING_ENDED", "The meeting ended.", NOW_MS + 9000)


def info(stream_id: str = STREAM, uuid: str = "uu/id+==", number: str = "85746065432") -> StreamInfo:
    return StreamInfo(
        app="notes", product="meeting", stream_id=stream_id, meeting_uuid=uuid, meeting_id=number
    )


def audio(ms: int, *, user_id: int = 1, form: AudioFormat = FORM) -> AudioFrame:
    return AudioFrame(user_id, "Ann", NOW_MS + ms, b"\x01\x02" * 1600, form)


def phrase(
    text: str, *, operation: str = "new", source: str = "zoom", name: str = "Mira Tal"
) -> TranscriptFrame:
    return TranscriptFrame(1, name, NOW_MS, NOW_MS, NOW_MS + 900, text, source=source, operation=operation)


def hold_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel hold little for a listener: that is not ours to bound, and would be a whole meeting of some seconds."""
    answer = tap.Tapping.answer

    async def shrunk(self: tap.Tapping, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return await answer(self, request)

    monkeypatch.setattr(tap.Tapping, "answer", shrunk)


async def ask_by_hand(host: str, port: int, path: str) -> socket.socket:
    """Ask, and read nothing of the answer yet, of which the kernel holds little."""
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(asking, (host, port))
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    await loop.sock_sendall(asking, request.encode())
    return asking


class Daemon:
    """The admin listener of a daemon without streams: tests begin them, and say what comes."""

    def __init__(
        self, session: aiohttp.ClientSession, taps: Taps, source: Source, bound: Listen | UnixListen
    ) -> None:
        self.session = session
        self.bound = bound
        self.taps = taps
        self.source = source

    def begin(
        self,
        one: StreamInfo | None = None,
        media: frozenset[MediaKind] = BOTH,
        *,
        heard: tuple[int, ...] = (),
    ) -> StreamRoute:
        one, route = one or info(), StreamRoute([], batch_secs=0.5)
        speakers = [Speaker(user_id, [], 0) for user_id in heard]
        self.source.all_timelines[one.stream_id] = Timeline(
            from_ms=0, until_ms=1, over=False, speakers=speakers
        )
        self.taps.opened(one, route, media)
        return route

    async def listened_to(self) -> None:
        """Wait until somebody listens."""
        async with asyncio.timeout(30):
            while not len(self.taps):
                await asyncio.sleep(0)

    async def refusal(self, **query: str) -> tuple[int, str]:
        async with self.session.get("/tap", params=query) as answer:
            return answer.status, await answer.text()

    @asynccontextmanager
    async def listening(self, **query: str) -> AsyncIterator[asyncio.Task[bytes]]:
        """Ask, and read in the background; give the reading once the tap is there."""
        before = len(self.taps)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self.read(query))
            while len(self.taps) == before and not reading.done():
                await asyncio.sleep(0.005)
            yield reading

    async def read(self, query: dict[str, str]) -> bytes:
        async with self.session.get("/tap", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@asynccontextmanager
async def daemon(token: str | None = None, listen: Listen | UnixListen = _ANYWHERE) -> AsyncIterator[Daemon]:
    """Serve it; leaving is how a daemon stops."""
    source, taps = Source(), Taps()
    app = admin_app(
        source=source,
        clock=RunningClock(),
        version="9.8.7",
        token=Secret(token) if token else None,
        taps=taps,
    )
    async with serving(app, listen) as bound:
        base = "http://localhost" if isinstance(bound, UnixListen) else f"http://{bound}"
        connector = aiohttp.UnixConnector(str(bound.path)) if isinstance(bound, UnixListen) else None
        async with aiohttp.ClientSession(base, connector=connector) as session:
            yield Daemon(session, taps, source, bound)
