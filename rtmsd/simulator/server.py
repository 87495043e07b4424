"""Zoom's side of one meeting: a TLS server for signaling and media, webhooks, and the meeting that plays."""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaDataType, StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.certificates import server_tls
from rtmsd.simulator.connection import Connection, Received
from rtmsd.simulator.gateway import Gateway
from rtmsd.simulator.meeting import Meeting, default_meeting
from rtmsd.simulator.speech import STEP_MS
from rtmsd.simulator.stage import Stage
from rtmsd.simulator.stream import Identity, Stream, Timings
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import OnWebhook, Webhooks

_GRANTED = MediaDataType.AUDIO | MediaDataType.TRANSCRIPT
_URL_KEYS = {MediaDataType.AUDIO: "audio", MediaDataType.TRANSCRIPT: "transcript"}


def _quiet(_: str) -> None:
    """Tell nobody."""


class Simulator:
    """Plays Zoom for one app: enter it, then `play()` meetings, one after the other.

    The server offers audio and transcripts: one URL each, and `all`; every other kind is refused with the status of
    its own, and has no URL. Each `play()` is a new stream. Messages are sent in binary frames, or as text. With
    `webhook` the webhooks are POSTed there; `on_webhook(headers, body)` sees them in any case. `webhook_copies` and
    `webhook_delay_secs` make them come more than once, and late. `tell` gets a sentence for each thing that happens.

    Times of the meeting, the windows and the keep-alives follow `clock`.
    """

    def __init__(
        self,
        *,
        meeting: Meeting | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        webhook: str | None = None,
        on_webhook: OnWebhook | None = None,
        directory: Path | None = None,
        client_id: str = "simulated-client-id",
        client_secret: str | None = None,
        webhook_secret: str | None = None,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        timings: Timings | None = None,
        text_frames: bool = False,
        webhook_copies: int = 1,
        webhook_delay_secs: float = 0.0,
        tell: Callable[[str], None] = _quiet,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret or secrets.token_urlsafe(24)
        self.webhook_secret = webhook_secret or secrets.token_urlsafe(24)
        self.signaling_url = ""
        self.ca_file = Path()
        self.truth = Truth()
        self._meeting = meeting or default_meeting()
        self._listen = listen
        self._directory = directory
        self._clock = clock or Clock()
        self._chance = chance or random.Random(1)  # noqa: S311  # how late a transcript is, not a secret
        self._timings = timings or Timings()
        self._webhook_copies = webhook_copies
        self._webhook_delay_secs = webhook_delay_secs
        self._tell = tell
        self._webhooks = Webhooks(
            url=webhook, secret=self.webhook_secret, clock=self._clock, on_webhook=on_webhook, tell=tell
        )
        self._gateway = Gateway(
            find=self._find, clock=self._clock, handshake_secs=self._timings.handshake_secs, text=text_frames
        )
        self.received: list[Received] = self._gateway.received
        self.connections: Counter[str] = self._gateway.connections
        self._stream: Stream | None = None
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Simulator:
        """Listen. Raises OSError when the address cannot be listened on."""
        async with AsyncExitStack() as stack:
            directory = self._directory or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="rtmsd-simulator-"))
            )
            directory.mkdir(parents=True, exist_ok=True)
            self.ca_file = directory.absolute() / "ca.pem"
            host = "127.0.0.1" if self._listen[0] in ("", "0.0.0.0", "::") else self._listen[0]  # noqa: S104
            tls = server_tls(self.ca_file, host=host, unix_seconds=self._clock.wall())
            port = await stack.enter_async_context(self._gateway.listening(self._listen, tls))
            base_url = f"wss://{f'[{host}]' if ':' in host else host}:{port}"
            self.signaling_url = f"{base_url}/signaling"
            self._gateway.media_urls.update(
                {name: f"{base_url}/media/{name}" for name in (*_URL_KEYS.values(), "all")}
            )
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def validate(self) -> None:
        """Send `endpoint.url_validation` first. Raises SimulatorError when the receiver does not prove the secret."""
        await self._webhooks.validate()

    async def play(self, *, webhook: str | None = None) -> None:
        """Play the meeting in real time, from `rtms_started` to `rtms_stopped`; returns when both were sent.

        `webhook` is where the webhooks go from now on, for a receiver whose address was not known before.
        Ends earlier when the stream does. Cancelling drops the clients and sends no more webhooks.
        """
        if self._stream is not None:
            raise SimulatorError(
                "a meeting is playing already; wait until it is over, or use a second simulator"
            )
        if webhook is not None:
            self._webhooks.url = webhook
        self.truth = Truth()
        identity = Identity(
            client_id=self.client_id,
            client_secret=self.client_secret,
            meeting_uuid=base64.b64encode(secrets.token_bytes(16)).decode(),
            stream_id=secrets.token_hex(16),
            session_id=secrets.token_hex(8),
        )
        stage = Stage(self._meeting, zero_ms=self._clock.wall_ms(), chance=self._chance, truth=self.truth)
        ids = {"meeting_uuid": identity.meeting_uuid, "rtms_stream_id": identity.stream_id}
        try:
            async with asyncio.TaskGroup() as posts:

                def announce(event: str, payload: dict[str, object]) -> None:
                    event_ms = self._clock.wall_ms()
                    for _ in range(self._webhook_copies):
                        posts.create_task(self._announce(event, event_ms, payload))

                stream = self._stream = Stream(
                    identity=identity,
                    stage=stage,
                    truth=self.truth,
                    granted=_GRANTED,
                    timings=self._timings,
                    clock=self._clock,
                    interrupted=lambda: announce("meeting.rtms_interrupted", {**ids}),
                    tell=self._tell,
                )
                announce("meeting.rtms_started", self._started(identity))
                try:
                    await self._run(stream, stage)
                finally:
                    stream.stop(StopReason.UNDEFINED)  # cancelled: what its sockets do now concerns nobody
                await self._part(stream)
                announce("meeting.rtms_stopped", {**ids, "stop_reason": stream.stop_reason})
        finally:
            self._gateway.abort_all()
            self._stream = None

    async def drop(self, what: str) -> None:
        """Reset the TCP connection of the living `signaling`, `audio` or `transcript` socket, and wait until it is gone.

        Raises SimulatorError when there is none.
        """
        connection = self._find_socket(self._playing(), what)
        if connection is None:
            raise SimulatorError(f"no {what} socket is connected that could be dropped")
        connection.abort()
        await connection.gone.wait()

    async def pause(self) -> None:
        """Pause the session: sockets stay, nothing is heard."""
        self._playing().pause()

    async def resume(self) -> None:
        self._playing().resume()

    async def end(self, reason: int = StopReason.MEETING_ENDED) -> None:
        """End the stream now; `play` returns when the client has been told."""
        self._playing().stop(reason)

    def _playing(self) -> Stream:
        if self._stream is None or self._stream.stop_reason is not None:
            raise SimulatorError("no meeting is playing; call play() first")
        return self._stream

    async def _run(self, stream: Stream, stage: Stage) -> None:
        began = self._clock.monotonic()
        steps = 0
        while stream.stop_reason is None:
            due = int((self._clock.monotonic() - began) * 1000) // STEP_MS
            moments = []
            while steps < due and not stage.over:
                moments.append(stage.step())
                steps += 1
            stream.advance(moments)
            if stage.over:
                stream.stop(self._meeting.reason)
            else:
                await asyncio.sleep(STEP_MS / 1000)

    async def _part(self, stream: Stream) -> None:
        """Give the client time to close, then close."""
        self._tell(f"the stream has ended, reason {stream.stop_reason}")
        connections = [socket.connection for socket in stream.media]
        if stream.signaling:
            connections.append(stream.signaling.connection)
        if not await _all_gone(connections, self._timings.goodbye_secs):
            for connection in connections:
                connection.close()
            await _all_gone(connections, self._timings.goodbye_secs)

    async def _announce(self, event: str, event_ms: int, payload: dict[str, object]) -> None:
        await asyncio.sleep(self._webhook_delay_secs)
        self._tell(f"webhook {event}")
        await self._webhooks.send(event, event_ms, payload)

    def _started(self, identity: Identity) -> dict[str, object]:
        return {
            "account_id": "SimulatedAccount",
            "operator_id": "SimulatedOperatorId00",
            "meeting_id": "85746065432",
            "meeting_uuid": identity.meeting_uuid,
            "rtms_stream_id": identity.stream_id,
            "is_original_host": True,
            "server_urls": self.signaling_url,
        }

    def _find(self, stream_id: object) -> Stream | None:
        stream = self._stream
        if stream is None or stream.stop_reason is not None or stream.identity.stream_id != stream_id:
            return None
        return stream

    def _find_socket(self, stream: Stream, what: str) -> Connection | None:
        if what == "signaling":
            return stream.signaling.connection if stream.signaling else None
        for kind, name in _URL_KEYS.items():
            for socket in stream.media:
                if name == what and kind in socket.kinds:
                    return socket.connection
        return None


async def _all_gone(connections: Iterable[Connection], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for connection in connections:
                await connection.gone.wait()
    except TimeoutError:
        return False
    return True
