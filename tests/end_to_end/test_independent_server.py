"""`rtmsd run` in a process of its own against a Zoom that was written from protocol.md alone."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import os
import signal
import socket
import ssl
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.end_to_end.independent_zoom import IndependentZoom, Line, Meeting, now_ms

_RATE = 16_000
_CLIENT = ("client-of-this-test", "the-client-secret-of-this-test")
_WEBHOOK_SECRET = "the-webhook-secret-of-this-test"
_STREAM_ID = "609340fb2a7946909659956c8aa9250c"
Samples = np.ndarray[Any, np.dtype[np.int16]]


# The meeting that is played, and thereby the truth.


@dataclass(frozen=True)
class _Person:
    """`spoken` are (ms after the meeting's zero, samples); packets arrive `latency_ms` after their time."""

    user_id: int
    name: str
    latency_ms: int
    spoken: tuple[tuple[int, Samples], ...]

    def track(self, samples: int) -> Samples:
        whole = np.zeros(samples, np.int16)
        for at_ms, said in self.spoken:
            first = at_ms * _RATE // 1000
            whole[first : first + len(said)] = said
        return whole

    def packets(self, packet_ms: int, *, zero_ms: int, length_ms: int) -> Iterator[Line]:
        step = packet_ms * _RATE // 1000
        for at_ms, said in self.spoken:
            for number, first in enumerate(range(0, len(said), step)):
                data = said[first : first + step].astype("<i2").tobytes()
                offset = at_ms + first * 1000 // _RATE
                content = {"user_id": self.user_id, "user_name": self.name, "timestamp": zero_ms + offset}
                content["length"] = len(data)
                whole = {"msg_type": 14, "content": content | {"data": base64.b64encode(data).decode()}}
                sent = offset + self.latency_ms
                if number % 20 == 5:  # this must not count as the packet that follows
                    yield sent, "audio", {"msg_type": 14, "content": content | {"data": "%% no base64 %%"}}
                yield sent, "audio", whole
                if number % 20 == 10:
                    yield sent, "audio", whole
                if number % 20 == 15:  # as what was buffered may be sent again
                    yield min(sent + 2_000, length_ms), "audio", whole


def _noise(seed: int, milliseconds: int) -> Samples:
    """So loud that three together leave 16 bits now and then."""
    return np.random.default_rng(seed).integers(-24_000, 24_000, milliseconds * _RATE // 1000, np.int16)


# Ann mutes for 1.5 s in the middle of a packet, Bo is a little later than Ann and heard first, Cay joins late.
_ANN = _Person(16778240, "Ann Ghost", 50, ((0, _noise(1, 4_830)), (6_330, _noise(2, 5_670))))
_BO = _Person(16779264, "Bo Phantom", 0, ((37, _noise(3, 11_163)),))
_CAY = _Person(16780288, "Cay Spectre", 20, ((5_251, _noise(4, 6_749)),))
_PEOPLE = (_ANN, _BO, _CAY)
_LENGTH_MS = 12_000
# (who, from, to, what), by start; the order in which they end is another.
_Phrase = tuple[_Person, int, int, str]
_PHRASES: tuple[_Phrase, ...] = (
    (_ANN, 412, 4_707, "Der Zwölfuhrzug <b>fährt</b> -- wie immer -- spät."),
    (_BO, 1_913, 3_304, "Perfectly invented sentence, number two."),
    (_CAY, 5_604, 8_111, "私は遅れました。"),
)


def _meeting(
    people: tuple[_Person, ...] = _PEOPLE,
    phrases: tuple[_Phrase, ...] = _PHRASES,
    length_ms: int = _LENGTH_MS,
) -> Meeting:
    """Begin so long ago that the end is about now, although it is played faster than real time."""
    zero_ms = now_ms() - length_ms * 2 // 3
    return Meeting(
        uuid="/abc+DEF//ghi12345678==",
        number="85746065432",
        stream_id=_STREAM_ID,
        event_ts=zero_ms - 700,
        zero_ms=zero_ms,
        length_ms=length_ms,
        script=lambda packet_ms: [
            *_events(people, zero_ms=zero_ms, length_ms=length_ms),
            *(
                line
                for one in people
                for line in one.packets(packet_ms, zero_ms=zero_ms, length_ms=length_ms)
            ),
            *_spoken(phrases, zero_ms=zero_ms),
            *_junk(zero_ms=zero_ms),
        ],
    )


def _events(people: tuple[_Person, ...], *, zero_ms: int, length_ms: int) -> Iterator[Line]:
    yield 0, "signaling", {"msg_type": 8, "state": 1, "reason": 0, "timestamp": zero_ms}
    yield 0, "signaling", {"msg_type": 9, "rtms_session_id": "a1b2", "state": 2, "timestamp": zero_ms}
    happened: list[tuple[int, dict[str, Any]]] = [(0, {"event_type": 1}), (1_500, {"event_type": 63})]
    for person in people:
        who = {"user_id": person.user_id, "user_name": person.name}
        came, (last, said) = person.spoken[0][0], person.spoken[-1]
        happened += [(came, {"event_type": 3, "participants": [who]}), (came, {"event_type": 2} | who)]
        if (left := last + len(said) * 1000 // _RATE) < length_ms:
            happened.append((left, {"event_type": 4, "participants": [{"user_id": person.user_id}]}))
    for at, event in happened:
        yield at, "signaling", {"msg_type": 6, "event": event | {"timestamp": zero_ms + at}}


def _spoken(phrases: tuple[_Phrase, ...], *, zero_ms: int) -> Iterator[Line]:
    for person, start, end, text in phrases:
        content = {"user_id": person.user_id, "user_name": person.name, "data": text, "language": 9}
        content |= {"start_time": zero_ms + start, "end_time": zero_ms + end, "timestamp": zero_ms + start}
        for _ in ("once", "and again"):
            yield end + 500, "transcript", {"msg_type": 17, "content": content}


def _junk(*, zero_ms: int) -> Iterator[Line]:
    for name in ("signaling", "transcript", "audio"):
        yield 1_000, name, {"msg_type": 77, "content": {"data": "of another year", "timestamp": zero_ms}}
        yield 1_500, name, b'{"msg_type":14,"content":{"user_id":'
        yield 1_500, name, b"[]"


# The daemon and what it needs.


@dataclass(frozen=True)
class _Daemon:
    process: asyncio.subprocess.Process
    webhook_url: str
    admin_url: str
    recordings: Path
    log: Path

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 15)

    async def stream(self, stream_id: str = _STREAM_ID) -> dict[str, Any] | None:
        """Return what the admin listener says of a stream."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.admin_url}/api/v1/streams") as answer:
            streams: list[dict[str, Any]] = (await answer.json())["streams"]
        found = [one for one in streams if one["stream_id"] == stream_id]
        assert len(found) < 2, "one stream must be shown once"
        return found[0] if found else None

    async def failed(self, stream_id: str, *, naming: str) -> str:
        """Wait for a stream to be shown as failed with a sentence that holds `naming`; return the sentence."""

        async def is_shown() -> bool:
            shown = await self.stream(stream_id) or {}
            return shown.get("state") == "failed" and shown["problem"] and naming in shown["sentence"]

        await _until(is_shown, f"stream {stream_id} to be shown as failed with a sentence about {naming}")
        shown = await self.stream(stream_id)
        assert shown is not None
        return str(shown["sentence"])

    async def sealed(self) -> Path:
        """Wait for the meeting's recording to be complete and return its directory."""

        async def is_there() -> bool:
            return any(self.recordings.glob(f"*/*/stream={_STREAM_ID}/SHA256SUMS"))

        await _until(is_there, "SHA256SUMS of the recording")
        [recording] = self.recordings.glob(f"*/*/stream={_STREAM_ID}")
        return recording


async def _until(happened: Callable[[], Awaitable[bool]], what: str, *, secs: float = 15) -> None:
    try:
        async with asyncio.timeout(secs):
            while not await happened():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"waited {secs} s in vain for {what}")


@asynccontextmanager
async def _daemon(directory: Path, *, client_secret: str = _CLIENT[1]) -> AsyncIterator[_Daemon]:
    webhook, admin = _free_port(), _free_port()
    for name, secret in (("client-secret", client_secret), ("webhook-secret", _WEBHOOK_SECRET)):
        with open(os.open(directory / name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secret)
    (directory / "rtmsd.toml").write_text(f"""\
state_dir = "{directory}/state"
[webhook]
listen = "127.0.0.1:{webhook}"
[admin]
listen = "127.0.0.1:{admin}"
[zoom]
allowed_hosts = ["127.0.0.1"]
ca_file = "{directory}/ca.pem"
[[apps]]
name = "notes"
client_id = "{_CLIENT[0]}"
client_secret = {{ file = "{directory}/client-secret" }}
webhook_secrets = [{{ file = "{directory}/webhook-secret" }}]
[apps.media]
send_rate_ms = 60
[[sinks]]
name = "disk"
type = "file"
directory = "{directory}/recordings"
""")
    log = directory / "rtmsd.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rtmsd", "run", "-c", str(directory / "rtmsd.toml")),
            cwd=directory,
            stdout=output,
            stderr=output,
        )
    daemon = _Daemon(
        process=process,
        webhook_url=f"http://127.0.0.1:{webhook}/webhook",
        admin_url=f"http://127.0.0.1:{admin}",
        recordings=directory / "recordings",
        log=log,
    )

    async def healthy() -> bool:
        assert process.returncode is None, log.read_text()
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{daemon.admin_url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    try:
        await _until(healthy, "the daemon's /healthz")
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        print(log.read_text())  # pytest shows it when the test failed


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS, signed by a CA of this test's own, which is left in ca.pem."""
    authority, ours = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's own authority")])
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer_name=name, subject_name=subject, public_key=key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))

    ca = certificate(name, authority).add_extension(x509.BasicConstraints(True, 0), critical=True)
    names = [x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
    leaf = certificate(x509.Name([]), ours).add_extension(x509.SubjectAlternativeName(names), critical=True)
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(ca.sign(authority, hashes.SHA256()).public_bytes(pem))
    (tmp_path / "server.pem").write_bytes(
        leaf.sign(authority, hashes.SHA256()).public_bytes(pem)
        + ours.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


def _zoom(daemon: _Daemon, meeting: Meeting) -> IndependentZoom:
    return IndependentZoom(
        meeting, webhook_url=daemon.webhook_url, client=_CLIENT, webhook_secret=_WEBHOOK_SECRET
    )


def _samples(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (_RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# What must be true.


async def test_a_meeting_is_recorded_right_to_the_sample(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """What another Zoom plays is on disk sample for sample, through one connection each, and SIGTERM ends with 0."""
    async with _daemon(tmp_path) as daemon:
        async with _zoom(daemon, _meeting()).serving(tls) as zoom:
            zero_ms = zoom.meeting.zero_ms
            assert await zoom.hold_meeting() == [200, 200, 200, 200]
            recording = await daemon.sealed()
            stream = await daemon.stream()
        assert await daemon.stop() == 0
    assert zoom.complaints == []
    assert zoom.connections == {"signaling": 1, "audio": 1, "transcript": 1}
    assert zoom.close_codes == {"signaling": 1000, "audio": 1000, "transcript": 1000}
    assert all(zoom.answered[name] >= 3 for name in zoom.connections)
    assert stream is not None
    assert stream["state"] == "ended"
    assert not stream["problem"], stream["sentence"]

    manifest = json.loads((recording / "manifest.json").read_text())
    assert manifest["zero_ms"] == zero_ms
    assert manifest["stop"]["reason"] == 6
    assert (manifest["completeness"], manifest["gaps"], manifest["reconnects"]) == (1.0, [], 0)
    assert manifest["duration_ms"] == _LENGTH_MS
    files = {f"user={person.user_id}.wav" for person in _PEOPLE} | {"mixed.wav"}
    assert {path.name for path in (recording / "audio").iterdir()} == files
    tracks = [person.track(_LENGTH_MS * _RATE // 1000) for person in _PEOPLE]
    for person, track in zip(_PEOPLE, tracks, strict=True):
        np.testing.assert_array_equal(_samples(recording / f"audio/user={person.user_id}.wav"), track)
    total = np.sum(tracks, axis=0, dtype=np.int32)
    assert np.abs(total).max() > 32_768, "the truth itself must be too loud somewhere"
    np.testing.assert_array_equal(_samples(recording / "audio/mixed.wav"), total.clip(-32_768, 32_767))

    phrases = [
        (line["user_id"], line["start_ms"] - zero_ms, line["end_ms"] - zero_ms, line["text"])
        for line in _lines(recording / "transcript.jsonl")
    ]
    assert phrases == [(person.user_id, start, end, text) for person, start, end, text in _PHRASES]
    events = [(line["name"], line.get("user_id")) for line in _lines(recording / "events.jsonl")]
    joined = [user_id for name, user_id in events if name == "participant_joined"]
    assert joined == [person.user_id for person in _PEOPLE]
    assert ("participant_left", _BO.user_id) in events

    check = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rtmsd", "verify", str(recording)), cwd=tmp_path
    )
    assert await asyncio.wait_for(check.wait(), 15) == 0
    log = daemon.log.read_text()
    private = [_CLIENT[1], _WEBHOOK_SECRET, *(text for *_, text in _PHRASES), *(one.name for one in _PEOPLE)]
    assert [text for text in private if text in log] == []
    assert "Traceback" not in log


async def test_wrong_credentials_are_named_and_not_hammered(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """With a wrong client secret rtmsd connects twice at most, and says what is wrong beside the stream's id."""
    async with _daemon(tmp_path, client_secret="not-the-secret") as daemon:
        async with _zoom(daemon, _meeting()).serving(tls) as zoom:
            assert (await zoom.post(zoom.started()))[0] == 200

            sentence = await daemon.failed(_STREAM_ID, naming="18")
            assert "credentials" in sentence
            await asyncio.sleep(1)  # a third attempt would have come by then
            assert zoom.connections["signaling"] in (1, 2)
            assert zoom.connections.keys() == {"signaling"}
        assert await daemon.stop() == 0
    log = daemon.log.read_text()
    assert "not-the-secret" not in log
    assert "Traceback" not in log


async def test_bad_webhooks_are_refused_and_do_no_harm(tmp_path: Path, tls: ssl.SSLContext) -> None:
    """Each bad webhook gets its status and nothing else, and the daemon then records the next meeting."""
    dora = _Person(16778241, "Dora Wraith", 0, ((0, _noise(5, 2_000)),))
    short = _meeting((dora,), phrases=(), length_ms=2_000)
    async with _daemon(tmp_path) as daemon, _zoom(daemon, short).serving(tls) as zoom:
        start = zoom.started()
        stamp = zoom.signature(start)["x-zm-request-timestamp"]
        refused = [
            {},
            {"x-zm-request-timestamp": stamp},
            {"x-zm-request-timestamp": stamp, "x-zm-signature": "v0=" + "0" * 64},
            {"x-zm-request-timestamp": stamp, "x-zm-signature": "Zwölf"},
            zoom.signature(start + b" "),
            zoom.signature(start) | {"x-zm-request-timestamp": "soon"},
            zoom.signature(start, age_secs=301),
            zoom.signature(start, age_secs=-400),
        ]
        for signature in refused:
            assert await zoom.post(start, signature) == (401, b""), signature
        assert (await zoom.post(start + b" " * 66_560))[0] == 413
        for malformed in (b"", b"{", b"[]", b"\xff\xfe", b'{"event":7}', b"[" * 60_000):
            assert (await zoom.post(malformed))[0] == 400, malformed[:20]
        assert (await zoom.post(b'{"event":"meeting.rtms_dreamt","event_ts":1,"payload":{}}'))[0] == 200
        async with aiohttp.ClientSession() as http:
            for path, status in ((daemon.webhook_url, 200), (daemon.webhook_url + "/../rtmsd.toml", 404)):
                async with http.get(path) as answer:
                    assert answer.status == status
        assert await daemon.stream() is None
        assert zoom.connections == {}

        foreign = zoom.started(server_urls="wss://media.example.com/signaling", rtms_stream_id="f0e1")
        assert (await zoom.post(foreign))[0] == 200

        await daemon.failed("f0e1", naming="media.example.com")

        assert await zoom.hold_meeting() == [200, 200, 200, 200]
        track = _samples(await daemon.sealed() / f"audio/user={dora.user_id}.wav")
        np.testing.assert_array_equal(track, dora.track(2_000 * _RATE // 1000))
        assert zoom.complaints == []
        assert await daemon.stop() == 0
    assert "Traceback" not in daemon.log.read_text()
