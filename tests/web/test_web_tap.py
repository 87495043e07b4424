"""A living stream over HTTP: which one, for whom and for how long, and what is refused with what sentence."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from structlog.testing import capture_logs
from tapped_daemon import END, STREAM, Daemon, ask_by_hand, audio, daemon, hold_little, info, phrase

from rtmsd.config import Listen
from rtmsd.frames import MediaKind
from rtmsd.web import tap


@pytest.mark.parametrize(
    "key", [STREAM, "abc", "abc/+", "uu/id+==", "857 4606 5432", "857-4606-5432", "8574", " abc/+=1 "]
)
async def test_a_stream_has_several_names(key: str) -> None:
    """Its id, the meeting's UUID and number, and how one of them begins; also with the signs that URLs use."""
    async with daemon() as one:
        one.begin(info("other", "other", "111"))
        route = one.begin()
        async with one.listening(meeting=key) as reading:
            route.offer(END)
        assert b"has ended" in reading.result()


async def test_a_whole_name_goes_before_a_beginning() -> None:
    """An id that another one begins with can still be named."""
    async with daemon() as one:
        route, _ = one.begin(info("s1", "u1", "1")), one.begin(info("s1-2", "u1-2", "2"))
        async with one.listening(meeting="s1") as reading:
            route.offer(END)
        assert b"has ended" in reading.result()


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"meeting": "nobody"}, 404, 'No living stream fits "nobody"'),
        ({}, 409, "There are 2 living streams; name one of them: abc/+=1, other."),
        ({"meeting": "85746065432"}, 409, '"85746065432" fits 2 living streams'),
        ({"form": "json"}, 400, '"form" is no parameter; expected meeting, as, user, wait, audio.'),
        ({"as": "wav"}, 400, 'Expected as=text, json or pcm, got "wav".'),
        ({"wait": "yes"}, 400, 'Expected wait=1 or wait=0, got "yes".'),
        ({"as": "pcm", "user": "mix"}, 400, "Expected the number of a participant"),
        ({"as": "pcm", "audio": "1"}, 400, "Expected audio=1 with as=json only"),
        ({"meeting": "abc"}, 409, "has no transcript"),
        ({"meeting": "other", "as": "pcm"}, 409, "has no sound"),
    ],
)
async def test_refusals_are_sentences(query: dict[str, str], status: int, says: str) -> None:
    """What cannot be had is refused at once, with what was expected or what there is."""
    async with daemon() as one:
        one.begin(media=frozenset({MediaKind.AUDIO}))
        one.begin(info("other"), frozenset({MediaKind.TRANSCRIPT}))
        got, text = await one.refusal(**query)
        assert got == status and says in text and text.count("\n") == 1
        assert len(one.taps) == 0


@pytest.mark.parametrize(
    "host", ["rtmsd.example", "rtmsd.example:8081", "127.0.0.1.example", "10.0.0.1", "[::", "a b"]
)
async def test_a_page_under_another_name_cannot_listen(host: str) -> None:
    """Without a token only who calls this machine by its loopback's name is answered: a name can lead to 127.0.0.1."""
    async with daemon() as one:
        one.begin()
        async with one.session.get("/tap", headers={"Host": host}) as answer:
            assert answer.status == 403 and "localhost" in await answer.text()
    async with daemon(token="t" * 20) as one:
        headers = {"Host": host, "Authorization": f"Bearer {'t' * 20}"}
        async with one.session.get("/tap", headers=headers) as answer:
            assert answer.status == 404


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8081", "127.0.0.1:9", "[::1]:8081"])
async def test_who_calls_it_localhost_is_answered(host: str) -> None:
    """Whatever the port, as through a tunnel."""
    async with daemon() as one, one.session.get("/tap", headers={"Host": host}) as answer:
        assert answer.status == 404


async def test_the_next_stream_is_waited_for() -> None:
    """With `wait` the answer begins with the stream, and has everything from there."""
    async with daemon() as one:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(one.read({"wait": "1", "meeting": "abc"}))
            await asyncio.sleep(0.05)
            one.begin(info("other"))
            await asyncio.sleep(0.05)
            assert not reading.done() and len(one.taps) == 0
            route = one.begin()
            await one.listened_to()
            route.offer(phrase("The first."))
            route.offer(END)
        assert b"The first." in reading.result()


async def test_taps_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so; who goes, also while nothing comes, makes room."""
    monkeypatch.setattr(tap, "MAX_TAPS", 2)
    async with daemon() as one:
        one.begin()
        first = await one.session.get("/tap")
        waiting = asyncio.create_task(one.session.get("/tap", params={"wait": "1", "meeting": "nobody"}))
        async with asyncio.timeout(10):
            while (await one.refusal(meeting="nobody"))[0] != 503:
                await asyncio.sleep(0.01)
            first.close()
            waiting.cancel()
            while (await one.refusal(meeting="nobody"))[0] == 503 or len(one.taps):
                await asyncio.sleep(0.01)
            again = await one.session.get("/tap")
            assert again.status == 200
            again.close()


async def test_the_token_is_needed() -> None:
    """As for everything on the admin listener."""
    async with daemon("open-sesame") as one:
        route = one.begin()
        assert (await one.refusal())[0] == 401
        async with asyncio.TaskGroup() as tasks:
            headers = {"Authorization": "Bearer open-sesame"}
            async with one.session.get("/tap", headers=headers) as answer:
                reading = tasks.create_task(answer.read())
                route.offer(END)
                assert b"has ended" in await reading


async def test_a_daemon_that_stops_ends_its_taps() -> None:
    """What waits is still sent, the last line says why nothing follows, and the answer is whole."""
    async with aiohttp.ClientSession() as outside:
        async with daemon() as one:
            route = one.begin()
            url = f"http://{one.bound}/tap"
            text = await outside.get(url)
            lines = await outside.get(url, params={"as": "json"})
            route.offer(phrase("The last."))
        assert (await text.text()).splitlines() == [
            "06:40:34  Mira Tal: The last.",
            "-- rtmsd stops here; the stream may go on",
        ]
        said = [json.loads(line)["type"] for line in (await lines.read()).splitlines()]
        assert said == ["transcript", "stopped"]


async def test_the_log_has_no_words() -> None:
    """That a tap was there is told, of which stream and in which form; not what was said, nor by whom."""
    with capture_logs() as logs:
        async with daemon() as one:
            route = one.begin()
            async with one.listening():
                route.offer(phrase("a secret word"))
                route.offer(END)
    opened, closed = logs
    why = "the stream ended, or rtmsd stops"
    assert opened == {"event": "tap opened", "log_level": "info", "stream_id": STREAM, "form": "text"}
    assert closed == opened | {"event": "tap closed", "why": why, "dropped": 0, "left_out": 0}


async def deaf(one: Daemon, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request by hand, and take no more of the answer than a reader's buffer holds."""
    assert isinstance(one.bound, Listen)
    reader, writer = await asyncio.open_connection(one.bound.host, one.bound.port, limit=1024)
    writer.write(request)
    return reader, writer


async def test_a_listener_that_stands_still_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it takes nothing for a while; its answer breaks off, so that it cannot be taken for whole."""
    monkeypatch.setattr(tap, "STALLED_SECS", 0.2)
    with capture_logs() as logs:
        async with daemon() as one, asyncio.timeout(20):
            route = one.begin()
            reader, writer = await deaf(one, b"GET /tap?as=json&audio=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await one.listened_to()
            for number in range(2000):  # 9 MB, more than any kernel holds for us
                route.offer(audio(100 * number))
                await asyncio.sleep(0)
            while len(one.taps):
                route.offer(audio(1_000_000))
                await asyncio.sleep(0.01)
            answer = await reader.read()
            writer.close()
    assert answer.startswith(b"HTTP/1.1 200") and not answer.endswith(b"\r\n0\r\n\r\n")
    assert logs[-1]["event"] == "tap closed" and logs[-1]["why"] == "the listener took nothing any more"


async def test_a_slow_listener_is_not_a_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who keeps reading gets everything, though all that waits takes longer than a listener may stand still."""
    monkeypatch.setattr(tap, "STALLED_SECS", 1.0)
    hold_little(monkeypatch)
    async with daemon() as one, asyncio.timeout(30):
        route = one.begin()
        assert isinstance(one.bound, Listen)
        slow = await ask_by_hand(one.bound.host, one.bound.port, "/tap?as=json&audio=1")
        await one.listened_to()
        for number in range(400):
            route.offer(audio(100 * number))
        route.offer(END)
        answer, loop = b"", asyncio.get_running_loop()
        while data := await loop.sock_recv(slow, 16_384):
            answer += data
            await asyncio.sleep(0.025)
        slow.close()
    assert answer.endswith(b"\r\n0\r\n\r\n") and answer.count(b'"type":"audio"') == 400


async def test_an_old_proxy_gets_its_answer() -> None:
    """HTTP/1.0, which nginx speaks to what is behind it, knows no chunks: the end of the connection is the end."""
    async with daemon() as one, asyncio.timeout(20):
        route = one.begin()
        reader, writer = await deaf(one, b"GET /tap HTTP/1.0\r\nHost: localhost\r\n\r\n")
        await one.listened_to()
        route.offer(phrase("Hello."))
        route.offer(END)
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        assert head.startswith("HTTP/1.0 200") and body.startswith("06:40:34  Mira Tal: Hello.\n--")
