"""Zoom's side: a TLS server for signaling and media, webhooks, and the meetings that play."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import Action, DropHow, Drops, Ends, Pauses, PostsWebhooks, Resumes
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.certificates import server_tls
from rtmsd.simulator.connection import Received
from rtmsd.simulator.fault_actions import SocketName
from rtmsd.simulator.gateway import Gateway
from rtmsd.simulator.meeting import Meeting, default_meeting
from rtmsd.simulator.play import Play
from rtmsd.simulator.stream import Stream
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import WEBHOOK_PACE, OnWebhook, Webhooks, stopped

_FIRST_MEETING_ID = 85746065432


def _quiet(_: str) -> None:
    """Tell nobody."""


class Simulator:
    """Plays Zoom for one app: enter it, then `play()` meetings, one after the other or several at once.

    A meeting's stream has one URL for each medium that the meeting grants, and `all`; every other kind is refused with
    the status of its own, and has no URL. Each `play()` is a new stream. Messages are sent in binary frames, or as
    text. With `webhook` the webhooks are POSTed there; `on_webhook(headers, body)` sees them in any case.
    `webhook_copies` and `webhook_delay_secs` make them come more than once, and late; `pace` is how much sooner than
    after 72 h the receiver must prove its secret again. `tell` gets a sentence for each
    thing that happens. `truth` is that of the meeting that began last, `playing` holds all that play, by stream id.

    Times of the meetings, the windows and the keep-alives follow `clock`.
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
        timings: Timings | None = None,
        text_frames: bool = False,
        webhook_copies: int = 1,
        webhook_delay_secs: float = 0.0,
        pace: float = WEBHOOK_PACE,
        tell: Callable[[str], None] = _quiet,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret or secrets.token_urlsafe(24)
        self.webhook_secret = webhook_secret or secrets.token_urlsafe(24)
        self.signaling_url = ""
        self.ca_file = Path()
        self.truth = Truth()
        self.playing: dict[str, Play] = {}
        self._former: dict[str, Play] = {}  # by the stream ids that they had before
        self._meeting = meeting or default_meeting()
        self._listen = listen
        self._directory = directory
        self._clock = clock or Clock()
        self._timings = timings or Timings()
        self._posting = PostsWebhooks(0, webhook_copies, webhook_delay_secs)
        self._tell = tell
        self._played = 0
        self._webhooks = Webhooks(
            url=webhook,
            secret=self.webhook_secret,
            clock=self._clock,
            on_webhook=on_webhook,
            tell=tell,
            pace=pace,
        )
        self._gateway = Gateway(
            find=self._find, clock=self._clock, handshake_secs=self._timings.handshake_secs, text=text_frames
        )
        self.received: list[Received] = self._gateway.received
        self.connections: Counter[str] = self._gateway.connections
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
            self._gateway.base_url = f"wss://{f'[{host}]' if ':' in host else host}:{port}"
            self.signaling_url = self._gateway.signaling_url(0)
            validating = asyncio.create_task(self._webhooks.keep_validating())
            stack.push_async_callback(stopped, validating)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def validate(self) -> None:
        """Send `endpoint.url_validation` first. Raises SimulatorError when the receiver does not prove the secret."""
        await self._webhooks.validate()

    async def play(self, *, meeting: Meeting | None = None, webhook: str | None = None) -> Truth:
        """Play a meeting in real time, from `rtms_started` to `rtms_stopped`; gives its truth when both were sent.

        Without `meeting` it is the one that the simulator was made with. `webhook` is where the webhooks go from now
        on, for a receiver whose address was not known before. Ends earlier when the stream does. Cancelling drops the
        clients and sends no more webhooks.
        """
        if webhook is not None:
            self._webhooks.url = webhook
        meeting = meeting or self._meeting
        identity = Identity(
            client_id=self.client_id,
            client_secret=self.client_secret,
            meeting_uuid=meeting.product.new_id(),
            stream_id=secrets.token_hex(16),
            session_id=secrets.token_hex(8),
            product=meeting.product,
        )
        play = Play(
            meeting=meeting,
            identity=identity,
            started=self._started(identity),
            posting=self._posting,
            webhooks=self._webhooks,
            url_of=self._gateway.signaling_url,
            moved=self._moved,
            timings=self._timings,
            clock=self._clock,
            tell=self._tell,
        )
        self.truth = play.truth
        self.playing[identity.stream_id] = play
        try:
            await play.run()
        finally:
            for playing in (self.playing, self._former):
                for stream_id in [one for one, other in playing.items() if other is play]:
                    del playing[stream_id]
        return play.truth

    def do(self, action: Action, *, stream_id: str | None = None) -> None:
        """Do something now to a meeting that plays; without `stream_id` to the only one.

        Raises SimulatorError when it cannot be done now.
        """
        self.find_play(stream_id).do(action)

    async def drop(self, socket: SocketName, how: DropHow = "reset", code: int = 1000) -> None:
        """Take a living socket of the only meeting away, by default with a TCP reset, and wait until it is gone.

        Raises SimulatorError when there is none.
        """
        for connection in self.find_play(None).do(Drops(0, socket, how, code)):
            await connection.gone.wait()

    async def pause(self) -> None:
        """Pause the session: sockets stay, nothing is heard."""
        self.do(Pauses(0))

    async def resume(self) -> None:
        self.do(Resumes(0))

    async def end(self, reason: int = StopReason.MEETING_ENDED) -> None:
        """End the stream now; `play` returns when the client has been told."""
        self.do(Ends(0, reason))

    def find_play(self, stream_id: str | None) -> Play:
        """Give a meeting that plays; without `stream_id` the only one. Raises SimulatorError when there is none."""
        if stream_id is not None:
            if stream_id not in self.playing:
                raise SimulatorError(f"no stream {stream_id[:40]!r} is playing")
            return self.playing[stream_id]
        if not self.playing:
            raise SimulatorError("no meeting is playing; call play() first")
        if len(self.playing) > 1:
            raise SimulatorError(f"{len(self.playing)} meetings are playing; say which one by its stream_id")
        return next(iter(self.playing.values()))

    def _started(self, identity: Identity) -> dict[str, object]:
        self._played += 1
        number = _FIRST_MEETING_ID + self._played - 1
        return identity.product.started(identity.meeting_uuid, identity.stream_id, number, self.signaling_url)

    def _moved(self, old_id: str) -> None:
        play = self._former[old_id] = self.playing.pop(old_id)
        self.playing[play.stream.identity.stream_id] = play

    def _find(self, stream_id: object) -> Stream | None:
        known = {**self._former, **self.playing}
        play = known.get(stream_id) if isinstance(stream_id, str) else None
        return play.stream if play is not None and play.stream.stop_reason is None else None
