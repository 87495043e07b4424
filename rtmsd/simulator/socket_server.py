"""The TLS server on which streams live, and those that play on it now."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from rtmsd.errors import SimulatorError
from rtmsd.runtime.clock import Clock
from rtmsd.simulator.actions import PostsWebhooks
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.certificates import server_tls
from rtmsd.simulator.gateway import Gateway
from rtmsd.simulator.meeting import Meeting
from rtmsd.simulator.play import Play
from rtmsd.simulator.products import Payload
from rtmsd.simulator.serving import serving
from rtmsd.simulator.stream import Stream
from rtmsd.simulator.webhooks import SendsWebhooks

FIRST_MEETING_NUMBER = 85746065432
"""The meetings that play have this number and those after it."""


def quiet(_: str) -> None:
    """Tell nobody."""


class SocketServer:
    """Listens for the sockets of streams, and plays meetings for whoever comes with the right credentials.

    `playing` holds all plays by stream id. `ca_file` is written when it listens, into `directory` or a temporary one.
    """

    def __init__(
        self,
        *,
        listen: tuple[str, int],
        directory: Path | None,
        clock: Clock,
        timings: Timings,
        text_frames: bool,
        tell: Callable[[str], None],
    ) -> None:
        self.ca_file = Path()
        self.playing: dict[str, Play] = {}
        self.gateway = Gateway(
            find=self._find, clock=clock, handshake_secs=timings.handshake_secs, text=text_frames
        )
        self._former: dict[str, Play] = {}  # by the stream ids that they had before
        self._listen = listen
        self._host = "127.0.0.1" if listen[0] in ("", "0.0.0.0", "::") else listen[0]  # noqa: S104
        self._tls: ssl.SSLContext | None = None
        self._directory = directory
        self._clock = clock
        self._timings = timings
        self._tell = tell

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen; leaving drops every socket. Raises OSError when the address cannot be listened on."""
        with ExitStack() as stack:
            directory = self._directory or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="rtmsd-simulator-"))
            )
            directory.mkdir(parents=True, exist_ok=True)
            self.ca_file = directory.absolute() / "ca.pem"
            self._tls = server_tls(self.ca_file, host=self._host, unix_seconds=self._clock.wall())
            async with self.gateway.listening(self._listen, self._tls) as port:
                self.gateway.base_url = f"wss://{self._at(port)}"
                yield

    @asynccontextmanager
    async def serving(self, app: web.Application) -> AsyncIterator[str]:
        """Serve something else, on a port of its own, with a certificate of the same CA; gives host and port."""
        assert self._tls is not None, "listen first"
        async with serving(app, (self._listen[0], 0), tls=self._tls) as port:
            yield self._at(port)

    def prepare(
        self,
        meeting: Meeting,
        *,
        client_id: str,
        client_secret: str,
        uuid: str,
        started: Callable[[str], Payload],
        posting: Mapping[str, PostsWebhooks],
        webhooks: SendsWebhooks,
    ) -> Play:
        """Make a new stream of a meeting that has this UUID; `run` plays it.

        `started` gives the payload of `rtms_started` for a stream id.
        """
        identity = Identity(
            client_id=client_id,
            client_secret=client_secret,
            meeting_uuid=uuid,
            stream_id=secrets.token_hex(16),
            session_id=secrets.token_hex(8),
            product=meeting.product,
        )
        play = Play(
            meeting=meeting,
            identity=identity,
            started=started(identity.stream_id),
            posting=posting,
            webhooks=webhooks,
            url_of=self.gateway.signaling_url,
            moved=self._moved,
            timings=self._timings,
            clock=self._clock,
            tell=self._tell,
        )
        self.playing[identity.stream_id] = play
        return play

    async def run(self, play: Play) -> None:
        """Play what was prepared, and forget it. Cancelling drops the client and sends no more webhooks."""
        try:
            await play.run()
        finally:
            for playing in (self.playing, self._former):
                for stream_id in [one for one, other in playing.items() if other is play]:
                    del playing[stream_id]

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

    def _at(self, port: int) -> str:
        return f"{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    def _moved(self, old_id: str) -> None:
        play = self._former[old_id] = self.playing.pop(old_id)
        self.playing[play.stream.identity.stream_id] = play

    def _find(self, stream_id: object) -> Stream | None:
        known = {**self._former, **self.playing}
        play = known.get(stream_id) if isinstance(stream_id, str) else None
        return play.stream if play is not None and play.stream.stop_reason is None else None
