"""A stream as Zoom sees it: who is connected, what was missed, when it is given up, how it ends.

Everything here is synchronous; the play calls `advance` every 20 ms and the sockets' readers the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rtmsd.protocol.codes import (
    EventType,
    MediaDataType,
    MessageType,
    SessionState,
    StatusCode,
    StopReason,
    StreamState,
)
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import messages
from rtmsd.simulator.admission import Identity, Timings
from rtmsd.simulator.connection import Connection
from rtmsd.simulator.events import event_of, greetings
from rtmsd.simulator.fault_actions import SessionChanges
from rtmsd.simulator.faults import Faults
from rtmsd.simulator.media_socket import MediaSocket
from rtmsd.simulator.messages import Message
from rtmsd.simulator.moment import Moment
from rtmsd.simulator.patience import Patience
from rtmsd.simulator.sound import AudioBuffer, Packet
from rtmsd.simulator.stage import Stage
from rtmsd.simulator.truth import Phrase, Truth, Written


@dataclass
class SignalingSocket:
    """What a client has subscribed to goes with its connection: events, and one person's video."""

    connection: Connection
    subscribed: set[int]
    video_of: int | None = None


class Stream:
    """One stream from `rtms_started` to its stop. `stop_reason` is None while it lives, `server` the number of the
    server that serves it; those that did before have forgotten it.

    `interrupted` is called when signaling is lost, `tell` with sentences for people.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        stage: Stage,
        truth: Truth,
        granted: MediaDataType,
        faults: Faults,
        timings: Timings,
        clock: Clock,
        interrupted: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self.identity = identity
        self.granted = granted
        self.faults = faults
        self.server = 0
        self.signaling: SignalingSocket | None = None
        self.media: list[MediaSocket] = []
        self.state = StreamState.INACTIVE
        self.session = SessionState.INITIALIZE
        self.other_sessions: dict[str, int] = {}
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
        self._patience = Patience(timings, faults.behaviour, clock)

    # What clients do

    def signaling_opened(self, connection: Connection, *, buffer_data: bool) -> None:
        """Take a signaling socket whose handshake was right."""
        assert self.signaling is None
        self._tell("signaling: connected")
        if not buffer_data and self.state is StreamState.INACTIVE:
            self._audio_from_ms = self._stage.now_ms
        self.signaling = SignalingSocket(connection, set())
        self._patience.signaling_came()

    def signaling_lost(self, connection: Connection, reason: StopReason | None = None) -> None:
        """Begin the window in which both sockets must come back, if this was the stream's signaling socket."""
        if self.signaling is None or self.signaling.connection is not connection:
            return
        self.signaling = None
        if self.stop_reason is not None:
            return
        self._tell("signaling: lost; the client has a window to come back")
        self.state = StreamState.INTERRUPTED
        self._patience.signaling_lost(reason)
        self._lose_media()
        self._interrupted()

    def kicked(self) -> None:
        """A second signaling connection takes the place of the first (protocol.md §10 C15)."""
        assert self.signaling is not None
        self._tell("signaling: kicked out by another connection")
        self.signaling.connection.close()
        self.signaling = None
        self.state = StreamState.INTERRUPTED
        self._lose_media()

    def refused(self) -> None:
        """Somebody came with wrong credentials: stop soon, unless a right client is connected."""
        self._tell("a handshake carried a wrong signature")
        if self.signaling is None:
            self._patience.refused()

    def subscribe(self, changes: dict[int, bool]) -> None:
        """Add to and remove from the events wanted. Who is present is told at once (protocol.md §5.9)."""
        assert self.signaling is not None
        wanted = self.signaling.subscribed
        new = {kind for kind, on in changes.items() if on} - wanted
        wanted |= new
        wanted -= {kind for kind, on in changes.items() if not on}
        stage = self._stage
        for message in greetings(self.identity.product, new, stage.present, stage.view, stage.now_ms):
            self._say(message)

    def subscribe_video(self, user_id: object, *, on: bool) -> StatusCode:
        """Take a subscription to one person's camera (protocol.md §5.8); a new one replaces the one before.

        What Zoom answers to nobody's id, and without such a socket, is not published: 4 and 29 are guesses.
        """
        if MediaDataType.VIDEO not in self.granted:
            return StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT
        if not any(socket.wants_individual_video for socket in self.media):
            return StatusCode.INVALID_MEDIA_VIDEO_DATA_OPT
        if not isinstance(user_id, int) or user_id not in self._truth.names:
            return StatusCode.INVALID_PAYLOAD
        signaling = self.signaling
        assert signaling is not None
        if on and signaling.video_of == user_id:
            return StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION
        if on or signaling.video_of == user_id:
            signaling.video_of = user_id if on else None
        return StatusCode.STATUS_OK

    def media_opened(self, socket: MediaSocket) -> None:
        self._tell(f"media: {socket.connection.kind} connected")
        self.media.append(socket)

    def media_lost(self, connection: Connection, reason: StopReason | None = None) -> None:
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
        self._patience.media_lost(socket.kinds, reason)
        self._say_event(EventType.MEDIA_CONNECTION_INTERRUPTED, self._stage.now_ms)
        self._enter(StreamState.INTERRUPTED, StopReason.DATA_CONNECTION_INTERRUPTED)

    def heard_on_media(self, message: Message) -> None:
        """Say that a client talks to the wrong socket: media sockets hear keep-alive answers only (§10 C17)."""
        if message.get("msg_type") == MessageType.CLIENT_READY_ACK:
            self._tell("media: CLIENT_READY_ACK came on a media socket; Zoom expects it on signaling")

    def acknowledged(self) -> None:
        """CLIENT_READY_ACK: media may flow on every media socket that is open now."""
        begun = [socket for socket in self.media if socket.ready_ms is None]
        for socket in begun:
            socket.ready_ms = self._stage.now_ms
            self._patience.media_came(socket.kinds)
        if self.state is not StreamState.ACTIVE and not self._patience.misses_media:
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
            if (told := event_of(self.identity.product, happening, moment.at_ms)) is not None:
                self._notify(told[1], told[0])
        video_of = self.signaling.video_of if self.signaling else None
        for socket in self._ready():
            self._send(socket, socket.packets([moment]))
            self._truth.pictures += socket.send_pictures(moment, video_of)
        self._send_transcripts(moment.phrases)
        self._send_chats(moment.chats)
        now = self._clock.monotonic()
        self._keep_alive(now)
        if (overdue := self._patience.overdue(now)) is not None:
            self.stop(overdue)

    def pause(self) -> None:
        self._stage.pause()
        if self.session in (SessionState.STARTED, SessionState.RESUMED):
            self._change_pause(SessionState.PAUSED, StreamState.PAUSED)

    def resume(self) -> None:
        self._stage.resume()
        if self.session is SessionState.PAUSED:
            self._change_pause(SessionState.RESUMED, StreamState.RESUMED)

    def change_session(self, change: SessionChanges) -> None:
        """Tell of another user's session on this stream."""
        self.other_sessions[change.session] = change.state
        self._say(
            messages.session_state(
                change.session, SessionState(change.state), change.reason, self._stage.now_ms
            )
        )

    def stop(self, reason: int, *, in_band: bool = True) -> None:
        """End the stream: what is owed, then session STOPPED and stream TERMINATED, with the reason in both."""
        if self.stop_reason is not None:
            return
        self.stop_reason = self._truth.stop_reason = reason
        owed = self._stage.end()
        for socket in self._ready():
            self._send(socket, socket.rest())
        self._send_transcripts(owed)
        if in_band:
            self._enter_session(SessionState.STOPPED, reason)
            self._enter(StreamState.TERMINATED, reason)

    # What happens to the connections

    @property
    def connections(self) -> list[Connection]:
        signaling = [self.signaling.connection] if self.signaling else []
        return signaling + [socket.connection for socket in self.media]

    def replay(self, seconds: float) -> None:
        """Send the audio of the last seconds once more, all at once."""
        moments = self._buffer.since(self._stage.now_ms - int(seconds * 1000))
        for socket in self._ready():
            socket.send_audio(socket.again(moments))

    def move(self, identity: Identity, *, server: int) -> list[Connection]:
        """Let another server take the stream over, perhaps under another id; gives what is open at the old one, which
        nobody serves any more."""
        left = self.connections
        self.signaling = None
        self._forget_media()
        if identity != self.identity:
            self.session = SessionState.INITIALIZE
        self.identity, self.server = identity, server
        self.state = StreamState.INTERRUPTED
        self._patience.signaling_lost()
        return left

    # Inside

    def _lose_media(self) -> None:
        for socket in self._forget_media():
            socket.connection.abort()

    def _forget_media(self) -> list[MediaSocket]:
        lost, self.media = self.media, []
        for socket in lost:
            self._rewind(socket)
        return lost

    def _change_pause(self, session: SessionState, stream: StreamState) -> None:
        told_as = self.faults.behaviour.pauses
        if told_as != "session":
            self._say(messages.stream_state(stream, StopReason.UNDEFINED, self._stage.now_ms))
        if told_as == "stream":
            self.session = session
        else:
            self._enter_session(session)

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
            self._say_event(EventType.FIRST_PACKET_TIMESTAMP, first_ms)
        socket.send_audio(packets)

    def _send_transcripts(self, phrases: Iterable[Phrase]) -> None:
        for phrase in phrases:
            for socket in self._ready():
                self._truth.transcripts += socket.send_transcript(
                    phrase,
                    self._stage.parts[phrase.user_id].person,
                    languages_told=self._stage.languages_told,
                )

    def _send_chats(self, chats: Iterable[Written]) -> None:
        for chat in chats:
            for socket in self._ready():
                socket.send_chat(chat, self._truth.names)

    def _keep_alive(self, now: float) -> None:
        every_secs, misses = self._timings.keep_alive_secs, self._timings.keep_alive_misses
        only_idle = self.faults.behaviour.media_keep_alives == "idle"
        for socket in list(self.media):
            alive = socket.connection.keep_alive(
                now, every_secs=every_secs, misses=misses, only_idle=only_idle
            )
            if not alive:
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

    def _notify(self, message: Message, kind: int) -> None:
        if self.signaling and kind in self.signaling.subscribed:
            self.signaling.connection.send(message)

    def _say_event(self, kind: EventType, at_ms: int) -> None:
        """Tell an event to which nobody has to subscribe."""
        if self.identity.product.tells_events:
            self._say(messages.event(kind, at_ms))

    def _say(self, message: Message) -> None:
        if self.signaling:
            self.signaling.connection.send(message)
