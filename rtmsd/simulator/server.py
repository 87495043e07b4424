"""Zoom's side: a TLS server for signaling and media, webhooks, and the meetings that play."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from rtmsd.protocol.codes import StopReason
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import Action, DropHow, Drops, Ends, Pauses, PostsWebhooks, Resumes
from rtmsd.simulator.admission import Timings
from rtmsd.simulator.connection import Received
from rtmsd.simulator.fault_actions import SocketName
from rtmsd.simulator.meeting import Meeting, default_meeting
from rtmsd.simulator.play import Play
from rtmsd.simulator.socket_server import FIRST_MEETING_NUMBER, SocketServer, quiet
from rtmsd.simulator.truth import Truth
from rtmsd.simulator.webhooks import WEBHOOK_PACE, OnWebhook, Webhooks, stopped


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
        tell: Callable[[str], None] = quiet,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret or secrets.token_urlsafe(24)
        self.webhook_secret = webhook_secret or secrets.token_urlsafe(24)
        self.signaling_url = ""
        self.ca_file = Path()
        self.truth = Truth()
        self._meeting = meeting or default_meeting()
        self._clock = clock or Clock()
        self._posting = {"all": PostsWebhooks(0, webhook_copies, webhook_delay_secs)}
        self._numbers = itertools.count(FIRST_MEETING_NUMBER)
        self._webhooks = Webhooks(
            url=webhook,
            secret=self.webhook_secret,
            clock=self._clock,
            on_webhook=on_webhook,
            tell=tell,
            pace=pace,
        )
        self.server = SocketServer(
            listen=listen,
            directory=directory,
            clock=self._clock,
            timings=timings or Timings(),
            text_frames=text_frames,
            tell=tell,
        )
        self.playing: dict[str, Play] = self.server.playing
        self.received: list[Received] = self.server.gateway.received
        self.connections: Counter[str] = self.server.gateway.connections
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Simulator:
        """Listen. Raises OSError when the address cannot be listened on."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.server.listening())
            self.ca_file = self.server.ca_file
            self.signaling_url = self.server.gateway.signaling_url(0)
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
        uuid = meeting.product.new_id()
        number = next(self._numbers)
        play = self.server.prepare(
            meeting,
            client_id=self.client_id,
            client_secret=self.client_secret,
            uuid=uuid,
            started=lambda stream_id: meeting.product.started(uuid, stream_id, number, self.signaling_url),
            posting=self._posting,
            webhooks=self._webhooks,
        )
        self.truth = play.truth
        await self.server.run(play)
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
        return self.server.find_play(stream_id)
