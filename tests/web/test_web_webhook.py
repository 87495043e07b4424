"""The webhook listener over real HTTP, with a real journal."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from rtmsd.config import Listen
from rtmsd.errors import JournalError
from rtmsd.protocol.signature import validation_token, webhook_signature
from rtmsd.protocol.webhook import Credentials, WebhookEvent, parse
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, Taken
from rtmsd.web.counters import WebhookCounters
from rtmsd.web.server import serving
from rtmsd.web.taking import Taking
from rtmsd.web.webhook import MAX_BODY_BYTES, webhook_app, webhook_routes

NOW = 1_738_392_034
NOTES = Credentials("notes", ("new-notes-secret", "old-notes-secret"))
SALES = Credentials("sales", ("sales-secret",))
PLAIN = "qgg8vlvZRS6UYooatFL8Aw"


class SetClock(Clock):
    """Time as a test sets it."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class FullJournal:
    """A journal whose disk is full."""

    async def take_webhook(self, **webhook: Any) -> Taken:
        raise JournalError("the journal cannot be used: database or disk is full")


@dataclass
class Endpoint:
    url: str
    port: int
    clock: SetClock
    counters: WebhookCounters
    journal: Journal | None
    session: aiohttp.ClientSession
    acted: list[tuple[int, str, WebhookEvent]] = field(default_factory=list)
    rows_when_acted: list[int] = field(default_factory=list)

    async def post(
        self, body: bytes, *, headers: dict[str, str] | None = None, path: str = "/webhook"
    ) -> tuple[int, bytes]:
        async with self.session.post(self.url + path, data=body, headers=headers or {}) as response:
            return response.status, await response.read()

    async def raw(self, data: bytes) -> bytes:
        """Send bytes as they are and read until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
        return answer


@asynccontextmanager
async def endpoint(
    tmp_path: Path, *credentials: Credentials, full: bool = False, idle_secs: float = 5
) -> AsyncIterator[Endpoint]:
    clock, counters = SetClock(), WebhookCounters()
    async with Journal.open(tmp_path, clock) as journal, asyncio.TaskGroup() as group:

        def schedule(coroutine: Coroutine[Any, Any, None]) -> None:
            group.create_task(coroutine)

        async def on_event(taken_id: int, app: str, event: WebhookEvent) -> None:
            one.acted.append((taken_id, app, event))
            one.rows_when_acted.append(len(await journal.unhandled()))

        routes = webhook_routes(
            path="/webhook",
            credentials=credentials or (NOTES,),
            taking=Taking(
                journal=FullJournal() if full else journal,
                on_event=on_event,
                schedule=schedule,
                clock=clock,
                counters=counters,
            ),
            clock=clock,
            counters=counters,
        )
        async with (
            serving(webhook_app(routes), Listen("127.0.0.1", 0), idle_secs=idle_secs) as bound,
            aiohttp.ClientSession() as session,
        ):
            assert isinstance(bound, Listen)
            one = Endpoint(f"http://{bound}", bound.port, clock, counters, journal, session)
            yield one


def started(n: int = 1, event: str = "meeting.rtms_started") -> bytes:
    payload = {"rtms_stream_id": "s1", "meeting_uuid": "a/b==", "server_urls": "wss://127.0.0.1"}
    return msgspec.json.encode({"event": event, "event_ts": NOW * 1000 + n, "payload": payload})


def validation(token: str = PLAIN) -> bytes:
    return msgspec.json.encode(
        {"event": "endpoint.url_validation", "event_ts": NOW * 1000, "payload": {"plainToken": token}}
    )


def signed(body: bytes, secret: str = "new-notes-secret", at: int | str = NOW) -> dict[str, str]:
    signature = webhook_signature(secret=secret, timestamp=str(at), body=body)
    return {"X-Zm-Request-Timestamp": str(at), "X-Zm-Signature": signature}


async def test_taken(tmp_path: Path) -> None:
    """A signed webhook is on disk before it is acted upon, answered 200, and the secret names the app."""
    async with endpoint(tmp_path, NOTES, SALES) as one:
        for n, secret in enumerate(("new-notes-secret", "old-notes-secret", "sales-secret")):
            body = started(n)
            assert await one.post(body, headers=signed(body, secret)) == (200, b"")
    assert [app for _, app, _ in one.acted] == ["notes", "notes", "sales"]
    assert one.rows_when_acted == [1, 2, 3]
    assert one.acted[0][2].server_urls == ("wss://127.0.0.1",)
    assert one.counters.results == {("meeting.rtms_started", "taken"): 3}


async def test_fifty_repeats(tmp_path: Path) -> None:
    """Fifty repeats at once are all answered 200, and one is acted upon."""
    body = started()
    async with endpoint(tmp_path) as one:
        answers = await asyncio.gather(*(one.post(body, headers=signed(body)) for _ in range(50)))
    assert {status for status, _ in answers} == {200}
    assert len(one.acted) == 1
    assert one.counters.results["meeting.rtms_started", "duplicate"] == 49


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ({}, "no_signature"),
        (signed(started(), "client-secret"), "bad_signature"),
        (signed(started() + b" "), "bad_signature"),
        (signed(started(), at=NOW - 301), "stale_retry"),
        (signed(started(), at=NOW + 301), "stale"),
        (signed(started(), at=NOW - 90_000), "stale"),
        (signed(started(), at="soon"), "malformed_timestamp"),
    ],
)
async def test_refused(tmp_path: Path, headers: dict[str, str], cause: str) -> None:
    """What is not rightly signed gets the same empty 401, and only log and counter know why."""
    with capture_logs() as logs:
        async with endpoint(tmp_path) as one:
            assert await one.post(started(), headers=headers) == (401, b"")
            assert await one.journal.unhandled() == []  # type: ignore[union-attr]  # it has one
    assert one.counters.results == {("unknown", cause): 1}
    [line] = logs
    assert line["cause"] == cause
    assert not any("secret" in str(value) and "notes" in str(value) for value in line.values())
    assert one.acted == []


async def test_a_flood_is_not_logged(tmp_path: Path) -> None:
    """Strangers cannot fill the log: a cause is logged once in ten seconds, with the total."""
    with capture_logs() as logs:
        async with endpoint(tmp_path) as one:
            for _ in range(20):
                await one.post(b"{}")
            one.clock.now += 11
            await one.post(b"{}")
    assert [line["total"] for line in logs] == [1, 21]


async def test_altered_by_a_proxy(tmp_path: Path) -> None:
    """A body that was only reformatted is refused and named so."""
    async with endpoint(tmp_path) as one:
        body = started()
        assert (await one.post(msgspec.json.format(body, indent=2), headers=signed(body)))[0] == 401
    assert one.counters.last_refusal == "body_altered"


async def test_signed_but_no_event(tmp_path: Path) -> None:
    """Rightly signed garbage is 400; it is never parsed before it is verified."""
    async with endpoint(tmp_path) as one:
        for body in (b"", b"not json", b"[]", b'{"event": 1}', b"[" * 10_000, b"\xff"):
            assert (await one.post(body, headers=signed(body)))[0] == 400
            assert (await one.post(body))[0] == 401
    assert one.counters.by_result() == {"malformed": 6, "no_signature": 6}


async def test_other_events(tmp_path: Path) -> None:
    """An event that rtmsd has no use for is 200 and counted; those that explain a missing meeting are warnings."""
    with capture_logs() as logs:
        async with endpoint(tmp_path) as one:
            for event in ("meeting.created", "rtms.concurrency_limited", "session.started"):
                body = started(event=event)
                assert (await one.post(body, headers=signed(body)))[0] == 200
    assert one.counters.results == {("other", "ignored"): 2, ("rtms.concurrency_limited", "taken"): 1}
    assert [line["log_level"] for line in logs] == ["info", "info", "warning", "info"]
    assert [event.kind for _, _, event in one.acted] == ["notice"]


async def test_events_of_a_meetings_life_are_taken_without_names(tmp_path: Path) -> None:
    """Somebody's coming is kept and acted upon once; the journal does not know what they are called."""
    person = {"user_id": "16778240", "id": "ann-id", "user_name": "Ann Host", "email": "ann@example.com"}
    meeting = {"id": 85746065432, "uuid": "a/b==", "host_id": "ann-id", "participant": person}
    body = msgspec.json.encode(
        {"event": "meeting.participant_joined", "event_ts": 7, "payload": {"object": meeting}}
    )
    async with endpoint(tmp_path) as one:
        assert one.journal is not None
        for _ in range(2):
            assert (await one.post(body, headers=signed(body)))[0] == 200
        [row] = await one.journal.unhandled()
    [(_, _, event)] = one.acted
    assert event.life is not None and event.life.user_id == "ann-id"
    assert b"Ann" not in row.body and parse(row.body) == event
    assert one.counters.by_result() == {"taken": 1, "duplicate": 1}


async def test_a_warning_of_zooms_is_told_once(tmp_path: Path) -> None:
    """An event comes once for each subscription; on the status page it stands once, with what Zoom said."""
    fields = {"concurrency_number": 2000, "id_field": {"session_id": "s-42"}, "operator_name": "Ann"}
    body = msgspec.json.encode({"event": "rtms.concurrency_limited", "event_ts": 7, "payload": fields})
    status = msgspec.json.encode(
        {"event": "rtms.request_status", "event_ts": 8, "payload": {"status": "sent"}}
    )
    with capture_logs() as logs:
        async with endpoint(tmp_path) as one:
            for sent in (body, body, status):
                assert (await one.post(sent, headers=signed(sent)))[0] == 200
    [warned] = one.counters.warned
    assert "2000 streams" in warned.sentence and "s-42" in warned.sentence and "Ann" not in warned.sentence
    told = [line for line in logs if line["event"] != "webhook taken"]
    assert [line["log_level"] for line in told] == ["warning", "info"]
    assert "status sent" in told[1]["event"]


async def test_full_disk(tmp_path: Path) -> None:
    """When the journal cannot be written the answer is 503, so that Zoom sends it again, and nothing is done."""
    async with endpoint(tmp_path, full=True) as one:
        assert (await one.post(started(), headers=signed(started())))[0] == 503
    assert one.acted == []
    assert one.counters.by_result() == {"journal_failed": 1}


async def test_body_limit(tmp_path: Path) -> None:
    """A body of 64 KiB is read, a larger one is 413, also when its length is not told beforehand."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 2048

    async with endpoint(tmp_path) as one:
        assert (await one.post(b"x" * MAX_BODY_BYTES))[0] == 401
        assert (await one.post(b"x" * (MAX_BODY_BYTES + 1)))[0] == 413
        async with one.session.post(one.url + "/webhook", data=chunks()) as response:
            assert response.status == 413
        lied = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000
        assert b" 413 " in await one.raw(lied)


async def test_a_packed_body_is_not_unpacked(tmp_path: Path) -> None:
    """Content-Encoding is not followed: the signature is over what came, and nothing grows."""
    packed = gzip.compress(started())
    async with endpoint(tmp_path) as one:
        headers = {"Content-Encoding": "gzip", **signed(started())}
        assert (await one.post(packed, headers=headers))[0] == 401
        bomb = gzip.compress(b"\0" * 10_000_000)
        assert len(bomb) < MAX_BODY_BYTES
        assert (await one.post(bomb, headers={"Content-Encoding": "gzip"}))[0] == 401


async def test_misbehaving_clients(tmp_path: Path) -> None:
    """Half a head, half a body, bad chunks and no HTTP at all neither hang nor break the listener."""
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
    async with endpoint(tmp_path, idle_secs=0.2) as one:
        assert await one.raw(head) == b""
        assert b"400" in await one.raw(head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert b"400" in await one.raw(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert b"400" in await one.raw(head + b"X: " + b"y" * 20_000 + b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(head + b"Content-Length: 500\r\n\r\nhalf")
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        assert (await one.post(started(), headers=signed(started())))[0] == 200


async def test_acted_upon_without_an_answer(tmp_path: Path) -> None:
    """A webhook whose sender went away before the answer is on disk and acted upon."""
    body = started()
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
    request = (
        f"POST /webhook HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    async with endpoint(tmp_path) as one:
        _, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(request)
        await writer.drain()
        writer.transport.abort()
        for _ in range(200):
            if one.acted:
                break
            await asyncio.sleep(0.01)
        assert len(one.acted) == 1


async def test_probes(tmp_path: Path) -> None:
    """GET and HEAD of the path are 200 for load balancers; other paths and methods are not."""
    async with endpoint(tmp_path) as one:
        for path, status in (("/webhook", 200), ("/webhook/notes", 200), ("/", 404), ("/healthz", 404)):
            async with one.session.get(one.url + path) as response:
                assert response.status == status
                assert response.headers["Server"] == "rtmsd"
        async with one.session.head(one.url + "/webhook") as response:
            assert response.status == 200
        async with one.session.put(one.url + "/webhook") as response:
            assert response.status == 404
        for path in ("/webhook/nobody", "/webhooks", "/"):
            assert (await one.post(started(), headers=signed(started()), path=path))[0] == 404
        assert one.counters.by_result() == {"wrong_path": 3}
        assert (await one.post(started(), headers=signed(started()), path="/webhook/notes"))[0] == 200


async def test_a_strangers_path_is_told_without_what_it_does_to_terminals(tmp_path: Path) -> None:
    """A path is logged as it was sent, not as it is decoded, and not endlessly."""
    with capture_logs() as logs:
        async with endpoint(tmp_path, NOTES) as one:
            path = b"/%1b]0;owned%07%1b[2K%1b[1Aforged" + b"x" * 500
            answer = await one.raw(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b" 404 " in answer
    [said] = [entry["path"] for entry in logs if entry.get("cause") == "wrong_path"]
    assert said.isprintable() and "owned" in said and len(said) <= 100


def answer(secret: str) -> dict[str, str]:
    return {"plainToken": PLAIN, "encryptedToken": validation_token(secret=secret, plain_token=PLAIN)}


async def test_validation_of_one_app(tmp_path: Path) -> None:
    """Unsigned, the only app's first secret answers; signed, the secret that signed."""
    async with endpoint(tmp_path, NOTES) as one:
        status, body = await one.post(validation())
        assert (status, msgspec.json.decode(body)) == (200, answer("new-notes-secret"))
        status, body = await one.post(validation(), headers=signed(validation(), "old-notes-secret"))
        assert (status, msgspec.json.decode(body)) == (200, answer("old-notes-secret"))
    assert one.counters.by_result() == {"validated": 2}
    assert one.acted == []


async def test_validation_of_several_apps(tmp_path: Path) -> None:
    """On the shared path only a signed validation is answered; on an app's own path its first secret answers."""
    with capture_logs() as logs:
        async with endpoint(tmp_path, NOTES, SALES) as one:
            assert await one.post(validation()) == (400, b"")
            status, body = await one.post(validation(), path="/webhook/sales")
            assert (status, msgspec.json.decode(body)) == (200, answer("sales-secret"))
            status, body = await one.post(validation(), headers=signed(validation(), "sales-secret"))
            assert (status, msgspec.json.decode(body)) == (200, answer("sales-secret"))
    assert "own path" in logs[0]["remedy"]


async def test_validation_hands_out_no_signature(tmp_path: Path) -> None:
    """A plainToken that could be a signed event is refused, signed or not; a wrong signature is never answered."""
    async with endpoint(tmp_path) as one:
        for token in ("v0:1738392034:{}", "", "short", "a" * 129, "with space x", "{}{}{}{}"):
            body = validation(token)
            assert await one.post(body) == (400, b"")
            assert await one.post(body, headers=signed(body)) == (400, b"")
        assert (await one.post(validation(), headers=signed(validation(), "wrong")))[0] == 401


async def test_validation_rate(tmp_path: Path) -> None:
    """Unsigned validations are limited; signed ones are not, and time brings new ones."""
    async with endpoint(tmp_path) as one:
        statuses = [(await one.post(validation()))[0] for _ in range(205)]
        assert statuses == [200] * 200 + [429] * 5
        assert (await one.post(validation(), headers=signed(validation())))[0] == 200
        one.clock.now += 10
        assert (await one.post(validation()))[0] == 200
