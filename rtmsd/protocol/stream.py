"""One stream: every rule about its signaling socket and its media sockets.

Inputs are method calls with `now` (monotonic seconds), outputs are actions. Input from the network is never an
error: what is wrong is counted. The rules are those of protocol.md §5 and §7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from rtmsd.frames import AudioFrame, Event, Item, MediaKind, StreamInfo
from rtmsd.protocol import media, signaling
from rtmsd.protocol.actions import Action, CloseSocket, Deliver, Finished, Note, Send, Socket, WakeAt
from rtmsd.protocol.codes import MessageType, SessionState, StatusCode, StopReason, StreamState
from rtmsd.protocol.connections import HEARD_LATELY_SECS, Connections
from rtmsd.protocol.coverage import Coverage
from rtmsd.protocol.intake import Intake
from rtmsd.protocol.link import ANSWER_SECS, LINGER_SECS, Link, Phase
from rtmsd.protocol.messages import (
    MAX_TIMESTAMP,
    AudioContent,
    Malformed,
    Message,
    decode,
    decode_audio,
    decode_good,
    normalised_ms,
)
from rtmsd.protocol.sessions import Sessions
from rtmsd.protocol.signature import handshake_signature

WINDOW_SECS = 60.0
"""Zoom waits so long for the first connection, and for signaling to come back (§7.1, §8)."""

REASON_SECS = 5.0
"""How long a stream that Zoom closed without a word may wait for the stop webhook to say why."""

LAG_EVERY = 16
"""Of so many frames one tells how far the meeting's time is behind ours: to ask all would cost more than to decode."""

_AUDIO = int(MessageType.MEDIA_DATA_AUDIO)


class StreamMachine:
    """Decides for one stream. Every method returns the actions to perform, in order.

    `wall_offset` is what to add to `now` for Unix seconds; `backoff` makes the delays of one outage.
    `resumed_ms`: the stream was joined before, and since then it has been without us.
    """

    def __init__(
        self,
        *,
        info: StreamInfo,
        server_urls: Sequence[str],
        client_id: str,
        client_secret: str,
        request: media.MediaRequest,
        allowed_hosts: Sequence[str],
        backoff: Callable[[], Iterator[float]],
        wall_offset: float,
        resumed_ms: int | None = None,
    ) -> None:
        self.info = info
        self.request = request
        self._counters: Counter[str] = Counter()
        self.outcome: Finished | None = None
        self._ending: Finished | None = None  # the outcome, once the last of the media is read
        self._sessions = Sessions()
        self._urls = tuple(server_urls)
        self._out: list[Action] = []
        self._intake = Intake(self._counters)
        self._coverage = Coverage(
            kinds=request.kinds, started_ms=info.started_ms, wall_offset=wall_offset, resumed_ms=resumed_ms
        )
        self._connections = Connections(
            info=info,
            request=request,
            signature=handshake_signature(
                client_id=client_id,
                client_secret=client_secret,
                uuid=info.meeting_uuid,
                stream_id=info.stream_id,
            ),
            allowed_hosts=allowed_hosts,
            backoff=backoff,
            coverage=self._coverage,
            out=self._out,
        )
        self._signaling = self._connections.signaling
        self._links = self._connections.links
        self._audio_link = self._connections.media.get(MediaKind.AUDIO)
        for link in self._links.values():
            link.ever_live = resumed_ms is not None
        self._sound = media.confirmed_format(None, request)
        self._acked = False
        self._joined = False
        self._settle_at: float | None = None
        self._outage_since: float | None = None
        self._give_up: tuple[float, str, str] | None = None  # when, outcome, detail
        self._wake: float | None = None

    # What others may look at

    @property
    def state(self) -> str:
        """One word for people: connecting, streaming, paused, reconnecting or ended."""
        if self.outcome is not None:
            return "ended"
        if not self._acked:
            return "reconnecting" if self._joined else "connecting"
        if self._coverage.absent:
            return "reconnecting"
        return "paused" if self._sessions.paused else "streaming"

    @property
    def counters(self) -> Counter[str]:
        """What was received, by kind; also what was malformed, unknown, late or a duplicate."""
        return self._counters + Counter(audio=self._intake.audio_frames, bytes=self._intake.audio_bytes)

    @property
    def server_urls(self) -> tuple[str, ...]:
        return self._urls

    @property
    def speakers(self) -> int:
        return self._intake.speakers

    @property
    def refused(self) -> dict[MediaKind, tuple[int | None, str]]:
        """The media that are not to be had, with the status or the cause."""
        return self._connections.refused

    def media_ms(self, now: float) -> int:
        """What time it is in the meeting, as far as its frames told, in Unix milliseconds."""
        return self._coverage.media_ms(now)

    @property
    def connected(self) -> bool:
        """Whether all is received that is to be had."""
        return self._acked and all(link.settled for link in self._connections.media.values())

    @property
    def trouble(self) -> str:
        """What went wrong last, while the stream is not (or not wholly) connected; else empty."""
        return "" if self.connected else self._connections.last_failure

    @property
    def healthy(self) -> bool:
        """Whether signaling is connected, or about to be."""
        return self._signaling.connected

    # Inputs

    def start(self, now: float) -> list[Action]:
        """Begin. Called once, first."""
        self._outage_since = now
        self._connect(now)
        return self._done(now)

    def opened(self, socket: Socket, now: float) -> list[Action]:
        """A connection asked for by OpenSocket is open."""
        link = self._connections.current(socket)
        if link is not None and link.phase is Phase.OPENING:
            self._connections.greet(link, now)
        elif not self._over:
            self._out.append(CloseSocket(socket))
        return self._done(now)

    def open_failed(self, socket: Socket, why: str, now: float) -> list[Action]:
        """A connection asked for by OpenSocket did not come about; `why` is safe to print."""
        link = self._connections.current(socket)
        if link is not None and link.phase is Phase.OPENING:
            self._connections.last_failure = why
            self._out.append(Note("connection_failed", {"socket": link.kind, "why": why}))
            self._lost(link, now, close_frame=False)
        return self._done(now)

    def closed(self, socket: Socket, code: int | None, now: float) -> list[Action]:
        """A socket is gone: with a Close frame's `code`, or None when the connection just broke."""
        link = self._connections.current(socket)
        if link is not None:
            self._out.append(
                Note("socket_closed", {"socket": link.kind, "code": code, "phase": link.phase.name})
            )
            self._lost(link, now, close_frame=code is not None)
        return self._done(now)

    def received(self, socket: Socket, data: bytes | memoryview, now: float) -> AudioFrame | Sequence[Action]:
        """A whole message came. The way of every frame: keep it short.

        An audio frame that is only to be delivered is returned as itself, since nearly every message is one.
        """
        link = self._links.get(socket.kind)
        if link is None or link.number != socket.number or not link.connected:
            self._counters["late_messages"] += 1
            return self._done(now)
        link.heard = now
        try:
            if link is self._audio_link:
                heard = decode_audio(data)
                if heard.msg_type == _AUDIO and (content := heard.content) is not None:
                    if self._coverage.judging:
                        return self._judged_audio(content, now)
                    frame = self._intake.audio(content, self._sound)
                    if frame is None:
                        return ()
                    if self._intake.audio_frames % LAG_EVERY == 1:
                        self._coverage.arrived(frame.timestamp_ms, now)
                    return frame
            message = decode_good(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            saved = decode(data)
            if isinstance(saved, Malformed):
                self._counters["malformed_" + saved.kind] += 1
                return ()
            message = saved
        self._message(link, message, now)
        return self._done(now)

    def woken(self, now: float) -> list[Action]:
        """The time of the last WakeAt has come. Harmless at any other time."""
        if self.outcome is None:
            for link in self._links.values():
                if link.deadline is not None and link.deadline <= now:
                    if self._connections.overdue(link, self._urls, now):
                        self._lost(link, now, close_frame=False)
            self._check_joined(now)
            self._deliver(*self._coverage.settle(now))
            self._check_give_up(now)
        return self._done(now)

    def stopped(self, reason: int | None, at_ms: int, now: float) -> list[Action]:
        """Zoom's stop webhook came."""
        self._finish("ended", now, reason=reason, end_ms=at_ms or None)
        return self._done(now)

    def started_again(self, server_urls: Sequence[str], now: float) -> list[Action]:
        """A start webhook for this stream came again: other URLs mean that Zoom moved it (§7.1)."""
        if self._over:
            return self._done(now)
        moved = bool(server_urls) and tuple(server_urls) != self._urls
        if moved:
            self._urls = tuple(server_urls)
        if moved or not self._signaling.connected:
            self._out.append(Note("start_repeated", {"moved": moved}))
            self._reconnect_now(now)
        return self._done(now)

    def interrupted(self, server_urls: Sequence[str], now: float) -> list[Action]:
        """Zoom's interruption webhook came: connect again, unless Zoom has just been heard (§7.3, §10 C2)."""
        if not self._over and now - self._signaling.heard > HEARD_LATELY_SECS:
            self._connections.drop(self._signaling)
        return self.started_again(server_urls, now)

    # Messages

    def _judged_audio(self, content: AudioContent, now: float) -> list[Action]:
        """Audio after a reconnect: does Zoom replay what we missed? A duplicate shows it, too."""
        if 0 < content.timestamp < MAX_TIMESTAMP:
            self._deliver(*self._coverage.frame(MediaKind.AUDIO, normalised_ms(content.timestamp)))
        if frame := self._intake.audio(content, self._sound):
            self._deliver(frame)
        return self._done(now)

    def _message(self, link: Link, message: Message, now: float) -> None:
        match message.msg_type:
            case MessageType.KEEP_ALIVE_REQ:
                self._out.append(Send(link.socket, signaling.keep_alive_reply(message)))
            case MessageType.SIGNALING_HAND_SHAKE_RESP if link is self._signaling:
                if link.phase is Phase.GREETING:
                    self._signaling_answer(message, now)
            case MessageType.DATA_HAND_SHAKE_RESP if link is not self._signaling:
                if link.phase is Phase.GREETING:
                    self._media_answer(link, message, now)
            case MessageType.MEDIA_DATA_TRANSCRIPT:
                if frame := self._intake.transcript(message.content):
                    self._deliver(frame)
            case MessageType.MEDIA_DATA_CHAT:
                if said := self._intake.chat(message.content):
                    self._deliver(said)
            case MessageType.EVENT_UPDATE:
                self._event(message, now)
            case MessageType.STREAM_STATE_UPDATE:
                self._stream_state(message, now)
            case MessageType.SESSION_STATE_UPDATE:
                self._session_state(message, now)
            case other:
                self._counters[f"unhandled_message_{other}" if 0 <= other < 64 else "unhandled_message"] += 1

    def _signaling_answer(self, message: Message, now: float) -> None:
        link = self._signaling
        urls = message.media_server.server_urls if message.media_server else {}
        status = message.status_code if message.status_code is not None else (0 if urls else -1)
        if status != StatusCode.STATUS_OK:
            if self._connections.postpone(link, status, now):
                return
            detail = "" if status >= 0 else "the answer had neither a status nor media URLs"
            self._finish("rejected", now, status=status, detail=detail)
            return
        link.live(now)
        self._settle_at = now + ANSWER_SECS
        self._connections.open_media(urls, now)
        self._check_joined(now)

    def _media_answer(self, link: Link, message: Message, now: float) -> None:
        status = message.status_code or 0
        if status != StatusCode.STATUS_OK:
            if not self._connections.postpone(link, status, now):
                self._connections.refuse(link, status, "status", now)
        else:
            if link.kind == MediaKind.AUDIO:
                self._sound = media.confirmed_format(message.media_params, self.request)
            link.live(now)
            if self._acked:  # a medium that came late or back needs its own (§10 C18)
                self._out.append(Send(self._signaling.socket, signaling.ready_ack(self.info.stream_id)))
                self._reopened(link, now)
            self._deliver(*self._coverage.live(MediaKind(link.kind), now))
        self._check_joined(now)

    def _check_joined(self, now: float) -> None:
        """Acknowledge once every medium is accepted, refused or late, and at least one is accepted."""
        if self._acked or self._signaling.phase is not Phase.LIVE or self._settle_at is None:
            return
        links = self._connections.media.values()
        if all(one.phase is Phase.REFUSED for one in links):
            self._finish("no_media", now, detail="; ".join(cause for _, cause in self.refused.values()))
        elif (all(one.settled for one in links) or now >= self._settle_at) and any(
            one.phase is Phase.LIVE for one in links
        ):
            self._acked = True
            self._outage_since = None
            socket = self._signaling.socket
            self._out.append(Send(socket, signaling.ready_ack(self.info.stream_id)))
            self._out.append(Send(socket, signaling.subscription()))
            if self._joined:
                self._reopened(self._signaling, now)
            else:
                self._joined = True
                self._deliver(Event("stream_joined", self._coverage.media_ms(now)))

    def _reopened(self, link: Link, now: float) -> None:
        self._deliver(Event("socket_reopened", self._coverage.media_ms(now), details={"socket": link.kind}))

    def _event(self, message: Message, now: float) -> None:
        found = signaling.events(message.event, now_ms=self._coverage.media_ms(now)) if message.event else []
        if not found:
            self._counters["unhandled_events"] += 1
        for event in found:
            self._deliver(event)
            if event.name == "media_interrupted":
                self._connections.renew_media(now)

    def _stream_state(self, message: Message, now: float) -> None:
        state = signaling.number_of(StreamState, message.state)
        if state is None:
            self._counters["malformed_message_8"] += 1
            return
        event = signaling.stream_event(state, message, now_ms=self._coverage.media_ms(now))
        self._deliver(event)
        if state == StreamState.INTERRUPTED:
            self._connections.renew_media(now)
        elif state == StreamState.TERMINATED:
            reason = signaling.number_of(StopReason, _reason(message))
            self._finish("ended", now, reason=reason or self._sessions.reason, end_ms=event.timestamp_ms)

    def _session_state(self, message: Message, now: float) -> None:
        event = signaling.session_event(message, now_ms=self._coverage.media_ms(now))
        if event is None:
            self._counters["unhandled_session_states"] += 1
            return
        state = signaling.number_of(SessionState, message.state)
        reason = signaling.number_of(StopReason, _reason(message))
        self._sessions.update(message.rtms_session_id or "", state, reason)
        self._deliver(event)

    # Connections

    def _connect(self, now: float) -> None:
        if problem := self._connections.connect(self._urls, now):
            self._finish("bad_url", now, detail=problem)

    def _lost(self, link: Link, now: float, *, close_frame: bool) -> None:
        """A socket is gone or never came; without signaling the stream has to be joined anew."""
        was_live = link.phase is Phase.LIVE
        self._connections.lost(link, now, close_frame=close_frame)
        if link is not self._signaling:
            self._check_joined(now)
            return
        self._unjoin(now, was_live=was_live)
        if close_frame and was_live and self._sessions.over:
            self._finish("ended", now, reason=self._sessions.reason)
        elif link.phase is Phase.IDLE:  # turned away: Zoom may still say why
            self._give_up = (now + REASON_SECS, "refused", "")

    def _unjoin(self, now: float, *, was_live: bool) -> None:
        self._acked = False
        self._settle_at = None
        if was_live and self._outage_since is None:
            self._outage_since = now

    def _reconnect_now(self, now: float) -> None:
        self._connections.leave_media(now)
        self._connections.drop(self._signaling)
        self._unjoin(now, was_live=True)
        self._signaling.forgive()
        self._outage_since = now
        self._give_up = None
        if self._connections.lingering:
            self._signaling.wait(now, LINGER_SECS)
        else:
            self._connect(now)

    # Time

    def _check_give_up(self, now: float) -> None:
        if not self._over and self._give_up is not None and now >= self._give_up[0]:
            self._finish(self._give_up[1], now, detail=self._give_up[2])
        if not self._over and self._outage_since is not None and self._give_up is None:
            if now >= self._outage_since + WINDOW_SECS:
                self._connections.close_all()
                self._give_up = (now + self._patience, self._lost_outcome, self._connections.last_failure)
                self._check_give_up(now)

    @property
    def _patience(self) -> float:
        return REASON_SECS if self._signaling.ever_live else 0.0

    @property
    def _lost_outcome(self) -> str:
        if not self._signaling.ever_live:
            return "unreachable"
        return "silent_end" if self._signaling.refusals else "lost"

    def _next_wake(self, now: float) -> float | None:
        times = [self._connections.next_deadline(), self._coverage.next_settle()]
        if self._over:
            return min((one for one in times if one is not None), default=None)
        if self._settle_at is not None and not self._acked and self._settle_at > now:
            times.append(self._settle_at)
        if self._give_up is not None:
            times.append(self._give_up[0])
        elif self._outage_since is not None:
            times.append(self._outage_since + WINDOW_SECS)
        return min((one for one in times if one is not None), default=None)

    def _done(self, now: float) -> list[Action]:
        """Hand over what is to be done, with the next time to be woken if it changed."""
        ends = self._ending if self.outcome is None and not self._connections.lingering else None
        wake = None if self.outcome is not None or ends else self._next_wake(now)
        if wake != self._wake:
            self._wake = wake
            self._out.append(WakeAt(wake))
        if ends is not None:
            self._end(ends)
        done = self._out.copy()
        self._out.clear()
        return done

    # Ends

    def _finish(
        self,
        outcome: str,
        now: float,
        *,
        reason: int | None = None,
        status: int | None = None,
        detail: str = "",
        end_ms: int | None = None,
    ) -> None:
        if self._over:
            return
        end_ms = end_ms or self._coverage.media_ms(now)
        self._ending = Finished(outcome, end_ms, reason=reason, status=status, detail=detail)
        self._connections.drop(self._signaling)
        if outcome == "ended":
            self._connections.linger(now)
        else:
            self._connections.close_all()

    @property
    def _over(self) -> bool:
        """Whether it is decided how the stream ended, though its last frames may still be coming."""
        return self._ending is not None

    def _end(self, outcome: Finished) -> None:
        self._deliver(*self._coverage.end(outcome.end_ms, by_zoom=outcome.outcome == "ended"))
        self.outcome = outcome
        self._out.append(outcome)
        self._intake.forget()

    def _deliver(self, *items: Item) -> None:
        self._out.extend(Deliver(one) for one in items)


def _reason(message: Message) -> int | str | None:
    """Docs say `reason` in one place and `stop_reason` in another (§10 C11)."""
    return message.reason if message.reason is not None else message.stop_reason
