"""A stream as Zoom sees it: who is connected, what was missed, when it is given up, how it ends.

Everything here is synchronous; the play calls `advance` every 20 ms and the sockets' readers the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import EventType, MediaDataType, SessionState, StopReason, StreamState
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import messages
from rtmsd.simulator.actions import Drops
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.media_socket import MediaSocket
from rtmsd.simulator.messages import Message
from rtmsd.simulator.sound import AudioBuffer, Packet
from rtmsd.simulator.stage import Moment, Stage
from rtmsd.simulator.truth import Phrase, Truth, Written


@dataclass
class SignalingSocket:
    connection: Connection
    subscribed: set[int]


@dataclass(frozen=True)
class _Deadline:
    at: float
    reason: StopReason


class Stream:
    """One stream from `rtms_started` to its stop. `stop_reason` is None while it lives.

    `interrupted` is called when signaling is lost, `tell` with sentences for people.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        stage: Stage,
        truth: Truth,
        granted: MediaDataType,
        timings: Timings,
        clock: Clock,
        interrupted: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self.identity = identity
        self.granted = granted
        self.signaling: SignalingSocket | None = None
        self.media: list[MediaSocket] = []
        self.state = StreamState.INACTIVE
        self.session = SessionState.INITIALIZE
        self.stop_reason: int | None = None
        self._stage = stage
        self._truth = truth
        self._timings = timings
        self._clock = clock
        self._interrupted = interrupted
        self._tell = tell
        self._buffer = AudioBuffer(timings.buffer_secs)
        self._audio_from_ms = stage.now_ms
        self._first_packet_told = False
        self._deadline: _Deadline | None = self._in(timings.connect_secs, StopReason.CONNECTION_TIMEOUT)
        self._media_deadlines: dict[MediaDataType, _Deadline] = {}

    # What clients do

    def signaling_opened(self, connection: Connection, *, buffer_data: bool) -> None:
        """Take a signaling socket whose handshake was right."""
        assert self.signaling is None
        self._tell("signaling: connected")
        if not buffer_data and self.state is StreamState.INACTIVE:
            self._audio_from_ms = self._stage.now_ms
        self.signaling = SignalingSocket(connection, set())
        self._deadline = None

    def signaling_lost(
        self, connection: Connection, reason: StopReason = StopReason.AWAIT_RECONNECTION_TIMEOUT
    ) -> None:
        """Begin the window in which both sockets must come back, if this was the stream's signaling socket."""
        if self.signaling is None or self.signaling.connection is not connection:
            return
        self.signaling = None
        if self.stop_reason is not None:
            return
        self._tell("signaling: lost; the client has a window to come back")
        self.state = StreamState.INTERRUPTED
        self._deadline = self._in(self._timings.signaling_window_secs, reason)
        self._media_deadlines.clear()
        lost, self.media = self.media, []
        for socket in lost:
            self._rewind(socket)
            socket.connection.abort()
        self._interrupted()

    def refused(self) -> None:
        """Somebody came with wrong credentials: stop soon, unless a right client is connected."""
        self._tell("a handshake carried a wrong signature")
        if self.signaling is None:
            self._deadline = self._in(self._timings.refusal_secs, StopReason.AUTHENTICATION_FAILURE)

    def subscribe(self, changes: dict[int, bool]) -> None:
        """Add to and remove from the events wanted. Who is present is told at once (protocol.md §5.9)."""
        assert self.signaling is not None
        wanted = self.signaling.subscribed
        new = {kind for kind, on in changes.items() if on} - wanted
        wanted |= new
        wanted -= {kind for kind, on in changes.items() if not on}
        if EventType.PARTICIPANT_JOIN in new and self._stage.present:
            self._say(
                messages.people_event(EventType.PARTICIPANT_JOIN, self._stage.now_ms, self._stage.present)
            )

    def media_opened(self, socket: MediaSocket) -> None:
        self._tell(f"media: {socket.connection.kind} connected")
        self.media.append(socket)

    def media_lost(
        self, connection: Connection, reason: StopReason = StopReason.AWAIT_RECONNECTION_TIMEOUT
    ) -> None:
        """Begin the window in which this media socket must come back, if it was one of the stream's."""
        for socket in self.media:
            if socket.connection is connection:
                break
        else:
            return
        self.media.remove(socket)
        if self.stop_reason is not None:
            return
        self._tell(f"media: {connection.kind} lost; the client has a window to bring it back")
        self._rewind(socket)
        for kind in socket.kinds:
            self._media_deadlines[kind] = self._in(self._timings.media_window_secs, reason)
        self._say(messages.event(EventType.MEDIA_CONNECTION_INTERRUPTED, self._stage.now_ms))
        self._enter(StreamState.INTERRUPTED, StopReason.DATA_CONNECTION_INTERRUPTED)

    def acknowledged(self) -> None:
        """CLIENT_READY_ACK: media may flow on every media socket that is open now."""
        begun = [socket for socket in self.media if socket.ready_ms is None]
        for socket in begun:
            socket.ready_ms = self._stage.now_ms
            for kind in socket.kinds:
                self._media_deadlines.pop(kind, None)
        if self.state is not StreamState.ACTIVE and not self._media_deadlines:
            first = self.session is SessionState.INITIALIZE
            self._enter(StreamState.ACTIVE, StopReason.UNDEFINED)
            self._enter_session(SessionState.STARTED if first else self.session)
            if first and self._stage.paused:
                self._enter_session(SessionState.PAUSED)
        for socket in begun:
            self._send(socket, socket.packets(self._buffer.since(self._audio_from_ms)))

    # What the meeting does

    def advance(self, moment: Moment) -> None:
        """Send what the meeting brought, ask for signs of life, and give up what is overdue."""
        self._buffer.append(moment)
        for happening in moment.happenings:
            self._notify(
                messages.people_event(happening.kind, moment.at_ms, [happening.person]), happening.kind
            )
        for socket in self._ready():
            self._send(socket, socket.packets([moment]))
        self._send_transcripts(moment.phrases)
        self._send_chats(moment.chats)
        now = self._clock.monotonic()
        self._keep_alive(now)
        for deadline in [self._deadline, *self._media_deadlines.values()]:
            if deadline is not None and now >= deadline.at:
                self.stop(deadline.reason)

    def pause(self) -> None:
        self._stage.pause()
        if self.session in (SessionState.STARTED, SessionState.RESUMED):
            self._enter_session(SessionState.PAUSED)

    def resume(self) -> None:
        self._stage.resume()
        if self.session is SessionState.PAUSED:
            self._enter_session(SessionState.RESUMED)

    def stop(self, reason: int) -> None:
        """End the stream: what is owed, then session STOPPED and stream TERMINATED, with the reason in both."""
        if self.stop_reason is not None:
            return
        self.stop_reason = self._truth.stop_reason = reason
        owed = self._stage.end()
        for socket in self._ready():
            self._send(socket, socket.rest())
        self._send_transcripts(owed)
        self._enter_session(SessionState.STOPPED, reason)
        self._enter(StreamState.TERMINATED, reason)

    # What happens to the connections

    @property
    def connections(self) -> list[Connection]:
        signaling = [self.signaling.connection] if self.signaling else []
        return signaling + [socket.connection for socket in self.media]

    def drop(self, action: Drops) -> list[Connection]:
        """Take living sockets away; gives them. Raises SimulatorError when there is none of that name."""
        dropped = [one for one in self.connections if action.socket == "all" or self._is(one, action.socket)]
        if not dropped:
            raise SimulatorError(f"no {action.socket} socket is connected that could be dropped")
        for connection in dropped:
            match action.how:
                case "reset":
                    connection.abort()
                case "close":
                    connection.close(action.code, "dropped")
                case "eof":
                    connection.end()
        return dropped

    def fall_silent(self, seconds: float) -> None:
        """Hold back all that is sent on the sockets that are open now."""
        for connection in self.connections:
            connection.hold(seconds)

    # Inside

    def _is(self, connection: Connection, name: str) -> bool:
        if self.signaling and self.signaling.connection is connection:
            return name == "signaling"
        return any(socket.connection is connection and name in socket.names for socket in self.media)

    def _in(self, seconds: float, reason: StopReason) -> _Deadline:
        return _Deadline(self._clock.monotonic() + seconds, reason)

    def _ready(self) -> list[MediaSocket]:
        return [socket for socket in self.media if socket.ready_ms is not None]

    def _rewind(self, socket: MediaSocket) -> None:
        """Note from where a successor of this socket must be served; one lost right after its burst changes nothing."""
        if socket.ready_ms is None or MediaDataType.AUDIO not in socket.kinds:
            return
        replay_ms = int(self._timings.replay_secs * 1000)
        if self._stage.now_ms - socket.ready_ms > replay_ms:
            self._audio_from_ms = max(self._audio_from_ms, self._stage.now_ms - replay_ms)

    def _send(self, socket: MediaSocket, packets: list[Packet]) -> None:
        if packets and not self._first_packet_told:
            self._first_packet_told = True
            first_ms = min(packet.timestamp_ms for packet in packets)
            self._say(messages.event(EventType.FIRST_PACKET_TIMESTAMP, first_ms))
        socket.send_audio(packets)

    def _send_transcripts(self, phrases: Iterable[Phrase]) -> None:
        for phrase in phrases:
            for socket in self._ready():
                socket.send_transcript(phrase, self._truth.names[phrase.user_id])

    def _send_chats(self, chats: Iterable[Written]) -> None:
        for chat in chats:
            for socket in self._ready():
                socket.send_chat(chat, self._truth.names[chat.user_id])

    def _keep_alive(self, now: float) -> None:
        every_secs, misses = self._timings.keep_alive_secs, self._timings.keep_alive_misses
        for socket in list(self.media):
            if not socket.connection.keep_alive(now, every_secs=every_secs, misses=misses, only_idle=True):
                socket.connection.abort()
                self.media_lost(socket.connection, StopReason.KEEP_ALIVE_TIMEOUT)
        if self.signaling:
            connection = self.signaling.connection
            if not connection.keep_alive(now, every_secs=every_secs, misses=misses, only_idle=False):
                connection.abort()
                self.signaling_lost(connection, StopReason.KEEP_ALIVE_TIMEOUT)

    def _enter(self, state: StreamState, reason: int) -> None:
        self.state = state
        self._say(messages.stream_state(state, reason, self._stage.now_ms))

    def _enter_session(self, state: SessionState, reason: int = StopReason.UNDEFINED) -> None:
        self.session = state
        self._say(messages.session_state(self.identity.session_id, state, reason, self._stage.now_ms))

    def _notify(self, message: Message, kind: EventType) -> None:
        if self.signaling and kind in self.signaling.subscribed:
            self.signaling.connection.send(message)

    def _say(self, message: Message) -> None:
        if self.signaling:
            self.signaling.connection.send(message)
